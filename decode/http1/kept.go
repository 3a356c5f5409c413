package http1

import "github.com/NoFear0411/spliff/decode"

// Kept returns how many bytes of bodies are held for messages that are not
// complete, the memory set aside for them included.
func (c *Conn) Kept() int { return c.req.keeps() + c.resp.keeps() }

func (s *stream) keeps() int {
	n := cap(s.msg.Body.Data)
	if s.tap != nil {
		n += s.tap.Kept()
	}
	return n
}

// Shed drops the bodies held for messages that are not complete. They go on
// without: sizes are counted, and an anomaly says what happened.
func (c *Conn) Shed() {
	for _, s := range [2]*stream{&c.req, &c.resp} {
		if s.tap != nil {
			s.tap.Shed()
		}
		if b := &s.msg.Body; b.Data != nil {
			if s.limits.Hash {
				s.sum.Start(b)
			}
			b.Data, b.Cut = nil, true
			s.note(decode.AnomalyBudget, "too many bodies were open at once")
		}
	}
}
