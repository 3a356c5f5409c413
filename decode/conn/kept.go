package conn

import "github.com/NoFear0411/spliff/decode"

// Kept returns how many bytes of bodies are held for messages that are not
// complete, or that wait for the protocol to be known.
func (c *Conn) Kept() int {
	n := c.bytes
	if c.h1 != nil {
		n += c.h1.Kept()
	}
	if c.h2 != nil {
		n += c.h2.Kept()
	}
	if c.ws != nil {
		n += c.ws.Kept()
	}
	switch a := &c.after; {
	case a.ws != nil:
		n += a.ws.Kept()
	case a.tunnel != nil:
		n += a.tunnel.Kept()
	}
	return n
}

// Shed drops the bodies held for messages that are not complete; each says so
// when it is given out. Sizes and hashes go on.
func (c *Conn) Shed() {
	if c.h1 != nil {
		c.h1.Shed()
	}
	if c.h2 != nil {
		c.h2.Shed()
	}
	if c.ws != nil {
		c.ws.Shed()
	}
	switch a := &c.after; {
	case a.ws != nil:
		a.ws.Shed()
	case a.tunnel != nil:
		a.tunnel.Shed()
	}
}

// Expire tells that nothing came on the connection for longer than Limits.Idle
// until at, and appends what is given up for it. The connection itself goes on. A
// WebSocket may be silent for as long as it likes, and holds less then.
func (c *Conn) Expire(dst []decode.Message, at decode.At) []decode.Message {
	if c.lim.Idle <= 0 {
		return dst
	}
	if c.h2 != nil {
		return c.h2.Expire(dst, at)
	}
	if c.ws != nil {
		c.ws.Rest()
	}
	if c.h1 == nil {
		return dst
	}
	dst = c.h1.Expire(dst, at)
	switch a := &c.after; {
	case a.tunnel != nil:
		from := len(dst)
		dst = a.inside(a.tunnel.Expire(dst, at), from)
	case a.ws != nil:
		a.ws.Rest()
	}
	return dst
}
