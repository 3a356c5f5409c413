package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// testSession is the description that sessions made by tests carry.
func testSession() Session {
	return Session{
		UUID: [16]byte{1, 2, 3, 15: 16}, Wall: 1_700_000_000_000_000_000, Mono: 5_000_000,
		UTCOffset: -3600, Writer: "spliff test", Host: "host", Kernel: "6.6", Arch: "x86_64",
		Command: []string{"spliff", "record", "-o", "x.spl", ""}, Filter: "pid 812",
	}
}

// conversation is a small session: two processes, three connections, loss, ends.
// Each DATA payload is size bytes.
func conversation(rng *rand.Rand, size, rounds int) []Event {
	var evs []Event
	var seq, now uint64 = 0, 6_000_000
	add := func(ev Event) {
		seq++
		now += 1000
		ev.Seq, ev.Time, ev.CPU = seq, now, uint16(seq%4)
		evs = append(evs, ev)
	}
	add(Event{Type: TypeProbe, Payload: (&Probe{ID: 1, Library: "openssl", Path: "/usr/lib/libssl.so.3", Sites: []string{"SSL_read+0", ""}}).AppendTo(nil)})
	add(Event{Type: TypeUnwatched, Payload: (&Unwatched{Library: "rustls", Path: "/bin/a", Reason: "not supported"}).AppendTo(nil)})
	for pid := uint32(100); pid < 102; pid++ {
		add(Event{Type: TypeProc, TID: pid, Payload: (&Proc{PID: pid, Comm: "curl", Args: []string{"curl", "", "https://example.org/"}}).AppendTo(nil)})
	}
	var off [4][3]uint64
	for id := uint32(1); id <= 3; id++ {
		c := Conn{PID: 100 + id%2, SSL: uint64(id) << 12, Role: RoleClient, ALPN: "h2",
			Remote: netip.MustParseAddrPort("192.0.2.1:443"), Local: netip.MustParseAddrPort("[2001:db8::1]:40000")}
		add(Event{Type: TypeConn, Conn: id, Probe: 1, Payload: c.AppendTo(nil)})
		add(Event{Type: TypeHandshake, Conn: id, Payload: (&Handshake{OK: true, Dur: 99}).AppendTo(nil)})
	}
	for range rounds {
		id, dir := 1+uint32(rng.IntN(3)), 1+Dir(rng.IntN(2))
		p := make([]byte, size)
		for i := range p {
			p[i] = byte('a' + rng.IntN(16))
		}
		add(Event{Type: TypeData, Conn: id, Dir: dir, Probe: 1, TID: 100 + id%2, Offset: off[id][dir], Dur: 77, Payload: p})
		off[id][dir] += uint64(size)
	}
	add(Event{Type: TypeDrop, Conn: 2, Dir: DirRead, Payload: (&Drop{Cause: DropRingFull, Events: 3, Bytes: 4096, Offset: off[2][2]}).AppendTo(nil)})
	add(Event{Type: TypeClock, Payload: (&Clock{Wall: 1, Mono: 2}).AppendTo(nil)})
	for id := uint32(1); id <= 3; id++ {
		add(Event{Type: TypeConnEnd, Conn: id, Payload: (&ConnEnd{Reason: EndFree, Written: off[id][1], Read: off[id][2]}).AppendTo(nil)})
	}
	for pid := uint32(100); pid < 102; pid++ {
		add(Event{Type: TypeProcEnd, TID: pid, Payload: (&ProcEnd{PID: pid}).AppendTo(nil)})
	}
	add(Event{Type: TypeEnd, Payload: (&End{Reason: "interrupt", Events: uint64(len(evs)) + 1}).AppendTo(nil)})
	return evs
}

// small is a conversation of about 10 KiB with a chunk boundary every few events.
func small(t testing.TB) (file []byte, evs []Event) {
	evs = conversation(rand.New(rand.NewPCG(1, 2)), 200, 40)
	return write(t, evs, WriterOptions{}, func(i int) bool { return i%7 == 6 }), evs
}

// write makes a session file of evs without its footer. flush, if not nil, says
// after which events to flush.
func write(t testing.TB, evs []Event, o WriterOptions, flush func(i int) bool) []byte {
	return noFooter(writeWhole(t, evs, o, flush))
}

// noFooter returns file up to the first frame of a footer.
func noFooter(file []byte) []byte {
	at := 0
	for _, f := range frames(file) {
		switch tag := le.Uint32(f[8:]); {
		case le.Uint32(f) != magicOurs, tag == tagIndex, tag == tagSummary, tag == tagTrailer:
			return file[:at:at]
		}
		at += len(f)
	}
	return file
}

// plainHead is the length of a chunk header without sets.
const plainHead = chunkFixedLen + crcLen

func writeWhole(t testing.TB, evs []Event, o WriterOptions, flush func(i int) bool) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, testSession(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range evs {
		if err := w.Append(&evs[i]); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if flush != nil && flush(i) {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// read returns all events of a file, payloads copied.
func read(t testing.TB, file []byte) ([]Event, []Damage) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	evs, err := drain(r)
	if err != nil {
		t.Fatal(err)
	}
	return evs, r.Damage()
}

func drain(r *Reader) ([]Event, error) {
	var evs []Event
	for {
		var ev Event
		err := r.Next(&ev)
		if err == io.EOF {
			// The end is the end for ever.
			if again := r.Next(&ev); again != io.EOF {
				return evs, fmt.Errorf("after the end: %v", again)
			}
			return evs, nil
		}
		if err != nil {
			return evs, err
		}
		ev.Payload = bytes.Clone(ev.Payload)
		evs = append(evs, ev)
	}
}

// randomEvents makes events with arbitrary fields; definitions carry arbitrary
// payloads, since the container must not care.
func randomEvents(rng *rand.Rand, n int) []Event {
	types := []Type{TypeData, TypeData, TypeData, TypeConn, TypeConnEnd, TypeProc, TypeProcEnd, TypeDrop, TypeProbe, TypeHandshake, TypeUnwatched, TypeMark, 77, 200}
	evs := make([]Event, n)
	var seq uint64
	for i := range evs {
		seq += uint64(rng.IntN(3))
		if rng.IntN(50) == 0 {
			seq += rng.Uint64N(1 << 40)
		}
		p := make([]byte, rng.IntN(300))
		if rng.IntN(100) == 0 {
			p = make([]byte, rng.IntN(100_000))
		}
		for k := range p {
			p[k] = byte(rng.Uint32())
		}
		ev := Event{
			Type: types[rng.IntN(len(types))], Dir: Dir(rng.IntN(4)), Probe: uint8(rng.IntN(4)),
			Flags: Flags(rng.Uint32()) &^ (FlagRepeat | flagOptions), CPU: uint16(rng.Uint32()), TID: rng.Uint32(),
			Conn: rng.Uint32N(5), Seq: seq, Time: rng.Uint64(), Payload: p,
		}
		pid := uint32(rng.IntN(3))
		switch ev.Type {
		case TypeData:
			ev.Offset, ev.Dur = rng.Uint64(), rng.Uint32()
		case TypeConn:
			ev.Payload = appendTLV((&Conn{PID: pid}).AppendTo(nil), 99, p[:len(p)%2000])
		case TypeProc:
			ev.Payload = (&Proc{PID: pid, Comm: "x"}).AppendTo(nil)
		case TypeProcEnd:
			ev.Payload = (&ProcEnd{PID: pid}).AppendTo(nil)
		case TypeProbe:
			ev.Payload = (&Probe{ID: uint8(rng.IntN(4))}).AppendTo(nil)
		case TypeUnwatched:
			ev.Payload = (&Unwatched{Library: "s2n", Path: string(p[:len(p)%2000])}).AppendTo(nil)
		}
		evs[i] = ev
	}
	return evs
}

// originals leaves out SESSION and repeated events: what the caller appended.
func originals(evs []Event) []Event {
	var out []Event
	for _, ev := range evs {
		if ev.Type != TypeSession && ev.Flags&FlagRepeat == 0 {
			out = append(out, ev)
		}
	}
	return out
}

// diffEvents is cmp.Diff, which takes seconds on megabytes of noise, for the
// events that differ.
func diffEvents(want, got []Event) string {
	for len(want) > 0 && len(got) > 0 && sameEvent(want[0], got[0]) {
		want, got = want[1:], got[1:]
	}
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	want, got = want[:min(len(want), 2)], got[:min(len(got), 2)]
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

func sameEvent(a, b Event) bool {
	if !bytes.Equal(a.Payload, b.Payload) {
		return false
	}
	a.Payload, b.Payload = nil, nil
	return reflect.DeepEqual(a, b)
}

// chunkEnds returns the offsets in file at which a chunk, or the file header,
// ends, found with nothing but the lengths in the file.
func chunkEnds(file []byte) []int {
	var ends []int
	for at := 0; at < len(file); {
		n := int(frameLen(file[at:]))
		if le.Uint32(file[at+8:]) == tagChunk {
			n += int(le.Uint32(file[at+20:]))
		}
		at += n
		ends = append(ends, at)
	}
	return ends
}

// frames returns file cut at chunkEnds: the file header, then each chunk.
func frames(file []byte) [][]byte {
	var out [][]byte
	at := 0
	for _, end := range chunkEnds(file) {
		out = append(out, file[at:end:end])
		at = end
	}
	return out
}

// reseal recomputes the checksum of the header frame at the start of f.
func reseal(f []byte) []byte {
	sealEnvelope(f[:frameLen(f)])
	return f
}

var errDisk = errors.New("no space left")
