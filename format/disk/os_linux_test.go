package disk

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestInUse: two recorders cannot write one file.
func TestInUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.spl")
	s, err := Create(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Append(name, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("append to a file being written: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Append(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again.Discard()
}
