package record

import (
	"errors"

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
	symResult // what the nth call of the reading function returned
	symFrame  // the stack pointer as it was at n, relative to the function's entry
)

var errFlow = errors.New("the code is not understood")

// registerFile follows straight-line amd64 code of a function and keeps track of which
// register or stack slot holds what. It knows few instructions, and refuses all
// others: a wrong answer would be a wrong buffer.
//
// Memory that is not addressed by the stack pointer is taken not to alias the
// function's own slots, as in compiled C whose locals' addresses do not escape.
type registerFile struct {
	regs  [16]symbol // by x86asm.Reg - RAX
	stack map[int64]symbol
	sp    int64 // relative to the function's entry
}

func newRegisterFile() *registerFile { return &registerFile{stack: map[int64]symbol{}} }

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
	if !wide && v.kind != symConst && v.kind != symPeek && v.kind != symResult {
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
	if f := m.regs[x86asm.RBP-x86asm.RAX]; a.Base == x86asm.RBP && f.kind == symFrame {
		return f.n + a.Disp, true
	}
	return m.sp + a.Disp, a.Base == x86asm.RSP
}

// value returns what an operand holds.
func (m *registerFile) value(a x86asm.Arg) symbol {
	switch a := a.(type) {
	case x86asm.Reg:
		if a == x86asm.RSP {
			return symbol{symFrame, m.sp}
		}
		if _, _, ok := regIndex(a); ok {
			return m.reg(a)
		}
	case x86asm.Imm:
		return symbol{symConst, int64(a)}
	case x86asm.Mem:
		if at, ok := m.slot(a); ok {
			return m.stack[at]
		}
	}
	return symbol{}
}

// step follows one instruction that is no jump.
func (m *registerFile) step(in x86asm.Inst) error {
	switch in.Op {
	case x86asm.NOP, x86asm.CMP, x86asm.TEST:
		return nil
	case x86asm.PUSH:
		m.sp -= 8
		m.stack[m.sp] = m.value(in.Args[0])
		return nil
	case x86asm.POP:
		r, ok := in.Args[0].(x86asm.Reg)
		if !ok {
			return errFlow
		}
		v := m.stack[m.sp]
		m.sp += 8
		return m.set(r, v)
	case x86asm.LEAVE:
		f := m.regs[x86asm.RBP-x86asm.RAX]
		if f.kind != symFrame {
			return errFlow
		}
		m.sp = f.n + 8
		return m.set(x86asm.RBP, m.stack[f.n])
	case x86asm.CALL:
		// The System V ABI keeps rbx, rbp, rsp and r12 to r15.
		for i := range m.regs {
			if calleeSaved(i) < 0 && i != regSP {
				m.regs[i] = symbol{}
			}
		}
		return nil
	case x86asm.MOV:
		return m.store(in.Args[0], m.value(in.Args[1]))
	case x86asm.XOR:
		if in.Args[0] == in.Args[1] {
			return m.store(in.Args[0], symbol{kind: symConst})
		}
		return m.store(in.Args[0], symbol{})
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
		return m.store(in.Args[0], symbol{})
	case x86asm.LEA:
		if a, ok := in.Args[1].(x86asm.Mem); ok && in.Args[0] == x86asm.RSP {
			at, known := m.slot(a)
			if !known {
				return errFlow
			}
			m.sp = at
			return nil
		}
		return m.store(in.Args[0], symbol{})
	case x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.AND, x86asm.OR, x86asm.SHL, x86asm.SHR, x86asm.SAR,
		x86asm.INC, x86asm.DEC, x86asm.NEG, x86asm.NOT, x86asm.SETE, x86asm.SETNE:
		return m.store(in.Args[0], symbol{})
	}
	return errFlow
}

// store writes an operand.
func (m *registerFile) store(to x86asm.Arg, v symbol) error {
	switch to := to.(type) {
	case x86asm.Reg:
		if _, _, ok := regIndex(to); !ok {
			// A byte or a word of a register: all of it is unknown now.
			return m.spoil(to)
		}
		return m.set(to, v)
	case x86asm.Mem:
		if at, ok := m.slot(to); ok {
			m.stack[at] = v
		} else if to.Base == x86asm.RSP {
			return errFlow
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
	case r >= x86asm.SPB && r <= x86asm.R15B:
		m.regs[int(r-x86asm.SPB)+regSP] = symbol{}
	case r >= x86asm.AX && r <= x86asm.R15W:
		m.regs[r-x86asm.AX] = symbol{}
	default:
		return errFlow // the high byte of another register, a vector
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
		if n := calleeSaved(i); n >= 0 && v.kind == kind {
			return uint8(n), true
		}
	}
	return noRegister, false
}

// noRegister says that a value is in no register.
const noRegister = 7
