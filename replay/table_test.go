package replay

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

func testFlow(id, pid uint32) *flow {
	return &flow{snap: &Conn{Conn: format.Conn{PID: pid}, ID: id, Proc: &Proc{}}}
}

func ids(fs []*flow) []uint32 {
	out := []uint32{}
	for _, f := range fs {
		out = append(out, f.snap.ID)
	}
	return out
}

func newTable() *table {
	var t table
	t.reset()
	return &t
}

func TestTableRecency(t *testing.T) {
	tab := newTable()
	for id := uint32(1); id <= 4; id++ {
		tab.insert(testFlow(id, 7), 0)
	}
	tab.touch(tab.conns[1], 0)
	tab.touch(tab.conns[1], 0) // already the newest
	tab.remove(tab.conns[3])
	var got []uint32
	for len(tab.conns) > 0 {
		f := tab.oldest()
		got = append(got, f.snap.ID)
		tab.remove(f)
	}
	if d := cmp.Diff([]uint32{2, 4, 1}, got); d != "" {
		t.Errorf("oldest first (-want +got):\n%s", d)
	}
	if len(tab.byPID) != 0 {
		t.Errorf("index by process keeps %d entries of connections that are gone", len(tab.byPID))
	}
}

func TestTableOfProcess(t *testing.T) {
	tab := newTable()
	for _, id := range []uint32{9, 3, 5} {
		tab.insert(testFlow(id, 7), 0)
	}
	tab.insert(testFlow(4, 8), 0)
	tab.setPID(tab.conns[5], 8)
	if d := cmp.Diff([]uint32{3, 9}, ids(tab.ofPID(7))); d != "" {
		t.Errorf("process 7 (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint32{4, 5}, ids(tab.ofPID(8))); d != "" {
		t.Errorf("process 8 (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint32{3, 4, 5, 9}, ids(tab.all())); d != "" {
		t.Errorf("all (-want +got):\n%s", d)
	}
}

// TestTableIsBounded: the memory of what is gone does not grow with the session.
func TestTableIsBounded(t *testing.T) {
	tab := newTable()
	for id := uint32(1); id <= 2*maxPast; id++ {
		tab.remember(testFlow(id, 1), false)
	}
	if len(tab.past) != maxPast || len(tab.pastQ) != maxPast {
		t.Errorf("remembers %d connections in a ring of %d, want %d", len(tab.past), len(tab.pastQ), maxPast)
	}
	if _, ok := tab.past[maxPast]; ok {
		t.Error("the oldest half is still there")
	}
	if _, ok := tab.past[2*maxPast]; !ok {
		t.Error("the newest is forgotten")
	}
	for pid := range uint32(maxProcs + 10) {
		tab.setProc(&Proc{Proc: format.Proc{PID: pid}})
	}
	if len(tab.procs) > maxProcs {
		t.Errorf("holds %d processes, want at most %d", len(tab.procs), maxProcs)
	}
}

func TestProcSurvivesItsTable(t *testing.T) {
	tab := newTable()
	curl := &Proc{Proc: format.Proc{PID: 7, Comm: "curl"}}
	tab.setProc(curl)
	old := tab.proc(7, nil)
	delete(tab.procs, 7)
	if got := tab.proc(7, old); got != curl {
		t.Errorf("a connection lost the name of its process: %+v", got)
	}
	if got := tab.proc(8, old); got == curl || got.PID != 8 {
		t.Errorf("another process got the name: %+v", got)
	}
}

func TestMalformedEventsAreCounted(t *testing.T) {
	junk := []byte{1, 2, 3}
	tests := []struct {
		name string
		ev   format.Event
	}{
		{"data without connection", format.Event{Type: format.TypeData, Dir: format.DirRead}},
		{"data without direction", format.Event{Type: format.TypeData, Conn: 1}},
		{"data past the end of offsets", format.Event{Type: format.TypeData, Conn: 1, Dir: format.DirRead, Offset: ^uint64(0), Payload: junk}},
		{"conn without id", format.Event{Type: format.TypeConn}},
		{"conn", format.Event{Type: format.TypeConn, Conn: 1, Payload: junk}},
		{"conn end", format.Event{Type: format.TypeConnEnd, Conn: 1, Payload: junk}},
		{"proc", format.Event{Type: format.TypeProc, Payload: junk}},
		{"proc end", format.Event{Type: format.TypeProcEnd, Payload: junk}},
		{"proc end of nobody", format.Event{Type: format.TypeProcEnd}},
		{"session", format.Event{Type: format.TypeSession, Payload: junk}},
		{"probe", format.Event{Type: format.TypeProbe, Payload: junk}},
		{"drop", format.Event{Type: format.TypeDrop, Payload: junk}},
		{"end", format.Event{Type: format.TypeEnd, Payload: junk}},
		{"handshake", format.Event{Type: format.TypeHandshake, Payload: junk}},
		{"handshake of nobody", format.Event{Type: format.TypeHandshake, Conn: 9}},
	}
	for _, tt := range tests {
		items, sum := play(t, []format.Event{tt.ev}, Options{})
		if sum.Malformed != 1 || len(items) != 0 {
			t.Errorf("%s: %d malformed, items %q; want it counted and nothing said", tt.name, sum.Malformed, dump(items))
		}
	}
	for _, typ := range []format.Type{0, format.TypeClock, format.TypeKeyLog, format.TypeTick, 200} {
		if _, sum := play(t, []format.Event{{Type: typ, Payload: junk}}, Options{}); sum.Malformed != 0 || sum.Events != 1 {
			t.Errorf("type %d: %+v, want it skipped: a newer recorder may write it", typ, sum)
		}
	}
}

// TestInFlightIsBounded: a pusher faster than the workers waits for them.
func TestInFlightIsBounded(t *testing.T) {
	s := new(script)
	for i := range 500 {
		s.write(uint32(i%3+1), uint64(i/3), "x")
	}
	e := newEngine(Options{Workers: 2}, func(*Item) error { return nil }, newLineDecoder, 1, 1)
	for i := range s.evs {
		if err := e.Push(&s.evs[i]); err != nil {
			t.Fatal(err)
		}
		if n := e.pool.sent - e.pool.given; n > len(e.pool.ring) {
			t.Fatalf("%d batches in flight, want at most %d", n, len(e.pool.ring))
		}
	}
	if _, err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := e.Push(&s.evs[0]); err != ErrClosed {
		t.Errorf("push after close: %v, want ErrClosed", err)
	}
	if err := e.Flush(); err != ErrClosed {
		t.Errorf("flush after close: %v, want ErrClosed", err)
	}
}

func TestBigArenaIsNotKept(t *testing.T) {
	b := &batch{shares: make([]share, 2)}
	b.add(0, op{item: &Item{}}, make([]byte, keepArena+1))
	b.add(1, op{item: &Item{}}, make([]byte, 10))
	b.reset(false)
	if s := b.shares; s[0].arena != nil || s[1].arena == nil || len(s[0].ops) != 0 || len(b.turns) != 0 || b.bytes != 0 {
		t.Errorf("arenas of %d and %d bytes kept", cap(s[0].arena), cap(s[1].arena))
	}
}

func TestPairs(t *testing.T) {
	q := func(n uint32) *decode.Message { return &decode.Message{Kind: decode.Request, Exchange: n} }
	r := func(n uint32) *decode.Message { return &decode.Message{Kind: decode.Response, Exchange: n} }
	var p pairs
	first := q(1)
	if got := p.add(first, 10); len(got) != 0 {
		t.Errorf("a request alone is no exchange: %v", got)
	}
	if got := p.add(q(1), 10); len(got) != 1 || got[0].req != first {
		t.Errorf("the same number again gives up the older request, got %v", got)
	}
	if got := p.add(r(1), 10); len(got) != 1 || got[0].req == nil || got[0].req == first {
		t.Errorf("the response belongs to the newer request, got %v", got)
	}
	for _, m := range []*decode.Message{{Kind: decode.Opaque}, {Kind: decode.Notice}, {Kind: decode.Opaque, Exchange: 3}} {
		if got := p.add(m, 10); len(got) != 0 || len(p.open) != 0 {
			t.Errorf("%+v took part in pairing", m)
		}
	}
	// One stream stays open while many come and go beside it.
	p.add(q(2), 10)
	for n := uint32(3); n < 10000; n++ {
		p.add(q(n), 10)
		p.add(r(n), 10)
	}
	if len(p.order) > 200 || len(p.open) != 1 {
		t.Errorf("%d numbers in the order of %d open exchanges", len(p.order), len(p.open))
	}
}
