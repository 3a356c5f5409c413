package http1

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

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

// Expire tells that nothing came on the connection for longer than Limits.Idle
// until at. Messages that are not complete are given up, and each request that
// waits for its answer gets an empty response with Status 0 and the flag
// Incomplete: whoever pairs messages then knows that it waits no more.
func (c *Conn) Expire(dst []decode.Message, at decode.At) []decode.Message {
	m := moment{at: at, start: at.Time}
	why := fmt.Sprintf("nothing came for longer than %d s", c.limits.Idle/1e9)
	if c.req.step == stepHold {
		dst = c.req.release(dst, c.req.looksHTTP())
	}
	// The response in hand first: it has its own request.
	for _, s := range [2]*stream{&c.resp, &c.req} {
		switch s.step {
		case stepLength, stepChunkLine, stepChunkData, stepChunkEnd, stepTrailer, stepClose:
			s.note(decode.AnomalyIdle, why)
			s.chunk.reset()
			dst = s.giveUp(dst, m)
		}
	}
	for _, p := range c.queue.list[c.queue.first:] {
		dst = append(dst, decode.Message{
			Kind: decode.Response, Dir: c.resp.dir, Flags: decode.Incomplete, Exchange: p.exchange, Proto: "HTTP/1.1",
			Begin: m.start, HeadEnd: at, End: at,
			Anomalies: []decode.Anomaly{{Kind: decode.AnomalyIdle, Dir: c.resp.dir, Detail: why}},
		})
	}
	c.queue.drop(c.queue.len())
	return dst
}
