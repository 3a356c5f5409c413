package http2

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

const (
	c2s = decode.Write
	s2c = decode.Read
)

type options struct {
	limits decode.Limits
	mid    bool
	unend  bool // do not call End
	arena  *arena.Arena
}

// run feeds pieces to a new decoder.
func run(pieces []decodetest.Step, cut decodetest.Cut, o options) []decode.Message {
	c := New(c2s, o.limits)
	if o.arena != nil {
		c.SetArena(o.arena)
	}
	if o.mid {
		c.SetMidStream()
	}
	out := decodetest.Feed(c, pieces, cut)
	if !o.unend {
		out = c.End(out, decode.At{}, true)
	}
	return out
}

// runAll checks that every cut gives the same messages, and returns them.
func runAll(t testing.TB, pieces []decodetest.Step, o options) []decode.Message {
	t.Helper()
	return runCuts(t, pieces, o, 1, 2, 3, 4)
}

// runCuts checks that the given cuts give the same messages as none.
func runCuts(t testing.TB, pieces []decodetest.Step, o options, cuts ...uint64) []decode.Message {
	t.Helper()
	want := run(pieces, decodetest.Whole, o)
	for _, cut := range cuts {
		if got := run(pieces, decodetest.NumberedCut(cut), o); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
		}
	}
	for range 3 { // from the third time on every literal that can be is known
		o.arena = &shared
		if got := run(pieces, decodetest.Whole, o); !reflect.DeepEqual(want, got) {
			t.Fatalf("with an arena other messages than without (-without +with):\n%s", cmp.Diff(want, got))
		}
	}
	return want
}

// shared knows literals of all that was played before.
var shared arena.Arena

// anomalies returns all anomaly kinds of ms.
func anomalies(ms []decode.Message) map[decode.AnomalyKind]int {
	out := make(map[decode.AnomalyKind]int)
	for _, m := range ms {
		for _, a := range m.Anomalies {
			out[a.Kind]++
		}
	}
	return out
}
