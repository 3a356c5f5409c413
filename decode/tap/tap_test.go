package tap_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/decode/http2"
)

const (
	c2s = decode.Write
	s2c = decode.Read
)

// run decodes a connection, and checks that every cut gives the same messages.
func run(t *testing.T, steps []decodetest.Step, l decode.Limits) []decode.Message {
	t.Helper()
	play := func(cut decodetest.Cut) []decode.Message {
		c := conn.New(l)
		return c.End(decodetest.Feed(c, steps, cut), decode.At{}, true)
	}
	want := play(decodetest.Whole)
	for n := range uint64(4) {
		if got := play(decodetest.NumberedCut(n + 1)); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", n+1, cmp.Diff(want, got))
		}
	}
	return want
}

// brief names messages in a word each.
func brief(list []decode.Message) string {
	var out []string
	for _, m := range list {
		s := ""
		switch m.Kind {
		case decode.Request:
			s = fmt.Sprintf("request(%d)", m.Inners)
		case decode.Response:
			s = fmt.Sprintf("response(%d)", m.Inners)
		case decode.Inner:
			s = fmt.Sprintf("%s/%d.%d:%s=%q", m.Proto, m.Exchange, m.Number, m.Type, m.Body.Data)
		case decode.Notice:
			s = "notice"
		}
		if m.Flags&decode.Incomplete != 0 {
			s += "+incomplete"
		}
		if m.Flags&decode.Gapped != 0 {
			s += "+gap"
		}
		for _, a := range m.Anomalies {
			s += "(" + string(a.Kind) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

const (
	get    = "GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n"
	stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
)

func TestHTTP1(t *testing.T) {
	req := decodetest.Step{Dir: c2s, Data: get}
	resp := func(s string) decodetest.Step { return decodetest.Step{Dir: s2c, Data: s} }
	tests := []struct {
		name   string
		steps  []decodetest.Step
		limits decode.Limits
		want   string
	}{
		{"until close", []decodetest.Step{req, resp(stream + "\r\ndata: a\n\ndata: b\n\n")}, decode.Limits{},
			`request(0) sse/1.1:message="a" sse/1.2:message="b" response(2)`},
		{"chunked", []decodetest.Step{req, resp(stream + "Transfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n9\r\nabc\n\ndata\r\n4\r\n:d\n\n\r\n0\r\n\r\n")}, decode.Limits{},
			`request(0) sse/1.1:message="abc" sse/1.2:message="d" response(2)`},
		{"a length", []decodetest.Step{req, resp(stream + "Content-Length: 9\r\n\r\ndata: a\n\n")}, decode.Limits{}, `request(0) sse/1.1:message="a" response(1)`},
		{"gap", []decodetest.Step{req, resp(stream + "\r\ndata: a\n\ndat"), {Dir: s2c, Gap: 10}, resp("b\n\ndata: c\n\n")}, decode.Limits{},
			`request(0) sse/1.1:message="a" sse/1.2:message="c" response(2)+gap(gap)`},
		{"chunked with a gap in a chunk", []decodetest.Step{req, resp(stream + "Transfer-Encoding: chunked\r\n\r\n13\r\ndata: a\n\n"), {Dir: s2c, Gap: 4},
			resp("b\n\ndat\r\n6\r\na: c\n\n\r\n0\r\n\r\n")}, decode.Limits{},
			`request(0) sse/1.1:message="a" sse/1.2:message="c" response(2)+gap(gap)`},
		{"coded", []decodetest.Step{req, resp(stream + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")}, decode.Limits{}, `request(0) response(0)(inner-coded)`},
		{"a transfer coding", []decodetest.Step{req, resp(stream + "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")}, decode.Limits{}, `request(0) response(0)(inner-coded)`},
		{"not wanted", []decodetest.Step{req, resp(stream + "\r\ndata: a\n\n")}, decode.Limits{Inner: -1}, `request(0) response(0)`},
		{"a request is no event stream", []decodetest.Step{{Dir: c2s, Data: "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n"}}, decode.Limits{}, `request(0)`},
		{"another type", []decodetest.Step{req, resp("HTTP/1.1 200 OK\r\nContent-Type: text/event-streamer\r\n\r\ndata: a\n\n")}, decode.Limits{}, `request(0) response(0)`},
		{"gRPC-Web", []decodetest.Step{{Dir: c2s, Data: "POST /s/m HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 7\r\n\r\n\x00\x00\x00\x00\x02\x08\x01"},
			resp("HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web\r\n\r\n\x00\x00\x00\x00\x01a\x80\x00\x00\x00\x0egrpc-status: 0")}, decode.Limits{},
			`grpc/1.1:message="\b\x01" request(1) grpc/1.1:message="a" response(1)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := run(t, tt.steps, tt.limits)
			got := brief(list)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.name == "gRPC-Web" {
				if s, ok := grpc.StatusOf(&list[len(list)-1]); !ok || s.Name != "OK" {
					t.Errorf("status %+v", s)
				}
			}
		})
	}
}

// TestOpen: events are there while the response is still open.
func TestOpen(t *testing.T) {
	c := conn.New(decode.Limits{})
	c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte(get)})
	at := decode.At{Seq: 5, Time: 77}
	got := c.Append(nil, decode.Chunk{Dir: s2c, At: at, Start: 70, Data: []byte(stream + "\r\nevent: e\ndata: 1\n\nda")})
	if len(got) != 1 || got[0].Type != "e" || got[0].End != at || got[0].Begin != 70 || got[0].Dir != s2c {
		t.Fatalf("%+v", got)
	}
}

// h2 writes frames of one direction.
type h2 struct {
	b   strings.Builder
	enc *hpack.Encoder
	buf strings.Builder
}

func newH2() *h2 {
	h := &h2{}
	h.enc = hpack.NewEncoder(&h.buf)
	return h
}

func (h *h2) frame(typ, flags byte, stream uint32, payload string) {
	n := len(payload)
	h.b.WriteString(string([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}))
	h.b.WriteString(payload)
}

func (h *h2) head(flags byte, stream uint32, kv ...string) {
	h.buf.Reset()
	for i := 0; i < len(kv); i += 2 {
		_ = h.enc.WriteField(hpack.HeaderField{Name: kv[i], Value: kv[i+1]})
	}
	h.frame(1, 4|flags, stream, h.buf.String())
}

func (h *h2) take() string {
	s := h.b.String()
	h.b.Reset()
	return s
}

func TestHTTP2(t *testing.T) {
	open := func() (cl, sv *h2, steps []decodetest.Step) {
		cl, sv = newH2(), newH2()
		cl.frame(4, 0, 0, "")
		cl.head(0, 1, ":method", "POST", ":scheme", "https", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc")
		sv.frame(4, 0, 0, "")
		sv.head(0, 1, ":status", "200", "content-type", "application/grpc+proto")
		return cl, sv, []decodetest.Step{{Dir: c2s, Data: http2.Preface + cl.take()}, {Dir: s2c, Data: sv.take()}}
	}
	t.Run("both ways", func(t *testing.T) {
		cl, sv, steps := open()
		cl.frame(0, 0, 1, "\x00\x00\x00\x00\x01a\x00\x00")
		sv.frame(0, 8, 1, "\x03\x00\x00\x00\x00\x02xypad") // padded
		steps = append(steps, decodetest.Step{Dir: c2s, Data: cl.take()}, decodetest.Step{Dir: s2c, Data: sv.take()})
		cl.frame(0, 1, 1, "\x00\x00\x01b")
		sv.head(1, 1, "grpc-status", "5", "grpc-message", "no%20such%20thing")
		steps = append(steps, decodetest.Step{Dir: c2s, Data: cl.take()}, decodetest.Step{Dir: s2c, Data: sv.take()})
		list := run(t, steps, decode.Limits{})
		want := `grpc/1.1:message="a" grpc/1.1:message="xy" grpc/1.2:message="b" request(2) response(1)`
		if got := brief(list); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if s, _ := grpc.StatusOf(&list[4]); s != (grpc.Status{Code: "5", Name: "NOT_FOUND", Message: "no such thing"}) {
			t.Errorf("status %+v", s)
		}
		if list[0].Stream != 1 {
			t.Errorf("stream %d", list[0].Stream)
		}
	})
	t.Run("gap inside a frame", func(t *testing.T) {
		cl, _, steps := open()
		cl.frame(0, 1, 1, "\x00\x00\x00\x00\x06abcdef\x00\x00\x00\x00\x01z")
		d := cl.take()
		steps = append(steps, decodetest.Step{Dir: c2s, Data: d[:9+7]}, decodetest.Step{Dir: c2s, Gap: 2}, decodetest.Step{Dir: c2s, Data: d[9+9:]})
		want := `grpc/1.1:message="abef"+gap grpc/1.2:message="z" request(2)+gap(gap) response(0)+incomplete(truncated)`
		if got := brief(run(t, steps, decode.Limits{})); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("gap over frames", func(t *testing.T) {
		cl, _, steps := open()
		cl.frame(0, 0, 1, "\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x05xx")
		cl.frame(0, 0, 1, "xxx")
		cl.frame(0, 0, 1, "\x00\x00\x00\x00\x01b")
		cl.frame(0, 1, 1, "\x00\x00\x00\x00\x01c")
		d := cl.take()
		steps = append(steps, decodetest.Step{Dir: c2s, Data: d[:9+13]}, decodetest.Step{Dir: c2s, Gap: 12}, decodetest.Step{Dir: c2s, Data: d[9+13+12:]})
		got := brief(run(t, steps, decode.Limits{}))
		want := `grpc/1.1:message="a" notice(gap) grpc/1.2:message="xx"+incomplete+gap request(2)+incomplete+gap(gap)(gap) response(0)+incomplete(truncated)`
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("reset", func(t *testing.T) {
		cl, _, steps := open()
		cl.frame(0, 0, 1, "\x00\x00\x00\x00\x05ab")
		cl.frame(3, 0, 1, "\x00\x00\x00\x08")
		steps = append(steps, decodetest.Step{Dir: c2s, Data: cl.take()})
		got := brief(run(t, steps, decode.Limits{}))
		want := `grpc/1.1:message="ab"+incomplete request(1)+incomplete(h2-reset) response(0)+incomplete(h2-reset)`
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestBounded: a stream that promises 4 GiB holds no more than the limit, and what a
// thousand of them hold can be dropped.
func TestBounded(t *testing.T) {
	const each = 5000
	cl := newH2()
	c := http2.New(c2s, decode.Limits{Body: 1 << 20, Inner: each})
	c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte(http2.Preface)})
	for i := range uint32(1000) {
		id := 2*i + 1
		cl.head(0, id, ":method", "POST", ":scheme", "https", ":path", "/", "content-type", "application/grpc")
		cl.frame(0, 0, id, "\x00\xff\xff\xff\xff"+strings.Repeat("x", 10000))
		c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte(cl.take())})
	}
	if n := c.Kept(); n < 5<<20 || n > 2*(2<<20+1000*each) {
		t.Errorf("%d bytes kept", n)
	}
	if c.Shed(); c.Kept() != 0 {
		t.Errorf("%d bytes kept after shedding", c.Kept())
	}
	for _, m := range c.End(nil, decode.At{}, true) {
		if m.Kind == decode.Inner && m.Body.Data != nil || m.Body.Size == 0 && m.Kind != decode.Response {
			t.Fatalf("%+v", m)
		}
	}
}

// TestCorpus reads the gRPC captures of Wireshark.
func TestCorpus(t *testing.T) {
	want := map[string]int{"grpc_stream_reassembly_sample": 5, "grpc_web": 1}
	ran := 0
	for _, file := range decodetest.Captures(t) {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		if want[name] == 0 {
			continue
		}
		ran++
		inner, ended, odd := 0, 0, map[string]int{}
		for _, steps := range decodetest.Conversations(decodetest.ReadCapture(t, file), 1<<30) {
			for _, m := range run(t, steps, decode.Limits{}) {
				if m.Kind == decode.Inner {
					inner++
					if _, ok := grpc.View(m.Body.Data); !ok {
						odd["not protobuf"]++
					}
				}
				if s, ok := grpc.StatusOf(&m); ok && m.Kind == decode.Response {
					ended++
					odd[s.Name]++
				}
				for _, a := range m.Anomalies {
					odd[string(a.Kind)]++
				}
			}
		}
		t.Logf("%s: %d messages, %d statuses, %v", name, inner, ended, odd)
		if inner < want[name] {
			t.Errorf("%s: %d messages, want at least %d", name, inner, want[name])
		}
	}
	if ran != len(want) {
		t.Errorf("%d captures of %d", ran, len(want))
	}
}
