package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// gate is a stdout that takes nothing until it is opened.
type gate struct {
	bytes.Buffer
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(p)
}

// TestRecordSheds: when the session cannot be written as fast as it comes, the
// recorder is told, goes on all the same, and what is missing is counted alike in
// the DROP events, the END event and the summary.
func TestRecordSheds(t *testing.T) {
	te, out := newTestEnv(), &gate{open: make(chan struct{})}
	te.stdout = out
	o := &recordOptions{fileFlags: fileFlags{out: stdio, sync: "interval"}}
	store, err := o.open(te.env)
	if err != nil {
		t.Fatal(err)
	}
	go func() { out.open <- struct{}{} }() // the file header
	s, err := newRecordSink(te.env, o, store, fixtureInfo())
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	total := queueBytes/size + 20
	for i := range total {
		ev := format.Event{Type: format.TypeData, Dir: format.DirRead, Conn: 1, Seq: uint64(i + 1), Offset: uint64(i) * size, Payload: make([]byte, size)}
		if err := s.Event(&ev); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Busy() {
		t.Error("not busy, with a queue that is full")
	}
	close(out.open)
	st := record.Stats{LostEvents: 2, LostBytes: 7}
	if err := s.close("interrupt", st); err != nil {
		t.Fatal(err)
	}
	var told format.Drop
	all := events(t, out.Bytes())
	for i := range all {
		if all[i].Type == format.TypeDrop {
			d, err := format.ParseDrop(all[i].Payload)
			if err != nil || d.Cause != format.DropWriter {
				t.Errorf("DROP %+v, %v", d, err)
			}
			told.Events, told.Bytes = told.Events+d.Events, told.Bytes+d.Bytes
		}
	}
	end, err := format.ParseEnd(all[len(all)-1].Payload)
	if err != nil || told.Events == 0 || end.LostEvents != told.Events+2 || end.LostBytes != told.Bytes+7 || told.Bytes != told.Events*size {
		t.Errorf("END %+v, %v; the DROP events say %+v", end, err, told)
	}
	if got := s.stats(st); got.LostEvents != end.LostEvents || got.LostBytes != end.LostBytes || got.Causes[format.DropWriter] != told.Events || st.Causes != nil {
		t.Errorf("summary: %+v", got)
	}
}

// TestFlushTiming: rounds come every half second at least; a chunk is closed in the
// first that finds its first event old enough.
func TestFlushTiming(t *testing.T) {
	te := newTestEnv()
	now := time.Unix(100, 0)
	te.now = func() time.Time { return now }
	o := &recordOptions{fileFlags: fileFlags{out: filepath.Join(t.TempDir(), "a.spl"), sync: "none"}}
	store, err := o.open(te.env)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Discard()
	s, err := newRecordSink(te.env, o, store, fixtureInfo())
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		after  time.Duration
		events int
		open   bool // after the flush
	}{
		{0, 0, false},
		{500 * time.Millisecond, 1, true},
		{100 * time.Millisecond, 3, true},
		{400 * time.Millisecond, 1, false}, // the first is 500 ms old
		{500 * time.Millisecond, 0, false},
		{500 * time.Millisecond, 1, true},
		{500 * time.Millisecond, 0, false},
	}
	seq := uint64(0)
	for i, st := range steps {
		now = now.Add(st.after)
		for range st.events {
			seq++
			if err := s.Event(&format.Event{Type: format.TypeData, Conn: 1, Seq: seq}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if s.open != st.open {
			t.Errorf("step %d: a chunk is open: %v, want %v", i, s.open, st.open)
		}
	}
	if err := s.close("interrupt", record.Stats{}); err != nil {
		t.Fatal(err)
	}
}
