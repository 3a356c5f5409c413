package format

import (
	"bytes"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// chunkOf makes a chunk of raw bytes with header fields to be tampered with.
func chunkOf(head []byte, raw []byte, opts []zstd.EOption, edit func(h *chunkHeader)) []byte {
	e, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true)}, opts...)...)
	if err != nil {
		panic(err)
	}
	out := e.EncodeAll(raw, make([]byte, plainHead))
	h := chunkHeader{events: 1, rawLen: uint32(len(raw)), compLen: uint32(len(out) - plainHead),
		frameCRC: checksum(out[plainHead:]), section: le.Uint32(head[len(head)-crcLen:])}
	edit(&h)
	h.put(out[:plainHead])
	return out
}

// What a hostile or faulty writer can put behind good checksums.
func TestHostileChunks(t *testing.T) {
	file := write(t, nil, WriterOptions{}, nil)
	head := frames(file)[0]
	clock := appendEvent(nil, &Event{Type: TypeClock, Seq: 1, Payload: make([]byte, 16)})
	badLen := slices.Concat(clock, clock)
	le.PutUint32(badLen[len(clock):], 1<<31)
	overrun := slices.Concat(clock, clock)
	le.PutUint32(overrun[len(clock):], uint32(len(clock)+8))
	same := func(*chunkHeader) {}
	twice := func(h *chunkHeader) { h.events = 2 }
	noSize := bytes.NewBuffer(nil)
	stream, _ := zstd.NewWriter(noSize)
	io.Copy(stream, io.LimitReader(bytes.NewReader(bytes.Repeat(clock, 5000)), math.MaxInt32))
	stream.Close()
	streamed := chunkOf(head, clock, nil, func(h *chunkHeader) {
		h.compLen, h.frameCRC, h.rawLen = uint32(noSize.Len()), checksum(noSize.Bytes()), uint32(5000*len(clock))
	})[:plainHead]

	tests := []struct {
		name   string
		chunk  []byte
		events int
		kind   DamageKind
	}{
		{"good", chunkOf(head, clock, nil, same), 1, ""},
		{"length over the maximum", chunkOf(head, badLen, nil, twice), 1, DamageCorrupt},
		{"event beyond the chunk", chunkOf(head, overrun, nil, twice), 1, DamageCorrupt},
		{"rest too short for an event", chunkOf(head, slices.Concat(clock, clock[:24]), nil, twice), 1, DamageCorrupt},
		{"count too large", chunkOf(head, clock, nil, twice), 1, DamageCorrupt},
		{"count too small", chunkOf(head, slices.Concat(clock, clock), nil, same), 2, DamageCorrupt},
		{"no event but a count", chunkOf(head, nil, []zstd.EOption{zstd.WithZeroFrames(true)}, same), 0, DamageCorrupt},
		{"raw_len too large", chunkOf(head, clock, nil, func(h *chunkHeader) { h.rawLen *= 2 }), 0, DamageCorrupt},
		{"raw_len over the limit", chunkOf(head, clock, nil, func(h *chunkHeader) { h.rawLen = MaxChunk + 1 }), 0, DamageLimit},
		{"raw_len absurd", chunkOf(head, clock, nil, func(h *chunkHeader) { h.rawLen = math.MaxUint32 }), 0, DamageLimit},
		{"no zstd frame", chunkOf(head, clock, nil, func(h *chunkHeader) { h.compLen = 0; h.frameCRC = 0 }), 0, DamageCorrupt},
		{"no content checksum", chunkOf(head, clock, []zstd.EOption{zstd.WithEncoderCRC(false)}, same), 0, DamageCorrupt},
		{"no content size", slices.Concat(streamed, noSize.Bytes()), 0, DamageCorrupt},
		{"large window", chunkOf(head, bytes.Repeat(clock, MaxWindow/len(clock)+1), nil, func(h *chunkHeader) { h.events = uint32(MaxWindow/len(clock)) + 1 }), 0, DamageCorrupt},
	}
	for _, tt := range tests {
		tail := write(t, []Event{{Type: TypeMark, Seq: 9}}, WriterOptions{}, nil)
		got, damage := read(t, slices.Concat(head, tt.chunk, tail))
		switch {
		case tt.kind == "" && damage != nil:
			t.Errorf("%s: damage %v", tt.name, damage)
		case tt.kind != "" && (len(damage) == 0 || damage[0].Kind != tt.kind):
			t.Errorf("%s: damage %v, want %s", tt.name, damage, tt.kind)
		}
		rest := originals(got)
		if len(rest) != tt.events+1 || rest[len(rest)-1].Type != TypeMark {
			t.Errorf("%s: %d events, want %d and the next section", tt.name, len(rest), tt.events)
		}
	}
}

// A length that lies must not be believed before the bytes are there.
func TestLyingLengthsAllocateNothing(t *testing.T) {
	head := frames(write(t, nil, WriterOptions{}, nil))[0]
	liar := chunkOf(head, []byte("x"), nil, func(h *chunkHeader) { h.compLen = MaxChunk; h.rawLen = MaxChunk })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		read(t, slices.Concat(head, liar))
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 20; got > 4<<20 {
		t.Errorf("%d bytes allocated for a file of %d", got, len(head)+len(liar))
	}
}

func TestMaxChunk(t *testing.T) {
	evs := []Event{{Type: TypeData, Seq: 1, Payload: make([]byte, 1<<20)}, {Type: TypeMark, Seq: 2}}
	file := write(t, evs, WriterOptions{}, func(int) bool { return true })
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{MaxChunk: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(r)
	if err != nil || len(originals(got)) != 1 || len(r.Damage()) != 1 || r.Damage()[0].Kind != DamageLimit {
		t.Errorf("%d events, damage %v, %v", len(got), r.Damage(), err)
	}
}

// Headers nested to make a reader check the same bytes again and again.
func TestNotQuadratic(t *testing.T) {
	head := frames(write(t, nil, WriterOptions{}, nil))[0]
	liar := chunkOf(head, []byte("x"), nil, func(h *chunkHeader) { h.compLen = 4 << 20; h.rawLen = 1; h.frameCRC++ })[:plainHead]
	bait := append([]byte{0x53, 0x2a, 0x4d, 0x18, 0, 0xff, 0, 0}, "SPLCxxxx"...)
	for name, unit := range map[string][]byte{"chunk headers": liar, "false headers": bait} {
		file := slices.Concat(head, bytes.Repeat(unit, 8<<20/len(unit)))
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if limit := int64(wasteFloor + (wasteFactor+2)*len(file)); r.wasted > limit {
			t.Errorf("%s: looked at %d bytes of %d in vain", name, r.wasted, len(file))
		}
		if n := len(r.Damage()); n == 0 || n > maxDamage {
			t.Errorf("%s: %d pieces of damage", name, n)
		}
	}
}

// A file of kilobytes that decompresses to gigabytes is given up at a limit that a
// caller can set, and says so.
func TestMaxExpand(t *testing.T) {
	head := frames(write(t, nil, WriterOptions{}, nil))[0]
	raw := make([]byte, 0, 32<<20)
	ev := appendEvent(nil, &Event{Type: TypeData, Payload: make([]byte, 1<<20)})
	for len(raw) < 31<<20 {
		raw = append(raw, ev...)
	}
	wide := []zstd.EOption{zstd.WithSingleSegment(false), zstd.WithWindowSize(4 << 20)}
	no := uint32(0)
	var file []byte
	file = append(file, head...)
	for range 40 {
		file = append(file, chunkOf(head, raw, wide, func(h *chunkHeader) {
			h.no, h.events = no, uint32(len(raw)/len(ev))
			no++
		})...)
	}
	for _, tt := range []struct{ expand, least, most int }{{0, 5, 7}, {1, 2, 2}, {1 << 20, 40, 40}} {
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{MaxExpand: tt.expand})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ev := (Event{}); r.Next(&ev) == nil; {
			n++
		}
		if got := n / (len(raw) / len(ev)); got < tt.least || got > tt.most {
			t.Errorf("expand %d: %d chunks of a file of %d bytes, want %d to %d", tt.expand, got, len(file), tt.least, tt.most)
		}
		limited := len(r.Damage()) > 0 && r.Damage()[0].Kind == DamageLimit
		if limited != (tt.most < 40) {
			t.Errorf("expand %d: damage %v", tt.expand, r.Damage())
		}
	}
}
