package locate

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"
)

func TestUnsupported(t *testing.T) {
	far := strings.Repeat("x", 1<<20-20) // the mark lies across two pieces
	tests := []struct {
		name, rodata string
		want         []string
	}{
		{"rustls by its error", far + "cannot decrypt peer's message", []string{"rustls"}},
		{"rustls by a path, and s2n", "/root/.cargo/registry/src/x/rustls-0.23.5/src/conn.rs\x00/build/tls/s2n_send.c", []string{"rustls", "s2n"}},
		{"OpenSSL", "../ssl/statem/statem_lib.c", []string{"openssl"}},
		{"nothing", "rustls, s2n and OpenSSL are mentioned in a manual", nil},
	}
	for _, tt := range tests {
		b := makeELF(section{".rodata", []byte(tt.rodata), fakeData, false}, section{".text", []byte("cannot decrypt peer's message"), fakeText, true})
		if got := Unsupported(parse(t, b), bytes.NewReader(b)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzUnsupported(f *testing.F) {
	f.Add(makeELF(section{".rodata", []byte("/tls/s2n_"), fakeData, false}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := elf.NewFile(bytes.NewReader(b)); err == nil {
			Unsupported(e, bytes.NewReader(b))
		}
	})
}
