package record

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxELF bounds the file that is parsed: any process can offer one.
const maxELF = 1 << 30

var errNotELF = errors.New("not a usable ELF file")

// image is an ELF file opened for resolving probe sites.
type image struct {
	path      string // for people; the file may be gone from there
	f         *os.File
	elf       *elf.File
	symbols   map[string]elf.Symbol
	buildID   string
	gots      map[uint64]string // see slots
	relatives map[uint64]uint64 // of relative, once it was asked
}

// openELF opens an ELF file of another process, which is hostile input: only
// regular files up to maxELF. Its caller guards against a panic of the parser.
func openELF(path string) (*os.File, *elf.File, error) {
	// Looked at before it is opened: opening a device can do things.
	if st, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !st.Mode().IsRegular() || st.Size() > maxELF {
		return nil, nil, fmt.Errorf("parse %s: %w", path, errNotELF)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	e, err := elf.NewFile(f)
	if err == nil {
		err = sane(e)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("parse %s: %w: %v", path, errNotELF, err)
	}
	return f, e, nil
}

// openImage opens an ELF file of another process and reads its symbols. A parser
// panic becomes an error.
func openImage(path string) (img *image, err error) {
	var f *os.File
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("parse %s: %w: %v", path, errNotELF, r)
		}
		if err != nil && f != nil {
			f.Close()
		}
	}()
	f, e, err := openELF(path)
	if err != nil {
		return nil, err
	}
	img = &image{path: path, f: f, elf: e, symbols: map[string]elf.Symbol{}}
	syms, err := e.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, fmt.Errorf("read symbols of %s: %w: %v", path, errNotELF, err)
	}
	for _, s := range syms {
		if s.Section != elf.SHN_UNDEF && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			img.symbols[s.Name] = s
		}
	}
	img.buildID = buildID(e)
	return img, nil
}

// maxSymbols bounds the dynamic symbol and string tables. OpenSSL's have 60 KiB.
const maxSymbols = 16 << 20

// sane refuses symbol tables that cost more to read than the file is long: a
// compressed section of some kilobytes inflates to gigabytes.
func sane(e *elf.File) error {
	for _, s := range e.Sections {
		if s.Type != elf.SHT_DYNSYM && s.Type != elf.SHT_STRTAB && s.Type != elf.SHT_GNU_VERSYM && s.Type != elf.SHT_GNU_VERNEED && s.Type != elf.SHT_GNU_VERDEF {
			continue
		}
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue // not part of the dynamic tables
		}
		if s.Flags&elf.SHF_COMPRESSED != 0 || s.Size > maxSymbols || s.FileSize > maxSymbols {
			return fmt.Errorf("section %q is compressed or larger than %d bytes", s.Name, maxSymbols)
		}
	}
	return nil
}

// fdPath names the open file itself, whatever its path leads to by now.
func (m *image) fdPath() string { return fmt.Sprintf("/proc/self/fd/%d", m.f.Fd()) }

func (m *image) Close() error { return m.f.Close() }

// fileOffset turns a virtual address of an executable segment into an offset in
// the file, which is what the kernel wants for a uprobe.
func (m *image) fileOffset(va uint64) (uint64, bool) {
	for _, p := range m.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && va >= p.Vaddr && va-p.Vaddr < p.Filesz {
			return va - p.Vaddr + p.Off, true
		}
	}
	return 0, false
}

// code returns up to n bytes of machine code at va.
func (m *image) code(va uint64, n int) []byte {
	off, ok := m.fileOffset(va)
	if !ok {
		return nil
	}
	b := make([]byte, n)
	got, err := m.f.ReadAt(b, int64(off))
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:got]
}

// buildID returns the GNU build id in hexadecimal, or "".
func buildID(e *elf.File) string {
	s := e.Section(".note.gnu.build-id")
	if s == nil || s.Size > 4096 {
		return ""
	}
	b, err := s.Data()
	if err != nil || len(b) < 16 {
		return ""
	}
	nameLen, descLen := e.ByteOrder.Uint32(b), e.ByteOrder.Uint32(b[4:])
	if nameLen != 4 || !bytes.Equal(b[12:16], []byte("GNU\x00")) || uint64(descLen) > uint64(len(b)-16) {
		return ""
	}
	return hex.EncodeToString(b[16 : 16+descLen])
}
