package locate

import (
	"debug/elf"
	"io"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// goDeferred are the names of the function that (*Conn).Read defers, of one version of
// the compiler and of another: it unlocks c.in.
var goDeferred = []string{goTLS + "(*Conn).Read.deferwrap1", goTLS + "(*Conn).Read.func1"}

// exits sets Exit, if the code proves it.
func (f *GoFunc) exits(g goGraph, frame int, name func(va uint64) string, push func(va uint64) uint64) bool {
	x, ok := g.exit()
	if !ok {
		return false
	}
	va := f.Entry + uint64(x.deferred)
	if !slices.Contains(goDeferred, name(va)) {
		return false
	}
	const most = 1<<16 - 1 // what a probe can be told
	if frame+8 > most || x.result+8 > most {
		return false
	}
	if f.Exit = push(va); f.Exit == 0 {
		return false
	}
	// The call has put its return address onto the stack.
	f.Frame, f.Result = uint32(frame+8), uint32(x.result+8)
	f.leaveOut(x.rets)
	return true
}

// exit is how (*Conn).Read ends a call that has the connection's lock: results into
// their slots, the deferred function, results into their registers, return.
type exit struct {
	deferred int   // the function, relative to Read
	result   int   // slot of the first result, from the stack pointer
	rets     []int // the returns that are reached in this way alone
}

// exit finds it. ok is false unless all returns behind a call through a register are of
// this form, the register holds one known function, and it is called nowhere else.
func (g goGraph) exit() (x exit, ok bool) {
	closure := -1
	calls := map[int]bool{}
	for i, in := range g.insts {
		if in.op != x86asm.RET {
			continue
		}
		call, result := g.results(i)
		if call < 0 {
			continue
		}
		slot, load := g.calledFrom(call)
		if slot < 0 || closure >= 0 && (slot != closure || result != x.result) || !g.storedBefore(load, result) {
			return exit{}, false
		}
		closure, x.result, calls[call] = slot, result, true
		x.rets = append(x.rets, in.at)
	}
	if closure < 0 {
		return exit{}, false
	}
	// Behind another call of it a return would be seen twice.
	for i, in := range g.insts {
		if in.op == x86asm.CALL && in.target == 0 && !calls[i] {
			if slot, _ := g.calledFrom(i); slot == closure {
				return exit{}, false
			}
		}
	}
	x.deferred, ok = g.closureIn(closure)
	return x, ok
}

// before returns the last instruction before i that does something, -1 for none.
func (g goGraph) before(i int) int {
	for i--; i >= 0 && g.insts[i].op == x86asm.NOP; i-- {
	}
	return i
}

// slotOf returns where from the stack pointer a word of memory is, -1 if it is not there.
func slotOf(a x86asm.Arg) int {
	m, ok := a.(x86asm.Mem)
	if !ok || m.Base != x86asm.RSP || m.Index != 0 || m.Segment != 0 || m.Disp < 0 {
		return -1
	}
	return int(m.Disp)
}

// results returns the call through a register before the return, if nothing but the
// loading of the results is in between, and the slot of the first; -1 without.
func (g goGraph) results(ret int) (call, result int) {
	result = -1
	for i := g.before(ret); i >= 0; i = g.before(i) {
		in := g.insts[i]
		dst, _ := in.code.Args[0].(x86asm.Reg)
		switch {
		case in.op == x86asm.POP && dst == x86asm.RBP, in.op == x86asm.ADD && dst == x86asm.RSP:
		case in.op == x86asm.MOV && dst == x86asm.RAX && result < 0:
			result = slotOf(in.code.Args[1])
		case in.op == x86asm.MOV && (dst == x86asm.RBX || dst == x86asm.RCX) && slotOf(in.code.Args[1]) >= 0:
		case in.op == x86asm.CALL && regNumber(dst) >= 0 && result >= 0 && !g.entered(i+1, ret):
			return i, result
		default:
			return -1, -1
		}
	}
	return -1, -1
}

// calledFrom returns the slot of the closure that the call goes to: loaded into RDX,
// where a closure finds itself, and the address of its code from there. load is where.
func (g goGraph) calledFrom(call int) (slot, load int) {
	reg := g.insts[call].code.Args[0]
	code := g.before(call)
	if load = g.before(max(code, 0)); load < 0 || g.entered(load+1, call) {
		return -1, -1
	}
	c, l := g.insts[code].code, g.insts[load].code
	m, _ := c.Args[1].(x86asm.Mem)
	if c.Op != x86asm.MOV || c.Args[0] != reg || m.Base != x86asm.RDX || m.Disp != 0 || m.Index != 0 ||
		l.Op != x86asm.MOV || l.Args[0] != x86asm.Arg(x86asm.RDX) {
		return -1, -1
	}
	return slotOf(l.Args[1]), load
}

// storedBefore reports whether the slot has been written in the straight line to i.
func (g goGraph) storedBefore(i, slot int) bool {
	for j := i - 1; j >= 0 && !g.entered(j+1, i); j-- {
		in := g.insts[j]
		if in.store.to == slot && in.store.size == 8 {
			return true
		}
		if in.jump || in.op == x86asm.CALL || in.op == x86asm.RET {
			return false
		}
	}
	return false
}

// closureIn returns the one function that the slot can hold a closure of, made on the
// stack: a pointer to another slot, whose first word is the function's address.
func (g goGraph) closureIn(slot int) (target int, ok bool) {
	made, ok := g.only(slot, func(lea x86asm.Inst, _ inst) (int, bool) {
		at := slotOf(lea.Args[1])
		return at, at >= 0
	})
	if !ok {
		return 0, false
	}
	for i, in := range g.insts {
		if in.op != x86asm.LEA {
			continue
		}
		// Who else had its address could change it.
		at := slotOf(in.code.Args[1])
		if at < 0 || at < made || at >= made+8 && at != slot {
			continue
		}
		if at != made || i+1 == len(g.insts) || g.insts[i+1].store.to != slot {
			return 0, false
		}
	}
	return g.only(made, func(lea x86asm.Inst, in inst) (int, bool) {
		m, ok := lea.Args[1].(x86asm.Mem)
		return in.at + in.len + int(int32(m.Disp)), ok && m.Base == x86asm.RIP
	})
}

// only returns what all addresses that are stored into a slot lead to, by what tells
// that of the instruction that makes one. Zeros (X15) don't count.
func (g goGraph) only(slot int, of func(lea x86asm.Inst, in inst) (int, bool)) (what int, ok bool) {
	for i, in := range g.insts {
		if in.store.to < 0 || in.store.to >= slot+8 || in.store.to+in.store.size <= slot || in.code.Args[1] == x86asm.Arg(x86asm.X15) {
			continue
		}
		if i == 0 || in.store.to != slot || in.store.size != 8 || in.op != x86asm.MOV || g.entered(i, i) {
			return 0, false
		}
		lea := g.insts[i-1]
		if lea.op != x86asm.LEA || lea.code.Args[0] != in.code.Args[1] {
			return 0, false
		}
		at, known := of(lea.code, lea)
		if !known || ok && at != what {
			return 0, false
		}
		what, ok = at, true
	}
	return what, ok
}

// goPush returns the push with which the function at va begins behind the look at the
// stack's size, 0 if it begins otherwise (before Go 1.21 none does).
func goPush(e *elf.File, r io.ReaderAt, va uint64) uint64 {
	code := codeAt(e, r, va, va+32)
	if !goPrologue(code) {
		return 0
	}
	looked := false
	for at := 0; at < len(code); {
		in, err := x86asm.Decode(code[at:], 64)
		switch {
		case err != nil:
			return 0
		case looked:
			if in.Op == x86asm.PUSH && in.Args[0] == x86asm.Arg(x86asm.RBP) {
				return va + uint64(at)
			}
			return 0
		case slices.Contains([]x86asm.Op{x86asm.LEA, x86asm.CMP, x86asm.JBE}, in.Op):
			looked = in.Op == x86asm.JBE
		default:
			return 0
		}
		at += in.Len
	}
	return 0
}
