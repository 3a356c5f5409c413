package main

import (
	"bytes"
	"crypto/sha256"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

func TestCorpusIsTheSameEveryTime(t *testing.T) {
	a, b := newCorpus(1<<20), newCorpus(1<<20)
	if sha256.Sum256(a.bytes) != sha256.Sum256(b.bytes) {
		t.Error("two corpora of one seed differ")
	}
	if len(a.items) != len(b.items) {
		t.Errorf("two corpora of one seed have %d and %d events", len(a.items), len(b.items))
	}
}

// TestCorpusShape: the table is about traffic of this shape.
func TestCorpusShape(t *testing.T) {
	var shares [3]float64
	for i := range connections {
		shares[kindOf(i)] += 1.0 / connections
	}
	for k, want := range [3]float64{kindJSON: 0.60, kindPage: 0.22, kindNoise: 0.18} {
		if math.Abs(shares[k]-want) > 0.01 {
			t.Errorf("share of kind %d is %.3f, want %.2f", k, shares[k], want)
		}
	}
	c := newCorpus(16 << 20)
	var ended, most int
	for i := range c.items {
		switch it := &c.items[i]; it.typ {
		case format.TypeConnEnd:
			ended++
		case format.TypeData:
			most = max(most, int(it.size))
		}
	}
	if mean := float64(c.payload) / float64(c.data); mean < 950 || mean > 1100 {
		t.Errorf("an event has %.0f bytes on average, want about 1 KiB", mean)
	}
	if most > eventMax {
		t.Errorf("the largest event has %d bytes, want at most %d", most, eventMax)
	}
	if ended == 0 || c.conns != connections+ended {
		t.Errorf("%d connections, %d of them ended: want %d open at the end", c.conns, ended, connections)
	}
}

func TestCorpusCompresses(t *testing.T) {
	c := newCorpus(4 << 20)
	var spl bytes.Buffer
	if err := writeSpliff(c, &spl); err != nil {
		t.Fatal(err)
	}
	// What is known of such traffic: it shrinks to about half at the fastest level.
	if ratio := float64(c.payload) / float64(spl.Len()); ratio < 1.7 || ratio > 2.5 {
		t.Errorf("the corpus compresses %.2f : 1, want about 2 : 1", ratio)
	}
}

// TestTable runs all of the benchmark on a small corpus: every file holds the
// corpus, and every row and goal has its line.
func TestTable(t *testing.T) {
	s, err := newSuite(newCorpus(2 << 20))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if err := measure(s.rows(), 1, regexp.MustCompile("")); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.print(&out, 1); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.rows() {
		if !strings.Contains(out.String(), "\n| "+r.name+" |") {
			t.Errorf("the table has no row %q", r.name)
		}
	}
	for _, g := range s.goals() {
		if !strings.Contains(out.String(), "\n| "+g.name+" |") {
			t.Errorf("the table has no goal %q", g.name)
		}
	}
}

func TestBigFile(t *testing.T) {
	var out strings.Builder
	if err := benchBig(&out, 4<<20, 1); err != nil {
		t.Fatal(err)
	}
	for _, a := range accesses() {
		if !strings.Contains(out.String(), "\n| "+a.name+" |") {
			t.Errorf("the table has no row %q:\n%s", a.name, out.String())
		}
	}
	if strings.Contains(out.String(), " is in 0 of them") {
		t.Errorf("the connection asked for is nowhere:\n%s", out.String())
	}
}

// TestCheckNotices: a benchmark of files that are not equal would be worth nothing.
func TestCheckNotices(t *testing.T) {
	s, err := newSuite(newCorpus(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	s.corpus.bytes[len(s.corpus.bytes)-1] ^= 1
	if err := s.check(); err == nil {
		t.Error("check passes with a corpus that is not in the files")
	}
}
