package record

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// compiled compiles C source into a shared object, so that each shape a libssl can
// have is met in real machine code.
func compiled(t *testing.T, source string, flags ...string) *image {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIP: the resolver's disassembly is for amd64")
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("SKIP: gcc is not installed")
	}
	dir := t.TempDir()
	src, so := filepath.Join(dir, "s.c"), filepath.Join(dir, "libssl.so.3")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(gcc, append([]string{"-O2", "-fPIC", "-shared", "-fcf-protection=none", "-Wl,-Bsymbolic", "-Wl,--build-id=sha1", "-Wl,-soname,libssl.so.3", "-o", so, src}, flags...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	m, err := openImage(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

const common = `
#include <stddef.h>
extern int work(void*, void*, size_t, size_t*);
#define KEEP __attribute__((noinline,used))
int SSL_do_handshake(void *s) { return work(s, s, 0, 0); }
`

// The internals push a register first, as any function with enough live values does.
const internals = `
KEEP static int read_internal(void *s, void *b, size_t n, size_t *out) { int r = work(s, b, n, out); r += work(s, b, n, out); return r + (int)*out; }
KEEP static int write_internal(void *s, void *b, size_t n, size_t *out) { int r = work(s, b, n, out); r -= work(s, b, n, out); return r + (int)*out; }
`

const exports = `
int SSL_read(void *s, void *b, int n) { size_t o; if (n < 0) return -1; int r = read_internal(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_read_ex(void *s, void *b, size_t n, size_t *o) { int r = read_internal(s, b, n, o); return r < 0 ? 0 : r; }
int SSL_write(void *s, void *b, int n) { size_t o; if (n < 0) return -1; int r = write_internal(s, b, n, &o); return r > 0 ? (int)o : r; }
`

func find(sites []site, w what) (got []site) {
	for _, s := range sites {
		if s.what == w {
			got = append(got, s)
		}
	}
	return got
}

func TestTransferSites(t *testing.T) {
	tests := []struct {
		name      string
		source    string
		wantRead  []how // of the read sites, in order
		wantWrite []how
		internal  bool // the write side is found on the internal function
	}{
		{"internals agree", common + internals + exports +
			`int SSL_write_ex(void *s, void *b, size_t n, size_t *o) { int r = write_internal(s, b, n, o); return r < 0 ? 0 : r; }`,
			[]how{howArg4}, []how{howArg4}, true},
		{"tail call", common + internals + exports +
			`int SSL_write_ex(void *s, void *b, size_t n, size_t *o) { return write_internal(s, b, n, o); }`,
			[]how{howArg4}, []how{howArg4}, true},
		{"3.3 with flags", common + `
KEEP static int read_internal(void *s, void *b, size_t n, size_t *out) { int r = work(s, b, n, out); r += work(s, b, n, out); return r + (int)*out; }
KEEP static int write_internal(void *s, void *b, size_t n, unsigned long f, size_t *out) { int r = work(s, b, n, out); r -= work(s, b, f, out); return r + (int)*out; }
int SSL_read(void *s, void *b, int n) { size_t o; if (n < 0) return -1; int r = read_internal(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_read_ex(void *s, void *b, size_t n, size_t *o) { int r = read_internal(s, b, n, o); return r < 0 ? 0 : r; }
int SSL_write(void *s, void *b, int n) { size_t o; if (n < 0) return -1; int r = write_internal(s, b, n, 0, &o); return r > 0 ? (int)o : r; }
int SSL_write_ex2(void *s, void *b, size_t n, unsigned long f, size_t *o) { int r = write_internal(s, b, n, f, o); return r < 0 ? 0 : r; }
int SSL_write_ex(void *s, void *b, size_t n, size_t *o) { return SSL_write_ex2(s, b, n, 0, o); }`,
			[]how{howArg4}, []how{howArg5}, true},
		{"forms disagree: exports", common + internals + exports + `
KEEP static int other(void *s, void *b, size_t n, size_t *out) { int r = work(b, s, n, out); r *= work(s, b, n, out); return r + (int)*out; }
int SSL_write_ex(void *s, void *b, size_t n, size_t *o) { int r = other(s, b, n, o); return r < 0 ? 0 : r; }`,
			[]how{howArg4}, []how{howReturn, howArg4}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := compiled(t, tt.source)
			sites, err := openSSL.sites(m)
			if err != nil {
				t.Fatal(err)
			}
			check := func(dir string, got []site, want []how) {
				if len(got) != len(want) {
					t.Fatalf("%s: %d sites %v, want %d", dir, len(got), got, len(want))
				}
				for i, s := range got {
					if s.how != want[i] || !s.entry || !s.ret {
						t.Errorf("%s: site %d %+v, want how %d", dir, i, s, want[i])
					}
				}
			}
			check("read", find(sites, whatRead), tt.wantRead)
			w := find(sites, whatWrite)
			check("write", w, tt.wantWrite)
			if got := strings.Contains(w[0].name, "_internal"); got != tt.internal || w[0].cost != CostEmulated && tt.internal {
				t.Errorf("write site %v: internal %v, want %v", w[0], got, tt.internal)
			}
		})
	}
}

func TestNoTLSFunctions(t *testing.T) {
	m := compiled(t, `int answer(void) { return 42; }`)
	if _, err := openSSL.sites(m); err == nil || !strings.Contains(err.Error(), "SSL_read") {
		t.Fatalf("got %v, want an error that names SSL_read", err)
	}
}

// TestInlinedInternals: where the compiler merged the internals away, the first
// call is something else, and its arguments are not the caller's. The exports serve.
func TestInlinedInternals(t *testing.T) {
	m := compiled(t, common+`
extern void *peer;
KEEP static int check(void *s, int mode) { return work(s, 0, mode, 0) + work(s, 0, mode, 0); }
int SSL_read(void *s, void *b, int n) { size_t o; if (check(s, 0)) return -1; int r = work(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_read_ex(void *s, void *b, size_t n, size_t *o) { if (check(s, 0)) return 0; int r = work(s, b, n, o); return r < 0 ? 0 : r; }
int SSL_write(void *s, void *b, int n) { size_t o; if (check(s, 1)) return -1; int r = work(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_write_ex(void *s, void *b, size_t n, size_t *o) { if (check(s, 1)) return 0; int r = work(s, b, n, o); return r < 0 ? 0 : r; }`)
	sites, err := openSSL.sites(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []what{whatRead, whatWrite} {
		got := find(sites, w)
		if len(got) != 2 || got[0].how != howReturn || got[1].how != howArg4 {
			t.Errorf("kind %d: %v, want the two exports", w, got)
		}
	}
}

// TestLandingPad: a probe goes behind endbr64, which the kernel would single-step.
func TestLandingPad(t *testing.T) {
	m := compiled(t, `__asm__(".globl SSL_new\n.type SSL_new,@function\nSSL_new: endbr64\n push %rbx\n pop %rbx\n ret\n.size SSL_new,.-SSL_new");`)
	s, ok := exported(m, "SSL_new", "")
	off, _ := m.fileOffset(m.symbols["SSL_new"].Value)
	if !ok || s.off != off+4 || s.cost != CostEmulated {
		t.Errorf("%+v, want offset %#x and an emulated instruction", s, off+4)
	}
}

// TestSymbolBomb: a symbol table that inflates is refused before it is read.
func TestSymbolBomb(t *testing.T) {
	m := compiled(t, `int answer(void) { return 42; }`)
	for _, s := range m.elf.Sections {
		if s.Type == elf.SHT_DYNSYM {
			s.Flags |= elf.SHF_COMPRESSED
		}
	}
	if err := sane(m.elf); err == nil || !strings.Contains(err.Error(), ".dynsym") {
		t.Errorf("got %v, want the section named", err)
	}
}

// TestTouchSite: a probe that only needs argument 1 moves past instructions the
// kernel would single-step, but never past one that changes the argument.
func TestTouchSite(t *testing.T) {
	m := compiled(t, common+`
void SSL_free(void *s); __asm__(".globl SSL_free\n.type SSL_free,@function\nSSL_free: test %rdi,%rdi\n je 1f\n push %rbx\n pop %rbx\n1: ret\n.size SSL_free,.-SSL_free");
void SSL_clear(void *s); __asm__(".globl SSL_clear\n.type SSL_clear,@function\nSSL_clear: mov %rsi,%rdi\n push %rbx\n pop %rbx\n ret\n.size SSL_clear,.-SSL_clear");
`)
	s, ok := touchSite(m, "SSL_free", 1)
	if !ok || s.name != "SSL_free+0x3" || s.cost != CostEmulated {
		t.Errorf("SSL_free: %+v", s)
	}
	s, ok = touchSite(m, "SSL_clear", 1)
	if !ok || s.name != "SSL_clear" || s.cost != CostStepped {
		t.Errorf("SSL_clear: %+v, want its first byte: the argument's register is overwritten", s)
	}
}

func TestEmulated(t *testing.T) {
	tests := []struct {
		name string
		code []byte
		want bool
	}{
		{"push rbx", []byte{0x53}, true},
		{"push r13", []byte{0x41, 0x55}, true},
		{"nop", []byte{0x90}, true},
		{"jmp rel32", []byte{0xe9, 0, 0, 0, 0}, true},
		{"jmp [rip]", []byte{0xff, 0x25, 0, 0, 0, 0}, false},
		{"je rel8", []byte{0x74, 0x01}, true},
		{"call rel32", []byte{0xe8, 0, 0, 0, 0}, true},
		{"sub rsp", []byte{0x48, 0x83, 0xec, 0x18}, false},
		{"push imm", []byte{0x68, 0, 0, 0, 0}, false},
		{"ret", []byte{0xc3}, false},
	}
	for _, tt := range tests {
		in, err := x86asm.Decode(append(tt.code, make([]byte, 16)...), 64)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := emulatedInst(in); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSystemOpenSSL resolves the real library of this machine and looks at the
// bytes it chose.
func TestSystemOpenSSL(t *testing.T) {
	ssl, _ := installedPatterns()
	var path string
	for _, p := range ssl {
		if m, _ := filepath.Glob(p); len(m) > 0 {
			path = m[0]
			break
		}
	}
	if path == "" {
		t.Skip("SKIP: no libssl.so.3 is installed")
	}
	m, err := openImage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	sites, err := openSSL.sites(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []what{whatWrite, whatHandshake, whatALPN, whatNew, whatFree, whatClear, whatUpRef, whatShutdown, whatServer, whatClient} {
		if len(find(sites, w)) == 0 {
			t.Errorf("no site for function kind %d", w)
		}
	}
	if len(find(sites, whatRead)) == 0 && len(find(sites, whatInnerRead))+len(find(sites, whatInnerCopy)) != 2 {
		t.Error("no site that sees reads")
	}
	text := m.elf.Section(".text")
	for _, s := range sites {
		t.Log(s)
		if s.off < text.Offset || s.off >= text.Offset+text.Size {
			t.Errorf("%s: offset %#x is outside .text", s.name, s.off)
		}
	}
	if m.buildID == "" {
		t.Error("no build id found")
	}
}

func FuzzOpenImage(f *testing.F) {
	if b, err := os.ReadFile("/proc/self/exe"); err == nil {
		f.Add(b[:min(len(b), 4096)])
	}
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "image")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openImage(path)
		if err != nil {
			return
		}
		defer m.Close()
		openSSL.sites(m)
	})
}

func TestOpenImageRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("not an ELF file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, text, "/dev/null", filepath.Join(dir, "absent")} {
		if m, err := openImage(path); err == nil {
			m.Close()
			t.Errorf("%s: opened", path)
		}
	}
}
