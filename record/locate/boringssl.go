package locate

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"slices"
)

// BoringFunc is a function of BoringSSL, by address in the file's own numbering. The
// first instruction is a push, which the kernel emulates under a probe, but for BIO_write's.
type BoringFunc struct {
	Name  string // "SSL_read"
	Entry uint64
}

// boringFile ends the source path that ssl_lib.cc's error reports carry, wherever
// the library was built.
const boringFile = "/ssl/ssl_lib.cc\x00"

// errLibSSL is ERR_LIB_SSL, what every error report of the library names (err.h).
const errLibSSL = 16

// boringRules tell BoringSSL's functions by the errors they report: numbers that are
// part of its interface (ssl.h, err.h) and do not change. SSL_read holds SSL_peek,
// which it calls, so both report the same from the same line; only one consumes.
var boringRules = []struct {
	name  string
	need  bool
	match func(f *reporter) bool
}{
	// 66 not to be called (QUIC), 215 handshake failure, 226 uninitialized.
	{"SSL_write", true, func(f *reporter) bool { return f.reports(66) && f.reports(215) && f.reports(226) }},
	{"SSL_read", true, func(f *reporter) bool { return slices.Equal(f.reasons, []uint32{66}) && f.consumes && f.before > 0 }},
	{"SSL_do_handshake", true, func(f *reporter) bool { return slices.Equal(f.reasons, []uint32{134}) }},   // connection type not set
	{"SSL_new", false, func(f *reporter) bool { return slices.Equal(f.reasons, []uint32{185}) }},           // null SSL_CTX
	{"SSL_shutdown", false, func(f *reporter) bool { return slices.Equal(f.reasons, []uint32{226, 291}) }}, // data on shutdown
}

// readLines is how many lines of source SSL_peek's report may stand before the
// first of SSL_write, the next function but one: 21 and 22 in the builds measured.
const readLines = 40

// BoringSSL finds the functions of a BoringSSL that is part of a program for x86-64,
// stripped or not. ErrAbsent: there is none in it. ErrUncertain: there is, but not
// exactly one function answers to a rule.
func BoringSSL(e *elf.File, r io.ReaderAt) ([]BoringFunc, error) {
	files, err := findStrings(e, r, boringFile, bioFile)
	if err != nil || len(files[0]) == 0 {
		return nil, orAbsent(err, "find BoringSSL")
	}
	if e.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("find BoringSSL: only x86-64 is known, this is %v: %w", e.Machine, ErrUncertain)
	}
	text := e.Section(".text")
	if text == nil || text.Type != elf.SHT_PROGBITS || text.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("find BoringSSL: no section with code: %w", ErrUncertain)
	}
	c := &codeView{r: r, base: text.Offset, addr: text.Addr, size: text.Size}
	names := map[uint64]uint32{}
	for i, lib := range []uint32{errLibSSL, errLibBIO} {
		for _, name := range files[i] {
			names[name] = lib
		}
	}
	reports, err := findReports(c, names)
	if err != nil {
		return nil, err
	}
	of := func(lib uint32) []report {
		return slices.DeleteFunc(slices.Clone(reports), func(r report) bool { return r.lib != lib })
	}
	ssl, bio := of(errLibSSL), of(errLibBIO)
	if len(ssl) == 0 {
		// The string alone is no library: a crash reporter's table has such paths too.
		return nil, fmt.Errorf("find BoringSSL: %w", ErrAbsent)
	}
	starts, padded, err := findStarts(c, reports)
	if err != nil {
		return nil, err
	}
	funcs, err := applyRules(reporters(c, ssl, starts))
	if err != nil {
		return nil, err
	}
	for _, start := range bioWrites(bio, reporters(c, bio, padded)) {
		funcs = append(funcs, BoringFunc{"BIO_write", start})
	}
	return funcs, nil
}

func orAbsent(err error, what string) error {
	if err == nil {
		err = ErrAbsent
	}
	return fmt.Errorf("%s: %w", what, err)
}

// applyRules names the functions.
func applyRules(all []*reporter) (funcs []BoringFunc, err error) {
	first := uint32(0) // the first line that SSL_write reports from
	for _, rule := range boringRules {
		var found []*reporter
		for _, f := range all {
			f.before = int(first) - int(f.lines[0])
			if first == 0 || f.before > readLines {
				f.before = 0
			}
			if rule.match(f) {
				found = append(found, f)
			}
		}
		switch {
		case len(found) == 1:
			funcs = append(funcs, BoringFunc{rule.name, found[0].start})
		case rule.need:
			return nil, fmt.Errorf("find %s of BoringSSL: %d functions could be it: %w", rule.name, len(found), ErrUncertain)
		}
		if rule.name == "SSL_write" {
			first = found[0].lines[0]
		}
	}
	return funcs, nil
}

// findStrings returns the addresses of the strings that end with each of tails, in the
// constant data of a program.
func findStrings(e *elf.File, r io.ReaderAt, tails ...string) (addrs [][]uint64, err error) {
	addrs = make([][]uint64, len(tails))
	for _, s := range e.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&(elf.SHF_EXECINSTR|elf.SHF_WRITE|elf.SHF_COMPRESSED) != 0 {
			continue
		}
		const longest = 512
		err = each(r, s.Offset, s.Size, longest, func(off uint64, piece []byte) bool {
			for k, tail := range tails {
				for at := 0; ; {
					i := bytes.Index(piece[at:], []byte(tail))
					if i < 0 {
						break
					}
					at += i
					// The overlap shows a string's end twice; its beginning may be cut the first time.
					begin := max(bytes.LastIndexByte(piece[:at], 0)+1, at-longest/2)
					if addr := s.Addr + off + uint64(begin); !slices.Contains(addrs[k], addr) && len(addrs[k]) < 64 {
						addrs[k] = append(addrs[k], addr)
					}
					at += len(tail)
				}
			}
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("read constants: %w", err)
		}
	}
	return addrs, nil
}
