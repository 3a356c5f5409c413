package format

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// exhaustive reports whether tests that take a minute try everything instead of a
// sample. .ci/test runs them so, without the race detector.
func exhaustive() bool { return os.Getenv("SPLIFF_EXHAUSTIVE") != "" }

// step is by how much a sample goes on; a prime, so that it meets all residues.
func step(sample int) int {
	if exhaustive() {
		return 1
	}
	return sample * thin
}

// incompressible is a session with a footer of about size bytes.
func incompressible(t testing.TB, size int) []byte {
	rng := rand.New(rand.NewPCG(uint64(size), 5))
	evs := conversation(rng, 500, size*80/100/500)
	for i := range evs {
		if evs[i].Type == TypeData {
			for k := range evs[i].Payload {
				evs[i].Payload[k] = byte(rng.Uint32())
			}
		}
	}
	file := writeWhole(t, evs, WriterOptions{ChunkBytes: 8 << 10}, nil)
	if len(file) < size*9/10 || len(file) > size*12/10 {
		t.Fatalf("the file has %d bytes, want about %d", len(file), size)
	}
	return file
}

// digest sums up events, so that thousands of readings can be compared.
type digest struct {
	events int
	sum    [32]byte
}

func digestOf(t testing.TB, file []byte) (digest, []Damage) {
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ev Event
	var d digest
	h := sha256.New()
	var buf []byte
	for {
		err := r.Next(&ev)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		d.events++
		buf = appendEvent(buf[:0], &ev)
		h.Write(buf)
	}
	h.Sum(d.sum[:0])
	return d, r.Damage()
}

// A file of 200 KiB cut at every byte gives the whole chunks before the cut and
// says what is wrong, unless the cut is between two frames, where a recorder may
// have been when it was killed.
func TestEveryCut(t *testing.T) {
	file := incompressible(t, 200<<10)
	ends := chunkEnds(file)
	want := make([]digest, len(ends))
	for i, end := range ends {
		want[i], _ = digestOf(t, file[:end])
	}
	cuts := 0
	for n := ends[0]; n < len(file); n += step(251) {
		cuts++
		got, damage := digestOf(t, file[:n])
		i, atEnd := slices.BinarySearch(ends, n)
		if !atEnd {
			i--
		}
		if got != want[i] {
			t.Fatalf("cut at %d: %d events, want %d", n, got.events, want[i].events)
		}
		// A footer that has begun must be there to its end: index, summary, trailer,
		// seek table.
		whole := atEnd && i <= len(ends)-5
		if whole != (damage == nil) {
			t.Fatalf("cut at %d (frame %d of %d, at its end: %v): damage %v", n, i, len(ends), atEnd, damage)
		}
	}
	for n := range ends[0] {
		if _, err := NewReader(bytes.NewReader(file[:n]), ReaderOptions{}); !errors.Is(err, ErrNotSession) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	t.Logf("%d cuts of %d bytes", cuts, len(file))
}

// Of a file of 64 KiB every flipped bit is noticed; chunks that it is not in are
// read as they were.
func TestEveryBit(t *testing.T) {
	file := incompressible(t, 64<<10)
	ends := chunkEnds(file)
	want := make([]digest, len(ends)) // without the frame
	at := 0
	for i, end := range ends {
		if i == 0 {
			want[i], _ = digestOf(t, file) // the first chunk has what the file header says
		} else {
			want[i], _ = digestOf(t, slices.Concat(file[:at], file[end:]))
		}
		at = end
	}
	flips := 0
	footer := findTag(file, tagIndex)
	for bit := 0; bit < 8*len(file); bit++ {
		// Nothing but the lengths in it holds a footer together, so all of it is tried.
		if bit%step(397) != 0 && (bit/8 < footer || raceEnabled) {
			continue
		}
		flips++
		file[bit/8] ^= 1 << (bit % 8)
		got, damage := digestOf(t, file)
		file[bit/8] ^= 1 << (bit % 8)
		if len(damage) == 0 {
			t.Fatalf("bit %d of byte %d of %d went unnoticed", bit%8, bit/8, len(file))
		}
		i, _ := slices.BinarySearch(ends, bit/8+1)
		if got != want[i] {
			t.Fatalf("bit %d of byte %d, in frame %d of %d: %d events, want %d; %v", bit%8, bit/8, i, len(ends), got.events, want[i].events, damage)
		}
	}
	t.Logf("%d flips in %d bytes", flips, len(file))
}
