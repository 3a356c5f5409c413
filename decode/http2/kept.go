package http2

import "github.com/NoFear0411/spliff/decode"

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
	}
	return n
}

// Shed drops the bodies held for messages that are not complete. They go on
// without: sizes are counted, and an anomaly says what happened.
func (c *Conn) Shed() {
	for st := c.reg.oldest; st != nil; st = st.next {
		for slot := range st.slot {
			o := &st.slot[slot]
			if o.tap != nil {
				o.tap.Shed()
				c.kept -= o.held - o.tap.Kept()
				o.held = o.tap.Kept()
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
