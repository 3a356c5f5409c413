package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clangVersion is the compiler the committed objects were made with. Another
// version makes other bytes, which says nothing about the sources.
const clangVersion = "14.0.6"

// TestGenerated makes the objects and bindings anew from the C sources and compares
// every byte with what is committed.
func TestGenerated(t *testing.T) {
	out, err := exec.Command("clang", "--version").Output()
	if err != nil {
		t.Skipf("SKIP: clang is not installed (apt-get install clang llvm libbpf-dev): %v", err)
	}
	if !bytes.Contains(out, []byte(clangVersion)) {
		t.Skipf("SKIP: the committed objects were made with clang %s, here is %.60q", clangVersion, out)
	}
	if _, err := os.Stat("/usr/include/bpf/bpf_helpers.h"); err != nil {
		t.Skip("SKIP: libbpf headers are not installed (apt-get install libbpf-dev)")
	}
	dir := t.TempDir()
	for _, pattern := range []string{"*.c", "*.h"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	// go tool wants the module, bpf2go the folder of the sources.
	tool := filepath.Join(dir, "bpf2go")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/cilium/ebpf/cmd/bpf2go").CombinedOutput(); err != nil {
		t.Fatalf("build bpf2go: %v\n%s", err, out)
	}
	cmd := exec.Command(tool, generateArgs(t)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPACKAGE=bpf")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bpf2go: %v\n%s", err, out)
	}
	for _, f := range []string{"spliff_x86_bpfel.o", "spliff_arm64_bpfel.o", "spliff_x86_bpfel.go", "spliff_arm64_bpfel.go"} {
		want, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the sources make: run make generate", f)
		}
	}
}

// generateArgs reads the arguments of the go:generate line, so that there is one
// place that says how the objects are made.
func generateArgs(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("gen.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(b), "//go:generate go tool bpf2go ")
	if !ok {
		t.Fatal("gen.go has no go:generate line")
	}
	line, _, _ = strings.Cut(line, "\n")
	return strings.Fields(line)
}
