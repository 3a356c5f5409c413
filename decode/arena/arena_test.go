package arena

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// TestStrings: what was given stays what it was, whatever is given later.
func TestStrings(t *testing.T) {
	var a Arena
	r := rand.New(rand.NewPCG(1, 1))
	var want [][]byte
	var got []string
	for i := range 5000 {
		b := bytes.Repeat([]byte{byte(i)}, r.IntN(40))
		if i%100 == 0 {
			b = bytes.Repeat([]byte{byte(i)}, slab*2)
		}
		want = append(want, bytes.Clone(b))
		if i%3 == 0 {
			got = append(got, a.Word(b))
		} else {
			got = append(got, a.String(b))
		}
		for k := range b {
			b[k] = 0xee
		}
	}
	for i := range want {
		if got[i] != string(want[i]) {
			t.Fatalf("string %d is %.20q, want %.20q", i, got[i], want[i])
		}
	}
}

// TestWordIsKept: from the second time on it costs no memory.
func TestWordIsKept(t *testing.T) {
	var a Arena
	b := []byte("HTTP/1.1 200 OK\r\n")
	a.Word(b)
	a.Word(b)
	if n := testing.AllocsPerRun(1000, func() { a.Word(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRecycle: memory comes back, and with the room that was asked for.
func TestRecycle(t *testing.T) {
	var a Arena
	for _, n := range []int{1, 64, 65, 100, 1000, 1024, 1025, BodyMost, BodyMost + 1} {
		b := a.Bytes(n)
		if cap(b) < n || n <= BodyMost && cap(b) >= 2*n && n > 1 {
			t.Errorf("%d bytes: room for %d", n, cap(b))
		}
		m := &decode.Message{Kind: decode.Response, Header: a.Fields(n / 16), Body: decode.Body{Data: append(b, 'x')}}
		room := cap(m.Header)
		a.Recycle(m)
		again, header := a.Bytes(n), a.Fields(n/16)
		if len(again) != 0 || cap(again) != cap(b) || len(header) != 0 || cap(header) < n/16 {
			t.Errorf("%d bytes: then %d bytes of %d, %d fields of %d", n, len(again), cap(again), len(header), cap(header))
		}
		if reused := &again[:1][0] == &b[:1][0]; reused != (n > 64 && n <= BodyMost) {
			t.Errorf("%d bytes: used again: %v", n, reused)
		}
		if room <= 4*fieldsLeast && &header[:1][0] != &m.Header[:1][0] {
			t.Errorf("%d fields were not used again", n/16)
		}
	}
	// An Inner message's bytes may be kept by whoever collects them.
	b := a.Bytes(100)
	a.Recycle(&decode.Message{Kind: decode.Inner, Body: decode.Body{Data: b[:1]}})
	if again := a.Bytes(100); &again[:1][0] == &b[:1][0] {
		t.Error("the payload of an Inner message is used again")
	}
}

// TestRecycleIsBounded: what waits does not grow with what comes back.
func TestRecycleIsBounded(t *testing.T) {
	var a Arena
	for range 3 * spareMost {
		a.Recycle(&decode.Message{Kind: decode.Request, Header: make([]decode.Field, 0, fieldsLeast), Body: decode.Body{Data: make([]byte, 0, 128)}})
	}
	if len(a.fields) > spareMost || len(a.bodies[7]) > spareMost {
		t.Errorf("%d lists and %d bodies wait", len(a.fields), len(a.bodies[7]))
	}
}

// TestLines: a line is known from its third time on, and then foretold, also behind
// lines that are not known.
func TestLines(t *testing.T) {
	var a Arena
	root := a.Root(1)
	foretold := 0
	for round := range 6 {
		c := Begin(root)
		foretold = 0
		for i, text := range []string{"a: 1\r\n", fmt.Sprintf("date: %d\r\n", round), "b: 2\r\n", "c: 3\r\n"} {
			if l := c.Foretold(); l != nil && l.Coded == text {
				c.Follow(l)
				foretold++
				continue
			}
			l, again := a.Lines.Find([]byte(text))
			c.Follow(l)
			if known := round >= 2 && i != 1; (l != nil) != known {
				t.Errorf("round %d: %q known: %v", round, text, l != nil)
			}
			if l == nil && again {
				a.Lines.Keep(&Line{Coded: text})
			}
		}
	}
	if foretold != 3 {
		t.Errorf("%d lines foretold in the end, want 3", foretold)
	}
	if l, again := a.Lines.Find(make([]byte, lineMost+1)); l != nil || again {
		t.Error("a line of any length is kept")
	}
}

// TestNilArena allocates.
func TestNilArena(t *testing.T) {
	var a *Arena
	if a.String([]byte("x")) != "x" || a.Word([]byte("y")) != "y" || cap(a.Fields(3)) != 3 || cap(a.Bytes(5)) != 5 {
		t.Error("a nil arena does not give what was asked for")
	}
}
