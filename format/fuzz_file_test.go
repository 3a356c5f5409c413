package format

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// footed is a small session with a footer and another behind it.
func footed(t testing.TB) []byte {
	evs := conversation(rand.New(rand.NewPCG(1, 2)), 200, 40)
	one := writeWhole(t, evs, WriterOptions{NoSeekTable: true}, func(i int) bool { return i%9 == 8 })
	two := writeWhole(t, evs[:20], WriterOptions{Member: true, FileNo: 2, FirstSeq: 1}, nil)
	return slices.Concat(one, two)
}

// anyFile opens b in every way there is and checks what must hold for any bytes.
func anyFile(t *testing.T, b []byte) {
	o := ReaderOptions{MaxChunk: 1 << 20}
	quick, err := Open(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		if !errors.Is(err, ErrNotSession) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		return
	}
	at := int64(0)
	for _, s := range quick.Sections() {
		if s.Offset < at {
			t.Fatalf("a section at %d, %d is taken", s.Offset, at)
		}
		at = s.Offset
		for _, c := range s.Chunks {
			if c.Offset < at || c.Size < 0 || c.Offset+c.Size > int64(len(b)) {
				t.Fatalf("a chunk of %d bytes at %d of %d", c.Size, c.Offset, len(b))
			}
			at = c.Offset + c.Size
		}
	}
	for _, q := range []Query{{}, {Conns: []uint32{2}}, {PIDs: []uint32{101}, From: 1}} {
		r := quick.Select(q)
		if _, err := drain(r); err != nil {
			t.Fatal(err)
		}
		if len(r.Damage()) > maxDamage {
			t.Fatalf("%d pieces of damage", len(r.Damage()))
		}
	}
	check, err := NewReader(bytes.NewReader(b), ReaderOptions{MaxChunk: 1 << 20, Check: true})
	if err != nil {
		// A chunk header is enough for Open, not for a reader of events.
		if len(quick.Damage()) == 0 {
			t.Fatalf("opened as a file, but: %v", err)
		}
		return
	}
	want, err := drain(check)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := OpenScan(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := drain(slow.Select(Query{}))
	if d := diffEvents(originals(want), originals(got)); d != "" {
		t.Fatalf("by headers (-stream +file):\n%s\n%v\n%v", d, check.Damage(), slow.Damage())
	}
	if got, _ := drain(quick.Select(Query{})); len(check.Damage()) == 0 && diffEvents(want, got) != "" {
		t.Fatalf("by footers (-stream +file):\n%s", diffEvents(want, got))
	}
}

// FuzzFile: no bytes make Open and Select panic, loop, or show other events than a
// reader of the stream, whatever an index in them says.
func FuzzFile(f *testing.F) {
	file := footed(f)
	f.Add(file)
	f.Add(file[:len(file)-50])
	f.Add(noFooter(file))
	f.Add(flip(file, findTag(file, tagIndex)+60))
	f.Add(flip(file, len(file)-200))
	f.Fuzz(anyFile)
}

// FuzzStructure plays a list of changes on a good file: frames are cut, doubled,
// moved, left out, mixed with others, and fields of them changed behind checksums
// that are made good again.
func FuzzStructure(f *testing.F) {
	file := footed(f)
	f.Add([]byte{0, 3, 0, 1, 2, 7, 3, 9, 40})
	f.Add([]byte{5, 4, 20, 6, 8, 100, 2, 1, 1})
	for op := range byte(8) {
		f.Add([]byte{op, 5, 33, op, 2, 90})
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 60 {
			return
		}
		parts := frames(file)
		for ; len(program) >= 3 && len(parts) > 0; program = program[3:] {
			parts = mutate(parts, program[0], int(program[1])%len(parts), int(program[2]))
		}
		b := slices.Concat(parts...)
		if len(b) < 4<<20 {
			anyFile(t, b)
		}
	})
}

// mutate changes part i, by an amount.
func mutate(parts [][]byte, op byte, i, n int) [][]byte {
	p := bytes.Clone(parts[i])
	out := slices.Clone(parts)
	at := n * len(p) / 256
	if len(p) == 0 {
		return out
	}
	switch op % 8 {
	case 0: // a flipped bit
		p[at] ^= 1 << (n % 8)
	case 1: // cut short
		p = p[:at]
	case 2: // left out
		return slices.Delete(out, i, i+1)
	case 3: // doubled
		return slices.Insert(out, i, p)
	case 4: // moved
		out = slices.Delete(out, i, i+1)
		return slices.Insert(out, n%(len(out)+1), p)
	case 5: // a field of its header changed, the checksum made good
		if len(p) >= envelopeLen+crcLen && frameLen(p) >= envelopeLen+crcLen && frameLen(p) <= int64(len(p)) && le.Uint32(p) == magicOurs {
			p[envelopeLen+n%int(frameLen(p)-envelopeLen-crcLen+1)] ^= byte(1 << (n % 7))
			reseal(p)
		}
	case 6: // bytes added
		p = slices.Insert(p, at, bytes.Repeat([]byte{0x53, 0x2a, 0x4d, 0x18}, 1+n%9)...)
	case 7: // a stranger behind it
		s := make([]byte, skipHeadLen+n)
		le.PutUint32(s, magicSkippable|uint32(n%3))
		le.PutUint32(s[4:], uint32(n))
		return slices.Insert(out, i+1, s)
	}
	out[i] = p
	return out
}
