package record

import (
	"maps"

	"golang.org/x/arch/x86/x86asm"
)

// step follows one instruction that is no jump.
func (m *registerFile) step(in x86asm.Inst) error {
	if known, err := m.stepStack(in); known {
		return err
	}
	switch in.Op {
	case x86asm.NOP, x86asm.CMP, x86asm.TEST, x86asm.BT:
		return nil
	case x86asm.CALL:
		m.called()
		return nil
	case x86asm.MOV:
		return m.store(in, m.value(in, in.Args[1]))
	case x86asm.XOR:
		if in.Args[0] == in.Args[1] {
			return m.store(in, symbol{kind: symConst})
		}
		return m.store(in, symbol{})
	case x86asm.ADD, x86asm.SUB:
		return m.store(in, m.added(in, in.Args[0], in.Args[1], in.Op == x86asm.ADD))
	case x86asm.LEA:
		a, ok := in.Args[1].(x86asm.Mem)
		if !ok {
			return errFlow
		}
		if at, known := m.slot(a); known {
			return m.store(in, symbol{symFrame, at})
		}
		return m.store(in, m.added(in, a.Base, a.Index, a.Scale == 1 && a.Disp == 0))
	case x86asm.MASKMOVDQU:
		return errFlow // writes where rdi points
	}
	if r, ok := in.Args[0].(x86asm.Reg); ok && r >= x86asm.X0 && r <= x86asm.X15 {
		return nil // SSE: nothing else is written
	}
	if writesPair[in.Op] || in.Op == x86asm.IMUL && in.Args[1] == nil {
		m.change(int(x86asm.RAX-x86asm.RAX), symbol{})
		m.change(int(x86asm.RDX-x86asm.RAX), symbol{})
		return nil
	}
	if writesFirst[in.Op] {
		return m.store(in, symbol{})
	}
	return errFlow
}

// stepStack follows an instruction that moves the stack pointer. known: it is one.
func (m *registerFile) stepStack(in x86asm.Inst) (known bool, err error) {
	switch in.Op {
	case x86asm.PUSH:
		if in.DataSize == 16 {
			return true, errFlow
		}
		v := m.value(in, in.Args[0])
		m.sp -= 8
		m.keep(m.sp, 8, v)
		return true, nil
	case x86asm.POP:
		r, ok := in.Args[0].(x86asm.Reg)
		if !ok || in.DataSize == 16 {
			return true, errFlow
		}
		v := m.load(m.sp, 8)
		m.sp += 8
		return true, m.set(r, v)
	case x86asm.LEAVE:
		f := m.regs[x86asm.RBP-x86asm.RAX]
		if f.kind != symFrame {
			return true, errFlow
		}
		m.sp = f.n + 8
		return true, m.set(x86asm.RBP, m.load(f.n, 8))
	}
	if in.Args[0] != x86asm.RSP {
		return false, nil
	}
	switch by := in.Args[1].(type) {
	case x86asm.Imm:
		if in.Op == x86asm.ADD {
			m.sp += int64(by)
			return true, nil
		} else if in.Op == x86asm.SUB {
			m.sp -= int64(by)
			return true, nil
		}
	case x86asm.Mem:
		if at, known := m.slot(by); known && in.Op == x86asm.LEA {
			m.sp = at
			return true, nil
		}
	}
	return false, nil // a comparison, or it is refused as any write to that register
}

// called forgets what a called function may write. The System V ABI keeps rbx, rbp,
// rsp and r12 to r15.
func (m *registerFile) called() {
	for i := range m.regs {
		if calleeSaved(i) < 0 && i != regSP {
			m.change(i, symbol{})
		}
	}
	maps.DeleteFunc(m.stack, func(at int64, _ cell) bool { return at < m.sp })
	m.forgetVariables()
}

// writesPair are instructions that write rdx and rax.
var writesPair = map[x86asm.Op]bool{
	x86asm.DIV: true, x86asm.IDIV: true, x86asm.MUL: true, x86asm.CDQ: true, x86asm.CQO: true, x86asm.CDQE: true, x86asm.CWDE: true,
}

// writesFirst are instructions that write their first operand and nothing else that
// is followed here.
var writesFirst = map[x86asm.Op]bool{
	x86asm.MOVZX: true, x86asm.MOVSX: true, x86asm.MOVSXD: true, x86asm.AND: true, x86asm.OR: true,
	x86asm.SHL: true, x86asm.SHR: true, x86asm.SAR: true, x86asm.ROL: true, x86asm.ROR: true,
	x86asm.INC: true, x86asm.DEC: true, x86asm.NEG: true, x86asm.NOT: true, x86asm.ADC: true, x86asm.SBB: true,
	x86asm.IMUL: true, x86asm.BSWAP: true,
	x86asm.SETA: true, x86asm.SETAE: true, x86asm.SETB: true, x86asm.SETBE: true, x86asm.SETE: true, x86asm.SETNE: true,
	x86asm.SETG: true, x86asm.SETGE: true, x86asm.SETL: true, x86asm.SETLE: true, x86asm.SETS: true, x86asm.SETNS: true,
	x86asm.CMOVA: true, x86asm.CMOVAE: true, x86asm.CMOVB: true, x86asm.CMOVBE: true, x86asm.CMOVE: true, x86asm.CMOVNE: true,
	x86asm.CMOVG: true, x86asm.CMOVGE: true, x86asm.CMOVL: true, x86asm.CMOVLE: true, x86asm.CMOVS: true, x86asm.CMOVNS: true,
	// Vectors, and their halves, to memory or to a general register.
	x86asm.MOVAPS: true, x86asm.MOVUPS: true, x86asm.MOVDQA: true, x86asm.MOVDQU: true, x86asm.MOVD: true, x86asm.MOVQ: true,
	x86asm.MOVHPS: true, x86asm.MOVLPS: true, x86asm.MOVHPD: true, x86asm.MOVLPD: true,
}

// added returns the sum of two operands, where it is one of the things followed. exact:
// it is their sum and nothing else.
func (m *registerFile) added(in x86asm.Inst, a, b x86asm.Arg, exact bool) symbol {
	for _, of := range [][2]x86asm.Arg{{a, b}, {b, a}} {
		if r, ok := of[0].(x86asm.Reg); ok && r == 0 {
			continue // there is none
		}
		v := m.value(in, of[0])
		if v.kind != symBuffer {
			continue
		}
		by, ok := of[1].(x86asm.Reg)
		if i, wide, general := regIndex(by); exact && ok && general && wide && v.n == 0 {
			return symbol{symBuffer, plus + int64(i)}
		}
		return symbol{symBuffer, moved}
	}
	return symbol{}
}
