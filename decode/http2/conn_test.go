package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// talk builds the two directions of a test connection, frame by frame.
type talk struct {
	cl, sv *side
	pieces []decodetest.Step
}

func newTalk(t testing.TB) *talk {
	k := &talk{cl: newSide(t, nil), sv: newSide(t, nil)}
	k.cl.out.WriteString(Preface)
	k.cl.settings()
	k.sv.settings()
	return k
}

// flush ends a turn: client first, then server.
func (k *talk) flush() *talk {
	k.pieces = append(k.pieces, decodetest.Step{Dir: c2s, Data: k.cl.out.String()}, decodetest.Step{Dir: s2c, Data: k.sv.out.String()})
	k.cl.out.Reset()
	k.sv.out.Reset()
	return k
}

func (k *talk) get(id uint32, more ...string) {
	k.cl.block(id, true, append([]string{":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/"}, more...)...)
}

func (k *talk) post(id uint32, more ...string) {
	k.cl.block(id, false, append([]string{":method", "POST", ":scheme", "https", ":authority", "a", ":path", "/"}, more...)...)
}

// brief is a message in few words.
func brief(ms []decode.Message) string {
	var out []string
	for _, m := range ms {
		s := ""
		switch m.Kind {
		case decode.Request:
			s = fmt.Sprintf("%d>%s%s", m.Exchange, m.Method, m.Target)
		case decode.Response:
			s = fmt.Sprintf("%d<%d", m.Exchange, m.Status)
		case decode.Opaque:
			s = "~" + m.Proto
		case decode.Notice:
			s = "!"
		}
		if m.Body.Size > 0 {
			s += fmt.Sprintf("[%d]", m.Body.Size)
		}
		for i, name := range []string{"incomplete", "gapped", "midstream", "untilclose", "upgraded", "pushed", "reset"} {
			if m.Flags>>i&1 == 1 {
				s += "+" + name
			}
		}
		for _, a := range m.Anomalies {
			s += "(" + strings.TrimPrefix(string(a.Kind), "h2-") + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestFrames(t *testing.T) {
	tests := []struct {
		name  string
		write func(k *talk)
		want  string
		open  bool // do not end the connection
	}{
		{"get", func(k *talk) {
			k.get(1)
			k.sv.block(1, false, ":status", "200", "content-length", "2")
			k.sv.data(1, true, []byte("ok"))
		}, "1>GET/ 1<200[2]", false},
		{"HEAD has a length and no body", func(k *talk) {
			k.cl.block(1, true, ":method", "HEAD", ":scheme", "https", ":path", "/")
			k.sv.block(1, true, ":status", "200", "content-length", "9")
		}, "1>HEAD/ 1<200", false},
		{"304 too", func(k *talk) {
			k.get(1)
			k.sv.block(1, true, ":status", "304", "content-length", "9")
		}, "1>GET/ 1<304", false},
		{"204 with a body", func(k *talk) {
			k.get(1)
			k.sv.block(1, false, ":status", "204")
			k.sv.data(1, true, []byte("x"))
		}, "1>GET/ 1<204[1](length-mismatch)", false},
		{"length mismatch", func(k *talk) {
			k.post(1, "content-length", "5")
			k.cl.data(1, true, []byte("four"))
			k.sv.block(1, true, ":status", "200", "content-length", "1")
		}, "1>POST/[4](length-mismatch) 1<200(length-mismatch)", false},
		{"two lengths", func(k *talk) {
			k.post(1, "content-length", "1", "content-length", "2", "content-length", "x")
			k.cl.data(1, true, []byte("1"))
		}, "1>POST/[1](length-mismatch)(length-mismatch)", false},
		{"reset while the request is sent", func(k *talk) {
			k.post(1)
			k.cl.data(1, false, []byte("abc"))
			k.cl.frame(frameReset, 0, 1, 0, 0, 0, 8)
			k.sv.block(1, true, ":status", "200") // was under way
		}, "1>POST/[3]+incomplete+reset(reset) 1<0+incomplete+reset(reset)", false},
		{"reset instead of a response", func(k *talk) {
			k.get(1)
			k.sv.frame(frameReset, 0, 1, 0, 0, 0, 7)
		}, "1>GET/ 1<0+incomplete+reset(reset)", false},
		{"reset after the response (RFC 9113 §8.1)", func(k *talk) {
			k.post(1)
			k.cl.data(1, false, []byte("abc"))
			k.flush()
			k.sv.block(1, true, ":status", "413")
			k.sv.frame(frameReset, 0, 1, 0, 0, 0, 0)
		}, "1<413 1>POST/[3]+incomplete+reset(reset)", false},
		{"push", func(k *talk) {
			k.get(1)
			k.sv.frame(framePush, flagEndHeaders, 1, append([]byte{0, 0, 0, 2},
				k.sv.encode(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/style")...)...)
			k.sv.block(1, true, ":status", "200")
			k.sv.block(2, true, ":status", "200")
		}, "1>GET/ 2>GET/style+pushed 1<200 2<200+pushed", false},
		{"push by the client", func(k *talk) {
			k.cl.frame(framePush, flagEndHeaders, 1, append([]byte{0, 0, 0, 2}, k.cl.encode(":method", "GET", "x-a", "b")...)...)
			k.get(1, "x-a", "b") // HPACK is still in step
		}, "!(bad-frame) 1>GET/", false},
		{"push of an odd stream, and again", func(k *talk) {
			k.get(1)
			for _, id := range []byte{3, 2, 2} {
				k.sv.frame(framePush, flagEndHeaders, 1, append([]byte{0, 0, 0, id},
					k.sv.encode(":method", "GET", ":scheme", "https", ":path", "/s")...)...)
			}
		}, "1>GET/ !(bad-stream-id) 2>GET/s+pushed !(bad-stream-id)", false},
		{"response to nothing", func(k *talk) {
			k.get(1)
			k.flush()
			k.sv.block(2, true, ":status", "200")
			k.sv.block(1, true, ":status", "200")
			k.sv.block(1, true, ":status", "201")
		}, "1>GET/ 2<200(bad-stream-id) 1<200 !(closed-stream)", false},
		{"response before its request", func(k *talk) {
			k.sv.block(1, true, ":status", "200")
			k.flush()
			k.get(1)
		}, "1<200 1>GET/", false},
		{"tunnel", func(k *talk) {
			k.cl.block(1, false, ":method", "CONNECT", ":authority", "b:443")
			k.sv.block(1, false, ":status", "200")
			k.cl.data(1, false, bytes.Repeat([]byte("x"), 70))
			k.sv.data(1, true, []byte("bye"))
			k.cl.data(1, true, nil)
		}, "1>CONNECT ~tunnel[70] 1<200+upgraded ~tunnel[3]", false},
		{"refused tunnel", func(k *talk) {
			k.cl.block(1, false, ":method", "CONNECT", ":authority", "b:443")
			k.sv.block(1, false, ":status", "403")
			k.sv.data(1, true, []byte("no"))
		}, "1>CONNECT 1<403[2]", false},
		{"interim responses", func(k *talk) {
			k.get(1)
			k.sv.block(1, false, ":status", "103", "link", "x")
			k.sv.block(1, false, ":status", "101")
			k.sv.block(1, true, ":status", "200")
		}, "1>GET/ 1<200(bad-pseudo)", false},
		{"interim with END_STREAM", func(k *talk) {
			k.get(1)
			k.sv.block(1, true, ":status", "100")
		}, "1>GET/ 1<100(bad-pseudo)", false},
		{"trailers without END_STREAM", func(k *talk) {
			k.get(1)
			k.sv.block(1, false, ":status", "200")
			k.sv.block(1, false, "x", "y")
			k.sv.data(1, true, []byte("z"))
		}, "1>GET/ 1<200[1](bad-trailers)", false},
		{"the end comes early", func(k *talk) {
			k.post(1)
			k.cl.data(1, false, []byte("abc"))
		}, "1>POST/[3]+incomplete(truncated)", false},
		{"the end comes inside a block", func(k *talk) {
			k.cl.frame(frameHeaders, flagEndStream, 1, k.cl.encode(":method", "GET")...)
		}, "1>GET+incomplete(truncated)", false},
		{"stray CONTINUATION", func(k *talk) {
			k.get(1, "x-a", "b")
			k.cl.frame(frameContinuation, flagEndHeaders, 1, k.cl.encode("x-c", "d")...)
			k.get(3, "x-c", "d")
		}, "1>GET/ !(continuation) 2>GET/(hpack-unknown)", false},
		{"interrupted block", func(k *talk) {
			k.cl.frame(frameHeaders, flagEndStream, 1, k.cl.encode(":method", "GET")...)
			k.cl.frame(framePing, 0, 0, make([]byte, 8)...)
			k.get(3)
		}, "1>GET+incomplete(continuation) 2>GET/", false},
		{"bad padding of HEADERS", func(k *talk) {
			k.cl.frame(frameHeaders, flagEndStream|flagEndHeaders|flagPadded, 1, 200, 0x82)
			k.get(3)
		}, "!(bad-padding) 1>+incomplete 2>GET/", false},
		{"HEADERS too short for its priority", func(k *talk) {
			k.cl.frame(frameHeaders, flagEndStream|flagEndHeaders|flagPriority, 1, 0, 0)
		}, "!(bad-frame) 1>+incomplete", false},
		{"bad padding of DATA", func(k *talk) {
			k.post(1)
			k.cl.frame(frameData, flagPadded|flagEndStream, 1, 9, 'x')
			k.post(3)
			k.cl.frame(frameData, flagPadded|flagEndStream, 3)
		}, "1>POST/+incomplete+gapped(bad-padding)(gap) 2>POST/+incomplete+gapped(bad-padding)(gap)", false},
		{"DATA nobody asked for", func(k *talk) {
			k.cl.data(0, false, []byte("x"))
			k.cl.data(5, false, []byte("x"))
			k.get(7)
			k.cl.data(7, false, []byte("x"))
			k.sv.data(7, true, []byte("x"))
		}, "!(bad-frame) !(bad-frame) 1>GET/ !(closed-stream) 1<0[1](bad-frame)", false},
		{"HEADERS on stream 0", func(k *talk) {
			k.cl.frame(frameHeaders, flagEndHeaders, 0, k.cl.encode("x-a", "b")...)
			k.get(1, "x-a", "b")
		}, "!(bad-frame) 1>GET/", false},
		{"goodbye", func(k *talk) { k.sv.frame(frameGoAway, 0, 0, make([]byte, 8)...) }, "", false},
		{"go away", func(k *talk) {
			k.sv.frame(frameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11, 0x1b, '[')
		}, "!(goaway)", false},
		{"frame too large", func(k *talk) {
			k.get(1)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.sv.data(1, true, make([]byte, 20000))
		}, "1>GET/ !(frame-size) 1<200[20000]", false},
		{"unknown pseudo-header fields stay visible", func(k *talk) {
			k.cl.block(1, true, ":method", "GET", ":foo", "1", ":path", "/", ":path", "/b", ":status", "200", ":scheme", "x")
		}, "1>GET/(bad-pseudo)(bad-pseudo)(bad-pseudo)", false},
		{"bad fields", func(k *talk) {
			k.get(1, "Upper", "a", "sp ace", "a", "", "a", "ok", "a\nb", "ok", " a", "te", "gzip", "upgrade", "h2c")
		}, "1>GET/(bad-field-name)(bad-field-name)(bad-field-name)(bad-field-value)(bad-field-value)(connection-field)(connection-field)", false},
		{"status that is none", func(k *talk) {
			k.get(1)
			k.sv.block(1, true, ":status", "2000")
		}, "1>GET/ 1<0(bad-pseudo)", false},
		{"no status", func(k *talk) {
			k.get(1)
			k.sv.block(1, true, "x", "y")
		}, "1>GET/ 1<0(bad-pseudo)", false},
		{"gRPC message cut short", func(k *talk) {
			k.post(1, "content-type", "application/grpc+proto")
			k.cl.data(1, true, []byte("\x00\x00\x00\x00\x05abc"))
		}, "[3]+incomplete 1>POST/[8](grpc-truncated)", false},
		{"reset of an idle stream", func(k *talk) {
			k.cl.frame(frameReset, 0, 9, 0, 0, 0, 1)
		}, "!(bad-frame)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t)
			tt.write(k)
			if got := brief(runAll(t, k.flush().pieces, options{})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestMessage looks at every field of a message once.
func TestMessage(t *testing.T) {
	k := newTalk(t)
	k.cl.block(1, false, ":method", "POST", ":scheme", "https", ":authority", "a.test", ":path", "/p?q",
		"cookie", "a=1", "x", "1", "cookie", "b=2", "x", "2")
	k.cl.data(1, false, []byte("he"))
	k.cl.data(1, false, []byte("llo"))
	k.cl.block(1, true, "sum", "9")
	data := k.cl.bytes()
	c := New(c2s, decode.Limits{})
	var got []decode.Message
	// One chunk a byte, each later than the one before.
	for i := range data {
		at := decode.At{Seq: uint64(i), Time: int64(10 * i)}
		got = c.Append(got, decode.Chunk{Dir: c2s, At: at, Start: at.Time - 5, Data: data[i : i+1]})
	}
	begin := int64(len(Preface) + 9)
	n := len(data)
	trailer := int64(9 + len(k.cl.encode("sum", "9"))) // second time: an index, one byte
	if trailer != 10 {
		t.Fatalf("encoder: %d", trailer)
	}
	want := []decode.Message{{
		Kind: decode.Request, Dir: c2s, Exchange: 1, Stream: 1, Proto: "HTTP/2",
		Method: "POST", Scheme: "https", Authority: "a.test", Target: "/p?q",
		Header: []decode.Field{
			{Name: "cookie", Value: "a=1; b=2"}, {Name: "x", Value: "1"}, {Name: "x", Value: "2"},
		},
		Trailer: []decode.Field{{Name: "sum", Value: "9"}},
		Body:    decode.Body{Data: []byte("hello"), Size: 5},
		Begin:   10*begin - 5,
		End:     decode.At{Seq: uint64(n - 1), Time: int64(10 * (n - 1))},
	}}
	want[0].HeadEnd = got[0].HeadEnd
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e := got[0].HeadEnd; e.Time <= want[0].Begin || e.Time >= want[0].End.Time || e.Time != int64(10*e.Seq) {
		t.Errorf("HeadEnd %+v", e)
	}
}

func TestLimits(t *testing.T) {
	body := bytes.Repeat([]byte("b"), 100)
	tests := []struct {
		name  string
		lim   decode.Limits
		write func(k *talk)
		want  string
		check func(t *testing.T, ms []decode.Message)
	}{
		{"body", decode.Limits{Body: 10}, func(k *talk) {
			k.post(1)
			k.cl.data(1, true, body)
		}, "1>POST/[100]", func(t *testing.T, ms []decode.Message) {
			if b := ms[0].Body; !b.Cut || len(b.Data) != 10 {
				t.Errorf("cut %v, %d bytes", b.Cut, len(b.Data))
			}
		}},
		{"no body kept", decode.Limits{Body: -1}, func(k *talk) {
			k.post(1)
			k.cl.data(1, true, body)
		}, "1>POST/[100]", func(t *testing.T, ms []decode.Message) {
			if b := ms[0].Body; !b.Cut || b.Data != nil {
				t.Errorf("cut %v, %d bytes", b.Cut, len(b.Data))
			}
		}},
		{"bodies of all streams together", decode.Limits{Body: 100}, func(k *talk) {
			for id := uint32(1); id < 9; id += 2 {
				k.post(id)
				k.cl.data(id, false, body)
			}
		}, "", func(t *testing.T, ms []decode.Message) {
			kept := 0
			for _, m := range ms {
				kept += len(m.Body.Data)
			}
			if kept != 200 || len(ms) != 4 {
				t.Errorf("kept %d bytes of %d messages", kept, len(ms))
			}
		}},
		{"fields", decode.Limits{Fields: 5}, func(k *talk) { k.get(1, "a", "1", "b", "2", "a", "1") }, "1>GET/(limit)", nil},
		{"head", decode.Limits{Head: 250}, func(k *talk) {
			k.get(1, "a", strings.Repeat("~", 300))
			k.get(3)
		}, "1>GET/+incomplete(limit) 2>GET/(hpack-unknown)", nil},
		{"streams", decode.Limits{Streams: 2}, func(k *talk) {
			k.get(1)
			k.get(3)
			k.post(5)
			k.get(7)
			k.sv.block(1, true, ":status", "200")
		}, "1>GET/ 2>GET/ 1<0+incomplete(limit) 2<0+incomplete(limit) 4>GET/ 3>POST/+incomplete(limit) 3<0+incomplete(limit) 5<200(no-request)", nil},
		{"anomalies", decode.Limits{Anomalies: 2}, func(k *talk) {
			k.get(1, "A", "", "B", "", "C", "", "D", "")
		}, "1>GET/(bad-field-name)(limit)", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t)
			tt.write(k)
			ms := runAll(t, k.flush().pieces, options{limits: tt.lim})
			if got := brief(ms); tt.want != "" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.check != nil {
				tt.check(t, ms)
			}
		})
	}
}
