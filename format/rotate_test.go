package format

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// memFiles keeps the files of a session in memory.
type memFiles struct {
	list  []*bytes.Buffer
	limit int64
	fail  int // the file that cannot be made, 0 for none
}

func (m *memFiles) Full(size int64) bool { return size > m.limit }

func (m *memFiles) Next() (io.Writer, error) {
	if m.fail > 0 && len(m.list) == m.fail {
		return nil, errDisk
	}
	m.list = append(m.list, &bytes.Buffer{})
	return m.list[len(m.list)-1], nil
}

func rotated(t testing.TB, evs []Event, limit int64, o WriterOptions) [][]byte {
	t.Helper()
	m := &memFiles{limit: limit}
	first, _ := m.Next()
	o.Files = m
	w, err := NewWriter(first, testSession(), o)
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
	total := int64(0)
	for _, b := range m.list {
		files = append(files, b.Bytes())
		total += int64(b.Len())
	}
	if got := w.Written(); got != total {
		t.Errorf("Written is %d, the files have %d", got, total)
	}
	return files
}

// Each file of a session is complete alone, and one after the other they hold
// what one file would.
func TestRotate(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(5, 6)), 700, 400)
	const limit = 64 << 10
	for _, workers := range []int{0, 2} {
		files := rotated(t, evs, limit, WriterOptions{ChunkBytes: 8 << 10, Workers: workers})
		if len(files) < 3 {
			t.Fatalf("%d files", len(files))
		}
		var all []Event
		for i, b := range files {
			if len(b) > limit {
				t.Errorf("file %d has %d bytes, limit %d", i, len(b), limit)
			}
			r, err := NewReader(bytes.NewReader(b), ReaderOptions{Check: true})
			if err != nil {
				t.Fatal(err)
			}
			got, _ := drain(r)
			if r.Damage() != nil {
				t.Fatalf("file %d: %v", i, r.Damage())
			}
			first, last := got[0], got[len(got)-1]
			if first.Type != TypeSession || (first.Flags&FlagRepeat != 0) != (i > 0) {
				t.Errorf("file %d begins with %+v", i, first)
			}
			end, _ := ParseEnd(last.Payload)
			if want := uint32(i+1) % uint32(len(files)); last.Type != TypeEnd || end.Next != want {
				t.Errorf("file %d ends with type %d, next %d, want next %d", i, last.Type, end.Next, want)
			}
			f := open(t, b)
			s := f.Sections()[0]
			if !f.Indexed() || !s.Member || s.FileNo != uint32(i) || s.Header.UUID != testSession().UUID {
				t.Errorf("file %d: %+v", i, s)
			}
			defined(t, got[1:])
			if u := s.Summary.Unwatched; len(u) != 1 || u[0].Library != "rustls" {
				t.Errorf("file %d does not tell what was not watched: %+v", i, u)
			}
			all = append(all, slices.DeleteFunc(originals(got), func(ev Event) bool { return ev.Type == TypeEnd && i < len(files)-1 })...)
		}
		if d := diffEvents(evs, all); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		one := slices.Concat(files...)
		if _, damage := read(t, one); damage != nil {
			t.Errorf("one after the other: %v", damage)
		}
		if f := open(t, one); f.Damage() != nil || len(f.Sections()) != len(files) {
			t.Errorf("one after the other: %v, %v", f, f.Damage())
		}
		gap := slices.Concat(files[0], files[2])
		_, damage := read(t, gap)
		if len(damage) != 1 || damage[0].Kind != DamageMissing || !strings.Contains(damage[0].Detail, "file 1 ") {
			t.Errorf("without file 1: %v", damage)
		}
		if f := open(t, gap); !slices.Equal(f.Damage(), damage) {
			t.Errorf("without file 1: %v, want %v", f.Damage(), damage)
		}
	}
}

// When the next file cannot be made the one before is complete all the same.
func TestRotateFails(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(5, 6)), 700, 400)
	m := &memFiles{limit: 64 << 10, fail: 2}
	first, _ := m.Next()
	w, err := NewWriter(first, testSession(), WriterOptions{ChunkBytes: 8 << 10, Files: m})
	for i := 0; i < len(evs) && err == nil; i++ {
		err = w.Append(&evs[i])
	}
	if err == nil || w.Close() == nil {
		t.Fatalf("%v, want an error", err)
	}
	for i, b := range m.list {
		if _, damage := read(t, b.Bytes()); damage != nil {
			t.Errorf("file %d: %v", i, damage)
		}
	}
}

// A section made alone can be one file of a session.
func TestMemberOption(t *testing.T) {
	var buf bytes.Buffer
	payload := appendTLV(testSessionPayload(), 999, "what a later version knows")
	w, err := NewWriter(&buf, Session{}, WriterOptions{Member: true, FileNo: 3, FirstSeq: 77, SessionPayload: payload})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(&Event{Type: TypeClock, Seq: 80, Payload: make([]byte, clockLen)}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, damage := read(t, buf.Bytes())
	want := []Event{
		{Type: TypeSession, Flags: FlagRepeat, Seq: 77, Time: testSession().Mono, Payload: payload},
		{Type: TypeClock, Seq: 80, Payload: make([]byte, clockLen)},
	}
	if d := diffEvents(want, got); d != "" || damage != nil {
		t.Errorf("%v (-want +got):\n%s", damage, d)
	}
}

func testSessionPayload() []byte {
	s := testSession()
	return s.AppendTo(nil)
}

// slow is a disk that takes a write only when told to.
type slow struct {
	bytes.Buffer
	gate chan struct{}
}

func (s *slow) Write(p []byte) (int, error) {
	if s.gate != nil {
		<-s.gate
	}
	return s.Buffer.Write(p)
}

// With a queue Append never waits. What is shed is told where it is missing, to the
// byte, and nothing but plaintext is.
func TestShed(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 3))
		evs := conversation(rng, 900, 500)
		out := &slow{}
		w, err := NewWriter(out, testSession(), WriterOptions{ChunkBytes: 8 << 10, Workers: 1, QueueBytes: 40 << 10})
		if err != nil {
			t.Fatal(err)
		}
		out.gate = make(chan struct{}, 1000)
		for i := range evs {
			// The disk is stuck, but for a moment now and then.
			if rng.IntN(60) == 0 {
				out.gate <- struct{}{}
			}
			if err := w.Append(&evs[i]); err != nil {
				t.Fatal(err)
			}
		}
		close(out.gate)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		checkShed(t, evs, out.Bytes(), w)
	}
}

func checkShed(t *testing.T, evs []Event, file []byte, w *Writer) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{Check: true})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := drain(r)
	if r.Damage() != nil {
		t.Fatal(r.Damage())
	}
	type stream struct {
		conn uint32
		dir  Dir
	}
	// Bytes come in order: what a DROP covers lies between what came before and after.
	next := map[stream]uint64{}
	var lostEvents, lostBytes uint64
	var others []Event
	for _, ev := range originals(got) {
		s := stream{ev.Conn, ev.Dir}
		switch d, err := ParseDrop(ev.Payload); {
		case ev.Type == TypeData:
			if ev.Offset != next[s] {
				t.Fatalf("%v: data at %d, want %d", s, ev.Offset, next[s])
			}
			next[s] += uint64(len(ev.Payload))
		case ev.Type == TypeDrop && err == nil && d.Cause == DropWriter:
			if d.Offset != next[s] {
				t.Fatalf("%v: drop at %d, want %d", s, d.Offset, next[s])
			}
			next[s] += d.Bytes
			lostEvents += d.Events
			lostBytes += d.Bytes
		default:
			others = append(others, ev)
		}
	}
	events, n := w.Shed()
	if events == 0 || lostEvents != events || lostBytes != n {
		t.Errorf("drops tell %d events, %d bytes; shed were %d, %d", lostEvents, lostBytes, events, n)
	}
	want := slices.DeleteFunc(slices.Clone(evs), func(ev Event) bool { return ev.Type == TypeData })
	if d := diffEvents(want, others); d != "" {
		t.Errorf("other events (-want +got):\n%s", d)
	}
	for _, ev := range evs {
		if ev.Type == TypeConnEnd {
			end, _ := ParseConnEnd(ev.Payload)
			if a, b := next[stream{ev.Conn, DirWrite}], next[stream{ev.Conn, DirRead}]; a != end.Written || b != end.Read {
				t.Errorf("conn %d: %d and %d bytes accounted for, want %d and %d", ev.Conn, a, b, end.Written, end.Read)
			}
		}
	}
	if last := got[len(got)-1]; last.Type != TypeEnd {
		t.Errorf("the last event is of type %d", last.Type)
	}
}

// Even what is not plaintext is shed at last, and memory stays bounded.
func TestShedControl(t *testing.T) {
	out := &slow{}
	w, err := NewWriter(out, testSession(), WriterOptions{ChunkBytes: 8 << 10, Workers: 1, QueueBytes: 40 << 10})
	if err != nil {
		t.Fatal(err)
	}
	out.gate = make(chan struct{})
	payload := (&Conn{PID: 9, ALPN: strings.Repeat("x", 40_000)}).AppendTo(nil)
	n := uint64(0)
	for ; n < 2000; n++ {
		if err := w.Append(&Event{Type: TypeConn, Conn: uint32(n%5) + 1, Seq: n + 1, Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	if !w.Busy() {
		t.Error("not busy with a full queue")
	}
	if limit := overFull + 1<<20; len(w.cur.raw) > limit {
		t.Errorf("the open chunk has %d bytes, limit %d", len(w.cur.raw), limit)
	}
	shed, bytes := w.Shed()
	if shed == 0 || bytes != 0 {
		t.Errorf("shed %d events, %d bytes", shed, bytes)
	}
	close(out.gate)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, damage := read(t, out.Bytes())
	told := uint64(0)
	for _, ev := range got {
		if d, err := ParseDrop(ev.Payload); ev.Type == TypeDrop && err == nil {
			told += d.Events
		}
	}
	if damage != nil || told != shed {
		t.Errorf("told %d, shed %d, damage %v", told, shed, damage)
	}
}

// Flushing often while the disk is stuck makes no small chunks that use up the
// queue: what fits into the open chunk is not shed.
func TestFlushWhileStuck(t *testing.T) {
	out := &slow{}
	w, err := NewWriter(out, testSession(), WriterOptions{ChunkBytes: 64 << 10, Workers: 1, QueueBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	out.gate = make(chan struct{})
	for i := range uint64(300) {
		err := w.Append(&Event{Type: TypeData, Conn: 1, Dir: DirRead, Seq: i + 1, Offset: 100 * i, Payload: make([]byte, 100)})
		if err := errors.Join(err, w.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := w.Shed(); n != 0 {
		t.Errorf("%d events shed of 300 that are 45 KB", n)
	}
	close(out.gate)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, damage := read(t, out.Bytes()); len(originals(got)) != 300 || damage != nil {
		t.Errorf("%d events, %v", len(originals(got)), damage)
	}
}
