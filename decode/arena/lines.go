package arena

import (
	"encoding/binary"
	"math/bits"

	"github.com/NoFear0411/spliff/decode"
)

const (
	lineSlots = 1024
	// lineMost is the longest line that is kept.
	lineMost = 512
	// ahead is after how many lines that are not known the next known one is foretold.
	ahead = 4
)

// Line is a field as it is coded, and what it means. What others can see of a line is
// not changed once it is made.
type Line struct {
	Coded string
	Field decode.Field
	Tag   uint8 // the decoder's

	next  [ahead]*Line // what followed last time: at once, after one line that was not known, …
	run   *Run         // that begins with it; nil if none does
	maybe candidate
}

// Lines are the lines seen most lately, of all connections. A line is kept when it
// comes for the second time.
type Lines struct {
	slots [lineSlots]*Line
	seen  [lineSlots]uint32 // hashes of lines that came once
}

// Chain is a place in a sequence of lines. The zero value is at its beginning, which
// must have been set by Begin.
type Chain struct {
	last    *Line
	unknown int
}

// Begin returns the beginning of a sequence. root stands for all sequences that begin
// alike, such as those of requests, and is the caller's.
func Begin(root *Line) Chain { return Chain{last: root} }

// Foretold returns the line that is likely to follow, or nil.
func (c *Chain) Foretold() *Line {
	if c.unknown >= ahead {
		return nil
	}
	return c.last.next[c.unknown]
}

// Follow says that l followed; nil is a line that is not known.
func (c *Chain) Follow(l *Line) {
	switch {
	case l == nil:
		c.unknown++
	case c.unknown < ahead:
		if c.last.next[c.unknown] != l {
			c.last.next[c.unknown] = l
		}
		fallthrough
	default:
		c.last, c.unknown = l, 0
	}
}

// Find returns the line that is coded so, or nil. again reports that it came before,
// so that it is worth to be kept.
func (s *Lines) Find(coded []byte) (l *Line, again bool) {
	if len(coded) > lineMost {
		return nil, false
	}
	h := hash(coded)
	if l = s.slots[h%lineSlots]; l != nil && l.Coded == string(coded) {
		return l, true
	}
	slot := &s.seen[h%lineSlots]
	again = *slot == uint32(h>>32)
	*slot = uint32(h >> 32)
	return nil, again
}

// Keep makes a line. Its text is its own, so that it keeps nothing else alive.
func (s *Lines) Keep(l *Line) *Line {
	s.slots[hash([]byte(l.Coded))%lineSlots] = l
	return l
}

// hash is good enough for traffic. Lines made to collide cost what lines cost that
// are not kept.
func hash(b []byte) uint64 {
	const k = 0x9e3779b97f4a7c15
	h := uint64(len(b)) * k
	for len(b) >= 8 {
		h = bits.RotateLeft64((h^binary.LittleEndian.Uint64(b))*k, 29)
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * k
	}
	return h ^ h>>29
}
