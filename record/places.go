package record

import (
	"maps"
	"slices"
)

// places say where a probe inside a library finds what it needs, in registers that
// calls preserve, or else at the top of the stack. It is union near of bpf/inner.h:
// the first four count words of eight bytes there, the others of four.
type places struct {
	session        uint8
	buffer, offset uint8 // what is moved begins at their sum
	out            uint8 // how many bytes
	kind, peek     uint8
}

const (
	savedRegisters = 6
	stackSeen      = 128 // bytes of the stack
	noPair         = 31
	noWord         = 63
)

var nowhere = places{noPair, noPair, noPair, noPair, noWord, noWord}

// cookie is the part of the attach cookie that bpf/inner.h reads; none of the zero value.
func (p places) cookie() (c uint64) {
	if p == (places{}) {
		return 0
	}
	for i, at := range []uint8{p.session, p.buffer, p.offset, p.out} {
		c |= uint64(at) << (32 + 5*i)
	}
	return c | uint64(p.stack())<<8 | uint64(p.kind)<<52 | uint64(p.peek)<<58
}

// stack returns how many words of eight bytes of the stack these places are in.
func (p places) stack() (words uint8) {
	for _, at := range []uint8{p.session, p.buffer, p.offset, p.out, p.kind / 2, p.peek / 2} {
		if at != noPair && at >= savedRegisters {
			words = max(words, at-savedRegisters+1)
		}
	}
	return words
}

// pair returns the place of eight bytes that hold v, word that of four.
func (s *flowState) pair(v symbol) (uint8, bool) { return s.place(v, 8) }
func (s *flowState) word(v symbol) (uint8, bool) { return s.place(v, 4) }

// place returns where v is, of which size bytes are wanted, in words of that size.
func (s *flowState) place(v symbol, size int64) (uint8, bool) {
	for i, has := range s.regs {
		if n := calleeSaved(i); n >= 0 && has == v {
			return uint8(n * 8 / int(size)), true
		}
	}
	for _, at := range slices.Sorted(maps.Keys(s.stack)) {
		if s.stack[at].symbol == v && s.stack[at].size >= size {
			if p, ok := s.onStack(at, size); ok {
				return p, true
			}
		}
	}
	return 0, false
}

// onStack returns the place of size bytes on the stack, if a probe sees that far.
func (s *flowState) onStack(at, size int64) (uint8, bool) {
	d := at - s.sp
	if d < 0 || d%size != 0 || d+size > stackSeen {
		return 0, false
	}
	return uint8((savedRegisters*8 + d) / size), true
}
