package format

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNotSession(t *testing.T) {
	file, _ := small(t)
	log := rawLog(t, file)
	tests := []struct {
		name, input, want string
	}{
		{"empty", "", "not a spliff session (it is empty)"},
		{"gzip", "\x1f\x8b\x08\x00\x00", "not a spliff session (starts with 1f 8b: gzip)"},
		{"pcapng", "\x0a\x0d\x0d\x0a0000", "not a spliff session (starts with 0a 0d 0d 0a: pcapng)"},
		{"age", "age-encryption.org/v1\n", "not a spliff session (starts with 61 67 65 2d: encrypted with age; open it with an identity, or decrypt it first: age -d)"},
		{"text", "hello, world, this is a longer text of no meaning", "not a spliff session (starts with 68 65 6c 6c)"},
		{"one byte", "h", "not a spliff session (starts with 68)"},
		{"event log", string(log), "not a spliff session (it looks like an uncompressed event log; compress it first: zstd)"},
		{"header cut", string(file[:40]), "not a spliff session (zstd data, cut short or without a session header)"},
		{"skippable only", "\x50\x2a\x4d\x18\x02\x00\x00\x00ab", "not a spliff session (nothing but zstd skippable frames)"},
		{"zstd of text", string(zstdOf(t, []byte("some text that is no event log"))), "not a spliff session (zstd data, but not of a session)"},
		{"zstd of an empty file", string(zstdOf(t, nil)), "not a spliff session (zstd data, but not of a session)"},
	}
	for _, tt := range tests {
		_, err := NewReader(strings.NewReader(tt.input), ReaderOptions{})
		if !errors.Is(err, ErrNotSession) || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, tt.want)
		}
	}
}

// edited returns a copy of file with its file header changed and sealed again.
func edited(file []byte, edit func(head []byte)) []byte {
	parts := frames(bytes.Clone(file))
	edit(parts[0])
	reseal(parts[0])
	return slices.Concat(parts...)
}

func TestVersion(t *testing.T) {
	file, evs := small(t)
	tests := []struct {
		name                    string
		major, minor, minReader byte
		want                    string
	}{
		{"greater major", 2, 3, 1, "session is from a newer spliff: it needs format 2.1, this program reads up to 1.1; update spliff"},
		{"greater minimum reader", 1, 7, 6, "session is from a newer spliff: it needs format 1.6, this program reads up to 1.1; update spliff"},
		{"greater minor only", 1, 9, 0, ""},
	}
	for _, tt := range tests {
		future := edited(file, func(h []byte) { h[16], h[17], h[18] = tt.major, tt.minor, tt.minReader })
		_, err := NewReader(bytes.NewReader(future), ReaderOptions{})
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (!errors.Is(err, ErrVersion) || err.Error() != tt.want):
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, tt.want)
		}
		if tt.want == "" {
			continue
		}
		// As a later section it is passed over and named; what follows is read.
		got, damage := read(t, slices.Concat(file, future, file))
		if len(damage) != 1 || damage[0].Kind != DamageVersion || damage[0].Offset != int64(len(file)) || damage[0].Size != int64(len(file)) {
			t.Errorf("%s: damage %v", tt.name, damage)
		}
		if d := diffEvents(slices.Concat(evs, evs), originals(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	if _, err := NewReader(bytes.NewReader(edited(file, func(h []byte) { h[16] = 0 })), ReaderOptions{}); !errors.Is(err, ErrNotSession) {
		t.Errorf("major 0: %v, want ErrNotSession", err)
	}
}

func TestConcatenated(t *testing.T) {
	one, evs := small(t)
	two := write(t, evs[:5], WriterOptions{}, nil)
	got, damage := read(t, slices.Concat(one, two, one, one))
	if damage != nil {
		t.Errorf("damage: %v", damage)
	}
	if d := diffEvents(slices.Concat(evs, evs[:5], evs, evs), originals(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	sessions := 0
	for _, ev := range got {
		if ev.Type == TypeSession {
			sessions++
		}
	}
	if sessions != 4 {
		t.Errorf("%d SESSION events, want 4", sessions)
	}
}

// frame makes a frame of ours with any tag.
func frame(tag string, flags uint16, size int) []byte {
	f := make([]byte, envelopeLen+size+crcLen)
	beginEnvelope(f, le.Uint32([]byte(tag)), envelopeLen)
	le.PutUint16(f[14:], flags)
	sealEnvelope(f)
	return f
}

// Frames this version does not know are passed over wherever they are.
func TestUnknownFrames(t *testing.T) {
	file, evs := small(t)
	parts := frames(file)
	foreign := append([]byte("\x5e\x2a\x4d\x18\x05\x00\x00\x00"), "12345"...)
	for name, extra := range map[string][]byte{
		"foreign":          foreign,
		"our tag":          frame("SPLY", 0, 100),
		"our tag, minimal": frame("SPLX", 0, 0),
		"our tag, large":   frame("SPLX", 0, 3*MaxHeader+5),
	} {
		var b []byte
		if name == "foreign" {
			b = append(b, extra...)
		}
		for _, p := range parts {
			b = append(append(b, p...), extra...)
		}
		got, damage := read(t, b)
		if damage != nil {
			t.Errorf("%s: damage %v", name, damage)
		}
		if d := diffEvents(evs, originals(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	for _, size := range []int{10, 3 * MaxHeader} {
		b := slices.Concat(parts[0], parts[1], frame("SPLE", mustUnderstand, size), parts[2], file)
		got, damage := read(t, b)
		if len(damage) != 1 || damage[0].Kind != DamageVersion {
			t.Errorf("must understand: damage %v", damage)
		}
		first, _ := read(t, slices.Concat(parts[0], parts[1]))
		if d := diffEvents(append(originals(first), evs...), originals(got)); d != "" {
			t.Errorf("must understand (-want +got):\n%s", d)
		}
		bad := frame("SPLI", 0, size)
		bad[envelopeLen+2] ^= 1
		if _, damage := read(t, slices.Concat(parts[0], parts[1], bad, parts[2])); len(damage) != 1 || damage[0].Kind != DamageCorrupt {
			t.Errorf("unknown frame with a bad checksum: damage %v", damage)
		}
		if _, damage := read(t, slices.Concat(parts[0], parts[1], bad[:len(bad)-2])); len(damage) != 1 || damage[0].Kind != DamageTorn {
			t.Errorf("unknown frame cut short: damage %v", damage)
		}
	}
}

// However the source cuts its bytes, the events are the same.
func TestSplitInvariance(t *testing.T) {
	file, _ := small(t)
	file = slices.Concat(file, file)
	want, _ := read(t, file)
	rng := rand.New(rand.NewPCG(7, 7))
	for name, src := range map[string]io.Reader{
		"byte by byte": iotest.OneByteReader(bytes.NewReader(file)),
		"half":         iotest.HalfReader(bytes.NewReader(file)),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(file)),
		"random":       &ragged{file, rng},
	} {
		r, err := NewReader(src, ReaderOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := drain(r)
		if err != nil || r.Damage() != nil {
			t.Errorf("%s: %v, damage %v", name, err, r.Damage())
		}
		if d := diffEvents(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// ragged returns random numbers of bytes, also none.
type ragged struct {
	left []byte
	rng  *rand.Rand
}

func (r *ragged) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left[:min(len(r.left), r.rng.IntN(300))])
	r.left = r.left[n:]
	return n, nil
}

// After a Flush the other end of a pipe gets every event before anything more is
// written, and Buffered says truly when the next call would wait.
func TestPipe(t *testing.T) {
	_, evs := small(t)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	w, err := NewWriter(pw, testSession(), WriterOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(pr, ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []Event
	for i := range evs {
		if err := w.Append(&evs[i]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		for first := true; first || r.Buffered(); first = false {
			var ev Event
			if err := r.Next(&ev); err != nil {
				t.Fatal(err)
			}
			ev.Payload = bytes.Clone(ev.Payload)
			got = append(got, ev)
		}
		if last := got[len(got)-1]; last.Seq != evs[i].Seq || last.Type != evs[i].Type {
			t.Fatalf("after event %d: %+v", i, last)
		}
	}
	if d := diffEvents(evs, originals(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A file in memory as a whole is all buffered: whoever reads it must not think
// that each chunk is the last for now.
func TestBufferedAhead(t *testing.T) {
	file, _ := small(t)
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ev Event
	for i := 0; r.Next(&ev) == nil; i++ {
		if !r.Buffered() && ev.Type != TypeEnd {
			t.Errorf("event %d (%d): not buffered", i, ev.Type)
		}
	}
}

func TestSourceFails(t *testing.T) {
	file, evs := small(t)
	for _, n := range []int{0, 5, 100, len(file) / 2, len(file) - 1, len(file)} {
		src := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(errDisk))
		r, err := NewReader(src, ReaderOptions{})
		var got []Event
		if err == nil {
			got, err = drain(r)
			if r.Damage() != nil {
				t.Errorf("cut at %d: damage %v, want none", n, r.Damage())
			}
		}
		if !errors.Is(err, errDisk) {
			t.Errorf("cut at %d: %v, want %v", n, err, errDisk)
		}
		if d := diffEvents(evs[:len(originals(got))], originals(got)); d != "" {
			t.Errorf("cut at %d (-want +got):\n%s", n, d)
		}
	}
	bare := zstdOf(t, rawLog(t, file))
	src := io.MultiReader(bytes.NewReader(bare[:len(bare)-9]), iotest.ErrReader(errDisk))
	r, err := NewReader(src, ReaderOptions{})
	if err == nil {
		_, err = drain(r)
	}
	if !errors.Is(err, errDisk) {
		t.Errorf("bare: %v, want %v", err, errDisk)
	}
}

func TestNextAllocates(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(1, 2)), 100, 6000)
	r, err := NewReader(bytes.NewReader(write(t, evs, WriterOptions{ChunkBytes: 64 << 10}, nil)), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ev Event
	next := func() {
		if err := r.Next(&ev); err != nil {
			t.Fatal(err)
		}
	}
	for range 3000 {
		next()
	}
	if n := testing.AllocsPerRun(2500, next); n >= 0.1 {
		t.Errorf("%v allocations per event", n)
	}
}
