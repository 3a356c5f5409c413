package locate

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// inst is one instruction of a function.
type inst struct {
	at, len int
	op      x86asm.Op // 0 for the VEX-encoded ones, which carry no control flow
	target  int       // of a direct jump or call, relative to the function; 0 without
	jump    bool      // target is of a jump
	grows   int       // bytes that it takes off the stack pointer, for SUB
	store   store
	// code is the instruction itself, zero for the VEX-encoded ones.
	code x86asm.Inst
}

// store is a register's way into memory relative to the stack pointer.
type store struct {
	to, size int // displacement, -1 for no such instruction; bytes
	from     x86asm.Reg
}

// disassemble splits a function into its instructions, from its first byte to its
// last. That the cuts are right is proven, not assumed: every byte decodes, and
// every jump within the function leads to the beginning of an instruction.
func disassemble(code []byte) ([]inst, error) {
	var insts []inst
	begins := make([]bool, len(code))
	for at := 0; at < len(code); {
		begins[at] = true
		if n := vexLen(code[at:]); n > 0 {
			insts = append(insts, inst{at: at, len: n, store: store{to: -1}})
			at += n
			continue
		}
		in, err := x86asm.Decode(code[at:], 64)
		if err != nil {
			return nil, fmt.Errorf("unknown instruction at +%#x", at)
		}
		one := inst{at: at, len: in.Len, op: in.Op, store: storeOf(in), code: in}
		if n, ok := in.Args[1].(x86asm.Imm); ok && in.Op == x86asm.SUB && in.Args[0] == x86asm.Arg(x86asm.RSP) {
			one.grows = int(n)
		}
		if rel, ok := in.Args[0].(x86asm.Rel); ok {
			one.target = at + in.Len + int(rel)
			one.jump = in.Op != x86asm.CALL
		}
		insts = append(insts, one)
		at += in.Len
	}
	for _, in := range insts {
		if in.at+in.len > len(code) {
			return nil, fmt.Errorf("an instruction reaches over the end")
		}
		if in.jump && in.target >= 0 && in.target < len(code) && !begins[in.target] {
			return nil, fmt.Errorf("the jump at +%#x leads into an instruction", in.at)
		}
	}
	return insts, nil
}

// storeOf returns what an instruction writes relative to the stack pointer.
func storeOf(in x86asm.Inst) store {
	m, ok := in.Args[0].(x86asm.Mem)
	if !ok || m.Base != x86asm.RSP || in.Op == x86asm.CMP || in.Op == x86asm.TEST {
		return store{to: -1}
	}
	s := store{to: int(m.Disp), size: in.MemBytes}
	if m.Disp < 0 || m.Index != 0 {
		s.to, s.size = 0, 1<<20 // it may be anywhere
	}
	if in.Op == x86asm.MOV {
		s.from, _ = in.Args[1].(x86asm.Reg)
	}
	return s
}

// vexLen returns the length of the VEX-encoded instruction that code begins with
// (Intel SDM volume 2, 2.3.5), 0 if it is none or is cut. The disassembler does not
// know them; programs built with GOAMD64=v3 use them for shifts.
func vexLen(code []byte) int {
	if len(code) < 4 || code[0] != 0xc4 && code[0] != 0xc5 {
		return 0 // in 64-bit mode both bytes mean nothing else
	}
	n, opmap := 2, byte(1)
	if code[0] == 0xc4 {
		n, opmap = 3, code[1]&0x1f
	}
	op := code[n]
	n++
	switch {
	case opmap < 1 || opmap > 3:
		return 0
	case opmap == 1 && op == 0x77: // vzeroupper, vzeroall: no operands
		return n
	}
	m, ok := modrmLen(code[n:])
	if !ok {
		return 0
	}
	n += m
	if opmap == 3 || opmap == 1 && (op >= 0x70 && op <= 0x73 || op == 0xc2 || op >= 0xc4 && op <= 0xc6) {
		n++ // an immediate byte
	}
	if n > len(code) {
		return 0
	}
	return n
}

// modrmLen returns the length of a ModR/M byte with what it asks for (SDM volume 2,
// table 2-2), in 64-bit mode.
func modrmLen(code []byte) (int, bool) {
	if len(code) < 1 {
		return 0, false
	}
	mod, rm, n := code[0]>>6, code[0]&7, 1
	if mod == 3 {
		return n, true
	}
	wide := mod == 0 && rm == 5 // relative to the instruction pointer
	if rm == 4 {
		if len(code) < 2 {
			return 0, false
		}
		n++
		wide = mod == 0 && code[1]&7 == 5 // no base register
	}
	switch {
	case mod == 1:
		n++
	case mod == 2 || wide:
		n += 4
	}
	return n, true
}
