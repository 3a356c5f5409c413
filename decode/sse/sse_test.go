package sse

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

func play(steps []decodetest.Step, l decode.Limits, flags decode.Flags, cut decodetest.Cut) ([]decode.Message, decode.Message, []decode.Anomaly) {
	m := decode.Message{Kind: decode.Response, Exchange: 7, Flags: flags}
	l = l.WithDefaults()
	r := New(&m, &l)
	out := decodetest.Feed(r, steps, cut)
	out, odd := r.End(out, &m, decode.At{})
	return out, m, odd
}

// brief writes events as name=data with their fields and flags.
func brief(list []decode.Message, odd []decode.Anomaly) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%s=%q", m.Type, m.Body.Data)
		for _, f := range m.Header {
			fmt.Fprintf(&b, " %s:%q", f.Name, f.Value)
		}
		if m.Body.Cut {
			fmt.Fprintf(&b, "+cut/%d", m.Body.Size)
		}
		if m.Flags&decode.Gapped != 0 {
			b.WriteString("+gap")
		}
		if m.Flags&decode.Incomplete != 0 {
			b.WriteString("+incomplete")
		}
		b.WriteString("; ")
	}
	for _, a := range odd {
		fmt.Fprintf(&b, "(%s)", a.Kind)
	}
	return strings.TrimSpace(b.String())
}

func TestReader(t *testing.T) {
	text := func(s string) []decodetest.Step { return []decodetest.Step{{Data: s}} }
	tests := []struct {
		name   string
		steps  []decodetest.Step
		limits decode.Limits
		flags  decode.Flags
		want   string
	}{
		{"nothing", nil, decode.Limits{}, 0, ""},
		{"one", text("data: hi\n\n"), decode.Limits{}, 0, `message="hi";`},
		// The examples of the standard, §9.2.6.
		{"lines are joined", text("data: YHOO\ndata: +2\ndata: 10\n\n"), decode.Limits{}, 0, `message="YHOO\n+2\n10";`},
		{"four blocks", text(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"), decode.Limits{}, 0,
			`message="first event" id:"1"; message="second event" id:""; message=" third event";`},
		{"empty data is data", text("data\n\ndata\ndata\n\ndata:"), decode.Limits{}, 0, `message=""; message="\n";`},
		{"with and without space", text("data:test\n\ndata: test\n\n"), decode.Limits{}, 0, `message="test"; message="test";`},
		{"names and fields", text("event: add\nid: 5\nretry: 100\ndata: x\n\n"), decode.Limits{}, 0, `add="x" id:"5" retry:"100";`},
		{"the last of each counts", text("event: a\nevent: b\nid: 1\nid: 2\ndata: x\n\n"), decode.Limits{}, 0, `b="x" id:"2";`},
		{"fields that are none", text("id: a\x00b\nretry: 1s\nretry:\nData: no\nfoo: bar\ndata: x\n\n"), decode.Limits{}, 0, `message="x";`},
		{"an event without data is none", text("event: x\nid: 3\n\ndata: y\n\n"), decode.Limits{}, 0, `message="y";`},
		{"comments only", text(":\n\n: keep\n\n"), decode.Limits{}, 0, ""},
		{"CR", text("data: a\rdata: b\r\rdata: c\r\r"), decode.Limits{}, 0, `message="a\nb"; message="c";`},
		{"CRLF", text("data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"), decode.Limits{}, 0, `message="a\nb"; message="c";`},
		{"all of them", text("data: a\rdata: b\ndata: c\r\n\n\r\ndata: d\n\r"), decode.Limits{}, 0, `message="a\nb\nc"; message="d";`},
		{"byte order mark", text("\ufeffdata: a\n\n\ufeffdata: b\n\n"), decode.Limits{}, 0, `message="a";`},
		{"mark alone", text("\ufeff\n\ndata: b\n\n"), decode.Limits{}, 0, `message="b";`},
		{"UTF-8", text("data: größer\ndata: 中\n\n"), decode.Limits{}, 0, `message="größer\n中";`},
		{"longer than the limit", text("data: 123456\n\ndata: 12\ndata: 34\n\n"), decode.Limits{Inner: 4}, 0, `message="1234"+cut/6; message="12\n3"+cut/5;`},
		{"far longer", text("data: " + strings.Repeat("x", 5000) + "\n\ndata: y\n\n"), decode.Limits{Inner: 4}, 0, `message="xxxx"+cut/5000; message="y";`},
		{"nothing kept", text("data: 123456\nevent: e\n\n"), decode.Limits{Body: -1}, 0, `e=""+cut/6;`},
		{"no blank line at the end", text("data: a\n\ndata: b\n"), decode.Limits{}, 0, `message="a"; message="b"+incomplete; (sse-truncated)`},
		{"half a line at the end", text("data: a\ndata: b"), decode.Limits{}, 0, `message="a"+incomplete; (sse-truncated)`},
		{"the response has no end either", text("data: a\n"), decode.Limits{}, decode.Incomplete, `message="a"+incomplete;`},
		{"gap", []decodetest.Step{{Data: "data: a\ndata: b"}, {Gap: 5}, {Data: "c\ndata: d\n\ndata: e\n\n"}}, decode.Limits{}, decode.Gapped,
			`message="a"+gap+incomplete; message="e";`},
		{"gap between events", []decodetest.Step{{Data: "data: a\n\n"}, {Gap: decodetest.Unknown}, {Data: "data: b\n\ndata: c\n\n"}}, decode.Limits{}, decode.Gapped,
			`message="a"; message="c";`},
		{"gap in the middle of CRLF", []decodetest.Step{{Data: "data: a\r\n\r"}, {Gap: 1}, {Data: "data: b\r\n\r\ndata: c\r\n\r\n"}}, decode.Limits{}, decode.Gapped,
			`message="a"; message="c";`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, m, odd := play(tt.steps, tt.limits, tt.flags, decodetest.Whole)
			if b := brief(got, odd); b != tt.want {
				t.Errorf("got  %s\nwant %s", b, tt.want)
			}
			if m.Inners != uint64(len(got)) {
				t.Errorf("Inners = %d of %d", m.Inners, len(got))
			}
			for _, cut := range []uint64{1, 2, 3} {
				again, _, odd2 := play(tt.steps, tt.limits, tt.flags, decodetest.NumberedCut(cut))
				if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(odd, odd2) {
					t.Errorf("cut %d differs:\n%s", cut, cmp.Diff(got, again))
				}
			}
		})
	}
}

// What an event carries besides its data.
func TestMessage(t *testing.T) {
	got, _, _ := play([]decodetest.Step{{Data: ": c\ndata: hi\r\n\r\n"}}, decode.Limits{}, 0, decodetest.Whole)
	want := []decode.Message{{
		Kind: decode.Inner, Exchange: 7, Proto: "sse", Type: "message", Number: 1, Wire: 15, // the last LF comes after it
		Body: decode.Body{Data: []byte("hi"), Size: 2},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShed(t *testing.T) {
	l := decode.Limits{}.WithDefaults()
	r := New(&decode.Message{}, &l)
	long := strings.Repeat("x", 10000)
	out := r.Append(nil, decode.Chunk{Data: []byte("data: " + long + "\ndata: " + long)})
	if r.Kept() < 20000 {
		t.Errorf("kept %d", r.Kept())
	}
	r.Shed()
	if r.Kept() > 2*valueMax {
		t.Errorf("kept %d after shedding", r.Kept())
	}
	out = r.Append(out, decode.Chunk{Data: []byte("yyy\n\ndata: z\n\n")})
	if len(out) != 2 || out[0].Body.Size != 20004 || !out[0].Body.Cut || out[0].Body.Data != nil || string(out[1].Body.Data) != "z" {
		t.Errorf("%+v", out)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\ufeffevent: a\ndata: b\r\ndata:c\r\rid: 5\n\n"), uint8(9), int16(3), uint64(3))
	f.Add([]byte(": x\n\ndata\n\nretry: 5\ndata: "), uint8(4), int16(-1), uint64(4))
	f.Fuzz(func(t *testing.T, body []byte, at uint8, gap int16, seed uint64) {
		k := min(int(at), len(body))
		steps := []decodetest.Step{{Data: string(body[:k])}, {Gap: max(int(gap), decodetest.Unknown)}, {Data: string(body[k:])}}
		l := decode.Limits{Inner: 10}
		want, m, odd := play(steps, l, 0, decodetest.Whole)
		got, _, odd2 := play(steps, l, 0, decodetest.Random(seed, 9))
		if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(odd, odd2) {
			t.Fatalf("cuts differ:\n%s", cmp.Diff(want, got))
		}
		if m.Inners != uint64(len(want)) {
			t.Errorf("%d of %d events", m.Inners, len(want))
		}
		wire := uint64(0)
		for _, m := range want {
			wire += m.Wire
			if b := m.Body; len(b.Data) > 10 || uint64(len(b.Data)) > b.Size || len(m.Header) > 2 || len(m.Type) > nameMax {
				t.Errorf("%d of %d bytes kept, %d fields, name of %d", len(b.Data), b.Size, len(m.Header), len(m.Type))
			}
		}
		if wire > uint64(len(body)) {
			t.Errorf("events of %d bytes in a body of %d", wire, len(body))
		}
	})
}
