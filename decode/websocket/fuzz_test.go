package websocket

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// FuzzFrames plays both directions whole and cut, with a gap somewhere, and wants
// the same messages, each byte accounted for.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(client(0x81, "hello")+client(0x88, "\x03\xe8")), []byte(server(0x01, "a")+server(0x89, "")+server(0x80, "b")), uint16(3), int8(2), byte(0))
	f.Add([]byte(client(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")), []byte(server(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")+server(0xc1, "\xf2\x00\x11\x00\x00")), uint16(9), int8(-1), byte(1))
	f.Add([]byte("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01abcd"), []byte(server(0x81, "some text")+server(0x81, "more text")+server(0x81, "and text")), uint16(4), int8(5), byte(2))
	f.Add([]byte{0x83, 0x80}, []byte("\x81\x7e\x00\x01a"), uint16(1), int8(1), byte(7))
	f.Fuzz(func(t *testing.T, a, b []byte, at uint16, gap int8, how byte) {
		o := Options{Client: c2s, Extensions: Extensions{Deflate: how&1 != 0, ClientNoTakeover: how&2 != 0, ServerNoTakeover: how&4 != 0}}
		if how&8 != 0 {
			o.Limits = decode.Limits{Body: 5, Gaps: 1, Anomalies: 2}
		}
		k := min(int(at), len(b))
		missing := int(max(gap, decodetest.Unknown))
		steps := []decodetest.Step{from(c2s, string(a)), from(s2c, string(b[:k])), {Dir: s2c, Gap: missing}, from(s2c, string(b[k:])), from(c2s, string(b))}
		want := play(o, how&16 != 0, steps, decodetest.Whole, how&32 != 0)
		for _, cut := range []uint64{1, 5} {
			if got := play(o, how&16 != 0, steps, decodetest.NumberedCut(cut), how&32 != 0); !reflect.DeepEqual(want, got) {
				t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
			}
		}
		check(t, o, want, map[decode.Dir]uint64{c2s: uint64(len(a) + len(b)), s2c: uint64(len(b) + max(0, missing))})
	})
}

// check holds what is true of any output.
func check(t *testing.T, o Options, ms []decode.Message, sent map[decode.Dir]uint64) {
	t.Helper()
	l := o.Limits.WithDefaults()
	number, seen := map[decode.Dir]uint64{}, map[decode.Dir]uint64{}
	for _, m := range ms {
		b := m.Body
		if len(b.Data) > max(0, l.Body) && m.Kind == decode.Inner || len(b.Gaps) > l.Gaps || len(m.Anomalies) > l.Anomalies || b.Lost > b.Size {
			t.Errorf("over a limit: %v", brief([]decode.Message{m}))
		}
		switch m.Kind {
		case decode.Inner:
			if number[m.Dir]++; m.Number != number[m.Dir] {
				t.Errorf("number %d, want %d", m.Number, number[m.Dir])
			}
			seen[m.Dir] += m.Wire
			if m.Flags&decode.Incomplete != 0 && len(m.Anomalies) == 0 {
				t.Error("incomplete, and nothing says why")
			}
		case decode.Opaque:
			seen[m.Dir] += b.Size
		case decode.Notice:
			if len(m.Anomalies) == 0 && m.Flags&decode.Last == 0 {
				t.Error("a notice of nothing")
			}
		}
	}
	// What is lost across a frame boundary belongs to no message.
	for dir, n := range seen {
		if n > sent[dir] || dir == c2s && n != sent[dir] {
			t.Errorf("direction %d: %d bytes told of, %d sent", dir, n, sent[dir])
		}
	}
}

// FuzzInflate inflates what may be DEFLATE, in pieces as messages, within bounds.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), []byte("\xf2\x00\x11\x00\x00"), 100)
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []byte{}, 3)
	f.Add([]byte{3, 0, 3, 0, 3}, []byte{0, 0, 0}, 0)
	f.Add([]byte(zeros(100_000)), []byte(zeros(10)), 70_000)
	f.Fuzz(func(t *testing.T, a, b []byte, keep int) {
		keep = min(max(keep, 0), 1<<20)
		var in inflater
		var win []byte
		for _, comp := range [][]byte{a, b, a} {
			var got text
			var err error
			before := in.got
			got, win, err = in.run(append([]byte(nil), comp...), win, keep, 1<<20)
			if len(got.data) > keep || uint64(len(got.data)) > got.size || len(win) > 2*windowSize || got.size > 1<<20+windowSize {
				t.Fatalf("%d bytes kept of %d, window %d", len(got.data), got.size, len(win))
			}
			if in.got-before != got.size {
				t.Fatalf("counted %d, inflated %d", in.got-before, got.size)
			}
			if err != nil {
				win = win[:0]
			}
		}
	})
}
