//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestWordCounter(t *testing.T) {
	text := []byte("{\"status\":200}\n{\"status\":404}\n{\"status\":200}\n{\"status\":200")
	for cut := range text {
		c := wordCounter{word: []byte(`"status":200`)}
		c.Write(text[:cut])
		c.Write(text[cut:])
		if c.n != 2 {
			t.Fatalf("cut at %d: %d words, want the 2 of whole lines", cut, c.n)
		}
	}
}

// TestBalance: a figure that is not there is an error, not a zero.
func TestBalance(t *testing.T) {
	written, lost, err := balance([]byte(`{"sections":[{"summary":{"written":7,"lost":{"bytes":3}}}]}`))
	if written != 7 || lost != 3 || err != nil {
		t.Errorf("%d written, %d lost, %v", written, lost, err)
	}
	if _, lost, err = balance([]byte(`{"sections":[{"summary":{"written":7}}]}`)); lost != 0 || err != nil {
		t.Errorf("nothing lost: %d, %v", lost, err)
	}
	for _, bad := range []string{``, `{"sections":[]}`, `{"sections":[{}]}`, `{"lost":{"bytes":3}}`, `{"sections":[{"summary":{"written":7,"lost":{}}}]}`} {
		if _, _, err := balance([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestResident(t *testing.T) {
	if got := residentMiB(os.Getpid()); got < 1 || got > 4096 {
		t.Errorf("our own resident memory is %.1f MiB", got)
	}
	if got := residentMiB(-1); got != 0 {
		t.Errorf("nobody's resident memory is %.1f MiB", got)
	}
}

func TestRandomFile(t *testing.T) {
	name := t.TempDir() + "/r"
	if err := writeRandom(name, 3<<20+7); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil || len(b) != 3<<20+7 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if bytes.Equal(b[:1<<20], b[1<<20:2<<20]) {
		t.Error("a block is repeated: a compressor could find it")
	}
}

// TestTable: a figure that was not taken is not shown, and a goal that is missed is.
func TestTable(t *testing.T) {
	l := &load{name: "HTTP/1 sustained", units: 100, goal: 0.65}
	plain := &cell{load: l, watcher: &watcher{name: untraced}, rate: []float64{10, 30, 20}, ratio: []float64{1, 1, 1}, traced: []float64{1, 1, 1}, seen: []seen{unseen, unseen, unseen}}
	ours := &cell{load: l, watcher: &watcher{name: spliffName}, rate: []float64{5, 6, 7}, ratio: []float64{0.5, 0.2, 0.35}, traced: []float64{2, 2, 2},
		seen: []seen{{exchanges: 100, cpu: 1e-3, rss: 40}, {exchanges: 99, lost: 5, cpu: 1e-3, rss: 40}, {exchanges: 100, cpu: 1e-3, rss: 40}}}
	other := &cell{load: l, watcher: &watcher{name: "tool", skip: "tool is not installed"}}
	s := &suite{o: options{rounds: 3}, cells: []*cell{plain, ours, other}}
	var b strings.Builder
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| HTTP/1 sustained | untraced | 20 | 1.00 | 1.00 × |  |  |  |  |",
		"| HTTP/1 sustained | spliff record | 6 | 0.35 | 2.00 × | 99 | 5 | 10.00 µs | 40 |",
		"not measured: tool is not installed",
		"| HTTP/1 sustained, rate of untraced | ≥ 0.65 | 0.35 | **miss** |",
		"| HTTP/1 sustained, exchanges | ≥ 100 | 99 | **miss** |",
		"| HTTP/1 sustained, RSS, MiB | ≤ 128 | 40 | pass |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
