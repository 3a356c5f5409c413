package http1

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// bodyReserve is the most memory set aside for a body on the word of its
	// length alone.
	bodyReserve = 64 << 10
	// chunkLineKept is how much of a chunk-size line is kept: the size fits.
	chunkLineKept = 256
	// chunkLineMax is how long such a line may grow before it is remarkable.
	// Endless chunk extensions are an attack (CVE-2023-39326).
	chunkLineMax = 4096
)

// feedCounted reads body bytes of which left are to come.
func (s *stream) feedCounted(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	n := len(p)
	if uint64(n) > s.left {
		n = int(s.left)
	}
	s.keep(p[:n])
	if s.tap != nil {
		dst = s.tap.Append(dst, decode.Chunk{Dir: s.dir, At: m.at, Start: m.start, Data: p[:n]})
	}
	s.left -= uint64(n)
	if s.left == 0 {
		s.traced(0, uint64(n))
		dst = s.endCounted(dst, m)
	}
	return dst, n
}

// endCounted is called when left becomes 0.
func (s *stream) endCounted(dst []decode.Message, m moment) []decode.Message {
	if s.step == stepLength {
		return s.complete(dst, m)
	}
	s.step = stepChunkEnd
	return dst
}

// keep adds bytes to the body of msg.
func (s *stream) keep(p []byte) {
	b := &s.msg.Body
	b.Size = addSat(b.Size, uint64(len(p)))
	room := s.limits.Body - len(b.Data)
	if b.Cut {
		room = 0 // what follows a piece left out must not be joined to it
	}
	if s.limits.Hash {
		if len(p) > room {
			s.sum.Start(b)
		}
		s.sum.Add(p)
	}
	if len(p) > room {
		b.Cut = true
		p = p[:max(room, 0)]
	}
	if need := len(b.Data) + len(p); need > cap(b.Data) && len(p) > 0 {
		b.Data = s.grow(b.Data, need)
	}
	b.Data = append(b.Data, p...)
}

// grow makes room for need bytes: exactly what a length promises when that is
// little or half of it is here, twice the present size otherwise.
func (s *stream) grow(data []byte, need int) []byte {
	room := max(need, 2*cap(data))
	if s.step == stepLength {
		total := s.left + uint64(len(data))
		switch {
		case total <= uint64(room):
			room = max(need, int(total))
		case total <= bodyReserve:
			room = int(total)
		}
	}
	room = min(room, s.limits.Body)
	if data == nil && room == need && s.sec.arena == nil {
		return nil // append allocates that without clearing it first
	}
	bigger := s.sec.arena.Bytes(room)[:len(data)]
	copy(bigger, data)
	return bigger
}

// lost adds n bytes that were never seen to the body of msg.
func (s *stream) lost(n uint64) {
	b := &s.msg.Body
	s.msg.Flags |= decode.Gapped
	if k := len(b.Gaps); k > 0 && b.Gaps[k-1].Off+b.Gaps[k-1].Len == b.Size {
		b.Gaps[k-1].Len = addSat(b.Gaps[k-1].Len, n)
	} else if k < s.limits.Gaps {
		b.Gaps = append(b.Gaps, decode.Span{Off: b.Size, Len: n})
	}
	b.Size, b.Lost = addSat(b.Size, n), addSat(b.Lost, n)
}

// addSat adds without wrapping: lengths of gaps come from the session file.
func addSat(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}

// lineBuf collects a line of which only the beginning matters.
type lineBuf struct {
	buf  []byte // at most chunkLineKept bytes
	size int
}

// take reads p up to a line feed. The line, its end included, aliases p or l;
// if it is longer than chunkLineKept it is cut, but keeps its end.
func (l *lineBuf) take(p []byte) (line []byte, n int, done bool) {
	end := bytes.IndexByte(p, '\n')
	if end >= 0 && l.size == 0 && end < chunkLineKept {
		l.size = end + 1
		return p[:end+1], end + 1, true
	}
	n = len(p)
	if end >= 0 {
		n = end + 1
	}
	for _, c := range p[:n] {
		if len(l.buf) == chunkLineKept { // the last two slide, to keep the line's end
			l.buf[chunkLineKept-2], l.buf[chunkLineKept-1] = l.buf[chunkLineKept-1], c
			continue
		}
		l.buf = append(l.buf, c)
	}
	l.size += n
	return l.buf, n, end >= 0
}

func (l *lineBuf) reset() { l.buf, l.size = l.buf[:0], 0 }

// feedChunkLine reads a chunk-size line (RFC 9112 §7.1).
func (s *stream) feedChunkLine(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	line, n, done := s.chunk.take(p)
	if !done {
		return dst, n
	}
	s.at = s.pos + uint64(n) - uint64(s.chunk.size)
	cut := s.chunk.size > chunkLineKept
	if s.chunk.size > chunkLineMax {
		s.note(decode.AnomalyLimit, fmt.Sprintf("chunk line of %d bytes", s.chunk.size))
	}
	cut, whole := s.chunk.size > chunkLineKept, s.chunk.size
	s.chunk.reset()
	read := line
	line, bare := trimEOL(line)
	if bare {
		s.note(AnomalyBareLF, "in chunked framing")
	}
	if hasControl(line) {
		s.noteControl(line)
	}
	size, digits, ok := chunkSize(line)
	ok = ok && (!cut || digits < len(line)) // more digits may have been cut
	if !ok {
		s.note(AnomalyBadChunk, "size: "+quote(line))
		if s.lastOne() && !cut && s.msg.Body.Size == 0 {
			s.maybeChunked = true
			s.untilClose(read) // it may not be chunked at all
			return dst, n
		}
		if blankLine(line) && !cut {
			s.traced(uint64(whole), uint64(n))
			return dst, n
		}
		// What reads "f x" as 15 is not alone; data of another length will tell.
		size, ok = looseSize(line)
	}
	switch {
	case !ok:
		return s.giveUp(dst, m), n
	case size == 0:
		s.sec.reset(anyLine)
		s.step, s.part = stepTrailer, 0
	default:
		s.step, s.left = stepChunkData, size
	}
	s.traced(uint64(whole), uint64(n))
	return dst, n
}

// endUnframed keeps what stands where a first chunk-size line should and is
// none, when the connection ends in it: it is the body of a message that was
// called chunked and is not.
func (s *stream) endUnframed() {
	line := s.chunk.buf
	if s.step != stepChunkLine || !s.lastOne() || s.msg.Body.Size > 0 || len(line) == 0 || s.chunk.size > chunkLineKept {
		return
	}
	if _, _, ok := chunkSize(line); !ok {
		s.note(AnomalyBadChunk, "size: "+quote(line))
		s.keep(line)
	}
}

// chunkSize parses 1*HEXDIG, which white space and extensions may follow
// (RFC 9112 §7.1.1). Extensions are not looked at. A size beyond 63 bits is no
// size: it must not wrap. i is how many digits there are.
func chunkSize(line []byte) (n uint64, i int, ok bool) {
	for ; i < len(line); i++ {
		c := line[i]
		var d byte
		switch {
		case isDigit(c):
			d = c - '0'
		case c|0x20-'a' < 6:
			d = c | 0x20 - 'a' + 10
		default:
			rest := line[i:]
			for len(rest) > 0 && isSpace(rest[0]) {
				rest = rest[1:]
			}
			return n, i, i > 0 && (len(rest) == 0 || rest[0] == ';')
		}
		if n >= 1<<59 {
			return 0, i, false
		}
		n = n<<4 | uint64(d)
	}
	return n, i, i > 0
}

// feedChunkEnd reads the line end after chunk data.
func (s *stream) feedChunkEnd(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	cr := len(s.chunk.buf) > 0 // the CR came before
	s.at = s.pos
	switch c := p[0]; {
	case c == '\n':
		if !cr {
			s.note(AnomalyBareLF, "in chunked framing")
		}
		s.chunk.reset()
		s.step = stepChunkLine
		s.traced(1, 1)
		return dst, 1
	case c == '\r' && !cr:
		s.traced(1, 1)
		s.chunk.buf = append(s.chunk.buf, c)
		return dst, 1
	}
	s.note(AnomalyBadChunk, "data longer than its size")
	s.chunk.reset()
	dst = s.giveUp(dst, m)
	if cr {
		s.skip.count([]byte{'\r'}, 1)
	}
	return dst, 0
}
