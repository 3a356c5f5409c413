package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// TestOnlyPipesAreWaitedFor: what a file leads to need not be flushed before it is
// read on, what a pipe does must be.
func TestOnlyPipesAreWaitedFor(t *testing.T) {
	f := newFixture(t)
	f.shop()
	session := f.bytes(true)
	name := filepath.Join(t.TempDir(), "a.spl")
	if err := os.WriteFile(name, session, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{name: true, stdio: false} {
		te := newTestEnv()
		te.stdin = iotest.OneByteReader(bytes.NewReader(session))
		in, err := new(inputFlags).open(te.env, []string{name}, te.stdoutOutput())
		if err != nil {
			t.Fatal(err)
		}
		defer in.close()
		if got := in.Buffered(); got != want {
			t.Errorf("%s: buffered before anything was read: %v, want %v", name, got, want)
		}
	}
}
