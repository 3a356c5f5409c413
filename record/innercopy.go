package record

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// innerCopy finds where OpenSSL copies what a record held to who reads it:
//
//	int ssl_read_bytes(SSL *s, int type, int *got, unsigned char *buf, size_t len, int peek, size_t *readbytes)
//	…
//	memcpy(buf, &rr->data[rr->off], n);
//
// A read that finds nothing does not come by, where one probe on the end of each
// read is passed by the try for more that a server makes after every request. slot is
// that of ssl_read_bytes in the method tables, as innerRead proves it; every table
// that the library exports is gone through, as those of DTLS read by another function.
//
// What is proved: asked for application data and not to peek, these functions write
// to the buffer by calls of memcpy alone, and give it to nobody else. And whatever they
// are asked for, at those calls the session, the type and the peek flag are where
// the probe looks for them, so that it can tell a read from the others. That a copy
// is followed by success is known of OpenSSL 1.1.0 to 3.1; methodFunction refuses later ones,
// which have QUIC.
func innerCopy(m *image, slot int64) ([]site, error) {
	found := map[uint64]site{}
	for _, fn := range methodFunctions(m, slot) {
		if err := copies(m, fn, found); err != nil {
			return nil, fmt.Errorf("find the copy at %#x: %w", fn, err)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("find the copy: %w", errFlow)
	}
	return byOffset(found), nil
}

// Bounds of a library's method tables; OpenSSL 3.0 has 23, and at most two functions
// in one slot.
const (
	maxMethods   = 64
	maxFunctions = 8
)

// methodFunctions returns the functions in a slot of the method tables that the library
// exports, none if one of the tables is not understood.
func methodFunctions(m *image, slot int64) []uint64 {
	var fns []uint64
	methods := 0
	for name := range m.symbols {
		if !strings.HasSuffix(name, "_method") || !strings.HasPrefix(name, "TLS") && !strings.HasPrefix(name, "DTLS") && !strings.HasPrefix(name, "SSLv") {
			continue
		}
		fn, ok := methodEntry(m, name, slot)
		if methods++; !ok || methods > maxMethods || len(fns) > maxFunctions {
			return nil
		}
		if !slices.Contains(fns, fn) {
			fns = append(fns, fn)
		}
	}
	return fns
}

// copies adds the places where fn copies to its reader.
func copies(m *image, fn uint64, found map[uint64]site) error {
	follow := func(kind, peek int64) (*flow, error) {
		f := newFlow(m)
		return f, f.follow(fn, calledWith(symbol{kind: symSession}, symbol{symType, kind}, symbol{}, symbol{symBuffer, untouched}, symbol{}, symbol{symPeek, peek}))
	}
	reading, err := follow(applicationData, 0)
	if err != nil {
		return err
	}
	whatever, err := follow(anyValue, anyValue)
	if err != nil {
		return err
	}
	some := false
	for va, s := range reading.before {
		in, err := reading.inst(va)
		if err != nil {
			return err
		}
		is, err := s.fillsBuffer(m, in, va)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		at, ok := copySite(m, va, whatever.before[va])
		if !ok {
			return fmt.Errorf("%#x: %w", va, errFlow)
		}
		found[va], some = at, true
	}
	if !some {
		return errFlow
	}
	return nil
}

// fillsBuffer reports whether an instruction is a call of memcpy to the buffer. Any
// other that could write there is an error.
func (s *flowState) fillsBuffer(m *image, in x86asm.Inst, va uint64) (bool, error) {
	leaks := fmt.Errorf("%#x: the buffer goes elsewhere: %w", va, errFlow)
	buffer := s.givesBuffer
	switch in.Op {
	case x86asm.CMP, x86asm.TEST, x86asm.NOP:
		return false, nil
	case x86asm.JMP:
		if _, away := in.Args[0].(x86asm.Mem); away && slices.ContainsFunc(arguments, buffer) {
			return false, leaks
		}
		return false, nil
	case x86asm.CALL:
		if slices.ContainsFunc(arguments[1:], buffer) {
			return false, leaks
		}
		if !buffer(x86asm.RDI) {
			return false, nil
		}
		rel, direct := in.Args[0].(x86asm.Rel)
		if !direct {
			return false, leaks
		}
		name, _ := m.imported(uint64(int64(va) + int64(in.Len) + int64(rel)))
		if name != "memcpy" && name != "memmove" {
			return false, leaks
		}
		return true, nil
	}
	source := in.Args[1]
	if in.Op == x86asm.PUSH {
		source = in.Args[0]
	}
	given := source != nil && s.value(in, source).kind == symBuffer && in.Op != x86asm.LEA
	switch to := in.Args[0].(type) {
	case x86asm.Mem:
		at := func(r x86asm.Reg) bool { _, _, ok := regIndex(r); return ok && buffer(r) }
		if at(to.Base) || at(to.Index) {
			return false, leaks
		}
		if _, slot := s.slot(to); given && !slot {
			return false, leaks
		}
	case x86asm.Reg:
		if _, _, general := regIndex(to); given && (!general || in.Op == x86asm.PUSH) {
			return false, leaks
		}
	}
	return false, nil
}

// copySite makes the site at a call of memcpy, s being what holds there in any case.
func copySite(m *image, va uint64, s *flowState) (site, bool) {
	off, ok := m.fileOffset(va)
	if !ok || s == nil {
		return site{}, false
	}
	var has [3]bool
	p := nowhere
	p.session, has[0] = s.pair(symbol{kind: symSession})
	p.kind, has[1] = s.word(symbol{symType, anyValue})
	p.peek, has[2] = s.word(symbol{symPeek, anyValue})
	return site{name: fmt.Sprintf("ssl3_read_bytes@%#x", va), off: off, what: whatInnerCopy, entry: true, at: p,
		why: "call of memcpy that gives a record to its reader, passed by nothing else"}, has == [3]bool{true, true, true}
}
