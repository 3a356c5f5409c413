package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestCopySlice: a slice has what the query wants, ends in order if the recording
// did, and its END tells what is in it.
func TestCopySlice(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(2, 3)), 100, 300)
	file := writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%25 == 0 })
	s := open(t, file).Sections()[0]
	at := func(i int) int64 { return s.Wall(evs[i].Time) }
	tests := []struct {
		name   string
		q      Query
		reason string
	}{
		{"all", Query{Recording: true}, "interrupt"},
		{"conn", Query{Conns: []uint32{2}, Recording: true}, "interrupt"},
		{"pid", Query{PIDs: []uint32{101}, Recording: true}, "interrupt"},
		{"from", Query{From: at(100), Recording: true}, "interrupt"},
		{"to", Query{To: at(200), Recording: true}, "edited"},
		{"both", Query{From: at(100), To: at(200), Conns: []uint32{1, 3}, Recording: true}, "edited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := rewrite(t, CopyOptions{Edited: true}, tt.q, file)
			rep := inspect(t, got)
			if len(rep.Damage) > 0 {
				t.Fatal(rep.Damage)
			}
			sum := rep.Sections[0].Summary
			switch {
			case sum.End == nil:
				t.Fatal("no END event")
			case sum.End.Reason != tt.reason, sum.End.Events != sum.Events-1, sum.End.Bytes != sum.Written+sum.Read, sum.End.LostBytes != sum.Lost.Bytes:
				t.Errorf("END %+v of %+v", *sum.End, *sum)
			}
			if tt.q.To != 0 && s.Wall(sum.MaxTime) >= tt.q.To {
				t.Errorf("the slice reaches to %d, beyond %d", s.Wall(sum.MaxTime), tt.q.To)
			}
			// By index, by scan, or by reading all: the same.
			for _, f := range []*File{open(t, file), openScan(t, file)} {
				var buf bytes.Buffer
				c := NewCopier(&buf, CopyOptions{Edited: true})
				if err := c.Add(context.Background(), f.Select(tt.q)); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Close(); err != nil {
					t.Fatal(err)
				}
				sel, _ := read(t, buf.Bytes())
				want, _ := read(t, got)
				sameEvents(t, sel, want)
			}
		})
	}
}

// TestCopySliceOfOpen: a recording that was not closed is not made to look closed.
func TestCopySliceOfOpen(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(2, 3)), 100, 30)
	file := writeWhole(t, evs[:len(evs)-1], WriterOptions{}, nil)
	got, _ := rewrite(t, CopyOptions{Edited: true}, Query{Conns: []uint32{2}, Recording: true}, file)
	if end := inspect(t, got).Sections[0].Summary.End; end != nil {
		t.Errorf("END %+v", *end)
	}
}

// TestCopyNothing: sections of which nothing is wanted are left out.
func TestCopyNothing(t *testing.T) {
	file, _ := small(t)
	got, sum := rewrite(t, CopyOptions{Edited: true}, Query{Conns: []uint32{77}, Recording: true}, file, file)
	if len(got) != 0 || sum.Sections != 0 || sum.LeftOut != 2 {
		t.Errorf("%d bytes, %+v", len(got), sum)
	}
}

// TestCopySliceLead: bytes before a slice are said to be left out, once for each
// direction of each connection that began before it.
func TestCopySliceLead(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(2, 3)), 100, 300)
	file := writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%25 == 0 })
	s := open(t, file).Sections()[0]
	for _, from := range []int{0, 100, len(evs) - 7} {
		got, _ := rewrite(t, CopyOptions{Edited: true}, Query{From: s.Wall(evs[from].Time), Recording: true}, file)
		all, _ := read(t, got)
		next, drops := map[string]uint64{}, 0
		for i := range all {
			ev := &all[i]
			key := fmt.Sprint(ev.Conn, ev.Dir)
			switch ev.Type {
			case TypeDrop:
				if d, err := ParseDrop(ev.Payload); err != nil || d.Cause == DropEdited {
					next[key] = d.Bytes
					drops++
				}
			case TypeData:
				if ev.Offset != next[key] {
					t.Errorf("from event %d: bytes at %d, want %d", from, ev.Offset, next[key])
				}
				next[key] = ev.Offset + uint64(len(ev.Payload))
			}
		}
		if want := map[int]int{0: 0, 100: 6, len(evs) - 7: 6}[from]; drops != want {
			t.Errorf("from event %d: %d places, want %d", from, drops, want)
		}
	}
}

// A slice of one file of a session is made like any other.
func TestSliceOfMember(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(5, 6)), 700, 400)
	files := rotated(t, evs, 64<<10, WriterOptions{ChunkBytes: 8 << 10})
	for i, b := range files {
		f := open(t, b)
		s := &f.Sections()[0]
		if s.Summary.MinTime < 6_000_000 && i > 0 {
			t.Errorf("file %d begins at %d: the description it begins with is older", i, s.Summary.MinTime)
		}
		q := Query{From: s.Wall((s.Summary.MinTime + s.Summary.MaxTime) / 2)}
		var out bytes.Buffer
		c := NewCopier(&out, CopyOptions{Edited: true})
		err := c.Add(t.Context(), f.Select(q))
		if _, cerr := c.Close(); errors.Join(err, cerr) != nil {
			t.Fatal(err, cerr)
		}
		got, damage := read(t, out.Bytes())
		if damage != nil || len(got) < 10 {
			t.Errorf("file %d: %d events, damage %v", i, len(got), damage)
		}
	}
}
