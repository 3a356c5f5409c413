package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"filippo.io/age"
)

// newKey returns an identity and its recipient.
func newKey(t testing.TB) (*age.X25519Identity, Recipient) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, id.Recipient()
}

// noise returns n bytes without zeros, so that a block of zeros is never right.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return b
}

// seal encrypts plain, written in pieces of step bytes.
func seal(t testing.TB, plain []byte, step int, to ...Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, to...)
	if err != nil {
		t.Fatal(err)
	}
	for b := plain; len(b) > 0; b = b[min(step, len(b)):] {
		if _, err := w.Write(b[:min(step, len(b))]); err != nil {
			t.Fatal(err)
		}
		inFile := max((int64(out.Len())-w.head)/sealedLen*Block, 0)
		if got := int64(len(plain)-len(b)+min(step, len(b))) - w.Held(); got != inFile {
			t.Fatalf("Held says that %d bytes are in the file, there are %d", got, inFile)
		}
	}
	want := w.Size(int64(len(plain)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != want {
		t.Fatalf("Size said %d, the file has %d", want, out.Len())
	}
	return out.Bytes()
}

// both decrypts file as a stream and at random, which must agree, and returns
// what came and the faults.
func both(t testing.TB, file []byte, id Identity) ([]byte, []Fault) {
	t.Helper()
	r, err := NewReader(iotest.HalfReader(bytes.NewReader(file)), id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	at, err := NewReaderAt(bytes.NewReader(file), int64(len(file)), id)
	if err != nil {
		t.Fatal(err)
	}
	again, err := io.ReadAll(io.NewSectionReader(at, 0, at.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, again) {
		t.Fatalf("a stream gives %d bytes, reading at random %d, or they differ", len(plain), len(again))
	}
	if a, b := fmt.Sprint(r.Faults()), fmt.Sprint(at.Faults()); a != b {
		t.Fatalf("faults differ:\nstream %s\nrandom %s", a, b)
	}
	return plain, r.Faults()
}

// lengths are the places where blocks begin and end, and their neighbours.
func lengths() []int {
	return []int{0, 1, 15, 16, 17, Block - 1, Block, Block + 1, 2*Block - 1, 2 * Block, 2*Block + 1, 3*Block + 12345}
}

// TestLengths: what is written comes back, for us and for age, however it is cut
// into writes.
func TestLengths(t *testing.T) {
	id, to := newKey(t)
	for _, n := range lengths() {
		for _, step := range []int{1000, Block - 1, Block, Block + 1, 1 << 20} {
			plain := noise(n)
			file := seal(t, plain, step, to)
			got, faults := both(t, file, id)
			if !bytes.Equal(got, plain) || len(faults) > 0 {
				t.Errorf("length %d, step %d: %d bytes came back, faults %v", n, step, len(got), faults)
			}
			r, err := age.Decrypt(bytes.NewReader(file), id)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("length %d, step %d: age reads %d bytes, %v", n, step, len(got), err)
			}
		}
	}
}

// TestReadsAge: files that age wrote.
func TestReadsAge(t *testing.T) {
	id, to := newKey(t)
	for _, n := range lengths() {
		var file bytes.Buffer
		w, err := age.Encrypt(&file, to)
		if err != nil {
			t.Fatal(err)
		}
		plain := noise(n)
		w.Write(plain)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, faults := both(t, file.Bytes(), id); !bytes.Equal(got, plain) || len(faults) > 0 {
			t.Errorf("length %d: %d bytes, faults %v", n, len(got), faults)
		}
	}
}

// TestTruncated: every whole block of a file that is cut is delivered, and it is
// said that the end is missing; nowhere is it taken for whole.
func TestTruncated(t *testing.T) {
	id, to := newKey(t)
	for _, n := range lengths() {
		plain := noise(n)
		file := seal(t, plain, 1<<20, to)
		p, _, err := openHeader(bytes.NewReader(file), []Identity{id})
		if err != nil {
			t.Fatal(err)
		}
		start := int(p.start)
		for cut := start; cut < len(file); cut = nextCut(cut, start, len(file)) {
			got, faults := both(t, file[:cut], id)
			whole := (cut - start) / sealedLen * Block
			if !bytes.Equal(got, plain[:whole]) {
				t.Errorf("length %d cut at %d: %d bytes, want %d", n, cut, len(got), whole)
			}
			want := Fault{Offset: int64(start + (cut-start)/sealedLen*sealedLen), Size: int64((cut - start) % sealedLen), End: true}
			if len(faults) != 1 || faults[0] != want {
				t.Errorf("length %d cut at %d: faults %v, want %v", n, cut, faults, want)
			}
		}
		for cut := range start {
			r, err := NewReader(bytes.NewReader(file[:cut]), id)
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("cut at %d inside the header: %v, %v", cut, r, err)
			}
			if _, err := NewReaderAt(bytes.NewReader(file[:cut]), int64(cut), id); !errors.Is(err, ErrMalformed) {
				t.Fatalf("cut at %d inside the header: %v", cut, err)
			}
		}
	}
}

// nextCut steps by large steps, and by one around the bounds of blocks and tags.
func nextCut(cut, start, end int) int {
	in := (cut - start) % sealedLen
	if in < 18 || in >= sealedLen-18 || end-cut < 18 {
		return cut + 1
	}
	return min(cut+7001, cut-in+sealedLen-18, max(cut+1, end-18))
}

// TestFlipped: a bit that is not what was written costs its block, is named, and
// nothing but zeros comes in its place.
func TestFlipped(t *testing.T) {
	id, to := newKey(t)
	plain := noise(3*Block + 5000)
	file := seal(t, plain, 1<<20, to)
	p, _, err := openHeader(bytes.NewReader(file), []Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	start := int(p.start)
	for at := start; at < len(file); at += 3301 {
		struck := bytes.Clone(file)
		struck[at] ^= 1 << (at % 8)
		got, faults := both(t, struck, id)
		no := (at - start) / sealedLen
		want := bytes.Clone(plain)
		if no < 3 {
			clear(want[no*Block : (no+1)*Block])
		} else {
			want = want[:3*Block]
		}
		if !bytes.Equal(got, want) || len(faults) != 1 || faults[0].Offset != int64(start+no*sealedLen) || faults[0].End != (no == 3) {
			t.Fatalf("byte %d struck: %d bytes, faults %v", at, len(got), faults)
		}
	}
	for at := range start - nonceLen { // in the header
		struck := bytes.Clone(file)
		struck[at] ^= 2
		if _, err := NewReader(bytes.NewReader(struck), id); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrWrongIdentity) {
			t.Fatalf("byte %d of the header struck: %v", at, err)
		}
	}
}

// TestRearranged: blocks that changed places, came twice, were left out or come
// from another file are not taken.
func TestRearranged(t *testing.T) {
	id, to := newKey(t)
	plain := noise(4 * Block)
	file := seal(t, plain, 1<<20, to)
	other := seal(t, plain, 1<<20, to)
	p, _, _ := openHeader(bytes.NewReader(file), []Identity{id})
	start := int(p.start)
	head := file[:start]
	b := func(f []byte, i int) []byte { return f[start+i*sealedLen:][:sealedLen] }
	tests := []struct {
		name   string
		blocks [][]byte
		good   []bool
		end    bool // it is said that the end is missing
	}{
		{"whole", [][]byte{b(file, 0), b(file, 1), b(file, 2), b(file, 3)}, []bool{true, true, true, true}, false},
		{"swapped", [][]byte{b(file, 1), b(file, 0), b(file, 2), b(file, 3)}, []bool{false, false, true, true}, false},
		{"left out", [][]byte{b(file, 0), b(file, 2), b(file, 3)}, []bool{true, false, false}, true},
		{"twice", [][]byte{b(file, 0), b(file, 0), b(file, 1)}, []bool{true, false, false}, true},
		{"of another", [][]byte{b(file, 0), b(other, 1), b(file, 2), b(file, 3)}, []bool{true, false, true, true}, false},
		{"more behind the end", [][]byte{b(file, 0), b(file, 1), b(file, 2), b(file, 3), b(file, 3)}, []bool{true, true, true, true, false}, true},
		{"last moved up", [][]byte{b(file, 0), b(file, 3)}, []bool{true, false}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cut := bytes.Clone(head)
			var want []byte
			for i, blk := range tt.blocks {
				cut = append(cut, blk...)
				if tt.good[i] {
					want = append(want, plain[i*Block:(i+1)*Block]...)
				} else {
					want = append(want, make([]byte, Block)...)
				}
			}
			got, faults := both(t, cut, id)
			if !bytes.Equal(got, want) {
				t.Error("not the blocks wanted")
			}
			end := len(faults) > 0 && faults[len(faults)-1].End
			if end != tt.end || (tt.name == "whole") != (len(faults) == 0) {
				t.Errorf("faults %v, want end missing %v", faults, tt.end)
			}
		})
	}
}

// TestReadAt: any piece at any place, from several goroutines.
func TestReadAt(t *testing.T) {
	id, to := newKey(t)
	plain := noise(3*Block + 77)
	file := seal(t, plain, 1<<20, to)
	r, err := NewReaderAt(bytes.NewReader(file), int64(len(file)), id)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(2, uint64(g)))
			for range 200 {
				off, n := rnd.IntN(len(plain)+10), rnd.IntN(2*Block)
				b := make([]byte, n)
				k, err := r.ReadAt(b, int64(off))
				want := plain[min(off, len(plain)):min(off+n, len(plain))]
				if !bytes.Equal(b[:k], want) || (k < n) != (err == io.EOF) || err != nil && err != io.EOF {
					t.Errorf("ReadAt(%d, %d): %d, %v", n, off, k, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is no error")
	}
}

// TestSourceFails: an error of the source is neither damage nor an end.
func TestSourceFails(t *testing.T) {
	id, to := newKey(t)
	file := seal(t, noise(3*Block), 1<<20, to)
	broken := errors.New("disk broke")
	for _, n := range []int{0, 10, 100, 250, Block, len(file) - 3} {
		src := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		r, err := NewReader(src, id)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, broken) {
			t.Errorf("failing at %d: %v", n, err)
		}
	}
	if _, err := NewReaderAt(bytes.NewReader(file[:1000]), int64(len(file)), id); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that became shorter: %v", err)
	}
}

// TestWriterFails: after an error of the file nothing more reaches it.
func TestWriterFails(t *testing.T) {
	_, to := newKey(t)
	full := errors.New("disk full")
	for limit := range 6 {
		calls := 0
		w, err := NewWriter(writerFunc(func(p []byte) (int, error) {
			if calls++; calls > limit {
				return 0, full
			}
			return len(p), nil
		}), to)
		for i := 0; i < 10 && err == nil; i++ {
			_, err = w.Write(noise(Block))
		}
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, full) || calls != limit+1 {
			t.Errorf("limit %d: %d calls, %v", limit, calls, err)
		}
		if w != nil {
			if cerr := w.Close(); !errors.Is(cerr, full) || calls != limit+1 {
				t.Errorf("limit %d: Close: %v, %d calls", limit, cerr, calls)
			}
		}
	}
	if _, err := NewWriter(writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }), to); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestFaultList stays short and in order, whatever is read how often.
func TestFaultList(t *testing.T) {
	var l faults
	for i := range 5000 {
		at := int64(i*7%5000) * 100
		l.add(Fault{Offset: at, Size: 10})
		l.add(Fault{Offset: at, Size: 10})
	}
	got := l.Faults()
	if len(got) != maxFaults || got[0] != (Fault{Offset: 0, Size: 10}) || got[999].Offset+got[999].Size != 499_910 {
		t.Errorf("%d faults, first %v, last %v", len(got), got[0], got[len(got)-1])
	}
	l = faults{}
	l.add(Fault{Offset: 500, End: true})
	l.add(Fault{Offset: 20, Size: 10})
	l.add(Fault{Offset: 0, Size: 10})
	l.add(Fault{Offset: 10, Size: 10})
	if got := fmt.Sprint(l.Faults()); got != "[30 bytes from byte 0 of the encrypted file are damaged or were changed "+
		"not authenticated to the end: the encrypted file is cut at byte 500, or still being written]" {
		t.Error(got)
	}
}
