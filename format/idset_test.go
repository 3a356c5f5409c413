package format

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// has reports whether id is in s.
func (s idSet) has(id uint32) bool { return s.hasRange(idRange{id, id}) }

func TestIDSet(t *testing.T) {
	tests := []struct {
		name  string
		ids   []uint32
		bytes int // of the encoding
	}{
		{"empty", nil, 0},
		{"one", []uint32{5}, 1},
		{"zero", []uint32{0}, 1},
		{"a run", []uint32{1, 2, 3, 4, 5, 6, 7}, 2},
		{"in disorder, twice", []uint32{9, 3, 9, 4, 3}, 3},
		{"far apart", []uint32{1, 1 << 20, math.MaxUint32}, 1 + 3 + 5},
		{"the last two", []uint32{math.MaxUint32, math.MaxUint32 - 1}, 6},
	}
	for _, tt := range tests {
		s := rangesOf(nil, slices.Clone(tt.ids))
		b := s.encode(nil)
		if len(b) != tt.bytes {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(b), tt.bytes)
		}
		got, ok := parseIDSet(b)
		if !ok || !slices.Equal(got, s) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, ok, s)
		}
		for _, id := range tt.ids {
			if !got.has(id) {
				t.Errorf("%s: lacks %d", tt.name, id)
			}
		}
		if n := got.count(); n != uint64(len(slices.Compact(slices.Sorted(slices.Values(tt.ids))))) {
			t.Errorf("%s: counts %d", tt.name, n)
		}
	}
}

func TestIDSetMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"cut in a number":   {0x80},
		"run without more":  {0x03},
		"touching":          {0x02, 0x00},
		"beyond the end":    {0xfe, 0xff, 0xff, 0xff, 0x1f, 0x02},
		"a run too long":    {0x01, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"number too large":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"skip over 32 bits": {0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
	} {
		if s, ok := parseIDSet(b); ok {
			t.Errorf("%s: read as %v", name, s)
		}
	}
}

// A shortened set is a superset with no more ranges than asked for, and has the
// widest gaps.
func TestIDSetShorten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 300 {
		ids := make([]uint32, 1+rng.IntN(200))
		for i := range ids {
			ids[i] = rng.Uint32N(1 << (4 + rng.IntN(28)))
		}
		s := rangesOf(nil, ids)
		limit := 1 + rng.IntN(40)
		short := s.shorten(limit)
		if len(short) > limit {
			t.Fatalf("%d ranges, want at most %d", len(short), limit)
		}
		if len(s) > limit && len(short) < limit {
			t.Fatalf("%d ranges, %d would do of %d", len(short), limit, len(s))
		}
		for _, id := range ids {
			if !short.has(id) {
				t.Fatalf("lacks %d", id)
			}
		}
		for _, room := range []int{5, 20, 100} {
			b := s.appendTo(nil, room)
			got, ok := parseIDSet(b)
			if !ok || len(b) > max(room, 10) {
				t.Fatalf("%d bytes of %d, %v", len(b), room, ok)
			}
			for _, id := range ids {
				if !got.has(id) {
					t.Fatalf("in %d bytes: lacks %d", room, id)
				}
			}
		}
	}
}

func TestIDSetUnionMeets(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		a, b := make([]uint32, rng.IntN(20)), make([]uint32, rng.IntN(20))
		for i := range a {
			a[i] = rng.Uint32N(60)
		}
		for i := range b {
			b[i] = rng.Uint32N(60) + 30
		}
		sa, sb := rangesOf(nil, a), rangesOf(nil, b)
		want := rangesOf(nil, slices.Concat(a, b))
		if got := unionOf(nil, sa, sb); !slices.Equal(got, want) {
			t.Fatalf("%v and %v: %v, want %v", sa, sb, got, want)
		}
		meet := slices.ContainsFunc(a, func(id uint32) bool { return slices.Contains(b, id) })
		if sa.meets(sb) != meet {
			t.Fatalf("%v meets %v: %v", sa, sb, !meet)
		}
	}
}

// FuzzIDSet: what is read as a set encodes to something that reads the same.
func FuzzIDSet(f *testing.F) {
	f.Add([]byte{2, 5, 0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parseIDSet(b)
		if !ok {
			return
		}
		again, ok := parseIDSet(s.encode(nil))
		if !ok || !slices.Equal(s, again) {
			t.Fatalf("%v, then %v", s, again)
		}
	})
}
