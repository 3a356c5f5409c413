package http2

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestNoticesAreBounded: nine bytes can cause a notice, so they are counted.
func TestNoticesAreBounded(t *testing.T) {
	k := newTalk(t)
	for range 10_000 {
		k.cl.frame(frameWindow, 0, 0, 0, 0, 0, 0)
	}
	ms := runCuts(t, k.flush().pieces, options{})
	if len(ms) != maxNotices+1 {
		t.Fatalf("%d notices", len(ms))
	}
	if d := ms[maxNotices].Anomalies[0].Detail; d != "9984 more notices were not given" {
		t.Errorf("last notice: %s", d)
	}
}

func TestGaps(t *testing.T) {
	k := newTalk(t)
	k.get(1)
	k.sv.block(1, false, ":status", "200", "content-length", "100")
	head := k.sv.out.Len()
	k.sv.data(1, true, bytes.Repeat([]byte("x"), 100))
	k.sv.block(3, true, ":status", "200", "x-two", "v2")
	k.get(3)
	cl, sv := k.cl.out.String(), k.sv.out.String()
	tests := []struct {
		name    string
		at, gap int // in the server's direction
		known   bool
		want    string
	}{
		{"inside DATA", head + 9 + 10, 20, true, "1<200[100]+gapped(gap) 2<200"},
		{"all of the payload", head + 9, 100, true, "1<200[100]+gapped(gap) 2<200"},
		{"inside DATA, unknown length", head + 9 + 10, 20, false, "!(gap) !(resync) 2<200 1<200[10]+incomplete+gapped(truncated)(gap)"},
		{"the frame header too", head, 40, true, "!(gap) !(resync) 2<200 1<200+incomplete+gapped(truncated)(gap)"},
		{"to the end of the frame and further", head + 50, 70, true, "1<200[100]+gapped(gap) !(gap)"},
		{"inside a header block", head + 9 + 100 + 9 + 1, 2, true, "1<200[100] 2<200+incomplete+gapped(gap)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gap := decodetest.Unknown
			if tt.known {
				gap = tt.gap
			}
			ms := runAll(t, []decodetest.Step{
				{Dir: c2s, Data: cl}, {Dir: s2c, Data: sv[:tt.at]}, {Dir: s2c, Gap: gap}, {Dir: s2c, Data: sv[tt.at+tt.gap:]},
			}, options{})
			ms = slices.DeleteFunc(ms, func(m decode.Message) bool { return m.Kind == decode.Request })
			if got := brief(ms); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestGapSpans: where the holes of a body are.
func TestGapSpans(t *testing.T) {
	k := newTalk(t)
	k.post(1)
	at := k.cl.out.Len() + 9
	k.cl.data(1, true, []byte("0123456789"))
	b := k.cl.out.String()
	ms := runAll(t, []decodetest.Step{
		{Dir: c2s, Data: b[:at+2]}, {Dir: c2s, Gap: 1}, {Dir: c2s, Gap: 2}, {Dir: c2s, Data: b[at+5 : at+7]},
		{Dir: c2s, Gap: 1}, {Dir: c2s, Data: b[at+8:]},
	}, options{})
	want := decode.Body{
		Data: []byte("015689"), Size: 10, Lost: 4,
		Gaps: []decode.Span{{Off: 2, Len: 3}, {Off: 7, Len: 1}},
	}
	if diff := cmp.Diff(want, ms[0].Body); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMidStream(t *testing.T) {
	k := newTalk(t)
	k.post(1, "x-old", "1")
	k.flush()
	k.cl.data(1, false, []byte("rest of a body, then more frames"))
	k.cl.data(1, true, []byte("end"))
	k.get(3, "x-old", "1", "x-new", "2")
	k.get(5, "x-new", "2")
	k.flush()
	client := k.pieces[2].Data
	for cut := range 40 {
		ms := runAll(t, []decodetest.Step{{Dir: c2s, Data: client[cut:]}}, options{mid: true})
		reqs := slices.DeleteFunc(decodetest.OfKind(ms, decode.Request), func(m decode.Message) bool { return m.Stream == 1 })
		if len(reqs) != 2 || reqs[0].Target != "/" || header(reqs[1].Header, "x-new") != "2" {
			t.Fatalf("joined at %d: %s", cut, brief(ms))
		}
		if header(reqs[0].Header, "x-old") != "(absent)" || anomalies(ms)[AnomalyHPACKUnknown] == 0 {
			t.Fatalf("joined at %d: x-old cannot be known: %+v", cut, reqs[0].Header)
		}
		if anomalies(ms)[decode.AnomalyMidStream] == 0 || cut > 0 && anomalies(ms)[decode.AnomalyResync] == 0 {
			t.Errorf("joined at %d: %v", cut, anomalies(ms))
		}
	}
}

func TestUpgraded(t *testing.T) {
	k := newTalk(t)
	k.get(3)
	k.sv.block(1, true, ":status", "200", "content-length", "5")
	k.sv.block(3, true, ":status", "200")
	k.flush()
	c := New(c2s, decode.Limits{})
	c.SetUpgraded(Upgrade{Exchange: 7, Head: true, Settings: "AAEAACAA", Response: &decode.Message{Status: 101}})
	var out []decode.Message
	for _, p := range k.pieces {
		out = c.Append(out, decode.Chunk{Dir: p.Dir, Data: []byte(p.Data)})
	}
	if got, want := brief(out), "8>GET/ 7<200 8<200"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestMemory: state follows open streams, not those that were.
func TestMemory(t *testing.T) {
	c := New(c2s, decode.Limits{})
	k := newTalk(t)
	for i := range uint32(20_000) {
		k.get(1 + 2*i)
		k.sv.block(1+2*i, true, ":status", "200")
		k.flush()
		for _, p := range k.pieces {
			c.Append(nil, decode.Chunk{Dir: p.Dir, Data: []byte(p.Data)})
		}
		k.pieces = k.pieces[:0]
	}
	if n := len(c.reg.byID); n != 0 {
		t.Errorf("%d streams are open", n)
	}
	free := 0
	for st := c.reg.free; st != nil; st = st.next {
		free++
	}
	if free > 2 {
		t.Errorf("%d streams on the free list", free)
	}
}
