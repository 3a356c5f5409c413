package http1

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestRuns: heads that are nearly always the same are read as if each was the first,
// whatever changes in them: a value, a line more or less, a continuation behind lines
// that are known, fewer fields kept, framing in the middle.
func TestRuns(t *testing.T) {
	fields := []string{
		"Server: nginx\r\n", "Date: Thu, 26 Nov 2026 11:00:00 GMT\r\n", "Content-Type: text/plain\r\n", "Content-Length: 3\r\n",
		"Connection: keep-alive\r\n", "X-A: 1\r\n", "X-B: 2\r\n", "X-C: 3\r\n", "Vary: accept\r\n",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var a arena.Arena
	runs := 0
	for round := range 300 {
		head := ""
		odd := -1
		if round%5 == 4 { // else they would not become runs
			odd = rng.IntN(len(fields))
		}
		for i, f := range fields {
			switch kind := rng.IntN(7); {
			case i != odd:
			case i == 3 || kind == 0:
				f = f[:len(f)-2] + "\r\n" + f // twice
			case kind == 1:
				f = "" // not at all
			case kind == 2:
				f += " and more\r\n" // folded
			case kind == 3:
				f = f[:len(f)-2] + "\n"
			case kind == 4:
				f = fmt.Sprintf("X-New: %d\r\n", round)
			case kind == 5:
				f = "Transfer-Encoding: chunked\r\n" + f
			case kind == 6:
				f = "no colon\r\n" + f
			}
			head += f
		}
		acts := []decodetest.Step{
			req("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-A: 1\r\nX-B: 2\r\n\r\n"),
			resp("HTTP/1.1 200 OK\r\n" + head + "\r\nabc"),
		}
		for _, l := range []decode.Limits{{}, {Fields: 1 + rng.IntN(10)}, {Head: 60 + rng.IntN(200)}} {
			for _, cut := range []decodetest.Cut{decodetest.Whole, decodetest.Random(uint64(round), 300)} {
				c := New(c2s, l)
				c.SetArena(&a)
				got := settle(decodetest.Feed(c, acts, cut))
				runs = max(runs, len(c.resp.sec.runs[:cap(c.resp.sec.runs)]))
				if diff := cmp.Diff(settle(decodetest.Feed(New(c2s, l), acts, decodetest.Whole)), got, sameBytes); diff != "" {
					t.Fatalf("round %d, limits %+v: with an arena other messages than without (-without +with):\n%s\n%q", round, l, diff, head)
				}
			}
		}
	}
	if runs == 0 {
		t.Error("no lines became a run")
	}
}
