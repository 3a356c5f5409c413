package format

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// TestBlock: behind each chunk the file is 8 bytes into a new block, so that a
// cipher has written the chunk's last byte; and to a reader nothing has changed.
func TestBlock(t *testing.T) {
	const block = 4096
	evs := conversation(rand.New(rand.NewPCG(3, 4)), 333, 200)
	for _, workers := range []int{0, 2} {
		var file bytes.Buffer
		var ends []int
		out := writerFunc(func(p []byte) (int, error) {
			ends = append(ends, file.Len()+len(p))
			return file.Write(p)
		})
		w, err := NewWriter(out, testSession(), WriterOptions{Block: block, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i := range evs {
			if err := w.Append(&evs[i]); err != nil {
				t.Fatal(err)
			}
			// Chunks of any length, so that every rest of a block comes.
			if i%(1+i%5) == 0 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, end := range ends[1 : len(ends)-1] { // header and footer stand as they are
			if end%block != skipHeadLen {
				t.Fatalf("a chunk ends at %d, want 8 beyond a multiple of %d", end, block)
			}
		}
		b := file.Bytes()
		if got := readAll(t, b, ReaderOptions{Check: true}); len(got) < len(evs) {
			t.Errorf("%d events, want at least %d", len(got), len(evs))
		}
		f, err := Open(bytes.NewReader(b), int64(len(b)), ReaderOptions{Check: true})
		if err != nil || !f.Indexed() || len(f.Damage()) > 0 {
			t.Errorf("Open: %v, damage %v", err, f.Damage())
		}
	}
}

// TestPad holds the paddings for every rest of a block to what they are for.
func TestPad(t *testing.T) {
	const block = 64
	for size := int64(0); size < 3*block; size++ {
		s := &sectionWriter{block: block, size: size}
		const chunk = 5
		s.pad(chunk)
		if n := len(s.padding); (size+chunk+int64(n))%block != skipHeadLen || n > block+skipHeadLen {
			t.Fatalf("at %d: %d bytes", size, n)
		}
		for rest := s.padding; len(rest) > 0; rest = rest[frameLen(rest):] {
			if le.Uint32(rest) != magicPadding {
				t.Fatalf("at %d: no padding frame at %d", size, len(s.padding)-len(rest))
			}
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// readAll returns the events of a file in which nothing may be wrong.
func readAll(t *testing.T, file []byte, o ReaderOptions) []Event {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	var all []Event
	var ev Event
	for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
		ev.Payload = bytes.Clone(ev.Payload)
		all = append(all, ev)
	}
	if err != io.EOF || len(r.Damage()) > 0 {
		t.Errorf("%v, damage %v", err, r.Damage())
	}
	return all
}
