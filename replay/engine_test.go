package replay

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

func TestStream(t *testing.T) {
	curl := format.Conn{PID: 7}
	free := format.ConnEnd{Reason: format.EndFree}
	tests := []struct {
		name string
		evs  *script
		o    Options
		want string
	}{
		{"exchange follows the message that completed it",
			new(script).session(0).conn(1, curl).write(1, 0, "Qa\n").read(1, 0, "Ra\n").end(1, free).finish(),
			Options{}, "session\nc1 request Qa\nc1 response Ra\nc1 exchange 1 Qa Ra\nc1 end reason=1\nclosed test\n"},
		{"early response waits for its request",
			new(script).conn(1, curl).write(1, 0, "Q").read(1, 0, "Ra\n").write(1, 1, "a\n"),
			Options{}, "c1 response Ra\nc1 request Qa\nc1 exchange 1 Qa Ra\nc1 end reason=0\n"},
		{"response whose request never comes does not wait",
			new(script).conn(1, curl).read(1, 0, "Nx\n").read(1, 3, "Ny\n"),
			Options{}, "c1 response Nx no-request()\nc1 exchange 1 - Nx\nc1 response Ny no-request()\nc1 exchange 2 - Ny\nc1 end reason=0\n"},
		{"unanswered requests at the end, in order",
			new(script).conn(1, curl).write(1, 0, "Qa\nQb\nQc\n").read(1, 0, "Ra\n").end(1, free),
			Options{}, "c1 request Qa\nc1 request Qb\nc1 request Qc\nc1 response Ra\nc1 exchange 1 Qa Ra\nc1 exchange 2 Qb -\nc1 exchange 3 Qc -\nc1 end reason=1\n"},
		{"gap before the chunk that reveals it",
			new(script).conn(1, curl).write(1, 0, "Q1").write(1, 10, "Qb\n"),
			Options{}, "c1 request Q1 flags=3\nc1 notice  gap(8 true)\nc1 request Qb\nc1 exchange 1 Q1 pending\nc1 exchange 2 Qb pending\nc1 end reason=0\n"},
		{"overlap is dropped",
			new(script).conn(1, curl).write(1, 0, "Qab").write(1, 1, "abc\n").write(1, 0, "Qab"),
			Options{}, "c1 request Qabc\nc1 exchange 1 Qabc pending\nc1 end reason=0\n"},
		{"trailing loss from the counters of the end",
			new(script).conn(1, curl).write(1, 0, "Qa\n").end(1, format.ConnEnd{Reason: format.EndFree, Written: 3, Read: 9}),
			Options{}, "c1 request Qa\nc1 notice  gap(9 true)\nc1 exchange 1 Qa -\nc1 end reason=1\n"},
		{"clean end and end of recording differ",
			new(script).conn(1, curl).conn(2, curl).write(1, 0, "Qa").write(2, 0, "Qb").end(1, free),
			Options{}, "c1 request Qa flags=8\nc1 exchange 1 Qa -\nc1 end reason=1\nc2 request Qb flags=1\nc2 exchange 2 Qb pending\nc2 end reason=0\n"},
		{"process end ends its connections, later ends are not news",
			new(script).conn(3, curl).conn(1, curl).conn(2, format.Conn{PID: 8}).write(1, 0, "Qa").procEnd(7).
				conn(1, curl, format.FlagRepeat).end(1, format.ConnEnd{Reason: format.EndExit}).write(1, 2, "late\n"),
			Options{}, "c1 request Qa flags=8\nc1 exchange 1 Qa -\nc1 end reason=2\nc3 end reason=2\n" +
				"c1 notice  late(5 bytes came after the end of the connection and were not decoded)\nc2 end reason=0\n"},
		{"a section resets ids",
			new(script).session(0).conn(1, curl).write(1, 0, "Qa\nQb").session(5).conn(1, curl).write(1, 0, "Qc\n").finish(),
			Options{}, "session\nc1 request Qa\nc1 request Qb flags=1\nc1 exchange 1 Qa pending\nc1 exchange 2 Qb pending\nc1 end reason=0\nsession\nc1 request Qc\nc1 exchange 3 Qc pending\nc1 end reason=0\nclosed test\n"},
		{"the silent connection is given up and comes back without a gap",
			new(script).conn(1, curl).conn(2, curl).write(1, 0, "Qa\nQ").conn(3, curl).write(1, 4, "b\n").write(2, 0, "Qz\n"),
			Options{MaxConns: 2}, "c1 request Qa\nc2 end reason=0\nc1 request Qb\n" +
				"c3 end reason=0\nc2 request Qz\nc1 exchange 1 Qa pending\nc1 exchange 2 Qb pending\nc1 end reason=0\nc2 exchange 3 Qz pending\nc2 end reason=0\n"},
		{"notes carry the role found in the bytes",
			new(script).conn(1, curl).handshake(1).read(1, 0, "Qa\n").handshake(1).drop(1, format.Drop{Cause: format.DropRingFull}).drop(0, format.Drop{Cause: format.DropMissed}),
			Options{}, "c1 handshake role=0\nc1 request Qa\nc1 handshake role=2\nc1 drop cause=1\nc0 drop cause=5\nc1 exchange 1 Qa pending\nc1 end reason=0\n"},
		{"data of a connection nobody described",
			new(script).write(9, 4, "Qa\n"),
			Options{}, "c9 notice  gap(4 true)\nc9 request Qa\nc9 exchange 1 Qa pending\nc9 end reason=0\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, workers := range []int{0, 2} {
				tt.o.Workers = workers
				items, _ := play(t, tt.evs.evs, tt.o)
				if d := cmp.Diff(tt.want, dump(items)); d != "" {
					t.Errorf("%d workers (-want +got):\n%s", workers, d)
				}
			}
		})
	}
}

func TestData(t *testing.T) {
	addr := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	client := format.Conn{PID: 7, Local: addr("10.0.0.1:5000"), Remote: addr("10.0.0.2:443")}
	server := format.Conn{PID: 7, Local: addr("10.0.0.1:443"), Remote: addr("10.0.0.2:5000")}
	tests := []struct {
		name string
		evs  *script
		want []string // data lines only
	}{
		{"held until the role is found", new(script).conn(1, server).write(1, 0, "x").read(1, 0, "Q").read(1, 1, "a\n"),
			[]string{`c1 data client=false @0 "x"`, `c1 data client=true @0 "Q"`, `c1 data client=true @1 "a\n"`}},
		{"role of the handshake when the bytes say nothing", new(script).conn(1, format.Conn{Role: format.RoleServer}).write(1, 0, "x"),
			[]string{`c1 data client=false @0 "x"`}},
		{"lower remote port is the server", new(script).conn(1, client).read(1, 0, "x"), []string{`c1 data client=false @0 "x"`}},
		{"lower local port is the server", new(script).conn(1, server).read(1, 0, "x"), []string{`c1 data client=true @0 "x"`}},
		{"who speaks first is the client", new(script).read(1, 0, "x").write(1, 0, "y"),
			[]string{`c1 data client=true @0 "x"`, `c1 data client=false @0 "y"`}},
		{"gap and overlap keep offsets", new(script).conn(1, client).write(1, 0, "Qa\n").write(1, 9, "Q").write(1, 8, "xQb\n"),
			[]string{`c1 data client=true @0 "Qa\n"`, `c1 data client=true @9 "Q"`, `c1 data client=true @10 "b\n"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, _ := play(t, tt.evs.evs, Options{Data: true})
			var got []string
			for _, it := range items {
				if it.Kind == ItemData {
					got = append(got, strings.TrimSuffix(dump([]*Item{it}), "\n"))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestDataIsNotHeldForEver(t *testing.T) {
	s := new(script).conn(1, format.Conn{})
	piece := strings.Repeat("x", 64<<10)
	for i := range 5 {
		s.write(1, uint64(i*len(piece)), piece)
	}
	var before int
	e := newEngine(Options{Data: true}, func(it *Item) error {
		if it.Kind == ItemData {
			before++
		}
		return nil
	}, newLineDecoder, batchOps, batchBytes)
	for i := range s.evs {
		if err := e.Push(&s.evs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if before != 5 {
		t.Errorf("%d pieces came out before the end, want all 5: the held bytes passed the bound", before)
	}
	e.Close()
}

func TestSummary(t *testing.T) {
	s := new(script).session(0).
		conn(1, format.Conn{PID: 7}).conn(1, format.Conn{PID: 7}, format.FlagRepeat).
		write(1, 0, "Qa\n").write(1, 5, "Qb\n").write(1, 5, "Qb\n").
		conn(2, format.Conn{PID: 8}).write(2, 0, "zz\n").
		end(1, format.ConnEnd{Reason: format.EndFree, Written: 10, Read: 4}).
		write(1, 10, "late").
		add(format.Event{Type: format.TypeData, Conn: 1}).
		drop(0, format.Drop{}).finish()
	_, got := play(t, s.evs, Options{})
	want := Summary{Events: uint64(len(s.evs)) - 1, Bytes: 12, Sections: 1, Conns: 2, Messages: 7, Exchanges: 2, NoResponse: 2,
		OpaqueBytes: 2, Gaps: 3, LostBytes: 2 + 2 + 4, Drops: 1, Overlap: 3, Late: 4, Malformed: 1, Closed: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestClosed(t *testing.T) {
	tests := []struct {
		name string
		evs  *script
		want bool
	}{
		{"no section", new(script).write(1, 0, "x"), false},
		{"one", new(script).session(0).finish(), true},
		{"cut", new(script).session(0).write(1, 0, "x"), false},
		{"two", new(script).session(0).finish().session(1).finish(), true},
		{"first cut", new(script).session(0).session(1).finish(), false},
		{"events after the end", new(script).session(0).finish().write(1, 0, "x"), false},
	}
	for _, tt := range tests {
		if _, sum := play(t, tt.evs.evs, Options{}); sum.Closed != tt.want {
			t.Errorf("%s: closed = %t, want %t", tt.name, sum.Closed, tt.want)
		}
	}
}

func TestLateEndCountsItsLossOnce(t *testing.T) {
	end := format.ConnEnd{Reason: format.EndExit, Written: 10}
	s := new(script).conn(1, format.Conn{PID: 7}).write(1, 0, "Qa\n").procEnd(7).end(1, end).end(1, end)
	_, sum := play(t, s.evs, Options{})
	if sum.LostBytes != 7 || sum.Gaps != 1 {
		t.Errorf("lost %d bytes in %d gaps, want 7 in 1", sum.LostBytes, sum.Gaps)
	}
}

func TestSnapshots(t *testing.T) {
	s := new(script).session(1_000_000).probe(3, "openssl").
		conn(1, format.Conn{PID: 7}).handshake(1).
		proc(format.Proc{PID: 7, Comm: "curl"}).proc(format.Proc{PID: 7, Comm: "other"}, format.FlagRepeat).
		add(format.Event{Type: format.TypeData, Dir: format.DirWrite, Conn: 1, Probe: 3, Dur: 2, Time: 1500, Payload: []byte("Qa\n")}).
		conn(1, format.Conn{PID: 7, ALPN: "h2"})
	items, _ := play(t, s.evs, Options{})
	hs, msg, last := items[1].Conn, items[2], items[len(items)-1].Conn
	if hs.Proc.Comm != "" || hs.Proc.PID != 7 || hs.Lib != "" {
		t.Errorf("handshake's conn changed after it was given out: %+v", hs)
	}
	if got := msg.Conn; got.Proc.Comm != "curl" || got.Lib != "openssl" || got.Role != decode.RoleClient || got.ALPN != "" {
		t.Errorf("message's conn = %+v, want curl, openssl, client, no ALPN yet", got)
	}
	if msg.Time != 1_000_500 || msg.Message.Begin != 1_000_498 {
		t.Errorf("message at %d begun %d, want wall times 1000500 and, for a write, 2 ns before", msg.Time, msg.Message.Begin)
	}
	if last.ALPN != "h2" || last.Lib != "openssl" || last.First != msg.Conn.First {
		t.Errorf("last conn = %+v, want ALPN h2 and the rest kept", last)
	}
}

func TestPendingBound(t *testing.T) {
	s := new(script).conn(1, format.Conn{})
	s.write(1, 0, "Qa\nQb\nQc\n")
	items, _ := play(t, s.evs, Options{Limits: decode.Limits{Pipeline: 2}})
	want := "c1 request Qa\nc1 request Qb\nc1 request Qc\nc1 exchange 1 Qa -\nc1 exchange 2 Qb pending\nc1 exchange 3 Qc pending\nc1 end reason=0\n"
	if d := cmp.Diff(want, dump(items)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if items[3].Seq != 2 {
		t.Errorf("oldest request given up at seq %d, want 2: as soon as there are too many", items[3].Seq)
	}
}

func TestPairsDropBodiesPastTheBound(t *testing.T) {
	var p pairs
	big := make([]byte, maxPendingBody/2+1)
	for i := uint32(1); i <= 2; i++ {
		p.add(&decode.Message{Kind: decode.Request, Exchange: i, Body: decode.Body{Data: big}}, 100)
	}
	rest := p.rest()
	if len(rest[0].req.Body.Data) != len(big) {
		t.Error("first request lost its body, want one always kept")
	}
	if b := rest[1].req.Body; b.Data != nil || !b.Cut {
		t.Error("second request kept its body past the bound")
	}
	if p.body != len(big) {
		t.Errorf("counts %d bytes, want %d", p.body, len(big))
	}
}

func TestSinkErrorStops(t *testing.T) {
	stop := errors.New("disk full")
	s := new(script).conn(1, format.Conn{})
	for i := range 100 {
		s.write(1, uint64(3*i), "Qa\n")
	}
	for _, workers := range []int{0, 3} {
		n := 0
		e := newEngine(Options{Workers: workers}, func(*Item) error {
			if n++; n == 10 {
				return stop
			}
			return nil
		}, newLineDecoder, 4, 1<<20)
		var err error
		for i := range s.evs {
			if err = e.Push(&s.evs[i]); err != nil {
				break
			}
		}
		if err == nil {
			err = e.Flush()
		}
		if _, cerr := e.Close(); !errors.Is(err, stop) || !errors.Is(cerr, stop) || n != 10 {
			t.Errorf("%d workers: push %v, close %v, %d items; want the sink's error and no item after it", workers, err, cerr, n)
		}
		if e.Push(&s.evs[0]) == nil {
			t.Errorf("%d workers: push after the error succeeds", workers)
		}
	}
}

// memSource plays events from memory and asks for a flush after each.
type memSource struct {
	evs  []format.Event
	err  error
	next int
	wait func(int)
}

func (s *memSource) Buffered() bool { return s.wait == nil && s.next%3 != 0 }

func (s *memSource) Next(ev *format.Event) error {
	if s.wait != nil {
		s.wait(s.next)
	}
	if s.next == len(s.evs) {
		return s.err
	}
	*ev = s.evs[s.next]
	s.next++
	return nil
}

func TestRun(t *testing.T) {
	s := new(script).session(0).conn(1, format.Conn{}).write(1, 0, "hello\n").finish()
	broken := errors.New("broken pipe")
	for _, tt := range []struct{ err, want error }{{io.EOF, nil}, {broken, broken}} {
		n := 0
		sum, err := Run(context.Background(), &memSource{evs: s.evs, err: tt.err}, Options{Workers: 1}, func(*Item) error { n++; return nil })
		if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
			t.Errorf("source ends with %v: run returns %v, want %v", tt.err, err, tt.want)
		}
		if sum.Conns != 1 || n == 0 {
			t.Errorf("source ends with %v: %d conns, %d items", tt.err, sum.Conns, n)
		}
	}
}

// TestAlone: one worker is the goroutine that reads.
func TestAlone(t *testing.T) {
	s := new(script).session(0).write(1, 0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").finish()
	for workers, want := range []int{0, 0, 1} {
		n := 0
		o := Options{Workers: workers, Render: func() func([]byte, *Item) []byte {
			return func(dst []byte, _ *Item) []byte { n++; return dst }
		}}
		if _, err := Run(context.Background(), &memSource{evs: s.evs, err: io.EOF}, o, func(*Item) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("%d workers: %d exchanges rendered by a worker, want %d", workers, n, want)
		}
	}
}

func TestRunFlushesBeforeItWaits(t *testing.T) {
	s := new(script).session(0).drop(0, format.Drop{}).drop(0, format.Drop{})
	n := 0
	src := &memSource{evs: s.evs, err: io.EOF}
	src.wait = func(next int) {
		if n != next {
			t.Errorf("%d items out when waiting for event %d", n, next)
		}
	}
	if _, err := Run(context.Background(), src, Options{Workers: 2}, func(*Item) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestRunStopsOnContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := new(script).session(0).write(1, 0, "Qa\n").write(1, 3, "Qb\n")
	n := 0
	_, err := Run(ctx, &memSource{evs: s.evs, err: io.EOF}, Options{Workers: 2}, func(*Item) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n == 0 {
		t.Errorf("run = %v after %d items, want context.Canceled", err, n)
	}
}

func TestGuessRole(t *testing.T) {
	ap := netip.MustParseAddrPort
	tests := []struct {
		name  string
		c     Conn
		first decode.Dir
		want  decode.Role
	}{
		{"handshake", Conn{Role: decode.RoleServer}, decode.Write, decode.RoleServer},
		{"ports", Conn{Conn: format.Conn{Local: ap("[::1]:443"), Remote: ap("[::1]:9")}}, decode.Read, decode.RoleClient},
		{"equal ports", Conn{Conn: format.Conn{Local: ap("[::1]:9"), Remote: ap("[::1]:9")}}, decode.Read, decode.RoleServer},
		{"first word", Conn{}, decode.Write, decode.RoleClient},
	}
	for _, tt := range tests {
		if got := guessRole(&tt.c, tt.first); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
