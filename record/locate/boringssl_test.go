package locate

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// fakeFunc is a function of a made-up library: what it reports, from where, and
// whether it writes to memory.
type fakeFunc struct {
	reasons, lines []uint32
	consumes       bool
	hidden         bool // nothing calls it
	bio            bool // it is one of bio.cc's, and begins with no push
}

// realBuild is what Chromium 148 has, in its order: SSL_peek is there beside SSL_read.
var realBuild = []fakeFunc{
	{reasons: []uint32{185}, lines: []uint32{493}},
	{reasons: []uint32{66, 150, 299}, lines: []uint32{698, 703, 710}},
	{reasons: []uint32{134}, lines: []uint32{721}},
	{reasons: []uint32{66}, lines: []uint32{807}, consumes: true},
	{reasons: []uint32{66}, lines: []uint32{926}, consumes: true},
	{reasons: []uint32{66}, lines: []uint32{926}},
	{reasons: []uint32{215, 226}, lines: []uint32{834, 867}},
	{reasons: []uint32{66, 111, 215, 226}, lines: []uint32{947, 952, 967, 973}},
	{reasons: []uint32{226, 291}, lines: []uint32{1013, 1060}},
}

const (
	fakeText = 0x401000
	fakeData = 0x800000
)

// fakeBoring assembles a program with the functions, each of 256 bytes, and code
// that calls them. absolute names the file as programs that have a fixed place do.
func fakeBoring(funcs []fakeFunc, absolute bool, lib byte) []byte {
	le := binary.LittleEndian
	data := append([]byte("first\x00../../third_party/boringssl/src"), boringFile...)
	names := map[bool]uint64{false: fakeData + 6, true: fakeData + uint64(len(data))}
	data = append(append(data, "../../third_party/boringssl/src"...), bioFile...)
	const size = 256
	text := bytes.Repeat([]byte{0xcc}, size*(len(funcs)+1))
	for i, f := range funcs {
		code := []byte{0x55, 0x48, 0x89, 0xe5} // push %rbp; mov %rsp,%rbp
		lib, name := lib, names[f.bio]
		if f.bio {
			code, lib = []byte{0x48, 0x85, 0xc9}, errLibBIO // test %rcx,%rcx
		}
		if f.consumes {
			code = append(code, 0x48, 0x01, 0x98, 0x80, 0, 0, 0) // add %rbx,0x80(%rax)
		}
		for k, reason := range f.reasons {
			code = append(code, 0x74, 29) // je over the report
			if absolute {
				code = append(le.AppendUint32(append(code, 0xb9), uint32(name)), 0x66, 0x90)
			} else {
				at := uint64(fakeText + i*size + len(code) + 7)
				code = le.AppendUint32(append(code, 0x48, 0x8d, 0x0d), uint32(name-at))
			}
			code = append(code, 0xbf, lib, 0, 0, 0)
			code = le.AppendUint32(append(code, 0xba), reason)
			code = le.AppendUint32(append(code, 0x41, 0xb8), f.lines[k])
			// To whom makes no difference, but bio.cc's all call the same.
			code = append(le.AppendUint32(append(code, 0xe8), uint32(-i*size-len(code)-5)), 0x90)
		}
		copy(text[i*size:], append(code, 0x5d, 0xc3))
	}
	at := size * len(funcs)
	for i, f := range funcs {
		if !f.hidden {
			text[at] = 0xe8
			le.PutUint32(text[at+1:], uint32(i*size-at-5))
			at += 5
		}
	}
	return makeELF(section{".rodata", data, fakeData, false}, section{".text", text, fakeText, true})
}

func TestBoringSSLRules(t *testing.T) {
	change := func(f func(fs []fakeFunc) []fakeFunc) []fakeFunc { return f(slices.Clone(realBuild)) }
	tests := []struct {
		name  string
		funcs []fakeFunc
		want  error
		text  string
	}{
		{"as Chromium has it", realBuild, nil, ""},
		{"without SSL_peek, as Bun has it", change(func(fs []fakeFunc) []fakeFunc { return slices.Delete(fs, 5, 6) }), nil, ""},
		{"SSL_read twice", change(func(fs []fakeFunc) []fakeFunc { return append(fs, fs[4]) }), ErrUncertain, "SSL_read of BoringSSL: 2"},
		{"only SSL_peek", change(func(fs []fakeFunc) []fakeFunc { fs[4].consumes = false; return fs }), ErrUncertain, "SSL_read of BoringSSL: 0"},
		{"SSL_read far from SSL_write", change(func(fs []fakeFunc) []fakeFunc { fs[4].lines = []uint32{426}; return fs }), ErrUncertain, "SSL_read of BoringSSL: 0"},
		{"SSL_write never called", change(func(fs []fakeFunc) []fakeFunc { fs[7].hidden = true; return fs }), ErrUncertain, "SSL_write of BoringSSL: 0"},
		{"no handshake", change(func(fs []fakeFunc) []fakeFunc { return slices.Delete(fs, 2, 3) }), ErrUncertain, "SSL_do_handshake"},
	}
	for _, tt := range tests {
		for _, absolute := range []bool{false, true} {
			b := fakeBoring(tt.funcs, absolute, errLibSSL)
			got, err := BoringSSL(parse(t, b), bytes.NewReader(b))
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v, want %v with %q", tt.name, err, tt.want, tt.text)
			}
			if tt.want != nil {
				continue
			}
			last := uint64(len(tt.funcs) - 1)
			want := []BoringFunc{{"SSL_write", fakeText + (last-1)*256}, {"SSL_read", fakeText + 4*256},
				{"SSL_do_handshake", fakeText + 2*256}, {"SSL_new", fakeText}, {"SSL_shutdown", fakeText + last*256}}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %+v, want %+v", tt.name, got, want)
			}
		}
	}
	for name, b := range map[string][]byte{
		"another library's reports": fakeBoring(realBuild, false, 20),
		"no such file name":         makeELF(section{".rodata", []byte("nothing"), fakeData, false}, section{".text", []byte{0xc3}, fakeText, true}),
	} {
		if _, err := BoringSSL(parse(t, b), bytes.NewReader(b)); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v, want ErrAbsent", name, err)
		}
	}
}

// FuzzBoringSSL: whatever a program holds, what is found begins like a function.
func FuzzBoringSSL(f *testing.F) {
	f.Add(fakeBoring(realBuild, false, errLibSSL))
	f.Add(fakeBoring(realBuild, true, errLibSSL))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		funcs, err := BoringSSL(e, bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrUncertain) {
			t.Fatalf("error of another kind: %v", err)
		}
		for _, g := range funcs {
			text := e.Section(".text")
			if !begins(&codeView{r: bytes.NewReader(b), base: text.Offset, addr: text.Addr, size: text.Size}, g.Entry) {
				t.Fatalf("%s: %#x is no beginning", g.Name, g.Entry)
			}
		}
	})
}
