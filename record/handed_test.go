package record

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHandsMemory: what a file hands to OpenSSL is told by the names in it, whether it
// imports the functions or asks for them.
func TestHandsMemory(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("SKIP: gcc is not installed")
	}
	dir := t.TempDir()
	for _, tt := range []struct {
		name, source string
		want         bool
	}{
		{"imports", "void SSL_set_bio(void), BIO_s_mem(void);\nvoid f(void) { SSL_set_bio(); BIO_s_mem(); }", true},
		{"asks", `#include <dlfcn.h>
void *f(void *h, int i) { const char *n[] = {"SSL_set_bio", "BIO_s_mem"}; return dlsym(h, n[i]); }`, true},
		{"only has the names", `const char *f(int i) { const char *n[] = {"SSL_set_bio", "BIO_s_mem"}; return n[i]; }`, false},
		{"has ways of its own", "void SSL_set_bio(void), BIO_s_mem(void), BIO_meth_new(void);\nvoid f(void) { SSL_set_bio(); BIO_s_mem(); BIO_meth_new(); }", false},
		{"sets a socket", "void SSL_set_fd(void), BIO_s_mem(void);\nvoid f(void) { SSL_set_fd(); BIO_s_mem(); }", false},
		{"has longer names", "void wolfSSL_set_bio(void), wolfBIO_s_mem(void);\nvoid f(void) { wolfSSL_set_bio(); wolfBIO_s_mem(); }", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lib := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "_")+".so")
			cmd := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", lib)
			cmd.Stdin = strings.NewReader(tt.source)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := handsMemory(lib); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	if handsMemory(filepath.Join(dir, "none")) || handsMemory("/proc/self/status") {
		t.Error("a file that is none hands memory")
	}
}

// TestMemoryWrite finds the function in the library that the end-to-end tests record,
// and none in one whose tables may be others.
func TestMemoryWrite(t *testing.T) {
	const lib = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"
	if _, err := os.Stat(lib); err != nil {
		t.Skipf("SKIP: %s is not installed", lib)
	}
	m, err := openImage(lib)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, ok := memoryWrite(m)
	if !ok || !strings.HasPrefix(s.name, "mem_write@") || s.cost == CostStepped {
		t.Errorf("%+v, %v", s, ok)
	}
	if own, _ := exported(m, "BIO_write", ""); own.off == s.off {
		t.Errorf("%s is where BIO_write is", s.name)
	}
	delete(m.symbols, "BIO_meth_set_write_ex")
	if s, ok := memoryWrite(m); ok {
		t.Errorf("%+v in a library without BIO_meth_set_write_ex", s)
	}
}
