package format

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// counted counts what is read of a file, by offset.
type counted struct {
	*bytes.Reader
	bytes int64
	at    map[int64]bool
}

func count(b []byte) *counted { return &counted{Reader: bytes.NewReader(b), at: map[int64]bool{}} }

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.bytes += int64(n)
	c.at[off] = true
	return n, err
}

func open(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func openScan(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := OpenScan(bytes.NewReader(b), int64(len(b)), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// randomFile is a file of one or more sections, each with a footer unless bare is set.
func randomFile(t testing.TB, rng *rand.Rand, footers bool) []byte {
	var file []byte
	for range 1 + rng.IntN(3) {
		evs := conversation(rng, 50+rng.IntN(2000), rng.IntN(60))
		if rng.IntN(3) == 0 {
			evs = randomEvents(rng, rng.IntN(200))
		}
		every := 1 + rng.IntN(20)
		part := writeWhole(t, evs, WriterOptions{NoSeekTable: rng.IntN(2) == 0}, func(i int) bool { return i%every == 0 })
		if !footers {
			part = noFooter(part)
		}
		file = append(file, part...)
	}
	return file
}

// By footers and by headers the same sections and chunks are found, and reading
// all chunks gives what a reader of the stream gives.
func TestOpenBothWays(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for i := range 60 {
		file := randomFile(t, rng, true)
		quick, slow := open(t, file), openScan(t, file)
		if !quick.Indexed() || slow.Indexed() {
			t.Fatalf("file %d: indexed %v, %v", i, quick.Indexed(), slow.Indexed())
		}
		if quick.Damage() != nil || slow.Damage() != nil {
			t.Fatalf("file %d: %v, %v", i, quick.Damage(), slow.Damage())
		}
		if d := cmp.Diff(slow.Sections(), quick.Sections(), cmp.AllowUnexported(Section{}, Chunk{}, fileHeader{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("file %d (-headers +footers):\n%s", i, d)
		}
		want, _ := read(t, file)
		for _, f := range []*File{quick, slow} {
			got, err := drain(f.Select(Query{}))
			if err != nil {
				t.Fatal(err)
			}
			if d := diffEvents(want, got); d != "" {
				t.Fatalf("file %d (-stream +file):\n%s", i, d)
			}
		}
		bare := open(t, randomFile(t, rng, false))
		if bare.Indexed() || len(bare.Sections()) == 0 {
			t.Fatalf("file %d: without footers: %v", i, bare)
		}
	}
}

// Opening reads the tail and the file header, whatever the size of the file.
func TestOpenReadsOnlyTheTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	evs := randomEvents(rng, 20_000)
	file := writeWhole(t, evs, WriterOptions{ChunkBytes: 16 << 10}, nil)
	src := count(file)
	f, err := Open(src, int64(len(file)), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Sections()[0]
	if len(s.Chunks) < 100 || s.Summary == nil {
		t.Fatalf("%d chunks, summary %v", len(s.Chunks), s.Summary)
	}
	last := s.Chunks[len(s.Chunks)-1]
	footer := int64(len(file)) - last.Offset - last.Size
	if limit := footer + s.Chunks[0].Offset + 200; src.bytes > limit {
		t.Errorf("read %d bytes, want at most %d", src.bytes, limit)
	}
	for off := range src.at {
		if off >= s.Chunks[0].Offset && off < last.Offset+last.Size {
			t.Errorf("read a chunk at %d", off)
		}
	}
}

// The footer's summary is what the events say.
func TestSummary(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 30 {
		file := randomFile(t, rng, true)
		f := open(t, file)
		for i := range f.Sections() {
			s := &f.Sections()[i]
			got := s.Summary
			part := file[s.Offset : s.Offset+s.Size]
			evs, _ := read(t, part)
			counts := map[Type]uint64{}
			var written, events uint64
			conns := map[uint32]bool{}
			for _, ev := range evs {
				if ev.Conn != 0 {
					conns[ev.Conn] = true
				}
				if ev.Flags&FlagRepeat != 0 {
					continue
				}
				counts[ev.Type]++
				events++
				if ev.Type == TypeData && ev.Dir == DirWrite {
					written += uint64(len(ev.Payload))
				}
			}
			if d := cmp.Diff(counts, got.Counts); d != "" || got.Written != written || got.Events != events || got.Conns != uint64(len(conns)) {
				t.Fatalf("%+v: written %d, events %d, conns %d %s", got, written, events, len(conns), d)
			}
		}
	}
}

// Check finds nothing wrong with what the writer made, and Open agrees.
func TestCheckIntact(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for i := range 60 {
		file := randomFile(t, rng, i%3 != 0)
		r, err := NewReader(bytes.NewReader(file), ReaderOptions{Check: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(r); err != nil || r.Damage() != nil {
			t.Fatalf("file %d: %v, %v", i, err, r.Damage())
		}
	}
}

// brute is what a query wants, found without chunks and held definitions.
func brute(t *testing.T, f *File, file []byte, q Query) []Event {
	var out []Event
	for i := range f.Sections() {
		s := &f.Sections()[i]
		evs, _ := read(t, file[s.Offset:s.Offset+s.Size])
		pidOf := map[uint32]uint32{}
		for _, ev := range evs {
			if ev.Type == TypeConn {
				pidOf[ev.Conn] = namedPID(&ev)
			}
			if ev.Flags&FlagRepeat != 0 || ev.Type == TypeSession || ev.Type == TypeProbe {
				continue
			}
			wall := s.Wall(ev.Time)
			pid := pidOf[ev.Conn]
			if ev.Type == TypeProc || ev.Type == TypeProcEnd {
				pid = namedPID(&ev)
			}
			ok := (q.From == 0 || wall >= q.From) && (q.To == 0 || wall < q.To)
			if ev.Conn == 0 && ev.Type != TypeProc && ev.Type != TypeProcEnd {
				ok = ok && len(q.Conns)+len(q.PIDs) == 0
			} else {
				ok = ok && (len(q.Conns) == 0 || slices.Contains(q.Conns, ev.Conn)) && (len(q.PIDs) == 0 || slices.Contains(q.PIDs, pid))
			}
			if ok {
				out = append(out, ev)
			}
		}
	}
	return out
}

// A query delivers the events it wants and no other, from the fewest chunks.
func TestSelect(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	for i := range 80 {
		var file []byte
		for range 1 + rng.IntN(2) {
			part := writeWhole(t, conversation(rng, 100+rng.IntN(1000), 20+rng.IntN(60)), WriterOptions{NoSeekTable: true}, func(i int) bool { return i%5 == 0 })
			if i%4 == 0 {
				part = noFooter(part)
			}
			file = append(file, part...)
		}
		f := open(t, file)
		s := &f.Sections()[0]
		var q Query
		if rng.IntN(2) == 0 {
			q.Conns = []uint32{1 + rng.Uint32N(4)}
		}
		if rng.IntN(2) == 0 {
			q.PIDs = []uint32{100 + rng.Uint32N(3)}
		}
		if rng.IntN(2) == 0 {
			q.From = s.Wall(6_000_000 + rng.Uint64N(80_000))
			q.To = q.From + rng.Int64N(60_000)
		}
		want := brute(t, f, file, q)
		r := f.Select(q)
		got, err := drain(r)
		if err != nil || r.Damage() != nil {
			t.Fatal(err, r.Damage())
		}
		stream, err := NewReader(bytes.NewReader(file), ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stream.Filter(q)
		same, _ := drain(stream)
		if d := diffEvents(kept(same), kept(got)); d != "" {
			t.Fatalf("%d %+v (-stream +file):\n%s", i, q, d)
		}
		if d := diffEvents(want, kept(got)); d != "" {
			t.Fatalf("%d %+v (-want +got):\n%s", i, q, d)
		}
		defined(t, got)
	}
}

// kept leaves out what a query gives whatever it asks for.
func kept(evs []Event) []Event {
	return slices.DeleteFunc(slices.Clone(originals(evs)), func(ev Event) bool { return ev.Type == TypeProbe })
}

// defined checks that connections and their processes are described before they
// are used.
func defined(t *testing.T, evs []Event) {
	t.Helper()
	procs, conns := map[uint32]bool{}, map[uint32]bool{}
	var seq uint64
	for _, ev := range evs {
		switch ev.Type {
		case TypeSession:
			clear(procs)
			clear(conns)
			seq = 0
		case TypeProc:
			procs[namedPID(&ev)] = true
		case TypeConn:
			conns[ev.Conn] = true
			if !procs[namedPID(&ev)] {
				t.Fatalf("conn %d before its process", ev.Conn)
			}
		}
		if ev.Conn != 0 && !conns[ev.Conn] {
			t.Fatalf("event %d of conn %d before its description", ev.Seq, ev.Conn)
		}
		if ev.Seq < seq {
			t.Fatalf("event %d after %d", ev.Seq, seq)
		}
		seq = ev.Seq
	}
}

// A query by connection reads the chunks that have it and no other.
func TestSelectReadsFewChunks(t *testing.T) {
	var evs []Event
	seq := uint64(0)
	for id := uint32(1); id <= 3000; id++ {
		for _, ev := range []Event{
			{Type: TypeProc, Payload: (&Proc{PID: 100 + id%50, Comm: "x"}).AppendTo(nil)},
			{Type: TypeConn, Conn: id, Payload: (&Conn{PID: 100 + id%50}).AppendTo(nil)},
			{Type: TypeData, Conn: id, Dir: DirWrite, Payload: bytes.Repeat([]byte{byte(id)}, 300)},
			{Type: TypeData, Conn: max(id, 10) - 9, Dir: DirRead, Payload: bytes.Repeat([]byte{byte(id)}, 300)},
		} {
			seq++
			ev.Seq, ev.Time = seq, seq
			evs = append(evs, ev)
		}
	}
	file := writeWhole(t, evs, WriterOptions{ChunkBytes: 16 << 10}, nil)
	for _, strip := range []bool{false, true} {
		if strip {
			file = noFooter(file)
		}
		for _, id := range []uint32{1, 700, 2999} {
			f := open(t, file)
			holds := 0
			for i := range f.Sections()[0].Chunks {
				c := &f.Sections()[0].Chunks[i]
				raw, _ := drain(f.readerOf(c))
				if slices.ContainsFunc(raw, func(ev Event) bool { return ev.Conn == id }) {
					holds++
				}
			}
			read := 0
			for _, p := range f.choose(Query{Conns: []uint32{id}}, 0) {
				if p.chunk != nil {
					read++
				}
			}
			if holds == 0 || read != holds {
				t.Errorf("conn %d: reads %d chunks, %d have it", id, read, holds)
			}
		}
	}
}

// readerOf returns a reader of one chunk.
func (f *File) readerOf(c *Chunk) *Reader {
	r := f.Select(Query{})
	for i := range r.plan.list {
		if r.plan.list[i].chunk == c {
			r.plan.list = append(r.plan.list[:1], r.plan.list[i])
			break
		}
	}
	return r
}

// A chunk that is damaged costs its events, and is named, in a file with an index
// too.
func TestSelectDamage(t *testing.T) {
	file, evs := func() ([]byte, []Event) {
		evs := conversation(rand.New(rand.NewPCG(1, 2)), 200, 40)
		return writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%7 == 6 }), evs
	}()
	f := open(t, file)
	chunks := f.Sections()[0].Chunks
	for name, at := range map[string]int64{"in the frame": chunks[3].Offset + chunks[3].Size - 20, "in the header": chunks[3].Offset + 30} {
		b := bytes.Clone(file)
		b[at] ^= 4
		want, damage := read(t, b)
		if len(damage) == 0 || len(originals(want)) >= len(evs) {
			t.Fatalf("%s: %v", name, damage)
		}
		r := open(t, b).Select(Query{})
		got, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := diffEvents(originals(want), originals(got)); d != "" {
			t.Errorf("%s (-stream +file):\n%s", name, d)
		}
		if len(r.Damage()) == 0 || !slices.ContainsFunc(r.Damage(), func(d Damage) bool { return d.Offset == chunks[3].Offset }) {
			t.Errorf("%s: %v", name, r.Damage())
		}
	}
}

// An index that lies is reported and then ignored.
func TestLyingIndex(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(1, 2)), 200, 40)
	file := writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%7 == 6 })
	want, _ := read(t, file)
	tests := map[string]func(entries []byte){
		"offset":        func(e []byte) { e[0] ^= 8 },
		"no entry":      func(e []byte) { clear(e[:entryFixedLen]) },
		"section":       func(e []byte) { e[8+80]++ },
		"length":        func(e []byte) { e[8+4]++ },
		"time":          func(e []byte) { e[8+24] ^= 0xff; e[8+32] ^= 0xff },
		"process range": func(e []byte) { e[8+40]++; e[8+44]++ },
		"checksum":      func(e []byte) { e[8+56]++ },
	}
	for name, lie := range tests {
		b := bytes.Clone(file)
		at := findTag(b, tagIndex)
		lie(b[at+indexFixedLen:])
		reseal(b[at:])
		f := open(t, b)
		r := f.Select(Query{})
		got, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := diffEvents(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if !slices.ContainsFunc(r.Damage(), func(d Damage) bool { return d.Kind == DamageLie }) {
			t.Errorf("%s: damage %v", name, r.Damage())
		}
		check, _ := NewReader(bytes.NewReader(b), ReaderOptions{Check: true})
		if same, _ := drain(check); diffEvents(want, same) != "" || len(check.Damage()) == 0 {
			t.Errorf("%s: checked: damage %v", name, check.Damage())
		}
	}
	t.Run("hidden chunk", func(t *testing.T) {
		// The index and the trailer agree that the third chunk does not exist.
		b := hideChunk(t, file, 3)
		f := open(t, b)
		got, _ := drain(f.Select(Query{}))
		if d := diffEvents(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if len(f.Damage()) == 0 {
			t.Error("not reported")
		}
	})
}

// hideChunk takes a chunk out of the index of a file and makes all counts fit.
func hideChunk(t *testing.T, file []byte, no int) []byte {
	at := findTag(file, tagIndex)
	_, e, ok := headIn(file[at:])
	list, parsed := parseIndex(e)
	if !ok || !parsed {
		t.Fatal("no index")
	}
	var x indexWriter
	for i := range list {
		if i == no {
			continue
		}
		h := list[i].head
		if i > no {
			h.no--
		}
		x.chunk(&h, list[i].offset)
	}
	tr := file[findTag(file, tagTrailer):]
	sum := newTally()
	sum.chunks = uint32(len(list) - 1)
	x.noSeek = true
	return x.appendFooter(bytes.Clone(file[:at]), sum, le.Uint32(tr[96:]), int64(at))
}

func findTag(file []byte, tag uint32) int {
	at := 0
	for _, f := range frames(file) {
		if le.Uint32(f) == magicOurs && le.Uint32(f[8:]) == tag {
			return at
		}
		at += len(f)
	}
	panic("no such frame")
}

// Headers and footers that do not tell what is in the events are found by Check,
// and by Check alone.
func TestCheckFindsLies(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(1, 2)), 200, 40)
	file := writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%7 == 6 })
	for name, lie := range map[string]func(b []byte) []byte{
		"time of a chunk":   func(b []byte) []byte { b[frameLen(b)+41]++; return b[frameLen(b):] },
		"types of a chunk":  func(b []byte) []byte { b[frameLen(b)+64] ^= 2; return b[frameLen(b):] },
		"conns of a chunk":  func(b []byte) []byte { b[frameLen(b)+80]++; return b[frameLen(b):] },
		"pids of a chunk":   func(b []byte) []byte { b[frameLen(b)+60]++; return b[frameLen(b):] },
		"summary":           func(b []byte) []byte { s := b[findTag(b, tagSummary):]; s[summaryFixedLen+16]++; return s },
		"trailer: events":   func(b []byte) []byte { s := b[findTag(b, tagTrailer):]; s[40]++; return s },
		"trailer: status":   func(b []byte) []byte { s := b[findTag(b, tagTrailer):]; s[92]++; return s },
		"trailer: way back": func(b []byte) []byte { s := b[findTag(b, tagTrailer):]; s[16]++; return s },
	} {
		b := bytes.Clone(file)
		reseal(lie(b))
		if _, damage := read(t, b); damage != nil {
			t.Errorf("%s: %v without Check", name, damage)
		}
		r, err := NewReader(bytes.NewReader(b), ReaderOptions{Check: true})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := drain(r)
		if len(originals(got)) != len(evs) {
			t.Errorf("%s: %d events of %d", name, len(originals(got)), len(evs))
		}
		if len(r.Damage()) == 0 || r.Damage()[0].Kind != DamageLie {
			t.Errorf("%s: damage %v", name, r.Damage())
		}
	}
}

func ExampleFile_Select() {
	var file bytes.Buffer
	w, _ := NewWriter(&file, Session{}, WriterOptions{})
	for i := range uint64(3) {
		w.Append(&Event{Type: TypeData, Conn: uint32(i), Seq: i + 1, Dir: DirWrite, Payload: []byte("hello")})
	}
	w.Close()

	f, err := Open(bytes.NewReader(file.Bytes()), int64(file.Len()), ReaderOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := f.Select(Query{Conns: []uint32{2}})
	for ev := (Event{}); r.Next(&ev) == nil; {
		fmt.Printf("%d %q\n", ev.Conn, ev.Payload)
	}
	// Output:
	// 0 ""
	// 2 "hello"
}

var _ io.ReaderAt = (*counted)(nil)
