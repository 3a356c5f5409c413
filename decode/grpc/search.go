package grpc

import (
	"encoding/binary"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// searchFrame is the longest message believed while searching. It bounds the
	// buffer: a decision needs two of them, seldom more.
	searchFrame = 32 << 10
	searchMost  = searchScore * searchFrame
	// searchScore is the evidence it takes: a message that is protobuf counts two, one
	// that could be counts one.
	searchScore = 4
	// searchWork bounds how many bytes are looked at for each that comes: a body in
	// which every byte could begin a long message is the attack.
	searchWork = 64
)

// search looks for the beginning of a message behind missing bytes: nothing marks it,
// but prefix, length and content must fit each other, and what follows likewise. The
// decision on an offset waits for the bytes it needs, and each offset goes on where it
// was, so nothing depends on how bytes are cut.
type search struct {
	on    bool
	buf   []byte
	marks []mark // when the bytes moved
	off   int    // the offset in question; what is before it is passed over
	pos   int    // how far its chain of messages reaches
	score int
	work  int // bytes looked at
	came  int // bytes that came
	over  int // bytes passed over that buf no longer has
}

// mark is when the bytes of a buffer from an offset on moved.
type mark struct {
	off   int
	at    decode.At
	start int64
}

// seek adds bytes to the search, and reads on if it finds a message.
func (r *Reader) seek(dst []decode.Message, ch decode.Chunk, final bool) []decode.Message {
	s := &r.search
	if len(ch.Data) > 0 {
		s.marks = append(s.marks, mark{len(s.buf), ch.At, ch.Start})
		s.buf = append(s.buf, ch.Data...)
		s.came += len(ch.Data)
	}
	for s.off < len(s.buf) {
		ok, wait := r.chain(final)
		if wait {
			s.compact()
			return dst
		}
		if s.work > searchWork*s.came+searchFrame {
			r.search = search{}
			return r.lose(dst, ch.At, decode.AnomalyLimit, "the search for gRPC messages was given up")
		}
		if ok {
			return r.found(dst)
		}
		s.off++
		s.pos, s.score = s.off, 0
	}
	s.compact()
	return dst
}

// compact forgets bytes that were passed over, once they are most of the buffer.
func (s *search) compact() {
	if s.off < 4096 || s.off < len(s.buf)/2 {
		return
	}
	keep := s.marks[:0]
	for i, m := range s.marks {
		if i+1 < len(s.marks) && s.marks[i+1].off <= s.off {
			continue
		}
		m.off = max(0, m.off-s.off)
		keep = append(keep, m)
	}
	s.marks = keep
	s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
	s.over += s.off
	s.pos -= s.off
	s.off = 0
}

// chain goes on with the messages that begin at the offset in question. With wait the
// answer needs more bytes; when none come (final) there is always one: the chain must
// then end where the bytes do.
func (r *Reader) chain(final bool) (ok, wait bool) {
	s := &r.search
	for s.score < searchScore {
		if s.pos-s.off > searchMost {
			return false, false
		}
		b := s.buf[s.pos:]
		if len(b) == 0 && final {
			return s.score >= 2, false
		}
		if len(b) < prefixLen {
			return false, !final && (len(b) == 0 || r.flagFits(b[0]))
		}
		n := binary.BigEndian.Uint32(b[1:])
		if !r.flagFits(b[0]) || n > searchFrame {
			return false, false
		}
		if uint32(len(b)-prefixLen) < n {
			return false, !final
		}
		weight, fits := r.weigh(b[0], b[prefixLen:prefixLen+n])
		if !fits {
			return false, false
		}
		s.score += weight
		s.pos += prefixLen + int(n)
	}
	return true, false
}

// flagFits reports whether a message can begin with c.
func (r *Reader) flagFits(c byte) bool {
	switch c {
	case 0:
		return true
	case flagCompressed:
		return r.coding != "" && r.coding != "identity"
	case flagTrailer:
		return r.form != Plain
	}
	return false
}

// weigh says how much a message counts, and whether it can be one at all.
func (r *Reader) weigh(flag byte, b []byte) (weight int, fits bool) {
	r.search.work += len(b) + prefixLen
	switch {
	case len(b) == 0:
		// An empty message is allowed, and zeros are no evidence: they cannot begin.
		return 0, flag == 0 && r.search.score > 0
	case flag == flagTrailer:
		return 2, len(appendTrailer(nil, b[:min(len(b), 64)])) > 0
	case flag == flagCompressed && r.coding == "gzip":
		return 2, len(b) > 18 && b[0] == 0x1f && b[1] == 0x8b
	case flag == flagCompressed:
		return 1, true
	case !parses(b, 1):
		return 0, false
	case len(b) < 4:
		return 1, true
	}
	return 2, true
}

// found goes on reading from the offset in question, each byte at its time.
func (r *Reader) found(dst []decode.Message) []decode.Message {
	s := r.search
	r.search = search{}
	if n := s.over + s.off; n > 0 {
		r.note(decode.AnomalyResync, fmt.Sprintf("%d bytes passed over to find the next gRPC message", n))
	}
	r.n, r.inside = 0, false
	for i, m := range s.marks {
		end := len(s.buf)
		if i+1 < len(s.marks) {
			end = s.marks[i+1].off
		}
		if from := max(s.off, m.off); from < end {
			dst = r.read(dst, s.buf[from:end], decode.Chunk{Dir: r.of.Dir, At: m.at, Start: m.start})
		}
	}
	return dst
}
