package record

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"
)

// memoryRing is a ring in ordinary memory, laid out as kernel/bpf/ringbuf.c does:
// the data twice in a row, positions that only grow.
type memoryRing struct {
	r    ring
	c, p uint64
	size uint64
}

func newMemoryRing(size int) *memoryRing {
	words := make([]uint64, 2*size/8)
	m := &memoryRing{size: uint64(size)}
	m.r = ring{consumer: &m.c, producer: &m.p, data: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 2*size), mask: uint64(size - 1)}
	return m
}

// put reserves and fills one sample; flags as the kernel sets them.
func (m *memoryRing) put(payload []byte, flags uint32) bool {
	n := (uint64(len(payload)) + ringHeader + 7) &^ 7
	if m.p-m.c+n > m.size {
		return false
	}
	for i := range n {
		b := byte(0)
		if i >= ringHeader && i-ringHeader < uint64(len(payload)) {
			b = payload[i-ringHeader]
		}
		at := (m.p + i) & m.r.mask
		m.r.data[at], m.r.data[at+m.size] = b, b
	}
	var head [4]byte
	binary.NativeEndian.PutUint32(head[:], uint32(len(payload))|flags)
	for i, b := range head {
		at := (m.p + uint64(i)) & m.r.mask
		m.r.data[at], m.r.data[at+m.size] = b, b
	}
	m.p += n
	return true
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
		if !m.put([]byte(want), 0) {
			t.Fatalf("no room for sample %d", i)
		}
		got := m.drain(t)
		if len(got) != 1 || got[0] != want {
			t.Fatalf("sample %d: got %q, want %q", i, got, want)
		}
	}
}

func TestRingBusyAndDiscarded(t *testing.T) {
	m := newMemoryRing(256)
	m.put([]byte("one"), 0)
	m.put([]byte("given up"), ringDiscard)
	m.put([]byte("two"), 0)
	m.put([]byte("not ready"), ringBusy)
	m.put([]byte("after"), 0)
	if got := m.drain(t); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Fatalf("got %q", got)
	}
	// The program that held it up submits: order is kept.
	head := (*uint32)(unsafe.Pointer(&m.r.data[m.c&m.r.mask]))
	*head &^= ringBusy
	if got := m.drain(t); len(got) != 2 || got[0] != "not ready" || got[1] != "after" {
		t.Fatalf("got %q", got)
	}
	if m.r.pending() != 0 {
		t.Errorf("%d bytes pending", m.r.pending())
	}
}

func TestRingStopsAtError(t *testing.T) {
	m := newMemoryRing(256)
	m.put([]byte("one"), 0)
	m.put([]byte("two"), 0)
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
			m.put(make([]byte, tt.fill-ringHeader), 0)
		}
		s, sink := &Session{ring: &m.r}, &patientSink{busy: tt.busy}
		if s.rest(sink, tt.last); sink.asked != tt.want {
			t.Errorf("%s: asked %d times, want %d", tt.name, sink.asked, tt.want)
		}
	}
	(&Session{}).rest(struct{ Sink }{}, false) // a sink that is never busy
}
