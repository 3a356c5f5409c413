package locate

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// pclntab is the table of functions that the runtime of every Go program needs for
// its stack traces, so that no stripping removes it (runtime/symtab.go: pcHeader).
// debug/gosym reads it too, but whole and with an object a function: 100 MiB for a
// large program.
type pclntab struct {
	w     *window
	r     io.ReaderAt
	off   uint64 // of the table in the file
	old   bool   // as Go 1.16 and 1.17 write it: absolute addresses
	nfunc uint64

	names, namesEnd uint64 // offsets in the table
	funcs           uint64
}

// The first four bytes, little-endian (internal/abi: PCLnTabMagic).
const (
	magic116 = 0xfffffffa
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1
)

// IsGo reports whether a file is a Go program, by its sections alone.
func IsGo(e *elf.File) bool { return pclntabSection(e) != nil }

func pclntabSection(e *elf.File) *elf.Section {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := e.Section(name); s != nil && s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_COMPRESSED == 0 {
			return s
		}
	}
	return nil
}

// openPclntab finds the table. ErrAbsent: this is no Go program.
func openPclntab(e *elf.File, r io.ReaderAt) (*pclntab, error) {
	s := pclntabSection(e)
	if s == nil {
		return nil, fmt.Errorf("read Go's function table: %w", ErrAbsent)
	}
	t := &pclntab{w: newWindow(r, s.Offset, s.Size), r: r, off: s.Offset}
	return t, t.header(s.Size)
}

// header reads where the parts are.
func (t *pclntab) header(size uint64) error {
	h := t.w.bytes(0, 8)
	if h == nil || h[4] != 0 || h[5] != 0 || h[7] != 8 {
		return fmt.Errorf("read Go's function table: no header: %w", ErrUncertain)
	}
	at := uint64(8)
	word := func(skip uint64) uint64 {
		v, _ := t.w.u64(at + skip*8)
		return v
	}
	magic, _ := t.w.u32(0)
	switch magic {
	case magic116: // nfunc, nfiles, names, cu, files, pcs, funcs
		t.old = true
		t.nfunc, t.names, t.namesEnd, t.funcs = word(0), word(2), word(3), word(6)
	case magic118, magic120: // nfunc, nfiles, text, names, cu, files, pcs, funcs
		t.nfunc, t.names, t.namesEnd, t.funcs = word(0), word(3), word(4), word(7)
	default:
		return fmt.Errorf("read Go's function table: version %#x: %w", magic, ErrUncertain)
	}
	if t.names > t.namesEnd || t.namesEnd > size || t.funcs > size || t.nfunc > (size-t.funcs)/8 {
		return fmt.Errorf("read Go's function table: it points outside of itself: %w", ErrUncertain)
	}
	return nil
}

// entry returns function i's start, relative to the program's text unless old, and
// where its description is. Entry nfunc is the end of the last one.
func (t *pclntab) entry(i uint64) (start, desc uint64, ok bool) {
	if t.old {
		start, ok = t.w.u64(t.funcs + i*16)
		if ok && i < t.nfunc {
			desc, ok = t.w.u64(t.funcs + i*16 + 8)
		}
		return start, desc, ok
	}
	s, ok := t.w.u32(t.funcs + i*8)
	if !ok || i == t.nfunc {
		return uint64(s), 0, ok
	}
	d, ok := t.w.u32(t.funcs + i*8 + 4)
	return uint64(s), uint64(d), ok
}

// span is a function's place: addresses if the table is old, else offsets in the text.
type span struct{ start, end uint64 }

// listing is what find finds.
type listing struct {
	spans map[string]span
	end   uint64            // where the last function of the program ends
	calls map[uint64]string // the functions that are only called, by their start
}

// find returns the spans of the functions that are named want, each of which may be
// listed once, and the starts of those named called. Without any of want it looks no
// further.
func (t *pclntab) find(want, called []string) (listing, error) {
	found := listing{spans: map[string]span{}, calls: map[uint64]string{}}
	offs, err := t.nameOffsets(append(slices.Clone(want), called...))
	if err != nil {
		return found, err
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(offs)), func(n string) bool { return slices.Contains(want, n) }) {
		return found, nil
	}
	nameField := uint64(4)
	if t.old {
		nameField = 8
	}
	// The descriptions lie in the order of the functions: a window of their own.
	descs := newWindow(t.r, t.off, t.w.size)
	start, desc, ok := t.entry(0)
	for i := uint64(0); i < t.nfunc && ok; i++ {
		next, nextDesc, more := t.entry(i + 1)
		if !more {
			ok = false
			break
		}
		var name uint32
		if name, ok = descs.u32(t.funcs + desc + nameField); !ok {
			break
		}
		if fn, known := offs[name]; known && slices.Contains(called, fn) {
			found.calls[start] = fn
		} else if known {
			if _, twice := found.spans[fn]; twice || next <= start {
				return found, fmt.Errorf("find %s: the table lists it twice or with no length: %w", fn, ErrUncertain)
			}
			found.spans[fn] = span{start, next}
		}
		start, desc = next, nextDesc
	}
	if !ok {
		return found, fmt.Errorf("read Go's function table: it is cut or out of order: %w", ErrUncertain)
	}
	found.end = start
	return found, nil
}

// nameOffsets finds the wanted names in the table of names.
func (t *pclntab) nameOffsets(want []string) (map[uint32]string, error) {
	const longest = 256
	offs := map[uint32]string{}
	packages := map[string]bool{} // up to and with the first dot behind the last slash of want
	for _, w := range want {
		slash := strings.LastIndexByte(w, '/') + 1
		packages[w[:slash+strings.IndexByte(w[slash:], '.')+1]] = true
	}
	err := each(t.r, t.off+t.names, t.namesEnd-t.names, longest, func(off uint64, piece []byte) bool {
		for prefix := range packages {
			key := append([]byte{0}, prefix...)
			for at := 0; ; {
				i := bytes.Index(piece[at:], key)
				if i < 0 {
					break
				}
				at += i + 1
				name, _, ended := bytes.Cut(piece[at:min(len(piece), at+longest)], []byte{0})
				if ended && slices.Contains(want, string(name)) {
					offs[uint32(off)+uint32(at)] = string(name)
				}
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read Go's function names: %w", err)
	}
	return offs, nil
}
