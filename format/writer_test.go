package format

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// rawLog decompresses a whole file as the zstd tool does.
func rawLog(t testing.TB, file []byte) []byte {
	t.Helper()
	d, err := zstd.NewReader(bytes.NewReader(file), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	log, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestRoundTrip(t *testing.T) {
	file, evs := small(t)
	got, damage := read(t, file)
	if damage != nil {
		t.Errorf("damage: %v", damage)
	}
	if d := diffEvents(evs, originals(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got[0].Type != TypeSession || got[0].Seq != 0 {
		t.Errorf("first event is %+v, want SESSION", got[0])
	}
	s, err := ParseSession(got[0].Payload)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := NewReader(bytes.NewReader(file), ReaderOptions{})
	for _, s := range []Session{s, r.Header()} {
		if d := cmp.Diff(testSession(), s); d != "" {
			t.Errorf("session (-want +got):\n%s", d)
		}
	}
}

// Random events of all kinds, sizes and orders come back as they were, whatever
// the chunk size and the number of workers, and the log is the same for all.
func TestRoundTripRandom(t *testing.T) {
	for seed := range uint64(21 / thin) {
		rng := rand.New(rand.NewPCG(seed, 0))
		evs := randomEvents(rng, 300)
		for _, chunk := range []int{0, 1, 20_000} {
			var logs [][]byte
			for _, workers := range []int{0, 1, 2} {
				file := write(t, evs, WriterOptions{ChunkBytes: chunk, Workers: workers}, nil)
				got, damage := read(t, file)
				if damage != nil {
					t.Fatalf("seed %d: damage %v", seed, damage)
				}
				if d := diffEvents(evs, originals(got)); d != "" {
					t.Fatalf("seed %d chunk %d workers %d (-want +got):\n%s", seed, chunk, workers, d)
				}
				logs = append(logs, rawLog(t, file))
			}
			if !bytes.Equal(logs[0], logs[1]) || !bytes.Equal(logs[0], logs[2]) {
				t.Fatalf("seed %d chunk %d: the log depends on the number of workers", seed, chunk)
			}
		}
	}
}

// Each chunk alone, behind the file header, tells everything about its events.
func TestChunksStandAlone(t *testing.T) {
	file, _ := small(t)
	parts := frames(file)
	if len(parts) < 6 {
		t.Fatalf("only %d frames", len(parts))
	}
	for i, part := range parts[1:] {
		got, _ := read(t, append(bytes.Clone(parts[0]), part...))
		if got[0].Type != TypeSession || cmp.Diff(parts[0][fileFixedLen:len(parts[0])-crcLen], got[0].Payload) != "" {
			t.Fatalf("chunk %d: no SESSION event first", i)
		}
		conns, procs, probes := map[uint32]uint32{}, map[uint32]bool{}, map[uint8]bool{0: true}
		ended := map[uint32]bool{}
		for k, ev := range got {
			if !probes[ev.Probe] && ev.Type != TypeProbe {
				t.Errorf("chunk %d event %d: probe %d used before its definition", i, k, ev.Probe)
			}
			switch ev.Type {
			case TypeConn:
				c, err := ParseConn(ev.Payload)
				if err != nil || !procs[c.PID] {
					t.Errorf("chunk %d event %d: process %d used before its definition", i, k, c.PID)
				}
				conns[ev.Conn] = c.PID
			case TypeProc:
				p, _ := ParseProc(ev.Payload)
				procs[p.PID] = true
			case TypeProbe:
				p, _ := ParseProbe(ev.Payload)
				probes[p.ID] = true
			case TypeConnEnd:
				ended[ev.Conn] = true
				fallthrough
			default:
				if ev.Conn != 0 && conns[ev.Conn] == 0 {
					t.Errorf("chunk %d event %d: connection %d used before its definition", i, k, ev.Conn)
				}
			}
		}
	}
}

// A repeat is the original but for its flag and seq, which is that of the event
// it precedes.
func TestRepeats(t *testing.T) {
	file, evs := small(t)
	got, _ := read(t, file)
	repeats := 0
	for i, ev := range got {
		if ev.Flags&FlagRepeat == 0 {
			continue
		}
		repeats++
		next := i + 1
		for got[next].Flags&FlagRepeat != 0 {
			next++
		}
		if got[next].Seq != ev.Seq {
			t.Errorf("event %d: seq %d, precedes %d", i, ev.Seq, got[next].Seq)
		}
		ev.Flags &^= FlagRepeat
		found := false
		for _, orig := range evs {
			ev.Seq = orig.Seq
			found = found || sameEvent(orig, ev)
		}
		if !found {
			t.Errorf("event %d is no copy of any event", i)
		}
	}
	if repeats == 0 {
		t.Error("no repeats at all")
	}
}

func TestDefinitionsForgotten(t *testing.T) {
	w, err := NewWriter(io.Discard, Session{}, WriterOptions{ChunkBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	var seq uint64
	add := func(typ Type, conn uint32, p []byte) {
		seq++
		if err := w.Append(&Event{Type: typ, Conn: conn, Seq: seq, Payload: p}); err != nil {
			t.Fatal(err)
		}
	}
	for pid := uint32(1); pid <= 2000; pid++ {
		add(TypeProc, 0, (&Proc{PID: pid}).AppendTo(nil))
		add(TypeConn, pid, (&Conn{PID: pid}).AppendTo(nil))
		add(TypeConn, pid, (&Conn{PID: pid, ALPN: "h2"}).AppendTo(nil))
		// In either order: a process is needed until its connections end.
		if pid%2 == 0 {
			add(TypeProcEnd, 0, (&ProcEnd{PID: pid}).AppendTo(nil))
			if w.defs.procs[pid] == nil {
				t.Fatal("process forgotten while a connection needs it")
			}
		}
		add(TypeConnEnd, pid, (&ConnEnd{}).AppendTo(nil))
		if pid%2 == 1 {
			add(TypeProcEnd, 0, (&ProcEnd{PID: pid}).AppendTo(nil))
		}
		// Undefined things leave nothing behind.
		add(TypeData, pid+5000, nil)
		add(TypeConnEnd, pid+5000, nil)
		add(TypeConn, pid+5000, (&Conn{PID: pid + 5000}).AppendTo(nil))
		add(TypeConnEnd, pid+5000, nil)
	}
	if len(w.defs.conns) != 0 || len(w.defs.procs) != 0 {
		t.Errorf("%d connections and %d processes kept", len(w.defs.conns), len(w.defs.procs))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestChunkHeaderFields(t *testing.T) {
	evs := []Event{
		{Type: TypeProc, Seq: 10, Time: 500, Payload: (&Proc{PID: 7}).AppendTo(nil)},
		{Type: TypeConn, Seq: 11, Time: 400, Conn: 1, Payload: (&Conn{PID: 7}).AppendTo(nil)},
		{Type: TypeConn, Seq: 12, Time: 600, Conn: 1, Payload: (&Conn{PID: 7, ALPN: "h2"}).AppendTo(nil)},
		{Type: TypeProc, Seq: 13, Time: 600, Payload: (&Proc{PID: 90}).AppendTo(nil)},
		{Type: TypeDrop, Seq: 1 << 33, Time: 700, Payload: (&Drop{Events: 5}).AppendTo(nil)},
		{Type: TypeDrop, Seq: 1<<33 + 1, Time: 800, Payload: (&Drop{Events: 1 << 40}).AppendTo(nil)},
		{Type: TypeData, Seq: 1<<33 + 2, Time: 900, Conn: 1, Payload: []byte("x")},
	}
	file := write(t, evs, WriterOptions{}, nil)
	parts := frames(file)
	if len(parts) != 3 {
		t.Fatalf("%d frames, want header and 2 chunks", len(parts))
	}
	section := le.Uint32(parts[0][len(parts[0])-crcLen:])
	bits := func(types ...Type) (m uint64) {
		for _, typ := range types {
			m |= 1 << typ
		}
		return m
	}
	want := []chunkHeader{
		{no: 0, events: 5, firstSeq: 0, minTime: 400, maxTime: testSession().Mono, minPID: 7, maxPID: 90, conns: 1,
			types: bits(TypeSession, TypeProc, TypeConn), section: section, filter: filterSet, connSet: []byte{2}, pidSet: []byte{2 * 7, 0xa4, 1}},
		{no: 1, events: 5, firstSeq: 1 << 33, minTime: 700, maxTime: 900, minPID: 7, maxPID: 7, conns: 1, lost: 1<<32 - 1,
			types: bits(TypeProc, TypeConn, TypeData, TypeDrop), section: section, prevSpan: uint32(len(parts[1])),
			filter: filterSet, connSet: []byte{2}, pidSet: []byte{2 * 7}},
	}
	for i, part := range parts[1:] {
		_, e, ok := headIn(part)
		if !ok {
			t.Fatal("bad chunk header")
		}
		got, _ := parseChunkHeader(e)
		n := int(frameLen(part))
		if got.frameCRC != checksum(part[n:]) || int(got.compLen) != len(part)-n {
			t.Errorf("chunk %d: lengths or checksum", i)
		}
		got.frameCRC, got.compLen, got.rawLen = 0, 0, 0
		if d := cmp.Diff(want[i], got, cmp.AllowUnexported(chunkHeader{})); d != "" {
			t.Errorf("chunk %d (-want +got):\n%s", i, d)
		}
	}
}

func TestSessionEvent(t *testing.T) {
	t.Run("given first", func(t *testing.T) {
		file := write(t, []Event{{Type: TypeSession, Seq: 4, Time: 9, CPU: 2}, {Type: TypeClock, Seq: 5}}, WriterOptions{}, nil)
		got, _ := read(t, file)
		want := []Event{
			{Type: TypeSession, Seq: 4, Time: 9, CPU: 2, Payload: file[fileFixedLen : len(frames(file)[0])-crcLen]},
			{Type: TypeClock, Seq: 5},
		}
		if d := diffEvents(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	t.Run("given later", func(t *testing.T) {
		w, _ := NewWriter(io.Discard, Session{}, WriterOptions{})
		defer w.Close()
		if err := w.Append(&Event{Type: TypeClock, Seq: 1}); err != nil {
			t.Fatal(err)
		}
		if err := w.Append(&Event{Type: TypeSession, Seq: 2}); !errors.Is(err, ErrOrder) {
			t.Errorf("%v, want ErrOrder", err)
		}
	})
	t.Run("nothing else", func(t *testing.T) {
		for _, flush := range []bool{false, true} {
			var buf bytes.Buffer
			w, _ := NewWriter(&buf, testSession(), WriterOptions{})
			if flush {
				w.Flush()
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, damage := read(t, buf.Bytes())
			if len(got) != 1 || got[0].Type != TypeSession || damage != nil {
				t.Errorf("got %v, %v", got, damage)
			}
		}
	})
	t.Run("long command", func(t *testing.T) {
		s := testSession()
		s.Command = strings.Split(strings.Repeat("argument ", 50_000), " ")
		var buf bytes.Buffer
		w, err := NewWriter(&buf, s, WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		r, _ := NewReader(&buf, ReaderOptions{})
		got := r.Header().Command
		if len(got) < 1000 || got[0] != "argument" || got[len(got)-1] != "…" {
			t.Errorf("%d elements, last %q", len(got), got[len(got)-1])
		}
	})
	t.Run("long host", func(t *testing.T) {
		if _, err := NewWriter(io.Discard, Session{Host: strings.Repeat("x", MaxDefinition)}, WriterOptions{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v, want ErrTooLarge", err)
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, Session{}, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ev   Event
		want error
	}{
		{"first", Event{Type: TypeClock, Seq: 5}, nil},
		{"same seq", Event{Type: TypeClock, Seq: 5}, nil},
		{"older", Event{Type: TypeClock, Seq: 4}, ErrOrder},
		{"payload", Event{Type: TypeData, Seq: 6, Payload: make([]byte, MaxPayload+1)}, ErrTooLarge},
		{"definition", Event{Type: TypeProc, Seq: 6, Payload: make([]byte, MaxDefinition+1)}, ErrTooLarge},
		{"still usable", Event{Type: TypeClock, Seq: 6}, nil},
	}
	for _, tt := range tests {
		if err := w.Append(&tt.ev); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Append(&Event{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v, want ErrClosed", err)
	}
	if err := w.Flush(); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: %v, want ErrClosed", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// The largest event makes a chunk of its own size, and its buffer is let go.
func TestHugeEvent(t *testing.T) {
	p := bytes.Repeat([]byte("0123456789abcdef"), MaxPayload/16)
	evs := []Event{{Type: TypeData, Seq: 1, Conn: 1, Payload: p}, {Type: TypeClock, Seq: 2}}
	for _, workers := range []int{0, 1} {
		got, damage := read(t, write(t, evs, WriterOptions{Workers: workers}, nil))
		if damage != nil || len(got) != 3 || !bytes.Equal(got[1].Payload, p) {
			t.Errorf("workers %d: %d events, damage %v", workers, len(got), damage)
		}
	}
}

func TestAppendAllocates(t *testing.T) {
	w, err := NewWriter(io.Discard, Session{}, WriterOptions{ChunkBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ev := Event{Type: TypeData, Conn: 1, Probe: 1, Payload: make([]byte, 1000)}
	for _, def := range conversation(rand.New(rand.NewPCG(1, 1)), 1, 0)[:9] {
		ev.Seq = def.Seq
		if err := w.Append(&def); err != nil {
			t.Fatal(err)
		}
	}
	add := func() {
		ev.Seq++
		ev.Conn = 1 + uint32(ev.Seq%3)
		if err := w.Append(&ev); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		add()
	}
	if n := testing.AllocsPerRun(2000, add); n >= 0.5 {
		t.Errorf("%v allocations per event", n)
	}
}
