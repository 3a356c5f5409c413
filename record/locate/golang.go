package locate

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// GoFunc is a function of Go's crypto/tls, by addresses in the file's own numbering.
type GoFunc struct {
	Name string // without the package: "(*Conn).Read"
	// Entry is its first byte. Site is the first instruction that the kernel emulates
	// under a probe, behind the look at the stack's size: arguments and the goroutine
	// (R14) are in their registers, and the stack pointer is that of the entry.
	// Jump says that Site is the conditional jump of that look itself (before Go 1.21
	// no push follows): it is passed again after the stack has grown.
	Entry, Site uint64
	Jump        bool
	// Spilled says that at every return the arguments still are where the caller left
	// room for them, from the return address on: connection, buffer, length.
	Spilled bool
	// Rets are its return instructions, without those that Exit or Done stands for. A return
	// probe cannot be used: it changes the return address, and Go's runtime, which moves
	// stacks, then finds one in them that it does not know.
	Rets []uint64
	// Exit, if not 0, is an instruction that the kernel emulates, of the function that
	// (*Conn).Read defers: a call that has the connection's lock comes by there once,
	// whether it succeeds or fails, before it lets another have it. What it returns
	// first, how much was read, lies Result bytes above the stack pointer.
	Exit   uint64
	Result uint32
	// Done, if not 0, is an instruction that the kernel emulates and that every call
	// which succeeds passes, once. In (*Conn).Read it is the call of memmove that copies
	// the plaintext: destination, source and length are in the first three argument
	// registers, and the destination is the caller's buffer: there is none where there is
	// an Exit. In (*Conn).Write it comes behind the last part has been sent. Frame is how
	// many bytes the stack pointer is below that of the entry at Exit or Done.
	Done  uint64
	Frame uint32
}

const goTLS = "crypto/tls."

// goFuncs are the functions that are looked for. The first two carry plaintext and
// must be there; the others are inlined or absent in some versions.
var goFuncs = []string{
	"(*Conn).Read", "(*Conn).Write", "(*Conn).Close", "(*Conn).clientHandshake", "(*Conn).serverHandshake",
	"(*Conn).handleRenegotiation", "(*encryptedExtensionsMsg).unmarshal", "negotiateALPN",
}

// GoTLS finds the functions of crypto/tls in a Go program built for x86-64 by Go 1.17
// or newer, stripped or not, position-independent or not. ErrAbsent: it is no Go
// program, or has no crypto/tls. ErrUncertain: it has, but some rule did not hold.
func GoTLS(e *elf.File, r io.ReaderAt) ([]GoFunc, error) {
	t, err := openPclntab(e, r)
	if err != nil {
		return nil, err
	}
	want := make([]string, len(goFuncs))
	for i, f := range goFuncs {
		want[i] = goTLS + f
	}
	list, err := t.find(want, goCalled())
	if err != nil {
		return nil, err
	}
	spans := list.spans
	if len(spans) == 0 {
		return nil, fmt.Errorf("find crypto/tls: %w", ErrAbsent)
	}
	for _, name := range want[:2] {
		if _, ok := spans[name]; !ok {
			return nil, fmt.Errorf("find %s: %w", name, ErrUncertain)
		}
	}
	if e.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("find crypto/tls: only x86-64 is known, this is %v: %w", e.Machine, ErrUncertain)
	}
	base, err := textBase(e, r, t, spans, list.end)
	if err != nil {
		return nil, err
	}
	var funcs []GoFunc
	for i, name := range want {
		s, ok := spans[name]
		if !ok {
			continue
		}
		f, insts, err := goFunc(e, r, goFuncs[i], base+s.start, base+s.end)
		if err != nil {
			return nil, err
		}
		f.finish(insts, func(va uint64) string { return list.calls[va-base] }, func(va uint64) uint64 { return goPush(e, r, va) })
		funcs = append(funcs, f)
	}
	return funcs, nil
}

// textBase returns the address that the offsets of the table count from. The header
// does not hold it any more (Go 1.26), .text begins with C code when the C linker
// has linked, and a pointer to it is filled in by the dynamic linker: but there is
// only one address from which every function begins as Go functions do.
func textBase(e *elf.File, r io.ReaderAt, t *pclntab, spans map[string]span, end uint64) (uint64, error) {
	if t.old {
		return 0, nil
	}
	var starts []uint64
	for _, s := range spans {
		starts = append(starts, s.start)
	}
	slices.Sort(starts)
	text := e.Section(".text")
	if text == nil || text.Size < end || text.Flags&elf.SHF_COMPRESSED != 0 {
		return 0, fmt.Errorf("find the text of a Go program: no section holds it: %w", ErrUncertain)
	}
	const align = 16 // the linker's least alignment of functions
	code := newWindow(r, text.Offset, text.Size)
	windows := make([]*window, len(starts))
	for i := range windows {
		w := *code
		windows[i] = &w
	}
	var found []uint64
	slack := min(text.Size-end, 256<<20)
	for at := uint64(0); at <= slack; at += align {
		all := true
		for i, s := range starts {
			if !goPrologue(windows[i].bytes(at+s, 16)) {
				all = false
				break
			}
		}
		if all {
			found = append(found, text.Addr+at)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("find the text of a Go program: %d places fit: %w", len(found), ErrUncertain)
	}
	return found[0], nil
}

// goPrologue reports whether code begins with the look at the size of a goroutine's
// stack: cmp 0x10(%r14),%rsp, or for large frames lea -x(%rsp),%r12 and the same of
// it (cmd/internal/obj/x86: stacksplit). R14 holds the goroutine since Go 1.17.
func goPrologue(code []byte) bool {
	if len(code) < 16 {
		return false
	}
	if code[0] == 0x4c && code[1] == 0x8d && code[3] == 0x24 {
		switch code[2] {
		case 0x64:
			code = code[5:]
		case 0xa4:
			code = code[8:]
		}
		return code[0] == 0x4d && code[1] == 0x3b && code[2] == 0x66 && code[3] == 0x10
	}
	return code[0] == 0x49 && code[1] == 0x3b && code[2] == 0x66 && code[3] == 0x10
}

// maxFunc bounds the code that is disassembled; crypto/tls's longest function has 4 KiB.
const maxFunc = 64 << 10

// goFunc disassembles one function.
func goFunc(e *elf.File, r io.ReaderAt, name string, entry, end uint64) (GoFunc, []inst, error) {
	f := GoFunc{Name: name, Entry: entry}
	fail := func(why string) (GoFunc, []inst, error) {
		return f, nil, fmt.Errorf("disassemble crypto/tls.%s at %#x: %s: %w", name, entry, why, ErrUncertain)
	}
	code := codeAt(e, r, entry, end)
	if code == nil {
		return fail("not in an executable segment, or too long")
	}
	if !goPrologue(code) {
		return fail("does not begin as Go functions do")
	}
	insts, err := disassemble(code)
	if err != nil {
		return fail(err.Error())
	}
	if f.Site, f.Jump = goSite(insts, entry); f.Site == 0 {
		return fail("no place for a probe behind the look at the stack")
	}
	f.Spilled = spilled(insts)
	for _, in := range insts {
		if in.op == x86asm.RET {
			f.Rets = append(f.Rets, entry+uint64(in.at))
		}
	}
	if len(f.Rets) == 0 {
		return fail("it never returns")
	}
	return f, insts, nil
}

// goSite picks the place of the entry probe.
func goSite(insts []inst, entry uint64) (site uint64, jump bool) {
	for i, in := range insts[:min(len(insts), 4)] {
		if in.op != x86asm.JBE {
			continue
		}
		if i+1 < len(insts) && insts[i+1].op == x86asm.PUSH {
			return entry + uint64(insts[i+1].at), false
		}
		return entry + uint64(in.at), true
	}
	return 0, false
}

// spilled reports whether a function stores its first three arguments into the room
// that its caller left for them (abi-internal.md: spill space), and nothing else
// there: then they are there from the first store to the return.
func spilled(insts []inst) bool {
	frame := 0
	var stores []store
	for _, in := range insts {
		switch {
		case in.op == x86asm.PUSH && frame == 0:
			frame = 8
		case in.op == x86asm.SUB && in.grows > 0 && frame <= 8:
			frame += in.grows
		}
		if in.store.to >= 0 {
			stores = append(stores, in.store)
		}
	}
	for i, reg := range []x86asm.Reg{x86asm.RAX, x86asm.RBX, x86asm.RCX} {
		n, room := 0, frame+8+8*i
		for _, s := range stores {
			if s.to >= room+8 || s.to+s.size <= room {
				continue
			}
			if s.to != room || s.size != 8 || s.from != reg {
				return false // something else, or a part of it
			}
			n++
		}
		if n != 1 {
			return false
		}
	}
	return true
}

// codeAt returns the code from one address to another, or nil.
func codeAt(e *elf.File, r io.ReaderAt, from, to uint64) []byte {
	if to <= from || to-from > maxFunc {
		return nil
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 || from < p.Vaddr || to-p.Vaddr > p.Filesz {
			continue
		}
		code := make([]byte, to-from)
		if _, err := r.ReadAt(code, int64(p.Off+from-p.Vaddr)); err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		return code
	}
	return nil
}
