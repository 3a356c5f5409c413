package record

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// what, how and flags are the attach cookie's parts, as the enums of bpf/cookie.h;
// TestConstants compares them.
type (
	what  uint8
	how   uint8
	flags uint8
)

const (
	whatWrite what = iota + 1
	whatRead
	whatHandshake
	whatALPN
	whatNew
	whatFree
	whatClear
	whatUpRef
	whatShutdown
	whatServer
	whatClient
	whatRole
	whatInit
	whatSeen
	whatInnerRead
	whatReneg
	whatExtensions
	whatInnerCopy
	whatInnerWrite
	whatLink
)

const (
	howReturn how = iota
	howArg4
	howArg5
	howCount
	howBlind
	howNone
	howConnect
	howAccept
	howPtrU32
	howPtrU16
	howDatum
	howString
	howCopied
	howSession
	howOutFlags
	howEarly
)

const (
	flagZero    flags = 1
	flagKnown   flags = 2
	flagSpilled flags = 4
	flagTyped   flags = 8
)

// Cost says how the kernel runs the instruction that a probe replaces.
type Cost uint8

// Costs of a hit, roughly, on Linux 6.18 (entry alone).
const (
	CostEmulated Cost = iota // 0.4 µs
	CostStepped              // two traps: 1 to 14 µs
	CostNop5                 // 0.2 µs from Linux 6.18 on, else as emulated
)

func (c Cost) String() string {
	switch c {
	case CostStepped:
		return "single-stepped"
	case CostNop5:
		return "nop5"
	}
	return "emulated"
}

// Site is a place that carries a probe.
type Site struct {
	Name string // function, and offset if not its first byte
	Why  string // why there
	Cost Cost

	Offset uint64 // in the file
	Entry  bool   // the instruction itself is watched
	Return bool   // the return of the function that begins about here is
}

func (s Site) String() string {
	if s.Cost == CostEmulated {
		return s.Name + ": " + s.Why
	}
	return s.Name + ": " + s.Why + ", " + s.Cost.String()
}

// site is one place to put a probe.
type site struct {
	name   string
	why    string
	cost   Cost
	off    uint64 // in the file
	what   what
	how    how
	flags  flags
	entry  bool      // entry probe
	ret    bool      // return probe; then nothing before off touches the stack
	demand bool      // watched only in processes that ask for it, and while they do
	memory bool      // writes into memory, or elsewhere: (BIO, bytes, length); for memory
	regs   registers // of whatInnerRead
	at     places    // of whatInnerCopy and whatInnerWrite
	// goroutine: a place in Go code, at an entry or else at a return instruction, or
	// where frame is not 0 at one that stands for returns: then the stack pointer is
	// that many bytes below the entry's, and where result is not 0, what is returned
	// first is so many bytes above it.
	goroutine bool
	frame     uint32
	result    uint32
}

func (s site) public() Site {
	return Site{Name: s.name, Why: s.why, Cost: s.cost, Offset: s.off, Entry: s.entry || s.goroutine, Return: s.ret}
}

// cookie packs what the BPF programs need to know of a site.
func (s site) cookie(lib uint8) uint64 {
	return uint64(s.what) | uint64(s.how)<<8 | uint64(lib)<<16 | uint64(s.flags)<<24 | s.regs.cookie() | s.at.cookie() | uint64(s.frame)<<32 | uint64(s.result)<<48
}

// transferSites picks the place to watch one direction. The function that X and
// X_ex both call first is best: it begins with a push, which the kernel emulates,
// where the exports begin with a sub that it must single-step; and one probe sees
// both forms. It leaves the length where the longest form does. Where the two do
// not agree the exports themselves are taken. Better still are places further inside.
func transferSites(m *image, f *function) []site {
	inner, ok := firstCall(m, m.symbols[f.name].Value)
	for _, form := range f.forms {
		sym, has := m.symbols[form.name]
		if !has {
			continue
		}
		other, has := firstCall(m, sym.Value)
		if !ok || !has || other != inner {
			break
		}
		va, cost := m.start(inner)
		off, has := m.fileOffset(va)
		if !has || cost == CostStepped {
			break
		}
		if sites := f.innerSites(m, inner); len(sites) > 0 {
			return sites
		}
		return []site{{name: fmt.Sprintf("%s_internal@%#x", f.name, inner), off: off, how: form.how, ret: true, cost: cost,
			why: fmt.Sprintf("first call of both %s and %s, begins with an emulated instruction", f.name, form.name)}}
	}
	var sites []site
	for _, form := range append([]form{{f.name, f.how}}, f.forms...) {
		if s, ok := exported(m, form.name, "exported"); ok {
			s.how, s.ret = form.how, true
			sites = append(sites, s)
		}
	}
	return sites
}

// innerSites picks places inside the library that are passed once: where innerWrite
// finds that some was sent, where innerCopy finds that bytes are read, or else where
// innerRead finds that reads end. There is none where handshakes inside reads and
// writes could not be seen by themselves.
func (f *function) innerSites(m *image, internal uint64) []site {
	if !f.inner {
		return nil
	}
	if _, err := innerShakes(m); err != nil {
		return nil
	}
	if f.what == whatWrite {
		sites, err := innerWrite(m, internal)
		link, ok := linkSite(m, f.name, internal)
		if err != nil || !ok {
			return nil
		}
		return append(sites, link)
	}
	ends, slot, err := innerRead(m, internal)
	if err != nil {
		return nil
	}
	if copies, err := innerCopy(m, slot); err == nil {
		return copies
	}
	return ends
}

func exported(m *image, name, why string) (site, bool) {
	sym, ok := m.symbols[name]
	if !ok {
		return site{}, false
	}
	va, cost := m.start(sym.Value)
	off, ok := m.fileOffset(va)
	if !ok {
		return site{}, false
	}
	if pc := va - m.body(sym.Value); pc > 0 {
		name, why = fmt.Sprintf("%s+%#x", name, va-sym.Value), why+", first emulated instruction with stack and arguments untouched"
	}
	return site{name: name, off: off, why: why, cost: cost}, true
}

// endbr64 begins functions that may be called through a pointer (Intel CET). The
// disassembler does not know it.
var endbr64 = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// body returns where a function's own code begins: after endbr64, which the kernel
// would single-step.
func (m *image) body(va uint64) uint64 {
	if m.elf.Machine == elf.EM_X86_64 && bytes.Equal(m.code(va, 4), endbr64) {
		return va + uint64(len(endbr64))
	}
	return va
}

// start returns where to probe both entry and return of the function at va: at the
// first emulated instruction that every call reaches with stack and arguments
// untouched, else at its first own one. The return address is still where the
// stack pointer points, so that a return probe is in place there.
func (m *image) start(va uint64) (uint64, Cost) { return m.startWith(va, 5) }

// startWith is start for a function of which only so many arguments are wanted.
func (m *image) startWith(va uint64, args int) (uint64, Cost) {
	va = m.body(va)
	if m.elf.Machine != elf.EM_X86_64 {
		return va, CostEmulated // nothing is known to be gained there
	}
	code := m.code(va, 32)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil {
			break
		}
		if c := costOf(in, code[pc:]); c != CostStepped {
			return va + uint64(pc), c
		}
		if !harmless(in, args) {
			break
		}
		pc += in.Len
	}
	return va, CostStepped
}

// harmless reports whether in surely leaves the stack, the stack pointer and the
// registers of the first arguments alone, and goes on to the next instruction.
func harmless(in x86asm.Inst, args int) bool {
	switch in.Op {
	case x86asm.TEST, x86asm.CMP:
		return true
	case x86asm.MOV, x86asm.MOVZX, x86asm.LEA, x86asm.XOR:
		r, _ := in.Args[0].(x86asm.Reg)
		i, _, ok := regIndex(r)
		r = x86asm.RAX + x86asm.Reg(i)
		return ok && (r == x86asm.RAX || r >= x86asm.R10 || slices.Contains(arguments[args:], r))
	}
	return false
}

// touchSite finds the first emulated instruction of a function that is reached on
// every call while the first args arguments, three at most, are still in their
// registers.
func touchSite(m *image, name string, args int) (site, bool) {
	s, ok := exported(m, name, "exported")
	if !ok || s.cost != CostStepped || m.elf.Machine != elf.EM_X86_64 {
		return s, ok
	}
	code := m.code(m.body(m.symbols[name].Value), 64)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil || in.Op == x86asm.RET || slices.ContainsFunc(argRegs[:args], func(reg []x86asm.Reg) bool { return writes(in, reg...) }) {
			return s, true
		}
		if c := costOf(in, code[pc:]); c != CostStepped {
			s.off += uint64(pc)
			s.name = fmt.Sprintf("%s+%#x", name, pc)
			s.why = "first emulated instruction with the arguments still in their registers"
			s.cost = c
			return s, true
		}
		if in.Op == x86asm.CALL || in.Op == x86asm.JMP {
			return s, true
		}
		pc += in.Len
	}
	return s, true
}

// argRegs are the registers of the first arguments, by all their names.
var argRegs = [3][]x86asm.Reg{
	{x86asm.RDI, x86asm.EDI, x86asm.DI, x86asm.DIB},
	{x86asm.RSI, x86asm.ESI, x86asm.SI, x86asm.SIB},
	{x86asm.RDX, x86asm.EDX, x86asm.DX, x86asm.DL},
}

// firstCall returns the target of the first direct call, or tail jump, of the
// function at va.
func firstCall(m *image, va uint64) (uint64, bool) {
	if m.elf.Machine != elf.EM_X86_64 {
		return 0, false // arm64 wants its own disassembler; the exports serve
	}
	va = m.body(va)
	code := m.code(va, 128)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil || in.Op == x86asm.RET {
			return 0, false
		}
		pc += in.Len
		if in.Op != x86asm.CALL && in.Op != x86asm.JMP {
			// The callee must get the session and the buffer that the caller got.
			if writes(in, argRegs[0]...) || writes(in, argRegs[1]...) {
				return 0, false
			}
			continue
		}
		rel, ok := in.Args[0].(x86asm.Rel)
		if !ok {
			return 0, false
		}
		return uint64(int64(va) + int64(pc) + int64(rel)), true
	}
	return 0, false
}

// costOf says how the kernel runs an instruction under a uprobe: it emulates some
// (arch/x86/kernel/uprobes.c: push_setup_xol_ops, branch_setup_xol_ops) and
// single-steps the others.
func costOf(in x86asm.Inst, code []byte) Cost {
	switch {
	case bytes.HasPrefix(code, []byte{0x0f, 0x1f, 0x44, 0x00, 0x00}):
		return CostNop5
	case emulatedInst(in) && code[0] != 0xf3: // endbr64 decodes as a no-op but is not one to the kernel
		return CostEmulated
	}
	return CostStepped
}

func emulatedInst(in x86asm.Inst) bool {
	switch in.Op {
	case x86asm.PUSH:
		_, reg := in.Args[0].(x86asm.Reg)
		return reg
	case x86asm.NOP:
		return true
	case x86asm.CALL, x86asm.JMP,
		x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JE, x86asm.JG, x86asm.JGE, x86asm.JL,
		x86asm.JLE, x86asm.JNE, x86asm.JNO, x86asm.JNP, x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JS:
		_, rel := in.Args[0].(x86asm.Rel)
		return rel
	}
	return false
}

// writes reports whether in may change a register, given by all its names. It errs
// on the side of true: any instruction with it as first operand that is not a
// plain comparison.
func writes(in x86asm.Inst, names ...x86asm.Reg) bool {
	if in.Op == x86asm.TEST || in.Op == x86asm.CMP || in.Op == x86asm.PUSH {
		return false
	}
	for i, a := range in.Args[:2] {
		r, ok := a.(x86asm.Reg)
		if ok && slices.Contains(names, r) && (i == 0 || in.Op == x86asm.XCHG || in.Op == x86asm.XADD) {
			return true // XCHG and XADD write their second operand too
		}
	}
	return false
}
