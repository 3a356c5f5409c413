package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/disk"
	"github.com/NoFear0411/spliff/format/sealed"
)

// way is one way to keep a session.
type way struct {
	name               string
	rotated, encrypted bool
	replace, adds      bool // over an existing file; to its end
	policy             disk.Sync
}

func ways() []way {
	var all []way
	for _, w := range []way{
		{name: "single"}, {name: "replacing", replace: true}, {name: "appending", adds: true},
		{name: "rotated", rotated: true},
		{name: "encrypted", encrypted: true}, {name: "rotated, encrypted", rotated: true, encrypted: true},
	} {
		for _, p := range []disk.Sync{disk.SyncNone, disk.SyncInterval, disk.SyncChunk} {
			w.policy = p
			all = append(all, w)
		}
	}
	return all
}

// outcome is what a recording was told: acked events survive a power failure,
// written ones the death of the process.
type outcome struct {
	err            error
	acked, written int
	reports        int
	began          bool // Keep was passed
}

const (
	rounds = 5
	keep   = 2
)

// key is made once: it costs more than all the rest.
func key(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// payload of event seq: it tells which it is and does not compress.
func payload(seq uint64) []byte {
	b := make([]byte, 3000)
	r := rand.New(rand.NewPCG(seq, 9))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// file is the name of the session in dir.
func (w *way) file(dir string) string {
	if w.encrypted {
		return filepath.Join(dir, "a.spl.age")
	}
	return filepath.Join(dir, "a.spl")
}

// record is a recording as the command makes it. told is called with each outcome
// so far.
func (w *way) record(sys disk.FS, dir string, rounds int, id *age.X25519Identity, told func(outcome)) (out outcome) {
	c := time.Unix(1000, 0)
	o := disk.Options{
		FS: sys, Now: func() time.Time { return c }, Sync: w.policy, Replace: w.replace,
		Report: func(error) { out.reports++ },
	}
	fo := format.WriterOptions{ChunkBytes: 4 << 10, NoSeekTable: w.adds}
	if w.rotated {
		o.RotateBytes, o.Keep = 9000, keep
	}
	if w.encrypted {
		o.Wrap = func(f io.Writer) (disk.Layer, error) { return sealed.NewWriter(f, id.Recipient()) }
		if w.policy == disk.SyncChunk {
			fo.Block = sealed.Block
		}
		if w.rotated {
			o.RotateBytes = 3 * sealed.Block // whole blocks, or nothing is in the file
		}
	}
	open := disk.Create
	if w.adds {
		open = disk.Append
	}
	s, err := open(w.file(dir), o)
	if err != nil {
		out.err = err
		return out
	}
	defer s.Discard()
	if w.rotated {
		fo.Files = s
	}
	fw, err := format.NewWriter(s, format.Session{Writer: "test"}, fo)
	if err != nil {
		out.err = err
		return out
	}
	if err := s.Keep(); err != nil {
		out.err = errors.Join(err, fw.Close(), s.Close())
		return out
	}
	out.began = true
	for seq := 1; seq <= rounds && err == nil; seq++ {
		c = c.Add(400 * time.Millisecond)
		err = fw.Append(&format.Event{Type: format.TypeData, Dir: format.DirRead, Seq: uint64(seq), Payload: payload(uint64(seq))})
		if err == nil {
			err = fw.Flush()
		}
		if err != nil {
			break
		}
		if !w.encrypted || w.policy == disk.SyncChunk {
			out.written = seq
		}
		if w.policy == disk.SyncChunk || s.Synced() == s.Written() {
			out.acked = seq
		}
		told(out)
	}
	if err == nil {
		err = fw.Append(&format.Event{Type: format.TypeEnd, Seq: uint64(rounds) + 1, Payload: (&format.End{Reason: "test"}).AppendTo(nil)})
	}
	out.err = errors.Join(err, fw.Close(), s.Close())
	if out.err == nil {
		out.written = rounds
		if w.policy != disk.SyncNone {
			out.acked = rounds
		}
	}
	return out
}

// read returns the numbers of the DATA events in a file, all of which must be
// what was written, and whether the file is whole.
func (w *way) read(t *testing.T, id *age.X25519Identity, file []byte) (seqs []int, whole bool) {
	t.Helper()
	var src io.Reader = bytes.NewReader(file)
	whole = true
	if w.encrypted {
		r, err := sealed.NewReaderAt(bytes.NewReader(file), int64(len(file)), id)
		if err != nil {
			return nil, false // not even the header is there
		}
		whole = len(r.Faults()) == 0
		src = io.NewSectionReader(r, 0, r.Size())
	}
	r, err := format.NewReader(src, format.ReaderOptions{Check: true})
	if err != nil {
		return nil, false
	}
	var ev format.Event
	ended := false
	for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
		switch ev.Type {
		case format.TypeData:
			if !bytes.Equal(ev.Payload, payload(ev.Seq)) {
				t.Fatalf("event %d came back changed", ev.Seq)
			}
			seqs = append(seqs, int(ev.Seq))
		case format.TypeEnd:
			ended = true
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return seqs, whole && ended && len(r.Damage()) == 0
}

// check holds what is left to what the recording was told.
func (w *way) check(t *testing.T, id *age.X25519Identity, left map[string][]byte, want int, deleted bool) {
	t.Helper()
	have := map[int]bool{}
	for name, file := range left {
		seqs, whole := w.read(t, id, file)
		for _, n := range seqs {
			have[n] = true
		}
		// Only what was there before, or is complete, has a name without .part.
		if w.rotated && !strings.HasSuffix(name, ".part") && !whole {
			t.Fatalf("%s has its name and is not whole", name)
		}
	}
	first := 1
	if deleted {
		for first <= want && !have[first] {
			first++ // --keep took it
		}
		if want > 0 && first > want {
			t.Fatalf("nothing is left of %d events", want)
		}
	}
	for n := first; n <= want; n++ {
		if !have[n] {
			t.Fatalf("event %d of %d is lost; left: %v", n, want, slices.Sorted(keys(left)))
		}
	}
}

func keys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestFaults fails every call of the file system in turn, in every way, until a
// recording meets no fault: no panic, an error that says it, no file left open,
// and everything that was said to be safe is read back.
func TestFaults(t *testing.T) {
	id := key(t)
	var runs atomic.Int64
	t.Cleanup(func() { t.Logf("%d recordings", runs.Load()) })
	for _, w := range ways() {
		t.Run(fmt.Sprintf("%s, %s", w.name, w.policy), func(t *testing.T) {
			t.Parallel()
			for _, f := range disk.Faults() {
				for _, always := range []bool{false, true} {
					if always && f != disk.Faults()[0] {
						continue // a disk stays full; the others come and go
					}
					for n := 1; ; n++ {
						runs.Add(1)
						m := disk.NewModel()
						if w.replace || w.adds {
							m.Put(w.file("dir"), w.old(t))
						}
						m.FailAt(n, f, always)
						out := w.record(m, "dir", rounds, id, func(outcome) {})
						where := fmt.Sprintf("%s at call %d (%s), always %v", f, n, m.Failed(), always)
						w.verify(t, id, m, out, where)
						if m.Failed() == "" && m.Calls() < n {
							if out.err != nil {
								t.Fatalf("no fault, and yet: %v", out.err)
							}
							break
						}
					}
				}
			}
		})
	}
}

// old is the session that was there before: nothing of it is an event of ours.
func (w *way) old(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	fw, err := format.NewWriter(&b, format.Session{Writer: "old"}, format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	end := &format.Event{Type: format.TypeEnd, Seq: 1, Payload: (&format.End{Reason: "old"}).AppendTo(nil)}
	if err := errors.Join(fw.Append(end), fw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (w *way) verify(t *testing.T, id *age.X25519Identity, m *disk.Model, out outcome, where string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s: told %+v\n%s", where, out, m.Log())
		}
	}()
	if n := m.Open(); n != 0 {
		t.Fatalf("%d files left open", n)
	}
	switch failed := m.Failed(); {
	case failed == "remove" && out.err == nil:
		if out.reports == 0 {
			t.Fatal("a failed delete was not reported")
		}
	case failed != "" && (out.err == nil || !disk.IsFault(out.err)):
		t.Fatalf("a fault came out as: %v", out.err)
	}
	w.check(t, id, m.AfterKill(), out.written, w.rotated)
	w.check(t, id, m.AfterCrash(false), out.acked, w.rotated)
	if w.policy != disk.SyncNone {
		w.check(t, id, m.AfterCrash(true), out.acked, w.rotated)
	}
	// A recording that did not begin leaves nothing, unless removing fails too.
	if failed := m.Failed(); !out.began && failed != "remove" {
		want := 0
		if w.replace || w.adds {
			want = 1
		}
		if left := m.AfterKill(); len(left) != want {
			t.Fatalf("a recording that did not begin left %v", slices.Sorted(keys(left)))
		}
	}
	if w.adds && !bytes.HasPrefix(m.AfterKill()[w.file("dir")], w.old(t)) {
		t.Fatal("the session that was added to is not there any more")
	}
}

// TestCrashAnywhere stops a recording without a fault at every call, as a power
// failure does.
func TestCrashAnywhere(t *testing.T) {
	id := key(t)
	for _, w := range ways() {
		if w.adds {
			continue
		}
		t.Run(fmt.Sprintf("%s, %s", w.name, w.policy), func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				m := disk.NewModel()
				m.StopAt(n)
				out := w.record(m, "dir", rounds, id, func(outcome) {})
				w.check(t, id, m.AfterCrash(false), out.acked, w.rotated)
				if w.policy != disk.SyncNone {
					w.check(t, id, m.AfterCrash(true), out.acked, w.rotated)
				}
				if m.Failed() == "" {
					break
				}
			}
		})
	}
}
