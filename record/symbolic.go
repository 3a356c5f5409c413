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
	symSession            // the arguments of a read method of OpenSSL
	symBuffer
	symLength
	symOut
	symPeek   // an int: 0 for a read, 1 for a peek
	symType   // an int: the type of the records that are read
	symResult // what the nth call of the reading function returned
	symFrame  // the stack pointer as it was at n, relative to the function's entry
)

// Further words for symbol.n.
const (
	moved     = 1  // of symBuffer: somewhere in it, no longer at its beginning
	untouched = 2  // of symBuffer: still in the register that the caller put it in
	anyValue  = -1 // of symType and symPeek: it can be any; else it is n
)

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
	m.regs[i] = v
	return nil
}

// slot returns the stack slot that a memory operand names.
func (m *registerFile) slot(a x86asm.Mem) (int64, bool) {
	if a.Index != 0 || a.Segment != 0 {
		return 0, false
	}
	if i, wide, ok := regIndex(a.Base); ok && wide && i != regSP && m.regs[i].kind == symFrame {
		return m.regs[i].n + a.Disp, true
	}
	return m.sp + a.Disp, a.Base == x86asm.RSP
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

// step follows one instruction that is no jump.
func (m *registerFile) step(in x86asm.Inst) error {
	switch in.Op {
	case x86asm.NOP, x86asm.CMP, x86asm.TEST, x86asm.BT:
		return nil
	case x86asm.PUSH:
		v := m.value(in, in.Args[0])
		m.sp -= 8
		m.keep(m.sp, 8, v)
		return nil
	case x86asm.POP:
		r, ok := in.Args[0].(x86asm.Reg)
		if !ok {
			return errFlow
		}
		v := m.load(m.sp, 8)
		m.sp += 8
		return m.set(r, v)
	case x86asm.LEAVE:
		f := m.regs[x86asm.RBP-x86asm.RAX]
		if f.kind != symFrame {
			return errFlow
		}
		m.sp = f.n + 8
		return m.set(x86asm.RBP, m.load(f.n, 8))
	case x86asm.CALL:
		// The System V ABI keeps rbx, rbp, rsp and r12 to r15.
		for i := range m.regs {
			if calleeSaved(i) < 0 && i != regSP {
				m.regs[i] = symbol{}
			}
		}
		maps.DeleteFunc(m.stack, func(at int64, c cell) bool { return at < m.sp })
		m.forgetVariables()
		return nil
	case x86asm.MOV:
		return m.store(in, m.value(in, in.Args[1]))
	case x86asm.XOR:
		if in.Args[0] == in.Args[1] {
			return m.store(in, symbol{kind: symConst})
		}
		return m.store(in, symbol{})
	case x86asm.ADD, x86asm.SUB:
		if in.Args[0] == x86asm.RSP {
			n, ok := in.Args[1].(x86asm.Imm)
			if !ok {
				return errFlow
			}
			if in.Op == x86asm.SUB {
				n = -n
			}
			m.sp += int64(n)
			return nil
		}
		return m.store(in, m.added(in, in.Args[0], in.Args[1]))
	case x86asm.LEA:
		a, ok := in.Args[1].(x86asm.Mem)
		if !ok {
			return errFlow
		}
		at, known := m.slot(a)
		switch {
		case in.Args[0] != x86asm.RSP && known:
			return m.store(in, symbol{symFrame, at})
		case in.Args[0] != x86asm.RSP:
			return m.store(in, m.added(in, a.Base, a.Index))
		case !known:
			return errFlow
		}
		m.sp = at
		return nil
	case x86asm.DIV, x86asm.IDIV, x86asm.MUL, x86asm.CDQ, x86asm.CQO, x86asm.CDQE, x86asm.CWDE:
		m.regs[x86asm.RAX-x86asm.RAX], m.regs[x86asm.RDX-x86asm.RAX] = symbol{}, symbol{}
		return nil
	case x86asm.IMUL:
		if in.Args[1] == nil {
			m.regs[x86asm.RAX-x86asm.RAX], m.regs[x86asm.RDX-x86asm.RAX] = symbol{}, symbol{}
			return nil
		}
		return m.store(in, symbol{})
	case x86asm.MASKMOVDQU:
		return errFlow // writes where rdi points
	}
	if r, ok := in.Args[0].(x86asm.Reg); ok && r >= x86asm.X0 && r <= x86asm.X15 {
		return nil // SSE: nothing else is written
	}
	if writesFirst[in.Op] {
		return m.store(in, symbol{})
	}
	return errFlow
}

// writesFirst are instructions that write their first operand and nothing else that
// is followed here.
var writesFirst = map[x86asm.Op]bool{
	x86asm.MOVZX: true, x86asm.MOVSX: true, x86asm.MOVSXD: true, x86asm.AND: true, x86asm.OR: true,
	x86asm.SHL: true, x86asm.SHR: true, x86asm.SAR: true, x86asm.ROL: true, x86asm.ROR: true,
	x86asm.INC: true, x86asm.DEC: true, x86asm.NEG: true, x86asm.NOT: true, x86asm.ADC: true, x86asm.SBB: true,
	x86asm.BSWAP: true,
	x86asm.SETA:  true, x86asm.SETAE: true, x86asm.SETB: true, x86asm.SETBE: true, x86asm.SETE: true, x86asm.SETNE: true,
	x86asm.SETG: true, x86asm.SETGE: true, x86asm.SETL: true, x86asm.SETLE: true, x86asm.SETS: true, x86asm.SETNS: true,
	x86asm.CMOVA: true, x86asm.CMOVAE: true, x86asm.CMOVB: true, x86asm.CMOVBE: true, x86asm.CMOVE: true, x86asm.CMOVNE: true,
	x86asm.CMOVG: true, x86asm.CMOVGE: true, x86asm.CMOVL: true, x86asm.CMOVLE: true, x86asm.CMOVS: true, x86asm.CMOVNS: true,
	// Vectors, and their halves, to memory or to a general register.
	x86asm.MOVAPS: true, x86asm.MOVUPS: true, x86asm.MOVDQA: true, x86asm.MOVDQU: true, x86asm.MOVD: true, x86asm.MOVQ: true,
	x86asm.MOVHPS: true, x86asm.MOVLPS: true, x86asm.MOVHPD: true, x86asm.MOVLPD: true,
}

// added returns the sum of two operands, where it is one of the things followed.
func (m *registerFile) added(in x86asm.Inst, a, b x86asm.Arg) symbol {
	for _, arg := range []x86asm.Arg{a, b} {
		if r, ok := arg.(x86asm.Reg); ok && r != 0 && m.value(in, r).kind == symBuffer {
			return symbol{symBuffer, moved}
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
		m.regs[r-x86asm.AL] = symbol{}
	case r >= x86asm.AH && r <= x86asm.BH:
		m.regs[r-x86asm.AH] = symbol{}
	case r >= x86asm.SPB && r <= x86asm.R15B:
		m.regs[int(r-x86asm.SPB)+regSP] = symbol{}
	case r >= x86asm.AX && r <= x86asm.R15W:
		m.regs[r-x86asm.AX] = symbol{}
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
