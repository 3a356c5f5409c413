package locate

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// section is a part of a made-up executable.
type section struct {
	name string
	data []byte
	addr uint64
	exec bool
}

// makeELF writes a 64-bit executable with one segment a section.
func makeELF(sections ...section) []byte {
	var names bytes.Buffer
	names.WriteByte(0)
	le := binary.LittleEndian
	n := len(sections)
	at := uint64(64 + 56*n)
	var progs, heads, body []byte
	put := func(b []byte, name uint32, typ, flags, addr, off, size uint64) []byte {
		b = le.AppendUint32(b, name)
		b = le.AppendUint32(b, uint32(typ))
		for _, v := range []uint64{flags, addr, off, size} {
			b = le.AppendUint64(b, v)
		}
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, 1)
		return le.AppendUint64(b, 0)
	}
	heads = append(heads, make([]byte, 64)...)
	for _, s := range sections {
		flags, pflags := uint64(elf.SHF_ALLOC), uint32(elf.PF_R)
		if s.exec {
			flags, pflags = flags|uint64(elf.SHF_EXECINSTR), pflags|uint32(elf.PF_X)
		}
		progs = le.AppendUint32(progs, uint32(elf.PT_LOAD))
		progs = le.AppendUint32(progs, pflags)
		for _, v := range []uint64{at, s.addr, s.addr, uint64(len(s.data)), uint64(len(s.data)), 1} {
			progs = le.AppendUint64(progs, v)
		}
		heads = put(heads, uint32(names.Len()), uint64(elf.SHT_PROGBITS), flags, s.addr, at, uint64(len(s.data)))
		names.WriteString(s.name + "\x00")
		body = append(body, s.data...)
		at += uint64(len(s.data))
	}
	nameAt := uint32(names.Len())
	names.WriteString(".shstrtab\x00")
	heads = put(heads, nameAt, uint64(elf.SHT_STRTAB), 0, 0, at, uint64(names.Len()))
	body = append(body, names.Bytes()...)
	at += uint64(names.Len())

	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = le.AppendUint16(b, uint16(elf.ET_EXEC))
	b = le.AppendUint16(b, uint16(elf.EM_X86_64))
	b = le.AppendUint32(b, 1)
	for _, v := range []uint64{0, 64, at} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []int{64, 56, n, 64, n + 2, n + 1} {
		b = le.AppendUint16(b, uint16(v))
	}
	return append(append(append(b, progs...), body...), heads...)
}

func parse(t testing.TB, b []byte) *elf.File {
	t.Helper()
	e, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
