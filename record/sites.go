package record

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// what and how are the attach cookie's parts, as enum what and enum how of
// bpf/openssl.h; layout_test.go of this package compares them.
type (
	what uint8
	how  uint8
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
	whatAcceptState
	whatConnectState
)

const (
	howReturn how = iota // the return value is the length
	howArg4              // returns 1, the length is where argument 4 points
	howArg5              // returns 1, the length is where argument 5 points
)

// site is one place to put a probe.
type site struct {
	name   string // for people: function, and offset if not its first byte
	why    string
	off    uint64 // in the file
	what   what
	how    how
	entry  bool // entry probe
	ret    bool // return probe; then off is a function's first byte
	single bool // the kernel has to single-step the instruction: about 1–14 µs a hit instead of 0.4
}

func (s site) String() string {
	cost := ""
	if s.single {
		cost = ", single-stepped"
	}
	return fmt.Sprintf("%s: %s%s", s.name, s.why, cost)
}

// cookie packs what the BPF programs need to know of a site.
func (s site) cookie(lib uint8) uint64 {
	return uint64(s.what) | uint64(s.how)<<8 | uint64(lib)<<16
}

// openSSLTouches are functions whose call alone says something; an entry probe
// anywhere before their first call will do.
var openSSLTouches = []struct {
	name string
	what what
}{
	{"SSL_free", whatFree},
	{"SSL_clear", whatClear},
	{"SSL_up_ref", whatUpRef},
	{"SSL_shutdown", whatShutdown},
	{"SSL_set_accept_state", whatAcceptState},
	{"SSL_set_connect_state", whatConnectState},
}

// openSSLSites resolves every probe site of a shared OpenSSL 3. It fails when the
// file does not export the functions that carry plaintext.
func openSSLSites(m *image) ([]site, error) {
	var sites []site
	for _, d := range []struct {
		what     what
		fn       string
		ex       []string // forms with an out-pointer; the first that exists is compared with fn
		internal how
	}{
		{whatRead, "SSL_read", []string{"SSL_read_ex"}, howArg4},
		{whatWrite, "SSL_write", []string{"SSL_write_ex2", "SSL_write_ex"}, writeShape(m)},
	} {
		s, err := transferSites(m, d.what, d.fn, d.ex, d.internal)
		if err != nil {
			return nil, err
		}
		sites = append(sites, s...)
	}
	if len(sites) == 2 && sites[0].off == sites[1].off {
		return nil, fmt.Errorf("resolve SSL_read and SSL_write: both lead to %#x: %w", sites[0].off, ErrNoLibrary)
	}
	for _, f := range []struct {
		name string
		what what
		ent  bool
	}{{"SSL_do_handshake", whatHandshake, true}, {"SSL_get0_alpn_selected", whatALPN, true}, {"SSL_new", whatNew, false}} {
		if s, ok := exported(m, f.name, "exported"); ok {
			s.what, s.entry, s.ret = f.what, f.ent, true
			sites = append(sites, s)
		}
	}
	for _, t := range openSSLTouches {
		if s, ok := touchSite(m, t.name); ok {
			s.what, s.entry = t.what, true
			sites = append(sites, s)
		}
	}
	return sites, nil
}

// writeShape says where ssl_write_internal leaves the length. OpenSSL 3.3 put a
// flags argument before it, together with the export SSL_write_ex2.
func writeShape(m *image) how {
	if _, ok := m.symbols["SSL_write_ex2"]; ok {
		return howArg5
	}
	return howArg4
}

// transferSites picks the place to watch one direction. The function that X and
// X_ex both call first is best: it begins with a push, which the kernel emulates,
// where the exports begin with a sub that it must single-step; and one probe sees
// both forms. Where the two do not agree the exports themselves are taken.
func transferSites(m *image, w what, fn string, ex []string, internal how) ([]site, error) {
	base, ok := exported(m, fn, "exported")
	if !ok {
		return nil, fmt.Errorf("resolve %s: %w", fn, ErrNoLibrary)
	}
	inner, ok := firstCall(m, m.symbols[fn].Value)
	for _, name := range ex {
		sym, has := m.symbols[name]
		if !ok || !has {
			continue
		}
		other, has := firstCall(m, sym.Value)
		if !has || other != inner {
			continue
		}
		off, has := m.fileOffset(m.body(inner))
		if !has || !emulated(m, m.body(inner)) {
			continue
		}
		return []site{{name: fmt.Sprintf("%s_internal@%#x", fn, inner), off: off, what: w, how: internal, entry: true, ret: true,
			why: fmt.Sprintf("first call of both %s and %s, begins with an emulated instruction", fn, name)}}, nil
	}
	base.what, base.how, base.entry, base.ret = w, howReturn, true, true
	sites := []site{base}
	for _, name := range ex {
		s, ok := exported(m, name, "exported")
		if !ok {
			continue
		}
		s.what, s.how, s.entry, s.ret = w, howArg4, true, true
		if name == "SSL_write_ex2" {
			s.how = howArg5
		}
		sites = append(sites, s)
	}
	return sites, nil
}

func exported(m *image, name, why string) (site, bool) {
	sym, ok := m.symbols[name]
	if !ok {
		return site{}, false
	}
	va := m.body(sym.Value)
	off, ok := m.fileOffset(va)
	if !ok {
		return site{}, false
	}
	return site{name: name, off: off, why: why, single: !emulated(m, va)}, true
}

// body returns where a function's own code begins: after endbr64, which the kernel
// would single-step. The stack is untouched there, so a return probe is in place too.
func (m *image) body(va uint64) uint64 {
	if m.elf.Machine == elf.EM_X86_64 && bytes.Equal(m.code(va, 4), []byte{0xf3, 0x0f, 0x1e, 0xfa}) {
		return va + 4
	}
	return va
}

// touchSite finds the first emulated instruction of a function that is reached on
// every call while argument 1 is still in its register.
func touchSite(m *image, name string) (site, bool) {
	s, ok := exported(m, name, "exported")
	if !ok || !s.single || m.elf.Machine != elf.EM_X86_64 {
		return s, ok
	}
	code := m.code(m.body(m.symbols[name].Value), 64)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil || in.Op == x86asm.RET || writes(in, x86asm.RDI, x86asm.EDI, x86asm.DI, x86asm.DIB) {
			return s, true
		}
		if emulatedInst(in) {
			s.off += uint64(pc)
			s.name = fmt.Sprintf("%s+%#x", name, pc)
			s.why = "first emulated instruction with the argument still in its register"
			s.single = false
			return s, true
		}
		if in.Op == x86asm.CALL || in.Op == x86asm.JMP {
			return s, true
		}
		pc += in.Len
	}
	return s, true
}

// firstCall returns the target of the first direct call, or tail jump, of the
// function at va.
func firstCall(m *image, va uint64) (uint64, bool) {
	if m.elf.Machine != elf.EM_X86_64 {
		return 0, false // arm64 wants its own disassembler; the exports serve
	}
	code := m.code(va, 128)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil || in.Op == x86asm.RET {
			return 0, false
		}
		pc += in.Len
		if in.Op != x86asm.CALL && in.Op != x86asm.JMP {
			// The callee must get the session and the buffer that the caller got.
			if writes(in, x86asm.RDI, x86asm.EDI, x86asm.DI, x86asm.DIB) || writes(in, x86asm.RSI, x86asm.ESI, x86asm.SI, x86asm.SIB) {
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

// emulated reports whether the kernel emulates the instruction at va under a
// uprobe, instead of single-stepping it (arch/x86/kernel/uprobes.c:
// push_setup_xol_ops, branch_setup_xol_ops). On arm64 nothing is known to be gained.
func emulated(m *image, va uint64) bool {
	if m.elf.Machine != elf.EM_X86_64 {
		return true
	}
	code := m.code(va, 16)
	in, err := x86asm.Decode(code, 64)
	return err == nil && emulatedInst(in) && code[0] != 0xf3 // endbr64 decodes as a no-op but is not one to the kernel
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
