package record

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/NoFear0411/spliff/bpf"
)

// memoryRing is a ring in ordinary memory, laid out as bpf/ring.h does.
type memoryRing struct {
	r          ring
	used, next uint64
}

func newMemoryRing(size int) *memoryRing {
	words := make([]uint64, (size+ringSlack)/8)
	m := &memoryRing{}
	m.r = ring{used: &m.used, next: &m.next, data: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size+ringSlack),
		mask: uint64(size - 1), secret: 0xfeedfacecafebeef}
	return m
}

// take takes a place as the kernel side does, nil if there is no room, and writes the
// sample to it. It can be read once ready is set to stamp.
func (m *memoryRing) take(payload []byte) (s *bpf.SpliffSlot, stamp uint64) {
	n := (uint64(len(payload)) + slotSize + 7) &^ 7
	if m.used+n > m.r.size() {
		return nil, 0
	}
	off := m.next & m.r.mask
	s, stamp = (*bpf.SpliffSlot)(unsafe.Pointer(&m.r.data[off])), m.r.secret+m.next
	s.Size, s.Filled = uint32(len(payload)), 1
	copy(m.r.data[off+slotSize:], payload)
	m.used, m.next = m.used+n, m.next+n
	return s, stamp
}

// put takes a place and hands it over.
func (m *memoryRing) put(payload []byte) bool {
	s, stamp := m.take(payload)
	if s != nil {
		s.Ready = stamp
	}
	return s != nil
}

func (m *memoryRing) drain(t *testing.T) (got []string) {
	t.Helper()
	if err := m.r.drain(func(b []byte) error { got = append(got, string(b)); return nil }, func() {}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRingWraps(t *testing.T) {
	m := newMemoryRing(64)
	for i := range 200 {
		want := string(make([]byte, i%40)) + "x"
		if !m.put([]byte(want)) {
			t.Fatalf("no room for sample %d", i)
		}
		got := m.drain(t)
		if len(got) != 1 || got[0] != want {
			t.Fatalf("sample %d: got %q, want %q", i, got, want)
		}
	}
}

// TestRingFull: what has no room is refused, and room comes back with what is read.
func TestRingFull(t *testing.T) {
	m := newMemoryRing(256)
	for i := range 4 {
		if !m.put(make([]byte, 48)) {
			t.Fatalf("no room for sample %d", i)
		}
	}
	if m.put(nil) {
		t.Error("a full ring took one more")
	}
	if n := len(m.drain(t)); n != 4 || m.r.pending() != 0 {
		t.Fatalf("%d samples, %d bytes pending", n, m.r.pending())
	}
	if !m.put(make([]byte, 240)) {
		t.Error("an empty ring has no room")
	}
}

// TestRingBusyAndGivenBack: a place that is not filled yet holds up what is behind it,
// one that was given back nothing.
func TestRingBusyAndGivenBack(t *testing.T) {
	m := newMemoryRing(256)
	m.put([]byte("one"))
	void, stamp := m.take([]byte("given back"))
	void.Filled, void.Ready = 0, stamp
	m.put([]byte("two"))
	busy, stamp := m.take([]byte("not ready"))
	m.put([]byte("after"))
	if got := m.drain(t); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Fatalf("got %q", got)
	}
	busy.Ready = stamp // the program that held it up goes on: order is kept
	if got := m.drain(t); len(got) != 2 || got[0] != "not ready" || got[1] != "after" {
		t.Fatalf("got %q", got)
	}
	if m.r.pending() != 0 {
		t.Errorf("%d bytes pending", m.r.pending())
	}
}

// TestRingKeepsOldBytesOut: what an earlier lap left where a slot will be is not taken
// for one, also if it is what a slot of that lap looked like.
func TestRingKeepsOldBytesOut(t *testing.T) {
	m := newMemoryRing(64)
	m.put([]byte("of the first lap"))
	m.put([]byte("of the first lap"))
	m.drain(t)
	m.take([]byte("not ready"))
	if got := m.drain(t); len(got) != 0 {
		t.Fatalf("got %q", got)
	}
}

func TestRingStopsAtError(t *testing.T) {
	m := newMemoryRing(256)
	m.put([]byte("one"))
	m.put([]byte("two"))
	stop := errors.New("stop")
	if err := m.r.drain(func([]byte) error { return stop }, func() {}); err != stop {
		t.Fatalf("got %v", err)
	}
	if got := m.drain(t); len(got) != 1 || got[0] != "two" {
		t.Fatalf("got %q", got)
	}
}

// patientSink is busy as often as it is told.
type patientSink struct {
	Sink
	busy, asked int
}

func (s *patientSink) Busy() bool { s.asked++; return s.asked <= s.busy }

// TestRest: a sink that is behind is waited for while the ring has room, and to the
// end in the last round.
func TestRest(t *testing.T) {
	tests := []struct {
		name string
		fill int // bytes in a ring of 256
		busy int
		last bool
		want int // times the sink is asked
	}{
		{"not busy", 0, 0, false, 1},
		{"busy, room", 64, 3, false, 4},
		{"busy, half full", 136, 3, false, 4},
		{"busy, nearly full", 232, 3, false, 1},
		{"busy, nearly full, last round", 232, 3, true, 4},
	}
	for _, tt := range tests {
		m := newMemoryRing(256)
		if tt.fill > 0 {
			m.put(make([]byte, tt.fill-int(slotSize)))
		}
		s, sink := &Session{ring: &m.r}, &patientSink{busy: tt.busy}
		if s.rest(sink, tt.last); sink.asked != tt.want {
			t.Errorf("%s: asked %d times, want %d", tt.name, sink.asked, tt.want)
		}
	}
	(&Session{}).rest(struct{ Sink }{}, false) // a sink that is never busy
}
