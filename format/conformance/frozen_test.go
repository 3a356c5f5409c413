package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// frozenDir holds files that writers of version 1.0 made. Nobody makes them
// anew: every later reader must read them.
const frozenDir = "../../testdata/frozen/1.0"

// The files are those of the day they were frozen.
func TestFrozen(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(frozenDir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	listedSums := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("SHA256SUMS: %q", line)
		}
		listedSums[name] = sum
	}
	entries, err := os.ReadDir(frozenDir)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		if e.Name() == "SHA256SUMS" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(frozenDir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.Sum256(b)
		if want := listedSums[e.Name()]; want != hex.EncodeToString(got[:]) {
			t.Errorf("%s has changed, or is new: its SHA-256 is %x, SHA256SUMS says %q", e.Name(), got, want)
		}
		seen++
	}
	if seen != len(listedSums) {
		t.Errorf("%d frozen files, SHA256SUMS lists %d", seen, len(listedSums))
	}
}
