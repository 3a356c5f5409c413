package http2

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/tap"
)

// openTap is called with the first DATA of a body, when the final head is known.
func (c *Conn) openTap(h *half, o *open) {
	if o.tap != nil || o.tunnel {
		return
	}
	if o.tap = tap.Open(&o.m, &c.lim); o.tap != nil {
		o.tapLost = o.losses
	}
}

// tapped gives body bytes to the tap. A connection's taps together hold at most
// Limits.Streams times Limits.Inner; what that is at a time depends on how bytes
// are cut, so no decision here may: whoever feeds the connection has Kept and Shed.
func (c *Conn) tapped(h *half, o *open, p []byte) {
	if o.tapLost != h.losses || o.unsized && !o.tapUnsized {
		// Whole frames of this stream may be missing: nobody knows.
		o.tapLost, o.tapUnsized = h.losses, o.unsized
		c.out = o.tap.Gap(c.out, decode.Gap{Dir: h.dir, At: c.at})
	}
	c.out = o.tap.Append(c.out, decode.Chunk{Dir: h.dir, At: c.at, Start: c.start, Data: p})
}

// endTap ends the reading of what is inside the body.
func (c *Conn) endTap(o *open) {
	var odd []decode.Anomaly
	c.out, odd = o.tap.End(c.out, &o.m, c.at)
	o.tap = nil
	for _, a := range odd {
		c.mark(o, a.Dir, a.Kind, "%s", a.Detail)
	}
}
