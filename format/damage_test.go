package format

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdOf compresses b as other tools would: no size, a checksum.
func zstdOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	e, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A file cut at any byte gives exactly the chunks before the cut, and damage
// exactly when the cut is not between two.
func TestTruncation(t *testing.T) {
	file, _ := small(t)
	whole, _ := read(t, file)
	ends := chunkEnds(file)
	counts := make([]int, len(ends)) // events up to each end
	for i, end := range ends {
		part, _ := read(t, file[:end])
		counts[i] = len(part)
		if d := diffEvents(whole[:len(part)], part); d != "" {
			t.Fatalf("cut after frame %d (-want +got):\n%s", i, d)
		}
	}
	if counts[len(ends)-1] != len(whole) {
		t.Fatalf("%d events in all chunks, %d in the file", counts[len(ends)-1], len(whole))
	}
	for n := 0; n < len(file); n += thin {
		r, err := NewReader(bytes.NewReader(file[:n]), ReaderOptions{})
		if n < ends[0] {
			if !errors.Is(err, ErrNotSession) {
				t.Fatalf("cut at %d: %v, want ErrNotSession", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		got, err := drain(r)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		i, atEnd := slices.BinarySearch(ends, n)
		if !atEnd {
			i--
		}
		if d := diffEvents(whole[:counts[i]], got); d != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", n, d)
		}
		damage := r.Damage()
		if atEnd && damage != nil {
			t.Fatalf("cut at %d, between chunks: damage %v", n, damage)
		}
		if !atEnd && (len(damage) != 1 || damage[0].Kind != DamageTorn || damage[0].Offset != int64(ends[i]) || damage[0].Size != int64(n-ends[i])) {
			t.Fatalf("cut at %d: damage %v", n, damage)
		}
	}
}

// Every flipped bit is noticed, costs at most the chunk it is in, and changes no
// event; with SPLIFF_EXHAUSTIVE every bit of every byte.
func TestBitFlips(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(1, 2)), 230, 44)
	file := write(t, evs, WriterOptions{}, func(i int) bool { return i%16 == 15 })
	if len(file) < 8<<10 {
		t.Fatalf("the file has only %d bytes", len(file))
	}
	whole, _ := read(t, file)
	ends := chunkEnds(file)
	want := make([][]Event, len(ends)) // what is left without frame i
	at := 0
	for i, end := range ends {
		part, _ := read(t, slices.Concat(file[:at], file[end:]))
		if i == 0 {
			part = whole
		}
		want[i] = originals(part)
		at = end
	}
	header := make([]bool, len(file)) // bytes whose every bit is flipped
	for i := range header[:ends[0]] {
		header[i] = true
	}
	for _, end := range ends[:len(ends)-1] {
		for i := range int(frameLen(file[end:])) + zstd.HeaderMaxSize {
			header[end+i] = true
		}
	}
	for bit := range 8 * len(file) {
		if !exhaustive() && bit%(5*thin) != 0 && (!header[bit/8] || raceEnabled) {
			continue
		}
		file[bit/8] ^= 1 << (bit % 8)
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
		if err != nil {
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		got, err := drain(r)
		if err != nil {
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		if len(r.Damage()) == 0 {
			t.Fatalf("bit %d of byte %d went unnoticed", bit%8, bit/8)
		}
		struck, _ := slices.BinarySearch(ends, bit/8+1)
		if d := diffEvents(want[struck], originals(got)); d != "" {
			t.Fatalf("bit %d of byte %d, in frame %d (-want +got):\n%s\n%v", bit%8, bit/8, struck, d, r.Damage())
		}
		if got[0].Type != TypeSession {
			t.Fatalf("bit %d of byte %d: the first event is %d, want SESSION", bit%8, bit/8, got[0].Type)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
}

// Bytes that come or go make a file out of step; only what they touch is lost.
func TestBytesLostOrAdded(t *testing.T) {
	file, _ := small(t)
	parts := frames(file)
	ends := chunkEnds(file)
	junk := bytes.Repeat([]byte{0x53, 0x2a, 0x4d, 0x18, 9}, 40)
	without := func(drop ...int) []Event {
		var b []byte
		for i, p := range parts {
			if !slices.Contains(drop, i) {
				b = append(b, p...)
			}
		}
		evs, _ := read(t, b)
		return originals(evs)
	}
	tests := []struct {
		name   string
		file   []byte
		want   []Event
		damage []Damage
	}{
		{"junk between chunks", slices.Insert(bytes.Clone(file), ends[1], junk...), without(), []Damage{{int64(ends[1]), int64(len(junk)), DamageCorrupt, ""}}},
		{"junk before all", append(bytes.Clone(junk), file...), without(), []Damage{{0, int64(len(junk)), DamageCorrupt, ""}}},
		{"junk behind all", append(bytes.Clone(file), junk...), without(), []Damage{{int64(len(file)), int64(len(junk)), DamageCorrupt, ""}}},
		{"junk in a chunk", slices.Insert(bytes.Clone(file), ends[1]+200, junk...), without(2), []Damage{{int64(ends[1]), int64(len(parts[2]) + len(junk)), DamageCorrupt, ""}}},
		{"half a chunk gone", slices.Delete(bytes.Clone(file), ends[1]+200, ends[2]), without(2), []Damage{{int64(ends[1]), 200, DamageCorrupt, ""}}},
		{"a chunk gone", slices.Delete(bytes.Clone(file), ends[1], ends[2]), without(2), []Damage{{int64(ends[1]), 0, DamageMissing, ""}}},
		{"two chunks gone", slices.Delete(bytes.Clone(file), ends[0], ends[2]), without(1, 2), []Damage{{int64(ends[0]), 0, DamageMissing, ""}}},
		{"the header gone", file[ends[0]:], without(), []Damage{{0, 0, DamageMissing, ""}}},
		{"header and first chunk gone", file[ends[1]:], without(1), []Damage{{0, 0, DamageMissing, ""}}},
		{"second header gone", slices.Concat(file, file[ends[0]:]), slices.Concat(without(), without()), []Damage{{int64(len(file)), 0, DamageMissing, ""}}},
		{"a chunk header gone", slices.Delete(bytes.Clone(file), ends[1], ends[1]+int(frameLen(parts[2]))), without(2), []Damage{{int64(ends[1]), int64(len(parts[2])) - frameLen(parts[2]), DamageCorrupt, ""}}},
	}
	for _, tt := range tests {
		got, damage := read(t, tt.file)
		if d := diffEvents(tt.want, originals(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		for i := range damage {
			if damage[i].Detail == "" || strings.Contains(damage[i].String(), "\n") {
				t.Errorf("%s: detail %q", tt.name, damage[i].Detail)
			}
			damage[i].Detail = ""
		}
		if !slices.Equal(tt.damage, damage) {
			t.Errorf("%s: damage %+v, want %+v", tt.name, damage, tt.damage)
		}
		if got[0].Type != TypeSession {
			t.Errorf("%s: first event is %d", tt.name, got[0].Type)
		}
	}
}

// Plaintext that was captured can be a session file itself. When the chunk that
// holds it is damaged, what is in it must not be taken for recorded events.
func TestEmbeddedSession(t *testing.T) {
	var forged bytes.Buffer
	w, err := NewWriter(&forged, Session{UUID: [16]byte{66}}, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append(&Event{Type: TypeData, Seq: 1, Conn: 66, Payload: []byte("forged")}), w.Close()); err != nil {
		t.Fatal(err)
	}
	inner := forged.Bytes()
	noise := make([]byte, 60_000) // so much that a zstd block is kept as it is
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	evs := []Event{
		{Type: TypeData, Seq: 1, Conn: 1, Payload: slices.Concat(noise, inner, noise)},
		{Type: TypeData, Seq: 2, Conn: 1, Payload: []byte("after")},
	}
	file := write(t, evs, WriterOptions{}, func(int) bool { return true })
	if !bytes.Contains(file, inner) {
		t.Fatal("the compressor did not keep the embedded file as it is")
	}
	at := bytes.Index(file, inner)
	flipped := bytes.Clone(file)
	flipped[at-100] ^= 1
	for name, b := range map[string][]byte{
		"flipped before it":        flipped,
		"cut behind it":            file[:at+len(inner)+50],
		"bytes lost before it":     slices.Delete(bytes.Clone(file), at-100, at-90),
		"bytes lost, nothing more": slices.Delete(bytes.Clone(file[:at+len(inner)+50]), at-100, at-90),
	} {
		got, damage := read(t, b)
		if len(damage) == 0 {
			t.Errorf("%s: no damage", name)
		}
		for _, ev := range got {
			if ev.Conn == 66 {
				t.Errorf("%s: took an embedded event for a recorded one", name)
			}
		}
	}
}

// Without chunk headers the first damage is the end, and it is named.
func TestBareDamage(t *testing.T) {
	file, evs := small(t)
	log := rawLog(t, file)
	var at []int // where events begin
	for n := 0; n < len(log); {
		at = append(at, n)
		k, err := eventLen(log[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	last := at[len(at)-1]
	bare := slices.Concat(zstdOf(t, log[:at[5]+3]), zstdOf(t, log[at[5]+3:at[30]+3]), zstdOf(t, log[at[30]+3:]))
	got, damage := read(t, bare)
	if damage != nil {
		t.Fatal(damage)
	}
	if d := diffEvents(evs, originals(got)); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	torn, corrupt := 0, 0
	for n := 0; n < len(bare); n += thin {
		for _, b := range [][]byte{bare[:n], flip(bare, n)} {
			r, err := NewReader(bytes.NewReader(b), ReaderOptions{})
			if err != nil {
				if !errors.Is(err, ErrNotSession) {
					t.Fatalf("byte %d: %v", n, err)
				}
				continue
			}
			part, err := drain(r)
			if len(r.Damage()) == 0 && len(b) == len(bare) && diffEvents(got, part) == "" {
				continue // an unused bit, or a window size still large enough
			}
			if err != nil || len(r.Damage()) != 1 {
				t.Fatalf("byte %d: %v, damage %v", n, err, r.Damage())
			}
			if r.Damage()[0].Kind == DamageTorn {
				torn++
			} else {
				corrupt++
			}
			if len(b) < len(bare) && diffEvents(got[:len(part)], part) != "" {
				t.Fatalf("cut at %d: other events", n)
			}
		}
	}
	if torn == 0 || corrupt == 0 {
		t.Errorf("%d torn, %d corrupt", torn, corrupt)
	}
	cut := slices.Concat(zstdOf(t, log[:at[5]]), zstdOf(t, log[at[5]:len(log)-20]))
	if _, damage := read(t, cut); len(damage) != 1 || damage[0].Kind != DamageTorn {
		t.Errorf("log cut inside an event: damage %v", damage)
	}
	le.PutUint32(log[last:], 3)
	if _, damage := read(t, zstdOf(t, log)); len(damage) != 1 || damage[0].Kind != DamageCorrupt {
		t.Errorf("log with a bad event: damage %v", damage)
	}
	if _, err := NewReader(bytes.NewReader(bare[:0]), ReaderOptions{}); !errors.Is(err, ErrNotSession) {
		t.Error(err)
	}
}

func flip(b []byte, n int) []byte {
	b = bytes.Clone(b)
	b[n] ^= 0x10
	return b
}
