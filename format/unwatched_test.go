package format

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestUnwatchedInSlices: what was not watched is told in each part of a session, but
// not to who asks for connections alone.
func TestUnwatchedInSlices(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(5, 6)), 700, 400)
	b := writeWhole(t, evs, WriterOptions{ChunkBytes: 8 << 10}, nil)
	f := open(t, b)
	s := f.Sections()[0]
	late := s.Wall(s.Summary.MaxTime)
	for _, tt := range []struct {
		q    Query
		want int
	}{
		{Query{}, 1},
		{Query{From: late, Recording: true}, 1},
		{Query{From: late}, 0},
		{Query{Conns: []uint32{2}, Recording: true}, 1},
		{Query{Conns: []uint32{2}}, 0},
	} {
		filtered, err := NewReader(bytes.NewReader(b), ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		filtered.Filter(tt.q)
		for name, r := range map[string]*Reader{"file": f.Select(tt.q), "stream": filtered} {
			t.Run(fmt.Sprintf("%s/%+v", name, tt.q), func(t *testing.T) {
				got, _ := drain(r)
				n := 0
				for _, ev := range got {
					if ev.Type == TypeUnwatched {
						n++
					}
				}
				if n != tt.want {
					t.Errorf("told %d times, want %d", n, tt.want)
				}
			})
		}
	}
}
