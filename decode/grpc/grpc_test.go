package grpc

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// frame is one length-prefixed message.
func frame(flag byte, msg string) string {
	p := binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(msg)))
	return string(p) + msg
}

// play reads a body in pieces and returns what was inside, what is known of the
// message whose body it is, and the anomalies.
func play(steps []decodetest.Step, form Form, coding string, l decode.Limits, flags decode.Flags, cut decodetest.Cut) ([]decode.Message, decode.Message, []decode.Anomaly) {
	m := decode.Message{Kind: decode.Response, Exchange: 7, Stream: 3, Flags: flags}
	l = l.WithDefaults()
	r := New(&m, form, coding, &l)
	out := decodetest.Feed(r, steps, cut)
	out, odd := r.End(out, &m, decode.At{})
	return out, m, odd
}

// brief writes messages as number:size/kept with their flags.
func brief(list []decode.Message, odd []decode.Anomaly) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%d:%d/%d", m.Number, m.Body.Size, len(m.Body.Data))
		if m.Body.Cut {
			b.WriteString("+cut")
		}
		if m.Flags&decode.Gapped != 0 {
			b.WriteString("+gap")
		}
		if m.Flags&decode.Incomplete != 0 {
			b.WriteString("+incomplete")
		}
		if len(m.Body.Codings) > 0 {
			b.WriteString("+" + m.Body.Codings[0])
		}
		b.WriteByte(' ')
	}
	for _, a := range odd {
		fmt.Fprintf(&b, "(%s)", a.Kind)
	}
	return strings.TrimSpace(b.String())
}

func TestReader(t *testing.T) {
	gap := func(n int) decodetest.Step { return decodetest.Step{Gap: n} }
	data := func(s string) decodetest.Step { return decodetest.Step{Data: s} }
	small := decode.Limits{Inner: 4}
	b64 := base64.StdEncoding.EncodeToString
	tests := []struct {
		name   string
		form   Form
		coding string
		limits decode.Limits
		flags  decode.Flags
		steps  []decodetest.Step
		want   string
	}{
		{"nothing", Plain, "", decode.Limits{}, 0, nil, ""},
		{"one", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "hello"))}, "1:5/5"},
		{"empty messages", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "") + frame(0, "") + frame(0, "x"))}, "1:0/0 2:0/0 3:1/1"},
		{"compressed", Plain, "GZIP", decode.Limits{}, 0, []decodetest.Step{data(frame(1, "abc") + frame(0, "d"))}, "1:3/3+gzip 2:1/1"},
		{"compressed with what", Plain, "identity", decode.Limits{}, 0, []decodetest.Step{data(frame(1, "abc") + frame(1, "d"))}, "1:3/3 2:1/1 (grpc-bad-frame)"},
		{"flag that means nothing", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0x82, "abc"))}, "1:3/3 (grpc-bad-frame)"},
		{"longer than the limit", Plain, "", small, 0, []decodetest.Step{data(frame(0, "123456") + frame(0, "1234"))}, "1:6/4+cut 2:4/4"},
		{"nothing kept", Plain, "", decode.Limits{Body: -1}, 0, []decodetest.Step{data(frame(0, "123456"))}, "1:6/0+cut"},
		{"cut short", Plain, "", decode.Limits{}, 0, []decodetest.Step{data("\x00\xff\xff\xff\xffabc")}, "1:3/3+incomplete (grpc-truncated)"},
		{"cut short with its stream", Plain, "", decode.Limits{}, decode.Incomplete, []decodetest.Step{data("\x00\x00\x00\x00\x09abc")}, "1:3/3+incomplete"},
		{"prefix cut short", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "a") + "\x00\x00")}, "1:1/1"},
		{"gap inside", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "123456")[:7]), gap(2), gap(1), data("6" + frame(0, "z"))}, "1:6/3+gap 2:1/1"},
		{"gap to the end", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "123456")[:7]), gap(4), data(frame(0, "z"))}, "1:6/2+gap 2:1/1"},
		{"gap over the end", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "123456")[:7]), gap(5), data(frame(0, "z"))}, "1:2/2+gap+incomplete (gap)"},
		{"gap of unknown length", Plain, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "a")), gap(decodetest.Unknown), data(frame(0, "z"))}, "1:1/1 (gap)"},
		{"web", Web, "", decode.Limits{}, 0, []decodetest.Step{data(frame(0, "a") + frame(0x80, "grpc-status: 5\r\nGrpc-Message:no%20such\r\n"))}, "1:1/1"},
		{"web text in one", WebText, "", decode.Limits{}, 0, []decodetest.Step{data(b64([]byte(frame(0, "abcd") + frame(0x80, "grpc-status: 5\r\n"))))}, "1:4/4"},
		{"web text in pieces", WebText, "", decode.Limits{}, 0, []decodetest.Step{data(b64([]byte(frame(0, "abcd"))) + b64([]byte(frame(0x80, "grpc-status: 5\r\n"))))}, "1:4/4"},
		{"web text that is none", WebText, "", decode.Limits{}, 0, []decodetest.Step{data(b64([]byte(frame(0, "abcdef"))[:9]) + "????" + b64([]byte("abc")))}, "1:4/4+incomplete (grpc-bad-frame)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, m, odd := play(tt.steps, tt.form, tt.coding, tt.limits, tt.flags, decodetest.Whole)
			if b := brief(got, odd); b != tt.want {
				t.Errorf("got  %s\nwant %s", b, tt.want)
			}
			if m.Inners != uint64(len(got)) {
				t.Errorf("Inners = %d of %d", m.Inners, len(got))
			}
			if tt.form != Plain && tt.name[:3] == "web" && !strings.HasSuffix(tt.name, "none") {
				if s, ok := StatusOf(&m); !ok || s.Name != "NOT_FOUND" {
					t.Errorf("status %+v %v, trailer %v", s, ok, m.Trailer)
				}
			}
			for _, cut := range []uint64{1, 2, 3} {
				again, _, odd2 := play(tt.steps, tt.form, tt.coding, tt.limits, tt.flags, decodetest.NumberedCut(cut))
				if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(odd, odd2) {
					t.Errorf("cut %d differs:\n%s", cut, cmp.Diff(got, again))
				}
			}
		})
	}
}

// What a message of a body carries besides its bytes.
func TestMessage(t *testing.T) {
	got, _, _ := play([]decodetest.Step{{Data: frame(0, "hi")}}, Plain, "", decode.Limits{}, 0, decodetest.Whole)
	want := []decode.Message{{
		Kind: decode.Inner, Exchange: 7, Stream: 3, Proto: "grpc", Type: "message", Number: 1, Wire: 7,
		Body: decode.Body{Data: []byte("hi"), Size: 2},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A compressed message is decoded by whoever shows it, under a limit.
func TestCompressed(t *testing.T) {
	zipped := "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15" // zlib of hello
	got, _, _ := play([]decodetest.Step{{Data: frame(1, zipped)}}, Plain, "deflate", decode.Limits{}, 0, decodetest.Single)
	content.Fill(&got[0], 100)
	if b := got[0].Body; string(b.Content) != "hello" || b.ContentErr != "" {
		t.Errorf("content %q, error %q", b.Content, b.ContentErr)
	}
}

func TestShed(t *testing.T) {
	l := decode.Limits{}.WithDefaults()
	r := New(&decode.Message{}, Plain, "", &l)
	out := r.Append(nil, decode.Chunk{Data: []byte("\x00\x00\x00\x00\x06abc")})
	if r.Kept() < 3 {
		t.Errorf("kept %d", r.Kept())
	}
	r.Shed()
	if r.Kept() != 0 {
		t.Errorf("kept %d after shedding", r.Kept())
	}
	out = r.Append(out, decode.Chunk{Data: []byte("def")})
	if got := brief(out, nil); got != "1:6/0+cut" {
		t.Errorf("got %s", got)
	}
}

func TestFormOf(t *testing.T) {
	for kind, want := range map[string]Form{
		"application/grpc": Plain, "application/grpc+proto": Plain, "Application/GRPC; x=1": Plain,
		"application/grpc-web": Web, "application/grpc-web+proto": Web, "application/grpc-web-text": WebText,
		"application/grpc-web-text+proto": WebText, "application/grpc-webx": None, "application/grpcx": None, "": None, "text/plain": None,
	} {
		if got := FormOf(kind); got != want {
			t.Errorf("FormOf(%q) = %d, want %d", kind, got, want)
		}
	}
}

func TestStatusOf(t *testing.T) {
	f := func(kv ...string) (out []decode.Field) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, decode.Field{Name: kv[i], Value: kv[i+1]})
		}
		return out
	}
	tests := []struct {
		name            string
		header, trailer []decode.Field
		want            Status
		ok              bool
	}{
		{"none", nil, nil, Status{}, false},
		{"trailer", nil, f("grpc-status", "0"), Status{Code: "0", Name: "OK"}, true},
		{"trailers only", f("grpc-status", "13", "grpc-message", "a%0ab%"), nil, Status{"13", "INTERNAL", "a\nb%"}, true},
		{"the trailer wins", f("grpc-status", "0"), f("Grpc-Status", "16", "grpc-message", "%E2%82%AC%zz"), Status{"16", "UNAUTHENTICATED", "€%zz"}, true},
		{"a code without a name", nil, f("grpc-status", "17"), Status{Code: "17"}, true},
		{"no code", nil, f("grpc-status", "x"), Status{Code: "x"}, true},
	}
	for _, tt := range tests {
		got, ok := StatusOf(&decode.Message{Header: tt.header, Trailer: tt.trailer})
		if got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v %v, want %+v %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestSplit(t *testing.T) {
	body := frame(0, "ab") + frame(1, "c") + frame(0x80, "x: y")
	list, all := Split([]byte(body), Web, 10)
	if len(list) != 3 || !all || !list[1].Compressed || !list[2].Trailer || string(list[0].Data) != "ab" {
		t.Errorf("%+v %v", list, all)
	}
	if list, all = Split([]byte(body), Web, 2); len(list) != 2 || all {
		t.Errorf("%d messages, all %v", len(list), all)
	}
	if list, _ = Split([]byte(body[:6]), Plain, 2); len(list) != 1 || list[0].Size != 2 || len(list[0].Data) != 1 {
		t.Errorf("%+v", list)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(frame(0, "hello")+frame(1, "x")), uint8(1), uint8(3), int16(4), uint64(3))
	f.Add([]byte(frame(0x80, "grpc-status: 1\r\n")), uint8(2), uint8(9), int16(-1), uint64(5))
	f.Add([]byte("AAAAAAVoZWxsbw=="), uint8(3), uint8(4), int16(0), uint64(7))
	f.Fuzz(func(t *testing.T, body []byte, form, at uint8, gap int16, seed uint64) {
		k := min(int(at), len(body))
		steps := []decodetest.Step{{Data: string(body[:k])}, {Gap: max(int(gap), decodetest.Unknown)}, {Data: string(body[k:])}}
		l := decode.Limits{Inner: 10}
		want, m, odd := play(steps, Form(form%4), "gzip", l, 0, decodetest.Whole)
		got, _, odd2 := play(steps, Form(form%4), "gzip", l, 0, decodetest.Random(seed, 9))
		if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(odd, odd2) {
			t.Fatalf("cuts differ:\n%s", cmp.Diff(want, got))
		}
		if m.Inners != uint64(len(want)) || len(m.Trailer) > trailerFields || len(odd) > 8 {
			t.Errorf("%d of %d messages, %d fields, %d anomalies", m.Inners, len(want), len(m.Trailer), len(odd))
		}
		for _, m := range want {
			if b := m.Body; len(b.Data) > 10 || uint64(len(b.Data)) > b.Size-b.Lost || b.Lost > b.Size {
				t.Errorf("%d of %d bytes kept, %d lost", len(b.Data), b.Size, b.Lost)
			}
		}
	})
}
