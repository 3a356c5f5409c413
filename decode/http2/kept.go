package http2

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// Kept returns how many bytes of bodies are held for messages that are not
// complete, the memory set aside for them included.
func (c *Conn) Kept() int {
	n := 0
	for st := c.reg.oldest; st != nil; st = st.next {
		for slot := range st.slot {
			o := &st.slot[slot]
			n += cap(o.m.Body.Data)
			if o.tap != nil {
				n += o.tap.Kept()
			}
		}
		if st.ws != nil {
			n += st.ws.Kept()
		}
		if st.inside != nil {
			n += st.inside.conn.Kept()
		}
	}
	return n
}

// Shed drops the bodies held for messages that are not complete. They go on
// without: sizes are counted, and an anomaly says what happened.
func (c *Conn) Shed() {
	for st := c.reg.oldest; st != nil; st = st.next {
		if st.ws != nil {
			st.ws.Shed()
		}
		if st.inside != nil {
			st.inside.conn.Shed()
		}
		for slot := range st.slot {
			o := &st.slot[slot]
			if o.tap != nil {
				o.tap.Shed()
			}
			if o.m.Body.Data == nil || o.tunnel {
				continue
			}
			if c.lim.Hash {
				o.sum.Start(&o.m.Body)
			}
			o.m.Body.Data, o.m.Body.Cut = nil, true
			c.kept -= o.kept
			o.kept = 0
			c.mark(o, c.dirOf(slot), decode.AnomalyBudget, "too many bodies were open at once")
		}
	}
}

// Expire tells that the connection has been silent until at, and gives up the
// streams on which nothing came for longer than Limits.Idle.
func (c *Conn) Expire(dst []decode.Message, at decode.At) []decode.Message {
	c.begin(dst, at, at.Time)
	c.expire()
	return c.finish()
}

// sweep looks for idle streams beside busy ones. Going through all of them is
// worth it only now and then: at most a quarter of the limit too late.
func (c *Conn) sweep() {
	now := c.at.Time
	if c.lim.Idle <= 0 || now-c.swept <= c.lim.Idle/4 {
		return
	}
	if c.swept != 0 {
		c.expire()
	}
	c.swept = now
}

func (c *Conn) expire() {
	if c.lim.Idle <= 0 {
		return
	}
	for st := c.reg.oldest; st != nil; {
		next := st.next
		switch idle := c.at.Time-st.last > c.lim.Idle; {
		case idle && st.ws != nil:
			st.ws.Rest()
		case idle:
			c.abandon(st, 0, decode.AnomalyIdle, fmt.Sprintf("nothing came on it for longer than %d s", c.lim.Idle/1e9))
			c.joined = true // what still comes on it has no known beginning
		}
		st = next
	}
}
