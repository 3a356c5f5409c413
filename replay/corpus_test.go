package replay

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// corpusDir returns the plaintext conversations of the shared test data, which
// are no part of the repository, or skips the test.
func corpusDir(t *testing.T) string {
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
	dir = filepath.Join(dir, "..", "shared", "corpus", "_chunks")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("shared test data is not here: %v", err)
	}
	return dir
}

// corpusLine is a line of a conversation: a connection, bytes, a gap or an end.
type corpusLine struct {
	Conn           uint32
	Client, Server string
	Dir, End       string
	Data           []byte
	Gap            uint64
}

// corpusScript appends the conversations of one file, with ids from base.
func corpusScript(t *testing.T, s *script, name string, base uint32) uint32 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	off, ends, top := map[uint32]*[2]uint64{}, map[uint32]int{}, base
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l corpusLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id := base + l.Conn
		top = max(top, id+1)
		if l.Client != "" {
			off[id] = new([2]uint64)
			local, _ := netip.ParseAddrPort(l.Client)
			remote, _ := netip.ParseAddrPort(l.Server)
			s.conn(id, format.Conn{PID: id%7 + 1, Local: local, Remote: remote})
			continue
		}
		dir := decode.Dir(decode.Write)
		if l.Dir == "s2c" {
			dir = decode.Read
		}
		o := &off[id][dir]
		switch {
		case l.Gap > 0:
			*o += l.Gap
		case l.End != "":
			if ends[id]++; ends[id] == 2 {
				s.end(id, format.ConnEnd{Reason: format.EndFree, Written: off[id][0], Read: off[id][1]})
			}
		default:
			s.add(format.Event{Type: format.TypeData, Dir: format.Dir(dir) + 1, Conn: id, Offset: *o, Payload: l.Data})
			*o += uint64(len(l.Data))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return top
}

// TestCorpusSameForAnyWorkers runs all conversations, as one session with the
// real decoder: the same items for every number of workers.
func TestCorpusSameForAnyWorkers(t *testing.T) {
	var names []string
	err := filepath.WalkDir(corpusDir(t), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".jsonl.gz") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := new(script).session(0)
	next := uint32(1)
	for _, name := range names {
		next = corpusScript(t, s, name, next)
	}
	s.finish()
	run := func(workers int) ([]*Item, Summary) {
		var items []*Item
		e := New(Options{Workers: workers, Data: true, Limits: decode.Limits{Content: 1 << 20}}, func(it *Item) error {
			items = append(items, it)
			return nil
		})
		for i := range s.evs {
			if err := e.Push(&s.evs[i]); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := e.Close()
		if err != nil {
			t.Fatal(err)
		}
		return items, sum
	}
	want, sum := run(0)
	t.Logf("%d files, %+v", len(names), sum)
	if sum.Exchanges < 500 {
		t.Errorf("only %d exchanges in %d files", sum.Exchanges, len(names))
	}
	for _, workers := range []int{1, 2, 8} {
		got, gotSum := run(workers)
		if gotSum != sum || !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: other items than without workers (%+v)", workers, gotSum)
		}
	}
}
