package locate

import (
	"bytes"
	"debug/elf"
	"io"
	"slices"
)

// stackMarks are texts that a TLS stack which nobody can watch leaves in the
// constants of every program it is part of: sentences of its errors, which users
// may see, or the paths of its sources.
var stackMarks = []struct{ name, mark string }{
	{"rustls", "cannot decrypt peer's message"}, // rustls/src/error.rs
	{"rustls", "/rustls-0."},                    // paths of panics
	{"s2n", "/tls/s2n_"},
	{"openssl", "ssl/statem/statem_lib.c"}, // built in and not exported
	{"mbedtls", "library/ssl_tls.c"},
	{"gnutls", "lib/handshake-tls13.c"},
}

// Unsupported names the TLS stacks that are part of a file without exporting
// functions to watch: each once, in a fixed order. It reads the constants once.
func Unsupported(e *elf.File, r io.ReaderAt) (names []string) {
	seen := map[string]bool{}
	for _, s := range e.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&(elf.SHF_EXECINSTR|elf.SHF_WRITE|elf.SHF_COMPRESSED) != 0 {
			continue
		}
		// What cannot be read has nothing to say.
		_ = each(r, s.Offset, s.Size, 64, func(_ uint64, piece []byte) bool {
			for _, m := range stackMarks {
				if !seen[m.name] && bytes.Contains(piece, []byte(m.mark)) {
					seen[m.name] = true
				}
			}
			return true
		})
	}
	for _, m := range stackMarks {
		if seen[m.name] && !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}
