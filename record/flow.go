package record

import (
	"bytes"
	"math"

	"golang.org/x/arch/x86/x86asm"
)

// flow follows all ways through a function at once and says what registers and stack
// hold before each instruction that can be reached. Where ways meet, what they do
// not agree on is unknown; a way that a known value closes is not followed.
type flow struct {
	fetch  func(va uint64) []byte // code at va
	dies   func(va uint64) bool   // the function there does not return
	tail   func(*flowState) bool  // a jump to a function that a register leads to will do instead of a return
	before map[uint64]*flowState
	todo   []uint64
}

func newFlow(m *image) *flow {
	return &flow{fetch: func(va uint64) []byte { return m.code(va, 16) }, dies: func(va uint64) bool {
		name, _ := m.imported(va)
		return name == "__stack_chk_fail" || name == "OPENSSL_die" || name == "abort"
	}}
}

// flowState is what holds before an instruction.
type flowState struct {
	*registerFile
	equal truth // of the last comparison
}

// truth is what is known of a condition.
type truth uint8

const (
	maybe truth = iota
	yes
	no
)

func truthOf(is, known bool) truth {
	switch {
	case !known:
		return maybe
	case is:
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return maybe
}

// Bounds of what is followed. Functions that read records have some 800 instructions,
// each gone through about twice, as less gets known of what leads to it, and a handful of
// places on the stack that matter.
const (
	maxFlow  = 20_000
	maxCells = 64
)

// follow follows the function at va. It refuses what it does not understand.
func (f *flow) follow(va uint64, start *registerFile) error {
	f.before, f.todo = map[uint64]*flowState{}, nil
	if err := f.meet(va, flowState{registerFile: start}); err != nil {
		return err
	}
	for steps := 0; len(f.todo) > 0; steps++ {
		if steps > maxFlow {
			return errFlow
		}
		va := f.todo[len(f.todo)-1]
		f.todo = f.todo[:len(f.todo)-1]
		if err := f.step(va); err != nil {
			return err
		}
	}
	return nil
}

// inst decodes the instruction at va. endbr64 is a no-op.
func (f *flow) inst(va uint64) (x86asm.Inst, error) {
	code := f.fetch(va)
	if bytes.HasPrefix(code, endbr64) {
		return x86asm.Inst{Op: x86asm.NOP, Len: len(endbr64)}, nil
	}
	in, err := x86asm.Decode(code, 64)
	if err != nil {
		return in, errFlow
	}
	return in, nil
}

// step follows one instruction to those that can come after it.
func (f *flow) step(va uint64) error {
	in, err := f.inst(va)
	if err != nil {
		return err
	}
	s := f.before[va].clone()
	next := va + uint64(in.Len)
	rel, direct := in.Args[0].(x86asm.Rel)
	target := uint64(int64(next) + int64(rel))
	switch {
	case in.Op == x86asm.RET:
		if s.sp != 0 {
			return errFlow
		}
		return nil
	case in.Op == x86asm.JMP && direct:
		return f.meet(target, s)
	case in.Op == x86asm.JMP:
		// A function of another file, or behind a table.
		if a, ok := in.Args[0].(x86asm.Mem); s.sp == 0 && (ok && a.Base == x86asm.RIP && a.Index == 0 || f.tail != nil && f.tail(&s)) {
			return nil
		}
		return errFlow
	case direct && in.Op != x86asm.CALL: // a conditional jump
		taken := maybe
		switch in.Op {
		case x86asm.JE:
			taken = s.equal
		case x86asm.JNE:
			taken = s.equal.not()
		}
		if taken != no {
			if err := f.meet(target, s.clone()); err != nil {
				return err
			}
		}
		if taken == yes {
			return nil
		}
		return f.meet(next, s)
	}
	if in.Op == x86asm.CALL && direct && f.dies(target) {
		return nil
	}
	s.compare(in)
	if err := s.registerFile.step(in); err != nil {
		return err
	}
	if len(s.stack) > maxCells {
		return errFlow
	}
	return f.meet(next, s)
}

// compare notes what an instruction says of the next condition.
func (s *flowState) compare(in x86asm.Inst) {
	switch in.Op {
	case x86asm.MOV, x86asm.MOVZX, x86asm.LEA, x86asm.PUSH, x86asm.POP, x86asm.NOP:
		return // these leave the flags alone
	case x86asm.CMP:
		a, b := s.value(in, in.Args[0]), s.value(in, in.Args[1])
		s.equal = truthOf(int32(a.n) == int32(b.n), comparable32(in, a) && comparable32(in, b))
	case x86asm.TEST:
		a := s.value(in, in.Args[0])
		s.equal = truthOf(int32(a.n) == 0, in.Args[0] == in.Args[1] && comparable32(in, a))
	default:
		s.equal = maybe
	}
}

// comparable32 reports whether an instruction that compares v looks at 32 bits that
// are known, or at 64 of which the others are 0.
func comparable32(in x86asm.Inst, v symbol) bool {
	n, known := v.constant()
	return known && (in.DataSize == 32 || in.DataSize == 64 && v.kind == symConst && n >= 0 && n <= math.MaxInt32)
}

// meet adds a way to what is known before the instruction at va.
func (f *flow) meet(va uint64, s flowState) error {
	old := f.before[va]
	if old == nil {
		f.before[va] = &s
		f.todo = append(f.todo, va)
		return nil
	}
	changed, err := old.weaken(s)
	if changed {
		f.todo = append(f.todo, va)
	}
	return err
}

func (s *flowState) clone() flowState { return flowState{s.registerFile.clone(), s.equal} }

// weaken keeps of s what also holds in other, and reports whether that is less.
func (s *flowState) weaken(other flowState) (changed bool, err error) {
	if s.sp != other.sp {
		return false, errFlow
	}
	for i, v := range s.regs {
		if w := inBoth(v, other.regs[i]); w != v {
			s.regs[i], changed = w, true
		}
	}
	for at, c := range s.stack {
		o := other.stack[at]
		if w := inBoth(c.symbol, o.symbol); w.kind == symUnknown || o.size != c.size {
			delete(s.stack, at)
			changed = true
		} else if w != c.symbol {
			s.stack[at], changed = cell{w, c.size}, true
		}
	}
	if s.equal != other.equal && s.equal != maybe {
		s.equal, changed = maybe, true
	}
	return changed, nil
}

// inBoth returns what two values have in common.
func inBoth(a, b symbol) symbol {
	switch {
	case a == b:
		return a
	case a.kind == symBuffer && b.kind == symBuffer:
		return symbol{symBuffer, moved}
	}
	return symbol{}
}
