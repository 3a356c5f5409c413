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

// tapped gives body bytes to the tap. What the tap holds counts as kept of the
// connection: thousands of streams must not multiply its limit.
func (c *Conn) tapped(h *half, o *open, p []byte) {
	if o.tapLost != h.losses || o.unsized && !o.tapUnsized {
		// Whole frames of this stream may be missing: nobody knows.
		o.tapLost, o.tapUnsized = h.losses, o.unsized
		c.out = o.tap.Gap(c.out, decode.Gap{Dir: h.dir, At: c.at})
	}
	c.out = o.tap.Append(c.out, decode.Chunk{Dir: h.dir, At: c.at, Start: c.start, Data: p})
	n := o.tap.Kept()
	c.kept += n - o.held
	if o.held = n; n > 0 && c.kept > 2*max(0, c.lim.Body) {
		o.tap.Shed()
		n = o.tap.Kept()
		c.kept += n - o.held
		o.held = n
	}
}

// endTap ends the reading of what is inside the body.
func (c *Conn) endTap(o *open) {
	c.kept -= o.held
	o.held = 0
	var odd []decode.Anomaly
	c.out, odd = o.tap.End(c.out, &o.m, c.at)
	o.tap = nil
	for _, a := range odd {
		c.mark(o, a.Dir, a.Kind, "%s", a.Detail)
	}
}
