package record

import (
	"errors"
	"maps"

	"golang.org/x/arch/x86/x86asm"
)

// symbol is what a register or a place on the stack is known to hold.
type symbol struct {
	kind symbolKind
	n    int64 // of a constant or a result
}

type symbolKind uint8

const (
	symUnknown symbolKind = iota
	symConst              // n
	symSession            // the arguments of a read or write method of OpenSSL
	symBuffer
	symLength
	symOut
	symPeek   // an int: 0 for a read, 1 for a peek
	symType   // an int: the type of the records
	symResult // what the nth call of the reading function returned
	symFrame  // the stack pointer as it was at n, relative to the function's entry
)

// Further words for symbol.n.
const (
	moved     = 1  // of symBuffer: somewhere in it, no longer at its beginning
	untouched = 2  // of symBuffer: still in the register that the caller put it in
	plus      = 16 // of symBuffer: as far behind its beginning as register n - plus says
	anyValue  = -1 // of symType and symPeek: it can be any; else it is n
)

// index returns the register that says how far behind the buffer's beginning v is.
func (v symbol) index() (reg int, ok bool) {
	return int(v.n - plus), v.kind == symBuffer && v.n >= plus
}

// constant returns the number that v is known to be.
func (v symbol) constant() (int64, bool) {
	return v.n, v.kind == symConst || (v.kind == symType || v.kind == symPeek) && v.n != anyValue
}

// narrow reports whether half of a register holds all of v.
func (v symbol) narrow() bool {
	return v.kind == symConst || v.kind == symPeek || v.kind == symType || v.kind == symResult
}

var errFlow = errors.New("the code is not understood")

// registerFile follows straight-line amd64 code of a function and keeps track of which
// register or stack slot holds what. It knows few instructions, and refuses all
// others: a wrong answer would be a wrong buffer.
//
// Memory that is not addressed by the stack pointer is taken not to alias the slots
// that hold arguments: their address is never taken. Local variables' can be, so
// that a constant in one holds only until something else is written or called.
type registerFile struct {
	regs  [16]symbol // by x86asm.Reg - RAX
	stack map[int64]cell
	sp    int64 // relative to the function's entry
}

// cell is a place on the stack that something known was written to.
type cell struct {
	symbol
	size int64 // in bytes, 8 at most
}

func newRegisterFile() *registerFile { return &registerFile{stack: map[int64]cell{}} }

// arguments are the registers of the first six (System V ABI).
var arguments = []x86asm.Reg{x86asm.RDI, x86asm.RSI, x86asm.RDX, x86asm.RCX, x86asm.R8, x86asm.R9}

// calledWith is what holds at the entry of a function that was given these.
func calledWith(args ...symbol) *registerFile {
	m := newRegisterFile()
	for i, v := range args {
		m.regs[arguments[i]-x86asm.RAX] = v
	}
	return m
}

// clone returns a copy that can go another way.
func (m *registerFile) clone() *registerFile {
	other := *m
	other.stack = maps.Clone(m.stack)
	return &other
}

// load returns what the size bytes at a place on the stack hold.
func (m *registerFile) load(at, size int64) symbol {
	if c := m.stack[at]; size == c.size || size >= 4 && size < c.size && c.narrow() {
		return c.symbol
	}
	return symbol{}
}

// forgetVariables forgets what is in places that somebody may have the address of.
func (m *registerFile) forgetVariables() {
	maps.DeleteFunc(m.stack, func(_ int64, c cell) bool { return c.kind == symConst })
}

// keep writes size bytes to a place on the stack.
func (m *registerFile) keep(at, size int64, v symbol) {
	for old := at - 7; old < at+size; old++ {
		if c, ok := m.stack[old]; ok && old+c.size > at {
			delete(m.stack, old)
		}
	}
	if v.kind != symUnknown {
		m.stack[at] = cell{v, size}
	}
}

// regIndex numbers a general register by any of its names of 32 or 64 bits.
func regIndex(r x86asm.Reg) (i int, wide, ok bool) {
	switch {
	case r >= x86asm.RAX && r <= x86asm.R15:
		return int(r - x86asm.RAX), true, true
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return int(r - x86asm.EAX), false, true
	}
	return 0, false, false
}

const regSP = int(x86asm.RSP - x86asm.RAX)

func (m *registerFile) reg(r x86asm.Reg) symbol {
	i, _, _ := regIndex(r)
	return m.regs[i]
}

// set writes a register. Half a pointer is not the pointer.
func (m *registerFile) set(r x86asm.Reg, v symbol) error {
	i, wide, ok := regIndex(r)
	if !ok || i == regSP {
		return errFlow // a part of a register, or a stack that moves elsewhere
	}
	if !wide && !v.narrow() {
		v = symbol{}
	}
	m.change(i, v)
	return nil
}

// change writes a register. What it said of the buffer is not known any more.
func (m *registerFile) change(i int, v symbol) {
	m.regs[i] = v
	sum, gone := symbol{symBuffer, plus + int64(i)}, symbol{symBuffer, moved}
	for r := range m.regs {
		if m.regs[r] == sum {
			m.regs[r] = gone
		}
	}
	for at, c := range m.stack {
		if c.symbol == sum {
			m.stack[at] = cell{gone, c.size}
		}
	}
}

// displacement returns that of a memory operand. The decoder extends the sign of those
// of 8 bits alone.
func displacement(a x86asm.Mem) int64 { return int64(int32(a.Disp)) }

// slot returns the stack slot that a memory operand names.
func (m *registerFile) slot(a x86asm.Mem) (int64, bool) {
	if a.Index != 0 || a.Segment != 0 {
		return 0, false
	}
	if i, wide, ok := regIndex(a.Base); ok && wide && i != regSP && m.regs[i].kind == symFrame {
		return m.regs[i].n + displacement(a), true
	}
	return m.sp + displacement(a), a.Base == x86asm.RSP
}

// value returns what an operand of an instruction holds.
func (m *registerFile) value(in x86asm.Inst, a x86asm.Arg) symbol {
	switch a := a.(type) {
	case x86asm.Reg:
		if a == x86asm.RSP {
			return symbol{symFrame, m.sp}
		}
		if _, _, ok := regIndex(a); ok {
			v := m.reg(a)
			if v == (symbol{symBuffer, untouched}) {
				v.n = 0
			}
			return v
		}
	case x86asm.Imm:
		return symbol{symConst, int64(a)}
	case x86asm.Mem:
		if at, ok := m.slot(a); ok {
			return m.load(at, int64(in.MemBytes))
		}
	}
	return symbol{}
}

// store writes the first operand of an instruction.
func (m *registerFile) store(in x86asm.Inst, v symbol) error {
	switch to := in.Args[0].(type) {
	case x86asm.Reg:
		if _, _, ok := regIndex(to); !ok {
			// A byte or a word of a register: all of it is unknown now.
			return m.spoil(to)
		}
		return m.set(to, v)
	case x86asm.Mem:
		if at, ok := m.slot(to); ok {
			m.keep(at, int64(in.MemBytes), v)
		} else if to.Base == x86asm.RSP {
			return errFlow
		} else {
			m.forgetVariables()
		}
		return nil
	}
	return errFlow
}

// spoil forgets a register of which a part is written.
func (m *registerFile) spoil(r x86asm.Reg) error {
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		m.change(int(r-x86asm.AL), symbol{})
	case r >= x86asm.AH && r <= x86asm.BH:
		m.change(int(r-x86asm.AH), symbol{})
	case r >= x86asm.SPB && r <= x86asm.R15B:
		m.change(int(r-x86asm.SPB)+regSP, symbol{})
	case r >= x86asm.AX && r <= x86asm.R15W:
		m.change(int(r-x86asm.AX), symbol{})
	default:
		return errFlow // a vector
	}
	return nil
}

// calleeSaved numbers the registers that a called function must leave as they were,
// as the kernel side does; -1 for the others.
func calleeSaved(reg int) int {
	switch x86asm.Reg(reg) + x86asm.RAX {
	case x86asm.RBX:
		return 0
	case x86asm.RBP:
		return 1
	case x86asm.R12:
		return 2
	case x86asm.R13:
		return 3
	case x86asm.R14:
		return 4
	case x86asm.R15:
		return 5
	}
	return -1
}

// saved returns the number of a callee-saved register that holds kind.
func (m *registerFile) saved(kind symbolKind) (uint8, bool) {
	for i, v := range m.regs {
		if n := calleeSaved(i); n >= 0 && v.kind == kind && !(kind == symBuffer && v.n == moved) {
			return uint8(n), true
		}
	}
	return noRegister, false
}

// noRegister says that a value is in no register.
const noRegister = 7
