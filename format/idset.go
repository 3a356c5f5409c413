package format

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// idRange is the ids from lo to hi, both included.
type idRange struct{ lo, hi uint32 }

// idSet is a set of ids as chunk headers hold it: FORMAT.md "Set of ids". Ranges
// ascend and neither overlap nor touch. The zero value is empty.
type idSet []idRange

// rangesOf returns the set of ids, which it sorts, in the memory of s.
func rangesOf(s idSet, ids []uint32) idSet {
	slices.Sort(ids)
	s = s[:0]
	for _, id := range ids {
		if n := len(s); n > 0 && id-s[n-1].hi <= 1 {
			s[n-1].hi = id
			continue
		}
		s = append(s, idRange{id, id})
	}
	return s
}

// unionOf returns the ids of a and b in the memory of s, which is neither's.
func unionOf(s, a, b idSet) idSet {
	s = s[:0]
	for len(a)+len(b) > 0 {
		if len(a) == 0 || len(b) > 0 && b[0].lo < a[0].lo {
			a, b = b, a
		}
		r := a[0]
		a = a[1:]
		if n := len(s); n > 0 && (r.lo <= s[n-1].hi || r.lo-s[n-1].hi == 1) {
			s[n-1].hi = max(s[n-1].hi, r.hi)
			continue
		}
		s = append(s, r)
	}
	return s
}

// count returns how many ids are in s.
func (s idSet) count() (n uint64) {
	for _, r := range s {
		n += uint64(r.hi-r.lo) + 1
	}
	return n
}

// hasRange reports whether all of r is in s.
func (s idSet) hasRange(r idRange) bool {
	i, _ := slices.BinarySearchFunc(s, r.lo, func(r idRange, id uint32) int { return cmp.Compare(r.hi, id) })
	return i < len(s) && s[i].lo <= r.lo && r.hi <= s[i].hi
}

// meets reports whether an id is in both.
func (s idSet) meets(t idSet) bool {
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[0].hi < t[0].lo:
			s = s[1:]
		case t[0].hi < s[0].lo:
			t = t[1:]
		default:
			return true
		}
	}
	return false
}

// shorten joins the nearest ranges until at most limit are left. A set may hold
// more than there is, never less.
func (s idSet) shorten(limit int) idSet {
	if len(s) <= limit {
		return s
	}
	gaps := make([]uint32, len(s)-1)
	for i := range gaps {
		gaps[i] = s[i+1].lo - s[i].hi
	}
	slices.Sort(gaps)
	// Joining every gap below the widest limit-1 leaves that many gaps or fewer.
	keep := gaps[len(gaps)-(limit-1):]
	least := uint32(math.MaxUint32)
	if len(keep) > 0 {
		least = keep[0]
	}
	left := 0 // gaps as wide as the narrowest kept that may be kept too
	for _, g := range keep {
		if g == least {
			left++
		}
	}
	out := idSet{s[0]}
	for i, r := range s[1:] {
		gap := r.lo - s[i].hi
		if gap > least || gap == least && left > 0 {
			if gap == least {
				left--
			}
			out = append(out, r)
			continue
		}
		out[len(out)-1].hi = r.hi
	}
	return out
}

// appendTo encodes s within limit bytes.
func (s idSet) appendTo(dst []byte, limit int) []byte {
	at := len(dst)
	for ranges := len(s); ; ranges = ranges * 3 / 4 {
		short := s.shorten(max(ranges, 1))
		dst = short.encode(dst[:at])
		if len(dst)-at <= limit || ranges <= 1 {
			return dst
		}
	}
}

func (s idSet) encode(dst []byte) []byte {
	next := uint64(0)
	for _, r := range s {
		v := (uint64(r.lo) - next) << 1
		if r.hi > r.lo {
			dst = binary.AppendUvarint(dst, v|1)
			dst = binary.AppendUvarint(dst, uint64(r.hi-r.lo)-1)
		} else {
			dst = binary.AppendUvarint(dst, v)
		}
		next = uint64(r.hi) + 1
	}
	return dst
}

// parseIDSet decodes b. ok is false for bytes that are no set: then nothing can
// be excluded.
func parseIDSet(b []byte) (s idSet, ok bool) {
	next := uint64(0)
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v>>1 > math.MaxUint32 {
			return nil, false
		}
		b = b[n:]
		lo := next + v>>1
		hi := lo
		if v&1 != 0 {
			more, n := binary.Uvarint(b)
			if n <= 0 || more >= math.MaxUint32 {
				return nil, false
			}
			b = b[n:]
			hi += more + 1
		}
		// Touching ranges would be one; only the first may begin at 0.
		if hi > math.MaxUint32 || len(s) > 0 && v>>1 == 0 {
			return nil, false
		}
		s = append(s, idRange{uint32(lo), uint32(hi)})
		next = hi + 1
	}
	return s, true
}
