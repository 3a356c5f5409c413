package conn

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

const (
	w = decode.Write
	r = decode.Read
)

// run decodes a connection.
func run(steps []decodetest.Step, hint decode.Hint, cut decodetest.Cut) ([]decode.Message, *Conn) {
	c := New(decode.Limits{})
	c.Hint(hint)
	return c.End(decodetest.Feed(c, steps, cut), decode.At{}, true), c
}

// joined merges runs of opaque messages: one is made for each chunk, so only
// their sum is independent of the cut.
func joined(ms []decode.Message) []decode.Message {
	var out []decode.Message
	for _, m := range ms {
		if k := len(out) - 1; m.Kind == decode.Opaque && k >= 0 && out[k].Kind == decode.Opaque &&
			out[k].Dir == m.Dir && out[k].Flags == m.Flags && len(m.Anomalies) == 0 {
			b := &out[k].Body
			b.Size += m.Body.Size
			b.Data = append(b.Data[:len(b.Data):len(b.Data)], m.Body.Data...)
			b.Data = b.Data[:min(len(b.Data), maxOpaqueHead)]
			continue
		}
		out = append(out, m)
	}
	for i := range out {
		if out[i].Kind == decode.Opaque {
			out[i].Body.Cut = out[i].Body.Size > uint64(len(out[i].Body.Data))
		}
	}
	return out
}

// runAll checks that every cut gives the same messages.
func runAll(t testing.TB, steps []decodetest.Step, hint decode.Hint) ([]decode.Message, *Conn) {
	t.Helper()
	ms, c := run(steps, hint, decodetest.Whole)
	want := joined(ms)
	for _, cut := range []uint64{1, 2, 3} {
		got, c2 := run(steps, hint, decodetest.NumberedCut(cut))
		if got = joined(got); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
		}
		if c.Role() != c2.Role() || c.Proto() != c2.Proto() {
			t.Fatalf("cut %d: %q role %d, whole %q role %d", cut, c2.Proto(), c2.Role(), c.Proto(), c.Role())
		}
	}
	return want, c
}
