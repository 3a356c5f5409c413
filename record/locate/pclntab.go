package locate

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"slices"
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

// find returns the spans of the functions whose names begin with prefix and are
// among want, and where the last function of the program ends.
func (t *pclntab) find(prefix string, want []string) (map[string]span, uint64, error) {
	offs, err := t.nameOffsets(prefix, want)
	if err != nil {
		return nil, 0, err
	}
	found := map[string]span{}
	if len(offs) == 0 {
		return found, 0, nil
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
		if fn, wanted := offs[name]; wanted {
			if _, twice := found[fn]; twice || next <= start {
				return nil, 0, fmt.Errorf("find %s: the table lists it twice or with no length: %w", fn, ErrUncertain)
			}
			found[fn] = span{start, next}
		}
		start, desc = next, nextDesc
	}
	if !ok {
		return nil, 0, fmt.Errorf("read Go's function table: it is cut or out of order: %w", ErrUncertain)
	}
	return found, start, nil
}

// nameOffsets finds the wanted names in the table of names.
func (t *pclntab) nameOffsets(prefix string, want []string) (map[uint32]string, error) {
	const longest = 256
	offs := map[uint32]string{}
	key := append([]byte{0}, prefix...)
	err := each(t.r, t.off+t.names, t.namesEnd-t.names, longest, func(off uint64, piece []byte) bool {
		for at := 0; ; {
			i := bytes.Index(piece[at:], key)
			if i < 0 {
				return true
			}
			at += i + 1
			name, _, ended := bytes.Cut(piece[at:min(len(piece), at+longest)], []byte{0})
			if ended && slices.Contains(want, string(name)) {
				offs[uint32(off)+uint32(at)] = string(name)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read Go's function names: %w", err)
	}
	return offs, nil
}
