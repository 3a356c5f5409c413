package conn

import (
	"slices"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/http1"
	"github.com/NoFear0411/spliff/decode/http2"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// maxDepth is how many tunnels may be inside each other; each costs a decoder, and
// a CONNECT is a few bytes.
const maxDepth = 4

// asked is what must be known of the request that an upgrade answers.
type asked struct {
	head     bool   // its method is HEAD
	settings string // its HTTP2-Settings
}

// after reads what follows the HTTP/1 of a connection. At most one is set.
type after struct {
	h2     *http2.Conn
	ws     *websocket.Conn
	tunnel *Conn
	base   uint32 // exchanges of the connection around tunnel
}

// handOver gives what follows an upgrade to its decoder. dst[from:] is what HTTP/1
// said last.
func (c *Conn) handOver(dst []decode.Message, from int) []decode.Message {
	for i := range dst[from:] {
		m := &dst[from+i]
		c.exchanges = max(c.exchanges, m.Exchange)
		if m.Kind == decode.Request {
			c.asked = asked{head: m.Method == "HEAD", settings: field(m.Header, "HTTP2-Settings")}
		}
	}
	if c.h1.Upgraded() == "" {
		return dst
	}
	if c.after == (after{}) {
		dst = c.become(dst, from)
	}
	for _, r := range c.h1.Rest() {
		if c.after.h2 != nil {
			for _, d := range [2]decode.Dir{decode.Write, decode.Read} {
				c.after.h2.BeginAt(d, c.h1.Pos(d))
			}
		}
		dst = c.after.feed(dst, r)
	}
	return dst
}

// become makes the decoder of what follows the upgrade that is among dst[from:].
func (c *Conn) become(dst []decode.Message, from int) []decode.Message {
	at := slices.IndexFunc(dst[from:], func(m decode.Message) bool { return m.Kind == decode.Response && m.Flags&decode.Upgraded != 0 })
	if at < 0 {
		return dst // taken for one by its looks
	}
	at += from
	m := &dst[at]
	switch c.h1.Upgraded() {
	case "h2c":
		answer := *m
		dst = slices.Delete(dst, at, at+1)
		c.after.h2 = http2.New(c.clientDir(), c.lim)
		c.after.h2.SetUpgraded(http2.Upgrade{Exchange: answer.Exchange, Head: c.asked.head, Settings: c.asked.settings, Response: &answer})
		c.after.h2.SetTrace(c.trace, [2]uint64{})
		c.readTunnels(c.after.h2)
		c.after.h2.SetArena(c.arena)
		c.h2 = c.after.h2
	case "websocket":
		m.Flags |= decode.Continued
		c.after.ws = websocket.New(websocket.Options{
			Client: c.clientDir(), Limits: c.lim, Extensions: websocket.Negotiated(m.Header), Exchange: m.Exchange,
		})
	case "tunnel":
		if c.depth < maxDepth {
			c.after.tunnel, c.after.base = c.within(), c.exchanges
			if c.trace != nil {
				// HTTP/1 counts no further than where the tunnel begins.
				c.after.tunnel.SetTrace(func(d decode.Dir, off, n uint64) { c.trace(d, c.h1.Pos(d)+off, n) })
			}
		}
	}
	return dst
}

// within returns a decoder for what is in a tunnel of this connection.
func (c *Conn) within() *Conn {
	in := New(c.lim)
	in.depth = c.depth + 1
	in.SetArena(c.arena)
	in.Hint(decode.Hint{Role: c.role})
	return in
}

// maxTunnels is how many tunnels of an HTTP/2 connection are read at once, and an
// eighth of it of one that is in a tunnel itself: they multiply.
const maxTunnels = 64

// readTunnels has what is in the tunnels of an HTTP/2 connection decoded.
func (c *Conn) readTunnels(h *http2.Conn) {
	if most := maxTunnels >> (3 * c.depth); most > 0 && c.depth < maxDepth {
		h.SetInside(most, func() http2.Inside { return c.within() })
	}
}

// feed gives on one piece.
func (a *after) feed(dst []decode.Message, r http1.Rest) []decode.Message {
	from := len(dst)
	switch {
	case a.h2 != nil && r.Gap != nil:
		return a.h2.Gap(dst, *r.Gap)
	case a.h2 != nil:
		return a.h2.Append(dst, r.Chunk)
	case a.ws != nil && r.Gap != nil:
		return a.ws.Gap(dst, *r.Gap)
	case a.ws != nil:
		return a.ws.Append(dst, r.Chunk)
	case r.Gap != nil:
		return a.inside(a.tunnel.Gap(dst, *r.Gap), from)
	}
	return a.inside(a.tunnel.Append(dst, r.Chunk), from)
}

// end ends WebSocket or a tunnel; HTTP/2 ends with the connection.
func (a *after) end(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	switch {
	case a.ws != nil:
		return a.ws.End(dst, at, clean)
	case a.tunnel != nil:
		from := len(dst)
		return a.inside(a.tunnel.End(dst, at, clean), from)
	}
	return dst
}

// inside numbers the exchanges of a tunnel after those around it.
func (a *after) inside(dst []decode.Message, from int) []decode.Message {
	for i := range dst[from:] {
		m := &dst[from+i]
		if m.Exchange > 0 {
			m.Exchange += a.base
		}
		if m.Kind == decode.Opaque && m.Proto == "unknown" {
			m.Proto = "tunnel"
		}
	}
	return dst
}

// field returns the value of the first field of a name.
func field(header []decode.Field, name string) string {
	for i := range header {
		if strings.EqualFold(header[i].Name, name) {
			return header[i].Value
		}
	}
	return ""
}
