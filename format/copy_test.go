package format

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rewrite copies files, read with q, into one.
func rewrite(t testing.TB, o CopyOptions, q Query, files ...[]byte) ([]byte, CopySummary) {
	t.Helper()
	var buf bytes.Buffer
	c := NewCopier(&buf, o)
	for _, file := range files {
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.Filter(q)
		if err := c.Add(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := c.Close()
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), sum
}

// TestCopyKeepsEvents: whatever is in a session, a copy has the same events, at any
// level and chunk size, and proves.
func TestCopyKeepsEvents(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	for round := range 40 {
		var file []byte
		for range 1 + rng.IntN(3) {
			every := 1 + rng.IntN(40)
			file = append(file, writeWhole(t, randomEvents(rng, rng.IntN(500)), WriterOptions{}, func(i int) bool { return i%every == 0 })...)
		}
		o := CopyOptions{Level: 1 + rng.IntN(4), ChunkBytes: 4096 << rng.IntN(6), Workers: rng.IntN(3)}
		got, sum := rewrite(t, o, Query{}, file)
		want, _ := read(t, file)
		evs, damage := read(t, got)
		if len(damage) > 0 || sum.Refused > 0 {
			t.Fatalf("round %d: damage %v, %d refused", round, damage, sum.Refused)
		}
		sameEvents(t, originals(evs), originals(want))
		rep, f := inspect(t, got), open(t, got)
		if len(rep.Damage) > 0 || !f.Indexed() {
			t.Fatalf("round %d: damage %v", round, rep.Damage)
		}
		compareSections(t, rep.Sections, f.Sections())
		for i, s := range rep.Sections {
			if single := len(rep.Sections) == 1; s.Footer.SeekTable != single {
				t.Errorf("section %d of %d: seek table %v", i, len(rep.Sections), s.Footer.SeekTable)
			}
		}
		again, _ := rewrite(t, o, Query{}, got)
		if !bytes.Equal(got, again) {
			t.Errorf("round %d: a copy of the copy differs", round)
		}
	}
}

// sameEvents fails unless got is want. A full diff of what is equal takes minutes.
func sameEvents(t testing.TB, got, want []Event) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("event %d: -want +got\n%s", i, cmp.Diff(want[i], got[i]))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

// memberFiles makes a session in several files.
func memberFiles(t testing.TB, evs []Event) [][]byte {
	t.Helper()
	m := &members{limit: 6000}
	first, _ := m.Next()
	w, err := NewWriter(first, testSession(), WriterOptions{Files: m, ChunkBytes: minChunk})
	if err != nil {
		t.Fatal(err)
	}
	for i := range evs {
		if err := w.Append(&evs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var files [][]byte
	for _, b := range m.files {
		files = append(files, b.Bytes())
	}
	return files
}

type members struct {
	limit int64
	files []*bytes.Buffer
}

func (m *members) Full(size int64) bool { return size > m.limit }
func (m *members) Next() (io.Writer, error) {
	m.files = append(m.files, &bytes.Buffer{})
	return m.files[len(m.files)-1], nil
}

// TestCopyMembers: the files of one session stay what they are, in their order.
func TestCopyMembers(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(8, 8)), 700, 60)
	files := memberFiles(t, evs)
	if len(files) < 4 {
		t.Fatalf("only %d files", len(files))
	}
	shuffled := []*File{open(t, files[2]), open(t, files[0]), open(t, files[3]), open(t, files[1])}
	if got := fmt.Sprint(Together(shuffled)); got != "[1 3 0 2]" {
		t.Errorf("order %s", got)
	}
	if !shuffled[0].Same(open(t, files[2])) || shuffled[0].Same(shuffled[1]) {
		t.Error("Same is wrong")
	}
	got, _ := rewrite(t, CopyOptions{}, Query{}, files...)
	want, _ := read(t, bytes.Join(files, nil))
	all, damage := read(t, got)
	if len(damage) > 0 {
		t.Fatal(damage)
	}
	sameEvents(t, originals(all), originals(want))
	f := open(t, got)
	for i, s := range f.Sections() {
		if !s.Member || s.FileNo != uint32(i) || s.Footer.SeekTable {
			t.Errorf("section %d: %+v", i, s)
		}
	}
	// The copy without the first file is the session from there on.
	got, _ = rewrite(t, CopyOptions{}, Query{}, files[2:]...)
	if s := open(t, got).Sections()[0]; s.FileNo != 2 || s.FirstSeq == 0 {
		t.Errorf("file %d from event %d", s.FileNo, s.FirstSeq)
	}
}

// TestCopyDamaged: all that is intact is kept, sections stay apart, and what is
// written is whole.
func TestCopyDamaged(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	one := writeWhole(t, conversation(rng, 300, 60), WriterOptions{}, func(i int) bool { return i%10 == 0 })
	two := writeWhole(t, conversation(rng, 300, 60), WriterOptions{}, func(i int) bool { return i%10 == 0 })
	file := append(bytes.Clone(one), two...)
	for range 300 {
		bad := bytes.Clone(file)
		for range 1 + rng.IntN(4) {
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		}
		bad = bad[:len(bad)-rng.IntN(len(bad)/3)]
		r, err := NewReader(bytes.NewReader(bad), ReaderOptions{})
		if err != nil {
			continue
		}
		want, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		got, sum := rewrite(t, CopyOptions{}, Query{}, bad)
		evs, damage := read(t, got)
		if len(damage) > 0 || sum.Refused > 0 || len(inspect(t, got).Damage) > 0 {
			t.Fatalf("damage %v, %d refused", damage, sum.Refused)
		}
		sameEvents(t, originals(evs), originals(want))
	}
}

// TestCopyLostHeader: a file of a longer session that lost its header still says
// that it is one.
func TestCopyLostHeader(t *testing.T) {
	files := memberFiles(t, conversation(rand.New(rand.NewPCG(8, 8)), 700, 60))
	bad := bytes.Clone(files[2])
	bad[60] ^= 1
	got, sum := rewrite(t, CopyOptions{}, Query{}, bad)
	if s := open(t, got).Sections()[0]; !s.Member || s.FileNo != 1 || sum.Unnumbered != 1 || s.Header.Host != "host" {
		t.Errorf("%+v, %+v", s, sum)
	}
	// Behind the file before it, its number is known.
	got, sum = rewrite(t, CopyOptions{}, Query{}, files[1], bad)
	if s := open(t, got).Sections()[1]; s.FileNo != 2 || sum.Unnumbered != 0 {
		t.Errorf("%+v, %+v", s, sum)
	}
}

// TestCopyRefuses: what a session may not hold is counted, not an error.
func TestCopyRefuses(t *testing.T) {
	var raw []byte
	first := Event{Type: TypeSession, Payload: bytes.Repeat([]byte{0}, MaxDefinition+8)}
	raw = appendEvent(raw, &first)
	for _, ev := range []Event{{Type: TypeMark, Seq: 5}, {Type: TypeMark, Seq: 3}, {Type: TypeProc, Seq: 6, Payload: make([]byte, MaxDefinition+8)}, {Type: TypeMark, Seq: 7}} {
		raw = appendEvent(raw, &ev)
	}
	file := withChunk(t, raw)
	got, sum := rewrite(t, CopyOptions{}, Query{}, file)
	if evs, damage := read(t, got); len(evs) != 3 || len(damage) > 0 || sum.Refused != 3 {
		t.Errorf("%d events, %v, %+v", len(evs), damage, sum)
	}
}

// withChunk is a session whose only chunk holds raw.
func withChunk(t testing.TB, raw []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, testSession(), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.begun = true
	w.cur.raw = append(w.cur.raw, raw...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return noFooter(buf.Bytes())
}

func TestCopyInterrupted(t *testing.T) {
	file, _ := small(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCopier(io.Discard, CopyOptions{})
	if err := c.Add(ctx, r); err != context.Canceled {
		t.Error(err)
	}
	if _, err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestCopyConformance: a copy of each file of the conformance set proves, and has
// its events.
func TestCopyConformance(t *testing.T) {
	files, err := filepath.Glob("../testdata/conformance/*.spl")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	copied := 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
		if err != nil {
			continue
		}
		want, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		got, sum := rewrite(t, CopyOptions{}, Query{}, file)
		if sum.Sections == 0 {
			continue
		}
		copied++
		for _, d := range inspect(t, got).Damage {
			if d.Kind != DamageMissing || len(sum.Missing) == 0 {
				t.Errorf("%s: the copy: %v", name, d)
			}
		}
		evs, _ := read(t, got)
		if sum.Refused == 0 {
			if d := diffEvents(originals(want), originals(evs)); d != "" {
				t.Errorf("%s: -want +got\n%s", name, d)
			}
		} else if len(evs) > len(want) {
			t.Errorf("%s: %d events, more than %d", name, len(evs), len(want))
		}
	}
	t.Logf("%d of %d files copied", copied, len(files))
}
