package format

import (
	"fmt"
	"math"
	"net/netip"
)

// TLV layout: FORMAT.md "TLV".
const (
	tlvHeadLen  = 8
	tlvCritical = 1 << 0
	wordLen     = 8 // every number is one 64-bit word: padding would fill it anyway
)

// appendTLV appends one element, padded.
func appendTLV[T string | []byte](dst []byte, typ uint16, value T) []byte {
	var head [tlvHeadLen]byte
	le.PutUint16(head[:], typ)
	le.PutUint32(head[4:], uint32(len(value)))
	dst = append(dst, head[:]...)
	dst = append(dst, value...)
	var zero [7]byte
	return append(dst, zero[:pad8(len(value))-len(value)]...)
}

// appendWord appends a number; zero is what a missing element means.
func appendWord(dst []byte, typ uint16, v uint64) []byte {
	if v == 0 {
		return dst
	}
	var b [wordLen]byte
	le.PutUint64(b[:], v)
	return appendTLV(dst, typ, b[:])
}

// appendBool appends true as the number 1.
func appendBool(dst []byte, typ uint16, v bool) []byte {
	if !v {
		return dst
	}
	return appendWord(dst, typ, 1)
}

// appendText appends a string; an empty one is what a missing element means.
func appendText(dst []byte, typ uint16, s string) []byte {
	if s == "" {
		return dst
	}
	return appendTLV(dst, typ, s)
}

// appendList appends one element per string, empty ones too, MaxList at most.
func appendList(dst []byte, typ uint16, list []string) []byte {
	for _, s := range list[:min(len(list), MaxList)] {
		dst = appendTLV(dst, typ, s)
	}
	return dst
}

// appendWords appends one element of several numbers.
func appendWords(dst []byte, typ uint16, words ...uint64) []byte {
	var b [5 * wordLen]byte
	for i, w := range words {
		le.PutUint64(b[i*wordLen:], w)
	}
	return appendTLV(dst, typ, b[:len(words)*wordLen])
}

// appendAddr appends u16 port, u8 family (4 or 6), u8 zero, the address, and
// the IPv6 zone as text.
func appendAddr(dst []byte, typ uint16, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return dst
	}
	var head [4]byte
	le.PutUint16(head[:], a.Port())
	ip := a.Addr()
	if ip.Is4() {
		head[2] = 4
		b := ip.As4()
		return appendTLV(dst, typ, append(head[:], b[:]...))
	}
	head[2] = 6
	b := ip.As16()
	return appendTLV(dst, typ, append(append(head[:], b[:]...), ip.Zone()...))
}

// scanner reads TLVs one by one. It never allocates by a length it has not
// compared with the bytes left, so a hostile payload costs what its size allows.
//
// After next returned true, typ and value are set; the reading methods check the
// value. The first fault stops it.
type scanner struct {
	what  string // names the payload in errors
	rest  []byte
	typ   uint16
	flags uint16
	value []byte
	err   error
}

func (s *scanner) next() bool {
	if s.err != nil || len(s.rest) == 0 {
		return false
	}
	if len(s.rest) < tlvHeadLen {
		// Padding to 8 is never shorter than this: what is left is no element.
		return s.fail("%d bytes after the last element", len(s.rest))
	}
	s.typ, s.flags = le.Uint16(s.rest), le.Uint16(s.rest[2:])
	n, body := uint64(le.Uint32(s.rest[4:])), s.rest[tlvHeadLen:]
	if n > uint64(len(body)) {
		return s.fail("element %d of %d bytes in %d", s.typ, n, len(body))
	}
	s.value = body[:n:n]
	s.rest = body[min(pad8(int(n)), len(body)):]
	return true
}

func (s *scanner) fail(f string, args ...any) bool {
	s.err = fmt.Errorf("%s: %w: %s", s.what, ErrMalformed, fmt.Sprintf(f, args...))
	return false
}

// unknown is called for a type the reader does not know.
func (s *scanner) unknown() {
	if s.flags&tlvCritical != 0 {
		s.err = fmt.Errorf("%s: %w: element %d must be understood", s.what, ErrVersion, s.typ)
	}
}

// word reads a number; bytes appended by a later version are ignored.
func (s *scanner) word() uint64 {
	if len(s.value) < wordLen {
		s.fail("element %d holds %d bytes, not a number", s.typ, len(s.value))
		return 0
	}
	return le.Uint64(s.value)
}

// most reads a number for a field of fewer bits. Cutting it down silently would
// turn one process into another, so a value over limit is a fault.
func (s *scanner) most(limit uint64) uint64 {
	v := s.word()
	if v > limit {
		s.fail("element %d is %d, over %d", s.typ, v, limit)
		return 0
	}
	return v
}

func (s *scanner) u8() uint8   { return uint8(s.most(math.MaxUint8)) }
func (s *scanner) u16() uint16 { return uint16(s.most(math.MaxUint16)) }
func (s *scanner) u32() uint32 { return uint32(s.most(math.MaxUint32)) }
func (s *scanner) flag() bool  { return s.word() != 0 }

// text copies the value: a payload is only lent.
func (s *scanner) text() string { return string(s.value) }

// addTo reads one more item of a list. The limit matters because an empty item
// takes twice the memory it takes in the file.
func (s *scanner) addTo(list []string) []string {
	if len(list) == MaxList {
		s.fail("element %d more than %d times", s.typ, MaxList)
		return list
	}
	return append(list, s.text())
}

// words reads n numbers.
func (s *scanner) words(n int) []uint64 {
	if len(s.value) < n*wordLen {
		s.fail("element %d holds %d bytes, not %d numbers", s.typ, len(s.value), n)
		return nil
	}
	w := make([]uint64, n)
	for i := range w {
		w[i] = le.Uint64(s.value[i*wordLen:])
	}
	return w
}

// row reads n numbers of one more item of a list that has so many.
func (s *scanner) row(items, n int) []uint64 {
	if items == MaxList {
		s.fail("element %d more than %d times", s.typ, MaxList)
		return nil
	}
	return s.words(n)
}

// ancestor reads one more ancestor; those over MaxAncestors are a fault.
func (s *scanner) ancestor(list []Ancestor) []Ancestor {
	if len(list) == MaxAncestors {
		s.fail("element %d more than %d times", s.typ, MaxAncestors)
		return list
	}
	a, ok := ParseAncestor(s.text())
	if !ok {
		s.fail("element %d is not an ancestor", s.typ)
	}
	return append(list, a)
}

// addr does not unmap ::ffff:192.0.2.1: the family is what the socket had.
func (s *scanner) addr() netip.AddrPort {
	const head = 4
	v := s.value
	switch {
	case len(v) >= head+4 && v[2] == 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(v[head:])), le.Uint16(v))
	case len(v) >= head+16 && v[2] == 6:
		ip := netip.AddrFrom16([16]byte(v[head:])).WithZone(string(v[head+16:]))
		return netip.AddrPortFrom(ip, le.Uint16(v))
	}
	s.fail("element %d is not an address", s.typ)
	return netip.AddrPort{}
}

// findWord returns the last number of type typ in p, 0 if there is none. It
// allocates nothing and takes a malformed payload for one without it.
func findWord(p []byte, typ uint16) (v uint64) {
	for len(p) >= tlvHeadLen {
		n, body := uint64(le.Uint32(p[4:])), p[tlvHeadLen:]
		if n > uint64(len(body)) {
			return 0
		}
		if le.Uint16(p) == typ && n >= wordLen {
			v = le.Uint64(body)
		}
		p = body[min(pad8(int(n)), len(body)):]
	}
	return v
}
