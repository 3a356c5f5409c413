package http2

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// holed takes n bytes at an offset out of the server's direction; n bytes, or
// nobody knows how many.
func holed(k *talk, at, n int, known bool) []decodetest.Step {
	cl, sv := k.cl.out.String(), k.sv.out.String()
	gap := decodetest.Unknown
	if known {
		gap = n
	}
	return []decodetest.Step{{Dir: c2s, Data: cl}, {Dir: s2c, Data: sv[:at]}, {Dir: s2c, Gap: gap}, {Dir: s2c, Data: sv[at+n:]}}
}

// find returns the first anomaly of a kind, and the message that has it.
func find(ms []decode.Message, kind decode.AnomalyKind) (decode.Message, decode.Anomaly) {
	for _, m := range ms {
		for _, a := range m.Anomalies {
			if a.Kind == kind {
				return m, a
			}
		}
	}
	return decode.Message{}, decode.Anomaly{}
}

// TestLossIsTold: bytes that belong to no message are told too, each with the
// offset of its frame.
func TestLossIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(s *side)
		at, n int // in the frame written
		want  string
	}{
		{"a PING", func(s *side) { s.frame(framePing, 0, 0, make([]byte, 8)...) }, 11, 3, "3 bytes of a PING frame"},
		{"SETTINGS", func(s *side) { s.settings(1, 9, 3, 4) }, 9, 12, "12 bytes of a SETTINGS frame"},
		{"an unknown frame", func(s *side) { s.frame(0x77, 0, 0, 1, 2, 3) }, 10, 1, "1 bytes of a type 0x77 frame"},
		{"padding", func(s *side) { s.frame(frameData, flagPadded|flagEndStream, 1, 4, 'x', 0, 0, 0, 0) }, 12, 2, "2 bytes of a DATA frame"},
		{"DATA of no stream", func(s *side) { s.frame(frameData, 0, 7, 1, 2, 3) }, 9, 2, "2 bytes of a DATA frame"},
		{"a block of no stream", func(s *side) { s.frame(frameHeaders, flagEndHeaders, 0, s.encode("a", "b")...) }, 10, 1, "1 bytes of a HEADERS frame|bytes of the header block"},
	} {
		k := newTalk(t)
		k.get(1)
		k.sv.out.Reset()
		k.sv.settings(3, 100)
		k.sv.block(1, false, ":status", "200")
		begin := k.sv.out.Len()
		tt.write(k.sv)
		ms := runAll(t, holed(k, begin+tt.at, tt.n, true), options{})
		_, a := find(ms, decode.AnomalyGap)
		if !strings.Contains("|"+tt.want+"|", "|"+a.Detail+"|") || a.Offset != uint64(begin) {
			t.Errorf("%s: %q at %d, want %q at %d", tt.name, a.Detail, a.Offset, tt.want, begin)
		}
	}
}

// TestResetWithoutCode: a reset of which the code is missing is still one.
func TestResetWithoutCode(t *testing.T) {
	k := newTalk(t)
	k.get(1)
	at := k.sv.out.Len()
	k.sv.frame(frameReset, 0, 1, 0, 0, 0, 8)
	m, a := find(runAll(t, holed(k, at+10, 2, true), options{}), AnomalyReset)
	if m.Flags&decode.Reset == 0 || a.Detail != "by the server, its code is missing" {
		t.Errorf("%+v in %+v", a, m)
	}
}

// TestLostSettings: a table size that lost SETTINGS may have allowed is no fault.
func TestLostSettings(t *testing.T) {
	k := newTalk(t)
	at := k.cl.out.Len()
	k.cl.settings(settingTableSize, 1<<16)
	k.get(1)
	k.sv.enc.SetMaxDynamicTableSizeLimit(1 << 16)
	k.sv.enc.SetMaxDynamicTableSize(1 << 16)
	k.sv.block(1, true, ":status", "200", "x", "y")
	cl, sv := k.cl.out.String(), k.sv.out.String()
	steps := []decodetest.Step{{Dir: c2s, Data: cl[:at+9]}, {Dir: c2s, Gap: 6}, {Dir: c2s, Data: cl[at+15:]}, {Dir: s2c, Data: sv}}
	ms := runAll(t, steps, options{})
	if _, a := find(ms, AnomalyHPACK); a.Kind != "" || len(decodetest.OfKind(ms, decode.Response)) != 1 {
		t.Errorf("%+v in %s", a, brief(ms))
	}
}

// TestLossInBody: where an unknown hole fell is known when all of it fell in one
// place and a length says how much is missing.
func TestLossInBody(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 10)
	k := newTalk(t)
	k.get(1)
	k.sv.block(1, false, ":status", "200", "content-length", "100")
	first := k.sv.out.Len()
	for i := range 5 {
		k.sv.data(1, i == 4, body[20*i:20*i+20])
	}
	const frame = frameHeaderLength + 20
	for _, tt := range []struct {
		name  string
		at, n int
		want  []decode.Span
	}{
		{"a frame", first + frame, frame, []decode.Span{{Off: 20, Len: 20}}},
		{"from within a frame", first + frame + 9 + 5, frame, []decode.Span{{Off: 25, Len: 35}}},
		{"two frames", first + frame, 2 * frame, []decode.Span{{Off: 20, Len: 40}}},
		{"the first", first, frame, []decode.Span{{Off: 0, Len: 20}}},
	} {
		ms := runAll(t, holed(k, tt.at, tt.n, false), options{})
		got := decodetest.OfKind(ms, decode.Response)[0]
		if diff := cmp.Diff(tt.want, got.Body.Gaps); diff != "" || got.Body.Size != 100 {
			t.Errorf("%s: size %d (-want +got):\n%s", tt.name, got.Body.Size, diff)
		}
	}
}

// TestHeldBytesKeepTheirTime: what is held while frames are searched carries the
// time it came.
func TestHeldBytesKeepTheirTime(t *testing.T) {
	k := newTalk(t)
	k.get(1)
	k.get(3)
	k.get(5)
	data := k.cl.out.Bytes()[len(Preface):]
	c := New(c2s, decode.Limits{})
	c.SetMidStream()
	var got []decode.Message
	for i := range data {
		at := decode.At{Seq: uint64(i), Time: int64(10 * i)}
		got = c.Append(got, decode.Chunk{Dir: c2s, At: at, Start: at.Time - 5, Off: uint64(i), Data: data[i : i+1]})
	}
	list := decodetest.OfKind(got, decode.Request)
	if len(list) != 3 {
		t.Fatalf("%d requests, want 3: %s", len(list), brief(got))
	}
	for i := 1; i < len(list); i++ {
		if before := list[i-1].End.Time; list[i].Begin != before+10-5 {
			t.Errorf("request %d begins at %d, want the byte behind the one that ended at %d", i, list[i].Begin, before)
		}
	}
}

// TestRefused: a request that the server's GOAWAY says it did not process ends
// with the connection, and with that reason.
func TestRefused(t *testing.T) {
	k := newTalk(t)
	k.get(1)
	k.get(3)
	k.sv.frame(frameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	k.sv.block(1, true, ":status", "200")
	ms := runAll(t, k.flush().pieces, options{})
	m, a := find(ms, AnomalyRefused)
	if m.Stream != 3 || m.Kind != decode.Response || a.Detail != "GOAWAY NO_ERROR (0), last stream 1: the server did not process it" {
		t.Errorf("%+v in %s", a, brief(ms))
	}
}

// TestFarewell: what a connection error cut short names it.
func TestFarewell(t *testing.T) {
	k := newTalk(t)
	k.get(1)
	k.sv.block(1, false, ":status", "200")
	k.sv.frame(frameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11)
	_, a := find(runAll(t, k.flush().pieces, options{}), decode.AnomalyTruncated)
	if want := "the connection ended; GOAWAY ENHANCE_YOUR_CALM (11) by the server"; a.Detail != want {
		t.Errorf("%q, want %q", a.Detail, want)
	}
}

// TestWindowTooLarge: updates must not add up to more than 2³¹−1.
func TestWindowTooLarge(t *testing.T) {
	for id, want := range map[uint32]int{0: 1, 1: 1} {
		k := newTalk(t)
		k.get(1)
		k.cl.frame(frameWindow, 0, id, 0x7f, 0xff, 0, 0) // 2³¹−65536, to 2³¹−1
		k.cl.frame(frameWindow, 0, id, 0, 0, 0, 1)
		ms := runAll(t, k.flush().pieces, options{})
		if got := anomalies(ms)[AnomalyFlow]; got != want {
			t.Errorf("stream %d: told %d times, want %d", id, got, want)
		}
	}
}
