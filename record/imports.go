package record

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// imported returns the name of the function of another file that a call to va goes
// to, through the procedure linkage table (System V ABI, AMD64 supplement, 5.2).
func (m *image) imported(va uint64) (string, bool) {
	va = m.body(va)
	code := m.code(va, 16)
	if bytes.HasPrefix(code, []byte{0xf2}) { // bnd, of the tables of -z ibtplt
		code, va = code[1:], va+1
	}
	in, err := x86asm.Decode(code, 64)
	if err != nil || in.Op != x86asm.JMP {
		return "", false
	}
	a, ok := in.Args[0].(x86asm.Mem)
	if !ok || a.Base != x86asm.RIP {
		return "", false
	}
	name, ok := m.slots()[uint64(int64(va)+int64(in.Len)+displacement(a))]
	return name, ok
}

// slots returns what the dynamic linker fills in, by where: the names of the
// functions whose addresses these are.
func (m *image) slots() map[uint64]string {
	if m.gots != nil {
		return m.gots
	}
	m.gots = map[uint64]string{}
	syms, err := m.elf.DynamicSymbols()
	if err != nil {
		return m.gots
	}
	for _, name := range []string{".rela.plt", ".rela.dyn"} {
		s := m.elf.Section(name)
		if s == nil {
			continue
		}
		b, _ := relocations(s)
		for ; len(b) >= 24; b = b[24:] {
			info := binary.LittleEndian.Uint64(b[8:])
			kind, sym := elf.R_X86_64(info&0xffffffff), info>>32
			if (kind == elf.R_X86_64_JMP_SLOT || kind == elf.R_X86_64_GLOB_DAT) && sym > 0 && sym <= uint64(len(syms)) {
				m.gots[binary.LittleEndian.Uint64(b)] = syms[sym-1].Name
			}
		}
	}
	return m.gots
}

// relocations returns the entries of a section of them, 24 bytes each: where, what
// and the addend.
func relocations(s *elf.Section) ([]byte, bool) {
	if s.Type != elf.SHT_RELA || s.Flags&elf.SHF_COMPRESSED != 0 || s.FileSize > maxSymbols {
		return nil, false
	}
	b, err := s.Data()
	if err != nil {
		return nil, false
	}
	return b, true
}
