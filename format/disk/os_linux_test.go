package disk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
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

// TestGather: more pieces than one call takes, through a pipe that takes a part of
// each, all arrive in order.
func TestGather(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := Stream(w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var unit [][]byte
	var want []byte
	for n := range 3 * maxPieces {
		piece := bytes.Repeat([]byte{byte(n)}, n%700) // some are empty
		unit = append(unit, piece)
		want = append(want, piece...)
	}
	done := make(chan error, 1)
	go func() {
		n, err := s.WritePieces(unit)
		if err == nil && n != int64(len(want)) {
			err = errors.New("not all was taken, and nothing said")
		}
		done <- errors.Join(err, w.Close())
	}()
	got, err := io.ReadAll(r)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrive, not the %d that were written", len(got), len(want))
	}
	if s.Stored() != int64(len(want)) {
		t.Errorf("%d bytes counted", s.Stored())
	}
}

// TestGatherError: a pipe that nobody reads takes nothing, and says so.
func TestGatherError(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if n, err := gather(w, [][]byte{{1}, {2}}); n != 0 || !errors.Is(err, unix.EPIPE) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
