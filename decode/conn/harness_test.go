package conn

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// in is what comes next in a test connection: bytes, or a gap of a known
// (> 0) or unknown (-1) length.
type in struct {
	dir  decode.Dir
	data string
	gap  int
}

const (
	w = decode.Write
	r = decode.Read
)

// run decodes a connection. cut 0 leaves pieces whole, 1 feeds single bytes,
// others cut at random with that seed.
func run(ins []in, hint decode.Hint, cut uint64) ([]decode.Message, *Conn) {
	c := New(decode.Limits{})
	c.Hint(hint)
	rng := rand.New(rand.NewPCG(cut, 7))
	var out []decode.Message
	for _, p := range ins {
		if p.gap != 0 {
			out = c.Gap(out, decode.Gap{Dir: p.dir, Len: uint64(max(0, p.gap)), Known: p.gap > 0})
			continue
		}
		for s := p.data; s != ""; {
			n := len(s)
			switch cut {
			case 0:
			case 1:
				n = 1
			default:
				n = min(n, 1+rng.IntN(1+rng.IntN(300)))
			}
			chunk := []byte(s[:n])
			out = c.Append(out, decode.Chunk{Dir: p.dir, Data: chunk})
			for i := range chunk {
				chunk[i] = 0xee // nothing may alias it
			}
			s = s[n:]
		}
	}
	return c.End(out, decode.At{}, true), c
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
func runAll(t testing.TB, ins []in, hint decode.Hint) ([]decode.Message, *Conn) {
	t.Helper()
	ms, c := run(ins, hint, 0)
	want := joined(ms)
	for _, cut := range []uint64{1, 2, 3} {
		got, c2 := run(ins, hint, cut)
		if got = joined(got); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
		}
		if c.Role() != c2.Role() || c.Proto() != c2.Proto() {
			t.Fatalf("cut %d: %q role %d, whole %q role %d", cut, c2.Proto(), c2.Role(), c.Proto(), c.Role())
		}
	}
	return want, c
}

// corpusDir returns a folder of the shared test data, which is not part of this
// repository, or skips.
func corpusDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "corpus", name)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("test data %s is absent", dir)
	}
	return dir
}
