package http2

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

// piece is what one direction of a test connection brings next: bytes, or a gap.
type piece struct {
	dir  decode.Dir
	data []byte
	gap  int // > 0: so many bytes are missing; -1: unknown how many
}

const (
	c2s = decode.Write
	s2c = decode.Read
)

type options struct {
	limits decode.Limits
	mid    bool
	unend  bool // do not call End
}

// run feeds pieces, each cut as cut says: 0 whole, 1 byte by byte, otherwise at
// random with cut as the seed. Times are constant, so that what is left is to
// be the same for every cut.
func run(pieces []piece, cut uint64, o options) []decode.Message {
	c := New(c2s, o.limits)
	if o.mid {
		c.SetMidStream()
	}
	rng := rand.New(rand.NewPCG(cut, 1))
	var out []decode.Message
	for _, p := range pieces {
		if p.gap != 0 {
			out = c.Gap(out, decode.Gap{Dir: p.dir, Len: uint64(max(p.gap, 0)), Known: p.gap > 0})
			continue
		}
		for data := p.data; len(data) > 0; {
			n := len(data)
			switch cut {
			case 0:
			case 1:
				n = 1
			default:
				n = min(n, 1+rng.IntN(1+rng.IntN(200)))
			}
			// The chunk is overwritten after the call: nothing may alias it.
			chunk := append([]byte(nil), data[:n]...)
			out = c.Append(out, decode.Chunk{Dir: p.dir, Data: chunk})
			for i := range chunk {
				chunk[i] = 0xee
			}
			data = data[n:]
		}
	}
	if !o.unend {
		out = c.End(out, decode.At{}, true)
	}
	return out
}

// runAll checks that every cut gives the same messages, and returns them.
func runAll(t testing.TB, pieces []piece, o options) []decode.Message {
	t.Helper()
	return runCuts(t, pieces, o, 1, 2, 3, 4)
}

// runCuts checks that the given cuts give the same messages as none.
func runCuts(t testing.TB, pieces []piece, o options, cuts ...uint64) []decode.Message {
	t.Helper()
	want := run(pieces, 0, o)
	for _, cut := range cuts {
		if got := run(pieces, cut, o); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
		}
	}
	return want
}

// kinds returns the messages of one kind.
func kinds(ms []decode.Message, k decode.Kind) []decode.Message {
	var out []decode.Message
	for _, m := range ms {
		if m.Kind == k {
			out = append(out, m)
		}
	}
	return out
}

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
