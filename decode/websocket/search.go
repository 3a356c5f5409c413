package websocket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// searchFrame is the longest frame believed while searching. It bounds the
	// buffer: a decision needs searchScore frames at most.
	searchFrame = 64 << 10
	// searchScore is the evidence it takes: a header that fits counts one, one
	// whose payload is what it says counts two.
	searchScore = 4
	// textSample is how much of a text is looked at.
	textSample = 64
	// opaqueHead is how much is kept of bytes that were passed over.
	opaqueHead = 64
)

// search looks for a frame boundary: the beginning of a chain of headers that can
// follow each other. The decision on an offset waits for the bytes it needs, so it
// does not depend on how they are cut.
type search struct {
	buf   []byte
	off   int      // buf[:off] was looked at and passed over
	marks []timing // when the bytes moved

	passed uint64
	head   []byte
	begin  int64
}

// timing is when the bytes of a buffer from an offset on moved.
type timing struct {
	off int
	moment
}

// pass counts bytes that are no frame.
func (s *search) pass(p []byte, begin int64) {
	if s.passed == 0 {
		s.begin = begin
	}
	s.passed = addSat(s.passed, uint64(len(p)))
	if room := opaqueHead - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
}

// skip passes one byte over.
func (s *search) skip() {
	s.pass(s.buf[s.off:s.off+1], s.at(s.off).start)
	s.off++
}

// at returns when the byte at an offset moved.
func (s *search) at(off int) moment {
	m := s.marks[0].moment
	for _, t := range s.marks {
		if t.off > off {
			break
		}
		m = t.moment
	}
	return m
}

// add appends bytes, and forgets those behind once they are half of the buffer.
func (s *search) add(p []byte, m moment) {
	if s.off > len(s.buf)/2 && s.off > 4096 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
		keep := s.marks[:0]
		for i, t := range s.marks {
			if i+1 < len(s.marks) && s.marks[i+1].off <= s.off {
				continue
			}
			t.off = max(0, t.off-s.off)
			keep = append(keep, t)
		}
		s.marks, s.off = keep, 0
	}
	if k := len(s.marks); k == 0 || s.marks[k-1].moment != m {
		s.marks = append(s.marks, timing{len(s.buf), m})
	}
	s.buf = append(s.buf, p...)
}

// feedSearch adds bytes to the search.
func (h *half) feedSearch(dst []decode.Message, p []byte, m moment) []decode.Message {
	h.search.add(p, m)
	return h.scan(dst, m, false)
}

// settle ends a search because nothing follows: a chain that ends exactly where the
// bytes end is believed with less evidence, the rest is passed over.
func (h *half) settle(dst []decode.Message, m moment) []decode.Message {
	dst = h.scan(dst, m, true)
	if h.state == inSearch {
		return h.endSearch(dst, m)
	}
	return dst
}

// scan tries every offset in turn until one is a frame boundary.
func (h *half) scan(dst []decode.Message, m moment, final bool) []decode.Message {
	s := &h.search
	for s.off < len(s.buf) {
		ok, wait := h.chain(s.buf[s.off:], final)
		if wait {
			return dst
		}
		if ok {
			return h.found(dst, m)
		}
		s.skip()
	}
	return dst
}

// found goes on with the bytes from the boundary, each at its time.
func (h *half) found(dst []decode.Message, m moment) []decode.Message {
	buf, off, marks, passed := h.search.buf, h.search.off, h.search.marks, h.search.passed
	dst = h.endSearch(dst, m)
	if passed > 0 {
		h.carryOver(decode.AnomalyResync, fmt.Sprintf("%d bytes passed over", passed))
	}
	h.state = inHeader
	for i, t := range marks {
		end := len(buf)
		if i+1 < len(marks) {
			end = marks[i+1].off
		}
		if from := max(off, t.off); from < end {
			dst = h.feed(dst, buf[from:end], t.moment)
		}
	}
	return dst
}

// endSearch reports the bytes passed over, if there are any.
func (h *half) endSearch(dst []decode.Message, m moment) []decode.Message {
	s := &h.search
	if s.passed > 0 {
		dst = append(dst, decode.Message{
			Kind: decode.Opaque, Dir: h.dir, Proto: proto, Exchange: h.conn.o.Exchange, Stream: h.conn.o.Stream,
			Body:  decode.Body{Data: bytes.Clone(s.head), Size: s.passed, Cut: s.passed > uint64(len(s.head))},
			Begin: s.begin, HeadEnd: m.at, End: m.at, Anomalies: h.takeCarry(),
		})
	}
	h.search = search{}
	return dst
}

// chain judges whether b begins at a frame boundary. With wait the answer needs
// more bytes; when there are none to come (final) there is always an answer.
func (h *half) chain(b []byte, final bool) (ok, wait bool) {
	score, message := 0, -1 // message: inside a fragmented one? -1 unknown
	for score < searchScore {
		if len(b) == 0 && final {
			return score >= 2, false
		}
		if len(b) > 0 && !h.firstByte(b[0]) {
			return false, false
		}
		f, whole := parseFrame(b)
		if !whole {
			return false, !final
		}
		if !h.follows(&f, &message) {
			return false, false
		}
		b = b[f.size:]
		if uint64(len(b)) < f.length {
			return false, !final
		}
		n := weigh(&f, b[:f.length])
		if n == 0 {
			return false, false
		}
		score += n
		b = b[f.length:]
	}
	return true, false
}

// firstByte reports whether a frame can begin with c.
func (h *half) firstByte(c byte) bool {
	op := c & 15
	f := frame{op: op}
	if f.reserved() || f.control() && c&(0x80|rsv) != 0x80 {
		return false
	}
	ext := &h.conn.o.Extensions
	if ext.Other != "" {
		return true
	}
	return c&rsv == 0 || c&rsv == rsv1 && ext.Deflate && op != opContinuation
}

// plausible reports whether f, whose first byte is, can be a frame of this side.
func (h *half) plausible(f *frame) bool {
	switch {
	case f.masked != h.fromClient, f.long, f.length > searchFrame:
		return false
	case f.control():
		return f.length <= controlMax
	// Allowed, but zeros are more often something else.
	case f.length == 0 && !(f.fin && f.op != opContinuation):
		return false
	}
	return true
}

// weigh says how much a frame whose payload is here counts; 0 rules it out.
func weigh(f *frame, payload []byte) int {
	switch {
	case f.op == opClose && f.length == 0:
		return 1
	case f.op == opClose && f.length == 1:
		return 0
	case f.op == opClose:
		code := append([]byte(nil), payload[:2]...)
		if f.masked {
			unmask(code, f.key, 0)
		}
		if !sendable(int(binary.BigEndian.Uint16(code))) {
			return 0
		}
		return 2
	case f.op != opText || f.rsv != 0:
		return 1
	}
	sample := append([]byte(nil), payload[:min(len(payload), textSample)]...)
	if f.masked {
		unmask(sample, f.key, 0)
	}
	if !isText(sample) {
		return 0
	}
	if len(sample) < 8 {
		return 1
	}
	return 2
}

// isText reports whether b is the beginning of a text, perhaps cut inside a rune.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
		b = b[n:]
	}
	return true
}
