package record

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// maxNames bounds the section in which the names of functions are searched. .NET's
// programs of one file have 1.1 MiB of it, its library 26 KiB.
const maxNames = 16 << 20

// handsMemory reports whether a file gives OpenSSL memory to read from and write into,
// by the functions it names: those of sessions and of such memory, and not that for ways
// of its own, behind which PostgreSQL and curl have a socket. Python's module imports
// them; .NET asks the dynamic linker for them, so that their names are its data.
func handsMemory(path string) (hands bool) {
	defer func() {
		if recover() != nil { // the parser's, over a file that any process may offer
			hands = false
		}
	}()
	f, e, err := openELF(path)
	if err != nil {
		return false
	}
	defer f.Close()
	found := [][]byte{sectionData(e, ".dynstr")}
	if anyNames(found, "dlsym") {
		found = append(found, sectionData(e, ".rodata"))
	}
	return anyNames(found, "SSL_set_bio") && anyNames(found, "BIO_s_mem") && !anyNames(found, "BIO_meth_new")
}

// memoryWrite finds the function of OpenSSL that writes into memory, and serves nothing
// else:
//
//	static const BIO_METHOD mem_method = { BIO_TYPE_MEM, "memory buffer", bwrite_conv, mem_write, …
//	const BIO_METHOD *BIO_s_mem(void) { return &mem_method; }
//
// Its arguments are those of BIO_write.
func memoryWrite(m *image) (site, bool) {
	// The slot is that of 1.1.1 and later: what is exported tells them from older ones.
	const slot = 24
	if _, ok := m.symbols["BIO_meth_set_write_ex"]; !ok || m.elf.Machine != elf.EM_X86_64 {
		return site{}, false
	}
	fn, ok := methodEntry(m, "BIO_s_mem", slot)
	if !ok {
		return site{}, false
	}
	va, cost := m.startWith(fn, 3)
	off, ok := m.fileOffset(va)
	return site{name: fmt.Sprintf("mem_write@%#x", fn), off: off, cost: cost, why: "function of a method table that writes into memory"}, ok
}

// sectionData returns what is in a section of a file, nothing if that is much.
func sectionData(e *elf.File, name string) []byte {
	s := e.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.FileSize > maxNames {
		return nil
	}
	b, err := s.Data()
	if err != nil {
		return nil
	}
	return b
}

// anyNames reports whether one of some sections has a string that is name.
func anyNames(sections [][]byte, name string) bool {
	for _, b := range sections {
		if bytes.Contains(b, []byte("\x00"+name+"\x00")) || bytes.HasPrefix(b, []byte(name+"\x00")) {
			return true
		}
	}
	return false
}
