package http1

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// Requests travel in c2s: the recorded process is the client.
const (
	c2s = decode.Write
	s2c = decode.Read
)

func req(data string) decodetest.Step  { return decodetest.Step{Dir: c2s, Data: data} }
func resp(data string) decodetest.Step { return decodetest.Step{Dir: s2c, Data: data} }

// play runs acts through a connection. Times are left out of what it returns,
// and pieces of a tunnel are joined: these alone may depend on the cuts.
func play(c *Conn, acts []decodetest.Step, cut decodetest.Cut, clean bool) []decode.Message {
	return settle(c.End(decodetest.Feed(c, acts, cut), decode.At{}, clean))
}

func settle(list []decode.Message) []decode.Message {
	var out []decode.Message
	for _, m := range list {
		m.HeadEnd, m.End, m.Begin = decode.At{}, decode.At{}, 0
		for i := range m.Interim {
			m.Interim[i].At = decode.At{}
		}
		if k := len(out) - 1; k >= 0 && m.Kind == decode.Opaque && out[k].Kind == decode.Opaque && out[k].Dir == m.Dir &&
			m.Flags|out[k].Flags == 0 && len(m.Anomalies)+len(out[k].Anomalies) == 0 {
			last := &out[k].Body
			last.Data = append(last.Data, m.Body.Data...)
			last.Data = last.Data[:min(len(last.Data), opaqueHead)]
			last.Size += m.Body.Size
			continue
		}
		out = append(out, m)
	}
	return out
}

// sameBytes spares cmp from looking at megabytes one byte at a time.
var sameBytes = cmp.Comparer(bytes.Equal)

// playAll runs acts whole, byte by byte and at random cuts, and fails unless
// the results are the same. It returns them.
func playAll(t testing.TB, l decode.Limits, acts []decodetest.Step, clean bool) []decode.Message {
	t.Helper()
	want := play(New(c2s, l), acts, decodetest.Whole, clean)
	total := 0
	for _, a := range acts {
		total += len(a.Data)
	}
	cuts := map[string]decodetest.Cut{
		"random 7": decodetest.Random(1, 7), "random 50": decodetest.Random(2, 50), "random 2000": decodetest.Random(3, 2000),
	}
	if total <= 1<<20 {
		cuts["byte by byte"] = decodetest.Single
	}
	for name, cut := range cuts {
		if diff := cmp.Diff(want, play(New(c2s, l), acts, cut, clean), sameBytes); diff != "" {
			t.Errorf("cut %s differs from whole (-whole +cut):\n%s", name, diff)
		}
	}
	for range warm {
		if diff := cmp.Diff(want, play(known(l), acts, decodetest.Whole, clean), sameBytes); diff != "" {
			t.Errorf("with an arena other messages than without (-without +with):\n%s", diff)
		}
	}
	return want
}

// warm is how often a conversation is played for its lines to be known, and to be runs,
// the last time.
const warm = 8

// shared knows lines of all that was played before, as an arena does that is used for
// many connections.
var shared arena.Arena

// known returns a connection with an arena.
func known(l decode.Limits) *Conn {
	c := New(c2s, l)
	c.SetArena(&shared)
	return c
}

// kinds returns the kinds of anomaly of a message, but that it has no Host:
// most inputs of tests leave it out to be short.
func kinds(m decode.Message) []string {
	var out []string
	for _, a := range m.Anomalies {
		if a.Kind != AnomalyNoHost {
			out = append(out, string(a.Kind))
		}
	}
	return out
}

// allKinds returns the kinds of all anomalies of messages, see kinds.
func allKinds(list []decode.Message) map[decode.AnomalyKind]bool {
	out := map[decode.AnomalyKind]bool{}
	for _, m := range list {
		for _, a := range kinds(m) {
			out[decode.AnomalyKind(a)] = true
		}
		if m.Body.ContentErr != "" {
			out[decode.AnomalyKind(m.Body.ContentErr)] = true
		}
	}
	return out
}

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n\r\n" }
