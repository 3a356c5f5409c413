package format

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// The first bytes are fixed for ever: other programs read them.
func TestEventLayout(t *testing.T) {
	ev := Event{Type: TypeData, Dir: DirRead, Probe: 9, Flags: 0x8001, CPU: 0x0102, TID: 0x11121314, Conn: 0x21222324,
		Seq: 0xffffffff_31323334, Time: 0x4142434445464748, Offset: 0x5152535455565758, Dur: 0x61626364, Payload: []byte("abc")}
	want := []byte{
		51, 0, 0, 0, 1, 12, 0x01, 0x80,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
		0x24, 0x23, 0x22, 0x21, 0x14, 0x13, 0x12, 0x11,
		0x34, 0x33, 0x32, 0x31, 0x02, 0x01, 2, 9,
		0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51,
		0x64, 0x63, 0x62, 0x61, 0, 0, 0, 0,
		'a', 'b', 'c', 0, 0, 0, 0, 0,
	}
	// A dirty buffer must not show through.
	dirty := bytes.Repeat([]byte{0xee}, 200)
	if got := appendEvent(dirty[:0], &ev); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
	clock := Event{Type: TypeClock, Seq: 1}
	want = []byte{32, 0, 0, 0, 7, 8, 0, 0, 24: 1, 31: 0}
	if got := appendEvent(dirty[:0], &clock); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
}

// grownEvent is an event as a later version may write it: a longer header, an
// unknown option behind the payload.
func grownEvent(payload string, option []byte) []byte {
	head := 56
	body := le.AppendUint32(nil, uint32(len(payload)))
	body = append(le.AppendUint32(body, 0), payload...)
	body = append(body, make([]byte, pad8(len(body))-len(body))...)
	body = append(body, option...)
	b := append(make([]byte, head), body...)
	le.PutUint32(b, uint32(len(b)))
	b[4], b[5] = uint8(TypeData), uint8(head/4)
	le.PutUint16(b[6:], uint16(flagOptions))
	le.PutUint64(b[32:], 7)
	return append(b, make([]byte, pad8(len(b))-len(b))...)
}

func TestEventGrowth(t *testing.T) {
	b := grownEvent("hello", appendTLV(nil, 77, "unknown option"))
	var ev Event
	if _, err := parseEvent(b, &ev); err != nil {
		t.Fatal(err)
	}
	if string(ev.Payload) != "hello" || ev.Offset != 7 || ev.Flags != 0 {
		t.Errorf("got %+v", ev)
	}
	critical := appendTLV(nil, 77, "must know")
	critical[2] = tlvCritical
	if _, err := parseEvent(grownEvent("hello", critical), &ev); !errors.Is(err, ErrVersion) {
		t.Errorf("critical option: %v, want ErrVersion", err)
	}
}

func TestEventMalformed(t *testing.T) {
	good := appendEvent(nil, &Event{Type: TypeData, Payload: []byte("12345678")})
	tests := []struct {
		name string
		edit func(b []byte)
	}{
		{"header of DATA too short", func(b []byte) { b[5] = 8 }},
		{"header too short", func(b []byte) { b[4], b[5] = uint8(TypeClock), 7 }},
		{"header beyond the event", func(b []byte) { b[5] = 16 }},
		{"header not aligned", func(b []byte) { b[5] = 13 }},
		{"options in too few bytes", func(b []byte) { b[6] = 2; le.PutUint32(b, 50) }},
		{"options with a long payload", func(b []byte) { b[6] = 2; le.PutUint32(b[48:], 1<<31) }},
	}
	for _, tt := range tests {
		b := bytes.Clone(good)
		tt.edit(b)
		var ev Event
		if _, err := parseEvent(b, &ev); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", tt.name, err)
		}
	}
	for _, n := range []uint32{0, 31, MaxEvent + 1, math.MaxUint32} {
		b := le.AppendUint32(nil, n)
		if _, err := eventLen(append(b, 0, 0, 0, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("length %d: %v, want ErrMalformed", n, err)
		}
	}
}

func TestWiden(t *testing.T) {
	tests := []struct {
		prev uint64
		lo   uint32
		want uint64
	}{
		{0, 0, 0},
		{0, 5, 5},
		{math.MaxUint32, 0, 1 << 32},
		{1<<40 + 5, 9, 1<<40 + 9},
		{1<<40 + 9, 5, 1<<40 + 5},
		{7<<32 + 0xfffffff0, 3, 8<<32 + 3},
		{100, 100 + math.MaxInt32, 100 + math.MaxInt32},
	}
	for _, tt := range tests {
		if got := widen(tt.prev, tt.lo); got != tt.want {
			t.Errorf("widen(%#x, %#x) = %#x, want %#x", tt.prev, tt.lo, got, tt.want)
		}
	}
}
