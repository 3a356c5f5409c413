package http1

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// Requests travel in c2s: the recorded process is the client.
const (
	c2s = decode.Write
	s2c = decode.Read
)

// act is one thing that happens to a connection in a test: bytes, or a gap.
type act struct {
	dir  decode.Dir
	data string
	gap  int64 // bytes missing, -1 unknown
}

func req(data string) act  { return act{dir: c2s, data: data} }
func resp(data string) act { return act{dir: s2c, data: data} }

// cutter says how many of the n bytes that are left come as one chunk.
type cutter func(n int) int

func whole(n int) int { return n }
func one(int) int     { return 1 }

// random cuts into pieces of 1 to about most bytes, the same ones for a seed.
func random(seed int64, most int) cutter {
	r := rand.New(rand.NewSource(seed))
	return func(n int) int { return min(n, 1+r.Intn(most)) }
}

// play runs acts through a connection. Times are left out of what it returns,
// and pieces of a tunnel are joined: these alone may depend on the cuts.
func play(c *Conn, acts []act, cut cutter, clean bool) []decode.Message {
	var out []decode.Message
	var seq uint64
	for _, a := range acts {
		if a.gap != 0 {
			seq++
			g := decode.Gap{Dir: a.dir, At: decode.At{Seq: seq}, Known: a.gap > 0}
			if g.Known {
				g.Len = uint64(a.gap)
			}
			out = c.Gap(out, g)
			continue
		}
		for data := []byte(a.data); len(data) > 0; {
			n := cut(len(data))
			seq++
			// A copy that is spoiled afterwards shows what was wrongly kept.
			p := append([]byte(nil), data[:n]...)
			out = c.Append(out, decode.Chunk{Dir: a.dir, At: decode.At{Seq: seq}, Data: p})
			for i := range p {
				p[i] = '#'
			}
			data = data[n:]
		}
	}
	return settle(c.End(out, decode.At{Seq: seq + 1}, clean))
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
func playAll(t testing.TB, l decode.Limits, acts []act, clean bool) []decode.Message {
	t.Helper()
	want := play(New(c2s, l), acts, whole, clean)
	total := 0
	for _, a := range acts {
		total += len(a.data)
	}
	cuts := map[string]cutter{"random 7": random(1, 7), "random 50": random(2, 50), "random 2000": random(3, 2000)}
	if total <= 1<<20 {
		cuts["byte by byte"] = one
	}
	for name, cut := range cuts {
		if diff := cmp.Diff(want, play(New(c2s, l), acts, cut, clean), sameBytes); diff != "" {
			t.Errorf("cut %s differs from whole (-whole +cut):\n%s", name, diff)
		}
	}
	return want
}

// of returns the messages of one kind.
func of(list []decode.Message, k decode.Kind) []decode.Message {
	var out []decode.Message
	for _, m := range list {
		if m.Kind == k {
			out = append(out, m)
		}
	}
	return out
}

// kinds returns the kinds of anomaly of a message.
func kinds(m decode.Message) []string {
	var out []string
	for _, a := range m.Anomalies {
		out = append(out, string(a.Kind))
	}
	return out
}

// allKinds returns the kinds of all anomalies of messages.
func allKinds(list []decode.Message) map[decode.AnomalyKind]bool {
	out := map[decode.AnomalyKind]bool{}
	for _, m := range list {
		for _, a := range m.Anomalies {
			out[a.Kind] = true
		}
		if m.Body.ContentErr != "" {
			out[decode.AnomalyKind(m.Body.ContentErr)] = true
		}
	}
	return out
}

// corpus returns a folder of the test data that is kept outside the repository.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
	path := filepath.Join(dir, "..", "shared", "corpus", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("corpus %s is not here: %s", name, path)
	}
	return path
}

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n\r\n" }
