package websocket

import "github.com/NoFear0411/spliff/decode"

// Kept returns how many bytes are held for messages that are not complete, and of
// the text that later ones may refer to.
func (c *Conn) Kept() int {
	n := cap(c.inf.out) + cap(c.inf.win)
	if c.inf.r != nil {
		n += 2 * windowSize // its own window and tables
	}
	for i := range c.half {
		h := &c.half[i]
		n += cap(h.data.Body.Data) + cap(h.data.comp) + cap(h.ctl.comp) + cap(h.window) + cap(h.search.buf)
	}
	return n
}

// Shed drops what [Conn.Kept] counts. Messages in hand go on without their payload;
// later ones that refer to text that was dropped are given as they were sent.
func (c *Conn) Shed() {
	c.inf.free()
	for i := range c.half {
		h := &c.half[i]
		if msg := &h.data; msg.open && len(msg.Body.Data)+len(msg.comp) > 0 {
			msg.Body.Data, msg.comp, msg.shed = nil, nil, true
			h.mark(msg, decode.AnomalyLimit, "too many bodies were open at once")
		}
		h.forget()
		h.window, h.ctl.comp = nil, nil
		if !h.data.open {
			h.data.comp = nil
		}
	}
}

// Rest frees what a connection that is silent can do without. Of one with compression
// the text remains that later messages may refer to, up to 40 KiB each way.
func (c *Conn) Rest() {
	c.inf.free()
	for i := range c.half {
		if h := &c.half[i]; !h.data.open {
			h.data.comp, h.ctl.comp = nil, nil
		}
	}
}
