package record

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// innerRead finds where a read of OpenSSL ends inside the library, in the function
// behind its method table:
//
//	ret = s->method->ssl_read_bytes(s, 23, NULL, buf, len, peek, &readbytes);
//	if (ret == -1 && …) …
//
// At the conditional jump behind that call everything is at hand: the result in
// eax, and, because the code may need them for a second try, the session, the
// buffer, the peek flag and where the length is, in registers that calls preserve.
// So one probe, on an instruction the kernel emulates, sees each read once, where
// entry and return of the internal function are two.
//
// slot is that of the function called there in the method table: innerCopy looks into it.
//
// Nothing is assumed that the binary does not show: the slot of the method table is
// what SSL_read itself jumps through, the function is the same for clients, servers
// and both, the call is one with SSL3_RT_APPLICATION_DATA (23) and with exactly the
// arguments the function was given, and they are followed from there to the probe.
// Anything else is an error, and the caller takes another place.
func innerRead(m *image, internal uint64) (sites []site, slot int64, err error) {
	fn, err := methodFunction(m, internal)
	if err != nil {
		return nil, 0, fmt.Errorf("find the inner read: %w", err)
	}
	w := &readWalk{fetch: func(va uint64) []byte { return m.code(va, 16) }, offset: m.fileOffset}
	if err := w.run(fn); err != nil {
		return nil, 0, fmt.Errorf("find the inner read: %w", err)
	}
	return byOffset(w.at), w.slot, nil
}

// byOffset lists sites that are known by their addresses.
func byOffset(at map[uint64]site) []site {
	return slices.SortedFunc(maps.Values(at), func(a, b site) int { return cmp.Compare(a.off, b.off) })
}

// methodFunction returns the function behind the method table that a function of
// OpenSSL's interface hands its call to: the same for clients, servers and both.
func methodFunction(m *image, internal uint64) (fn uint64, err error) {
	if m.elf.Machine != elf.EM_X86_64 {
		return 0, fmt.Errorf("%w: not amd64", errFlow)
	}
	if _, ok := m.symbols["OSSL_QUIC_client_method"]; ok {
		return 0, fmt.Errorf("%w: sessions of QUIC go another way", errFlow)
	}
	own, ok := methodSlot(m, internal)
	if !ok {
		return 0, fmt.Errorf("%w: no call through a method table", errFlow)
	}
	for _, name := range []string{"TLS_method", "TLS_client_method", "TLS_server_method"} {
		at, ok := methodEntry(m, name, own)
		if !ok || fn != 0 && at != fn {
			return 0, fmt.Errorf("%w: %s has another table", errFlow, name)
		}
		fn = at
	}
	return fn, nil
}

// applicationData is the type of records that carry plaintext: OpenSSL's
// SSL3_RT_APPLICATION_DATA, RFC 8446 section 5.1.
const applicationData = 23

// methodSlot returns the offset in the method table that a function's last act is
// to jump through: mov slot(%table),%reg … jmp *%reg.
func methodSlot(m *image, va uint64) (int64, bool) {
	code := m.code(m.body(va), 256)
	var loaded [16]int64 // offset of the last load of each register, from another one; 0: none
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil {
			return 0, false
		}
		pc += in.Len
		switch in.Op {
		case x86asm.JMP, x86asm.CALL:
			switch a := in.Args[0].(type) {
			case x86asm.Reg:
				if i, wide, ok := regIndex(a); ok && wide {
					return loaded[i], loaded[i] > 0
				}
				return 0, false
			case x86asm.Mem:
				if a.Base != 0 && a.Base != x86asm.RIP && a.Index == 0 {
					return displacement(a), displacement(a) > 0
				}
			}
		case x86asm.MOV:
			r, isReg := in.Args[0].(x86asm.Reg)
			if i, _, ok := regIndex(r); isReg && ok {
				loaded[i] = 0
				if a, isMem := in.Args[1].(x86asm.Mem); isMem && a.Base != x86asm.RSP && a.Base != x86asm.RIP && a.Base != 0 && a.Index == 0 && a.Segment == 0 {
					loaded[i] = displacement(a)
				}
			}
		}
	}
	return 0, false
}

// methodEntry returns the function in a slot of the table that an exported
// function, or the one that it only jumps to, returns the address of.
func methodEntry(m *image, name string, slot int64) (uint64, bool) {
	sym, ok := m.symbols[name]
	if !ok {
		return 0, false
	}
	va := m.body(sym.Value)
	in, err := x86asm.Decode(m.code(va, 16), 64)
	if rel, direct := in.Args[0].(x86asm.Rel); err == nil && in.Op == x86asm.JMP && direct {
		va = m.body(uint64(int64(va) + int64(in.Len) + int64(rel)))
		in, err = x86asm.Decode(m.code(va, 16), 64)
	}
	if at, fixed := in.Args[1].(x86asm.Imm); err == nil && fixed && in.Op == x86asm.MOV && in.Args[0] == x86asm.EAX && m.elf.Type == elf.ET_EXEC {
		return m.relative(uint64(at) + uint64(slot)) // of a program that is always at the same place
	}
	if err != nil || in.Op != x86asm.LEA || in.Args[0] != x86asm.RAX {
		return 0, false
	}
	a, ok := in.Args[1].(x86asm.Mem)
	if !ok || a.Base != x86asm.RIP {
		return 0, false
	}
	return m.relative(uint64(int64(va) + int64(in.Len) + displacement(a) + slot))
}

// relative returns the address that the dynamic linker puts at va, of relocations
// without a symbol: it is their addend, or, where they are packed (.relr.dyn), what
// the file holds at va.
func (m *image) relative(va uint64) (uint64, bool) {
	if m.relatives == nil {
		m.relatives = map[uint64]uint64{}
		if s := m.elf.Section(".rela.dyn"); s != nil {
			b, _ := relocations(s)
			for ; len(b) >= 24; b = b[24:] {
				if binary.LittleEndian.Uint64(b[8:]) == uint64(elf.R_X86_64_RELATIVE) {
					m.relatives[binary.LittleEndian.Uint64(b)] = binary.LittleEndian.Uint64(b[16:])
				}
			}
		}
	}
	if at, ok := m.relatives[va]; ok {
		return at, true
	}
	return m.word(va)
}

// word returns the eight bytes that the file holds for va, if they are not 0.
func (m *image) word(va uint64) (uint64, bool) {
	for _, p := range m.elf.Progs {
		if p.Type == elf.PT_LOAD && va >= p.Vaddr && va-p.Vaddr < p.Filesz && p.Filesz-(va-p.Vaddr) >= 8 {
			var b [8]byte
			if _, err := m.f.ReadAt(b[:], int64(va-p.Vaddr+p.Off)); err != nil {
				return 0, false
			}
			v := binary.LittleEndian.Uint64(b[:])
			return v, v != 0
		}
	}
	return 0, false
}

// registers say where an inner site finds what it needs, by calleeSaved's numbers.
type registers struct{ session, buffer, out, peek, length uint8 }

// cookie is the part of the attach cookie that bpf/inner.h reads.
func (r registers) cookie() uint64 {
	return uint64(r.session)<<32 | uint64(r.buffer)<<36 | uint64(r.out)<<40 | uint64(r.peek)<<44 | uint64(r.length)<<48
}

// readWalk follows every way through the function behind the method table.
type readWalk struct {
	fetch  func(va uint64) []byte         // code at va
	offset func(va uint64) (uint64, bool) // in the file
	ways   []way
	steps  int
	slot   int64 // in the method table, of the function that reads
	at     map[uint64]site
}

// way is a point that is yet to be followed from.
type way struct {
	*registerFile
	va       uint64
	calls    int  // of the reading function so far
	wait     bool // a site for the last of them is still to come
	canary   bool // the stack protector's word was just compared
	peekable bool // the function peeks too
}

// Bounds of a walk. The function has about 60 instructions and three forks.
const (
	maxSteps = 5000
	maxWays  = 64
)

// run follows all ways from fn. Every read must be followed by a site on each way
// on which the function can return.
func (w *readWalk) run(fn uint64) error {
	start := way{registerFile: calledWith(symbol{kind: symSession}, symbol{kind: symBuffer}, symbol{kind: symLength}, symbol{kind: symOut}), va: fn}
	w.ways, w.at = []way{start}, map[uint64]site{}
	for len(w.ways) > 0 {
		next := w.ways[len(w.ways)-1]
		w.ways = w.ways[:len(w.ways)-1]
		if err := w.follow(&next); err != nil {
			return err
		}
	}
	if len(w.at) == 0 {
		return errFlow
	}
	return nil
}

// follow follows one way until it returns, and leaves the others at each fork.
func (w *readWalk) follow(at *way) error {
	for {
		if w.steps++; w.steps > maxSteps {
			return errFlow
		}
		code := w.fetch(at.va)
		if bytes.HasPrefix(code, endbr64) {
			at.va += uint64(len(endbr64))
			continue
		}
		in, err := x86asm.Decode(code, 64)
		if err != nil {
			return errFlow
		}
		if at.wait && emulatedInst(in) && at.regs[0] == (symbol{symResult, int64(at.calls)}) {
			if err := w.found(at); err != nil {
				return err
			}
		}
		canary := at.canary
		at.canary = comparesCanary(in)
		at.va += uint64(in.Len)
		rel, direct := in.Args[0].(x86asm.Rel)
		target := uint64(int64(at.va) + int64(rel))
		switch {
		case in.Op == x86asm.RET:
			if at.wait || at.sp != 0 {
				return errFlow
			}
			return nil
		case in.Op == x86asm.JMP:
			if !direct {
				return errFlow
			}
			at.enter()
			at.va = target
		case in.Op == x86asm.CALL:
			if err := w.call(at, in, direct); err != nil {
				return err
			}
		case direct: // a conditional jump
			if in.Op == x86asm.JNE && canary {
				break // to where the program is aborted
			}
			if len(w.ways) >= maxWays {
				return errFlow
			}
			w.ways = append(w.ways, at.fork(target))
		default:
			if err := at.step(in); err != nil {
				return err
			}
		}
	}
}

// comparesCanary recognises the end of -fstack-protector: sub %fs:0x28,%reg.
func comparesCanary(in x86asm.Inst) bool {
	if in.Op != x86asm.SUB && in.Op != x86asm.XOR && in.Op != x86asm.CMP {
		return false
	}
	a, ok := in.Args[1].(x86asm.Mem)
	return ok && a.Segment == x86asm.FS && a.Disp == 0x28
}

// enter notes what a jump to the function that reading and peeking share says: the
// constant 0 in its fourth argument is not a constant there.
func (at *way) enter() {
	rcx := &at.regs[x86asm.RCX-x86asm.RAX]
	if at.sp == 0 && at.calls == 0 && at.regs[x86asm.R8-x86asm.RAX].kind == symOut && *rcx == (symbol{kind: symConst}) {
		rcx.kind = symPeek
		at.peekable = true
	}
}

// call follows a call. One through a table must be the read.
func (w *readWalk) call(at *way, in x86asm.Inst, direct bool) error {
	read := false
	if !direct {
		a, ok := in.Args[0].(x86asm.Mem)
		if !ok || !at.reads(a) || at.wait || w.slot != 0 && w.slot != a.Disp {
			return errFlow
		}
		read, w.slot = true, a.Disp
	}
	if err := at.step(in); err != nil {
		return err
	}
	if read {
		at.calls++
		at.wait = true
		at.regs[0] = symbol{symResult, int64(at.calls)}
	}
	return nil
}

// reads reports whether the arguments are those of the read that was asked for.
func (at *way) reads(table x86asm.Mem) bool {
	arg := func(r x86asm.Reg) symbol { return at.regs[r-x86asm.RAX] }
	if table.Base == 0 || table.Base == x86asm.RIP || table.Base == x86asm.RSP || table.Index != 0 || displacement(table) <= 0 {
		return false
	}
	peek := arg(x86asm.R9)
	return arg(x86asm.RDI).kind == symSession && arg(x86asm.RSI) == symbol{symConst, applicationData} &&
		arg(x86asm.RDX) == symbol{kind: symConst} && arg(x86asm.RCX) == symbol{kind: symBuffer} && arg(x86asm.R8).kind == symLength &&
		(peek.kind == symPeek || peek == symbol{kind: symConst}) && at.load(at.sp, 8).kind == symOut
}

// fork returns the same state elsewhere.
func (at *way) fork(va uint64) way {
	other := *at
	other.registerFile, other.va, other.canary = at.registerFile.clone(), va, false
	return other
}

// found takes the instruction at hand as the site of the last read.
func (w *readWalk) found(at *way) error {
	at.wait = false
	off, ok := w.offset(at.va)
	s := site{name: fmt.Sprintf("ssl3_read_internal@%#x", at.va), off: off, what: whatInnerRead, entry: true,
		why: "jump behind the only call that reads, with the session, the buffer and the length at hand"}
	var has [3]bool
	s.regs.session, has[0] = at.saved(symSession)
	s.regs.buffer, has[1] = at.saved(symBuffer)
	s.regs.out, has[2] = at.saved(symOut)
	s.regs.length, _ = at.saved(symLength)
	var peeks bool
	s.regs.peek, peeks = at.saved(symPeek)
	if !ok || has != [3]bool{true, true, true} || at.peekable && !peeks {
		return errFlow
	}
	if old, twice := w.at[at.va]; twice && old.regs != s.regs {
		return errFlow
	}
	w.at[at.va] = s
	return nil
}
