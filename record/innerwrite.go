package record

import (
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// innerWrite finds where OpenSSL comes back from sending what it was given to write:
//
//	int ssl_write_bytes(SSL *s, int type, const void *buf, size_t len, size_t *written)
//	…
//	i = do_ssl3_write(s, type, &buf[tot], pipelens, numpipes, 0, &tmpwrit);
//	if (i <= 0) …
//	i = ssl3_write_pending(s, type, &buf[tot], len, &tmpwrit);
//	if (i <= 0) …
//
// At the conditional jump behind such a call, which the kernel emulates, the result is
// in eax. So one stop sees what entry and return of a write are two for; and what was
// sent of a write that then fails is seen too.
//
// What is proved: what is written comes to these functions through the method table
// alone, as application data. There the buffer goes to such calls alone, and at their
// jumps the session, the type, the buffer, how much of it was sent before and how much
// now are where the probe looks for them. That success of these calls means that so
// much of the buffer was sent is known of OpenSSL 1.1.1 to 3.1; methodFunction refuses
// later ones, which have QUIC.
//
// A function that is not understood, which DTLS has one of, is watched itself.
func innerWrite(m *image, internal uint64) ([]site, error) {
	fn, err := methodFunction(m, internal)
	if err != nil {
		return nil, fmt.Errorf("find the inner write: %w", err)
	}
	slot, err := handedOn(m, fn)
	if err != nil {
		return nil, fmt.Errorf("find the inner write behind %#x: %w", fn, err)
	}
	found, whole := map[uint64]site{}, map[uint64]site{}
	for _, fn := range methodFunctions(m, slot) {
		if err := seals(m, fn, found); err == nil {
			continue
		}
		s, ok := typedWrite(m, fn)
		if !ok {
			return nil, fmt.Errorf("find the inner write: %#x: %w", fn, errFlow)
		}
		whole[fn] = s
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("find the inner write: %w", errFlow)
	}
	return append(byOffset(found), byOffset(whole)...), nil
}

// handedOn returns the slot of the method table through which a function like
// ssl3_write hands on its arguments, having added the type of application data.
func handedOn(m *image, fn uint64) (slot int64, err error) {
	slot, ok := methodSlot(m, fn)
	if !ok {
		return 0, fmt.Errorf("%w: no call through a method table", errFlow)
	}
	given := []symbol{{kind: symSession}, {kind: symBuffer}, {kind: symLength}, {kind: symOut}}
	taken := slices.Insert(slices.Clone(given), 1, symbol{symConst, applicationData})
	f, some := newFlow(m), false
	f.tail = func(s *flowState) bool {
		for i, v := range taken {
			if s.reg(arguments[i]) != v {
				return false
			}
		}
		some = true
		return true
	}
	if err := f.follow(fn, calledWith(given...)); err != nil {
		return 0, err
	}
	if !some {
		return 0, errFlow
	}
	return slot, nil
}

// seals adds the places where fn comes back from sending some of what it was given. It
// adds none if it fails.
func seals(m *image, fn uint64, found map[uint64]site) error {
	follow := func(kind int64) (*flow, error) {
		f := newFlow(m)
		return f, f.follow(fn, calledWith(symbol{kind: symSession}, symbol{symType, kind}, symbol{symBuffer, untouched}))
	}
	writing, err := follow(applicationData)
	if err != nil {
		return err
	}
	whatever, err := follow(anyValue)
	if err != nil {
		return err
	}
	var own []site
	var pending, fresh bool
	for va, s := range writing.before {
		in, err := writing.inst(va)
		if err != nil {
			return err
		}
		_, direct := in.Args[0].(x86asm.Rel)
		if in.Op != x86asm.CALL && (in.Op != x86asm.JMP || direct) {
			continue
		}
		if !slices.ContainsFunc(arguments, s.givesBuffer) {
			continue
		}
		at, ok := sealSite(m, whatever, va)
		if !ok {
			return fmt.Errorf("%#x: the buffer goes elsewhere: %w", va, errFlow)
		}
		own = append(own, at)
		if whatever.before[va].reg(x86asm.RCX).kind == symFrame {
			fresh = true
		} else {
			pending = true
		}
	}
	// Both calls must be there: what is sent for the first time, and what waited.
	if !fresh || !pending {
		return errFlow
	}
	for _, s := range own {
		found[s.off] = s
	}
	return nil
}

// givesBuffer reports whether a register holds the buffer, and not only because that
// is what the caller left in it: then the callee takes nothing from it.
func (s *flowState) givesBuffer(r x86asm.Reg) bool {
	v := s.reg(r)
	return v.kind == symBuffer && v.n != untouched
}

// sealSite makes the site behind a call that sends some of the buffer, from what f
// knows of any kind of write.
func sealSite(m *image, f *flow, call uint64) (site, bool) {
	s := f.before[call]
	if s == nil {
		return site{}, false
	}
	in, err := f.inst(call)
	if err != nil || in.Op != x86asm.CALL {
		return site{}, false
	}
	arg := func(i int) symbol { return s.reg(arguments[i]) }
	out, ok := s.sentBy()
	kind, buffer := arg(1), arg(2)
	anyKind := kind == symbol{symType, anyValue}
	if !ok || arg(0).kind != symSession || !anyKind && kind != (symbol{symConst, applicationData}) {
		return site{}, false
	}
	p, index := nowhere, -1
	if i, ok := buffer.index(); ok {
		// A register that the call preserves, or the sum says nothing afterwards.
		if n := calleeSaved(i); n >= 0 {
			index, p.offset = i, uint8(n)
		}
	}
	if index < 0 && buffer != (symbol{kind: symBuffer}) {
		return site{}, false
	}
	va, ok := f.tested(call+uint64(in.Len), index)
	if !ok {
		return site{}, false
	}
	off, has := m.fileOffset(va)
	at := f.before[va]
	var found [4]bool
	p.session, found[0] = at.pair(symbol{kind: symSession})
	p.buffer, found[1] = at.pair(symbol{kind: symBuffer})
	p.out, found[2] = at.onStack(out, 8)
	found[3] = !anyKind
	if anyKind {
		p.kind, found[3] = at.word(kind)
	}
	return site{name: fmt.Sprintf("ssl3_write_bytes@%#x", va), off: off, what: whatInnerWrite, entry: true, at: p,
		why: "jump behind a call that sends what is written, with the session, the buffer and the length at hand"}, has && found == [4]bool{true, true, true, true}
}

// sentBy returns where on the stack a call leaves how much it sent: its last argument
// points there. Of two shapes the fourth tells which: a length, or where lengths are.
func (s *flowState) sentBy() (at int64, ok bool) {
	fourth, last := s.reg(x86asm.RCX), s.reg(x86asm.R8)
	if fourth.kind == symFrame {
		last = s.load(s.sp, 8)
	}
	return last.n, last.kind == symFrame
}

// tested returns the conditional jump that a call's result decides: nothing is between
// them but what cleans up, and no other way leads there. keep is a register that must
// not be written, if not negative.
func (f *flow) tested(behind uint64, keep int) (va uint64, ok bool) {
	decides := false
	for va = behind; va < behind+maxCleanup; {
		in, err := f.inst(va)
		if err != nil || f.before[va] == nil {
			return 0, false
		}
		if _, direct := in.Args[0].(x86asm.Rel); direct {
			return va, decides && emulatedInst(in) && in.Op != x86asm.JMP && in.Op != x86asm.CALL && !f.reached(behind, va)
		}
		to, _ := in.Args[0].(x86asm.Reg)
		i, _, general := regIndex(to)
		switch in.Op {
		case x86asm.NOP:
		case x86asm.TEST:
			decides = in.Args[0] == x86asm.EAX && in.Args[1] == x86asm.EAX
		case x86asm.POP, x86asm.MOV, x86asm.LEA, x86asm.ADD:
			if !general || i == int(x86asm.RAX-x86asm.RAX) || i == keep {
				return 0, false
			}
			decides = decides && in.Op != x86asm.ADD
		default:
			return 0, false
		}
		va += uint64(in.Len)
	}
	return 0, false
}

// maxCleanup bounds the code between a call and the jump that its result decides, in bytes.
const maxCleanup = 48

// reached reports whether a jump leads to somewhere from a place on to another.
func (f *flow) reached(from, to uint64) bool {
	for va := range f.before {
		in, err := f.inst(va)
		if err != nil {
			return true
		}
		if rel, direct := in.Args[0].(x86asm.Rel); direct && in.Op != x86asm.CALL {
			if target := va + uint64(in.Len) + uint64(int64(rel)); target >= from && target <= to {
				return true
			}
		}
	}
	return false
}

// typedWrite makes the site of a function that writes records of a type: for those
// whose inside is not understood.
func typedWrite(m *image, fn uint64) (site, bool) {
	va, cost := m.start(fn)
	off, ok := m.fileOffset(va)
	return site{name: fmt.Sprintf("ssl_write_bytes@%#x", fn), off: off, cost: cost, how: howArg5, flags: flagTyped, ret: true,
		why: "function of a method table that writes"}, ok
}

// linkSite makes the site on the function that a write goes through first, where
// sessions whose sockets nobody saw are linked to them. It is watched on demand: see
// askers.
func linkSite(m *image, name string, internal uint64) (site, bool) {
	va, cost := m.start(internal)
	off, ok := m.fileOffset(va)
	return site{name: fmt.Sprintf("%s_internal@%#x", name, internal), off: off, cost: cost, what: whatLink, ret: true, demand: true,
		why: "first call of a write, for the socket in it"}, ok
}
