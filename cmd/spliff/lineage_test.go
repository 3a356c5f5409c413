package main

import (
	"testing"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// TestLineage: a process is found by its number and name, and by those of everyone it
// descends from, however long ago; not by a part of a name.
func TestLineage(t *testing.T) {
	conn := &replay.Conn{Conn: format.Conn{PID: 40}, Proc: &replay.Proc{Proc: format.Proc{
		PID: 40, PPID: 1, Comm: "curl", Ancestors: []format.Ancestor{{PID: 30, Comm: "sh"}, {PID: 20, Comm: "make"}},
	}}}
	for name, want := range map[string]bool{
		"40": true, "curl": true, "30": true, "sh": true, "20": true, "make": true,
		"1":   true, // who adopted it
		"mak": false, "4": false, "400": false, "": false, "4294967336": false,
	} {
		n := 0
		s := within(countSink{&n}, []string{"other", name})
		for _, it := range []*replay.Item{
			{Kind: replay.ItemExchange, Conn: conn, Exchange: &replay.Exchange{Conn: conn}},
			{Kind: replay.ItemDrop},
		} {
			if err := s.Item(it); err != nil {
				t.Fatal(err)
			}
		}
		if got := n == 2; got != want || n == 0 {
			t.Errorf("%q: %d of 2 items came through, exchange wanted: %v", name, n, want)
		}
	}
}

type countSink struct{ n *int }

func (c countSink) Item(*replay.Item) error { *c.n++; return nil }
func (c countSink) Close() error            { return nil }
