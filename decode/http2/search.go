package http2

import "github.com/NoFear0411/spliff/decode"

// Bounds of what can be a frame while searching.
const (
	searchFrameSize  = 64 << 10 // when the receiver's limit is not known
	searchFrameMax   = 1 << 20  // bounds the buffer whatever was announced
	searchStreamAway = 20_000   // from the highest stream seen
	searchStreamMax  = 1 << 24  // when none was seen
)

// search looks for a frame boundary: a header that is well-formed, on a stream
// that can be, and that is followed by another such header. Nine random bytes
// pass once in about 10⁹ tries, two in a chain never. The decision waits for
// the bytes of the second header, so it cannot depend on how bytes are cut.
type search struct {
	buf     []byte
	came    []arrival // when what is in buf came, in its order
	off     int       // buf[:off] was looked at and skipped
	skipped uint64
}

// arrival is when bytes of the buffer came: those up to end, from where the one
// before ends.
type arrival struct {
	end   int
	at    decode.At
	start int64
}

// maxArrivals bounds how many are kept apart; later bytes count as the last.
const maxArrivals = 1024

// searchFrame adds bytes to the search.
func (c *Conn) searchFrame(h *half, p []byte) {
	s := &h.search
	// Only when half of the buffer is behind: each byte is moved once on average,
	// however small the chunks are.
	if s.off > len(s.buf)/2 && s.off > minFrameSize {
		s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
		gone := 0
		for gone < len(s.came) && s.came[gone].end <= s.off {
			gone++
		}
		s.came = s.came[:copy(s.came, s.came[gone:])]
		for i := range s.came {
			s.came[i].end -= s.off
		}
		s.off = 0
	}
	s.buf = append(s.buf, p...)
	if len(s.came) == maxArrivals {
		s.came = s.came[:maxArrivals-1]
	}
	s.came = append(s.came, arrival{len(s.buf), c.at, c.start})
	c.scan(h, false)
}

// settle ends a search because nothing follows: a frame that ends exactly where
// the bytes end is accepted, the rest is skipped. The direction stays in
// resync if nothing was found.
func (c *Conn) settle(h *half) {
	c.scan(h, true)
	if h.state != inResync {
		return
	}
	s := &h.search
	if s.skipped += uint64(len(s.buf) - s.off); s.skipped > 0 {
		c.notice(h.dir, 0, decode.AnomalyResync, "%d bytes skipped, no frame found", s.skipped)
	}
	h.search = search{}
}

// scan tries every offset in turn until one is a frame boundary.
func (c *Conn) scan(h *half, final bool) {
	s := &h.search
	for len(s.buf)-s.off >= frameHeaderLength {
		b := s.buf[s.off:]
		f := parseFrame(b)
		if f.typ != frameContinuation && c.plausible(h, f) {
			end := frameHeaderLength + f.length
			switch {
			case len(b) >= end+frameHeaderLength:
				if c.follows(h, f, parseFrame(b[end:])) {
					c.found(h, b)
					return
				}
			// The second header has not come: wait, do not guess.
			case !final:
				return
			case len(b) == end:
				c.found(h, b)
				return
			}
		}
		s.off++
		s.skipped++
	}
}

// found goes on with rest, which begins with a frame.
func (c *Conn) found(h *half, rest []byte) {
	skipped, late := h.search.skipped, h.midStream
	from, came := len(h.search.buf)-len(rest), h.search.came
	h.search = search{}
	h.pos -= uint64(len(rest))
	h.frameAt = h.pos
	h.state, h.nheader, h.midStream = inHeader, 0, false
	if late {
		c.notice(h.dir, 0, decode.AnomalyMidStream, "the connection's beginning was not seen")
	}
	if skipped > 0 {
		c.notice(h.dir, 0, decode.AnomalyResync, "%d bytes skipped", skipped)
	}
	h.told -= uint64(len(rest)) // read again
	// No endless turn: rest begins with a whole header, which feed consumes. What
	// was held carries the time it came, not that of being found.
	at, start := c.at, c.start
	for _, a := range came {
		if n := a.end - from; n > 0 {
			c.at, c.start = a.at, a.start
			c.feed(h, rest[:n])
			rest, from = rest[n:], a.end
		}
	}
	c.at, c.start = at, start
}

// plausible reports whether f can be a frame of this direction.
func (c *Conn) plausible(h *half, f frame) bool {
	limit := searchFrameSize
	if h.frameSize > 0 {
		limit = min(h.frameSize, searchFrameMax)
	}
	if !f.wellFormed(limit) || f.typ == framePush && !h.fromPeer {
		return false
	}
	if f.stream == 0 {
		return true
	}
	if f.stream&1 == 0 && c.reg.byID[f.stream] == nil && (!h.fromPeer || c.reg.lastPush == 0) {
		return false
	}
	// Both directions count: the one that lost bytes lags behind the other.
	top := max(c.half[0].maxStream, c.half[1].maxStream)
	if top == 0 {
		return f.stream < searchStreamMax
	}
	return f.stream <= top+min(searchStreamAway, 1<<31-1-top)
}

// follows reports whether next can come after f.
func (c *Conn) follows(h *half, f, next frame) bool {
	switch f.typ {
	case frameHeaders, framePush:
		if !f.has(flagEndHeaders) {
			return next.typ == frameContinuation && next.stream == f.stream && c.plausible(h, next)
		}
	}
	return next.typ != frameContinuation && c.plausible(h, next)
}
