package conn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/http2"
)

// A small HTTP/2 conversation, written out by hand.
const (
	h2Settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	h2Ack      = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	h1Get      = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	h1OK       = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)

// get and ok are frames of stream id.
func get(id byte) string {
	return "\x00\x00\x05\x01\x05\x00\x00\x00" + string(id) + "\x82\x87\x84\x01\x00"
}

func ok(id byte) string {
	return "\x00\x00\x01\x01\x04\x00\x00\x00" + string(id) + "\x88" +
		"\x00\x00\x02\x00\x01\x00\x00\x00" + string(id) + "hi"
}

// brief is one message in few words.
func brief(ms []decode.Message) string {
	var out []string
	for _, m := range ms {
		switch m.Kind {
		case decode.Request:
			out = append(out, fmt.Sprintf("%d>%s%s", m.Exchange, m.Method, m.Target))
		case decode.Response:
			out = append(out, fmt.Sprintf("%d<%d", m.Exchange, m.Status)+plus(m, decode.Continued))
		case decode.Opaque:
			out = append(out, fmt.Sprintf("~%s%d", m.Proto, m.Body.Size))
		case decode.Notice:
			out = append(out, "!"+string(m.Anomalies[0].Kind))
		case decode.Inner:
			text := fmt.Sprintf("%d%c%s", m.Exchange, "><"[m.Dir], m.Type)
			if m.Type == "close" && m.Status != 0 {
				text += fmt.Sprint(m.Status)
			} else if m.Type != "close" {
				text += fmt.Sprintf("(%s)", m.Body.Data)
			}
			out = append(out, text+plus(m, decode.Last))
		}
	}
	return strings.Join(out, " ")
}

// plus marks a flag.
func plus(m decode.Message, f decode.Flags) string {
	if m.Flags&f != 0 {
		return "+"
	}
	return ""
}

func TestConn(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name  string
		hint  decode.Hint
		in    []decodetest.Step
		want  string
		proto string
		role  decode.Role
	}{
		{
			name: "HTTP/1 client", proto: "http/1", role: decode.RoleClient,
			in:   []decodetest.Step{{Dir: w, Data: h1Get}, {Dir: r, Data: h1OK}},
			want: "1>GET/a 1<200",
		},
		{
			name: "HTTP/1 server", proto: "http/1", role: decode.RoleServer,
			in:   []decodetest.Step{{Dir: r, Data: h1Get}, {Dir: w, Data: h1OK}},
			want: "1>GET/a 1<200",
		},
		{
			name: "HTTP/1, the response seen first", proto: "http/1", role: decode.RoleClient,
			in:   []decodetest.Step{{Dir: r, Data: h1OK}},
			want: "1<200",
		},
		{
			name: "the bytes beat the hint", proto: "http/1", role: decode.RoleServer,
			hint: decode.Hint{ALPN: "h2", Role: decode.RoleClient},
			in:   []decodetest.Step{{Dir: r, Data: h1Get}, {Dir: w, Data: h1OK}},
			want: "1>GET/a 1<200",
		},
		{
			name: "a method nobody knows", proto: "http/1", role: decode.RoleClient,
			in:   []decodetest.Step{{Dir: w, Data: "\r\nFROB /x HTTP/1.1\r\nHost: x\r\n\r\n"}},
			want: "1>FROB/x",
		},
		{
			name: "HTTP/2 client", proto: "h2", role: decode.RoleClient,
			in:   []decodetest.Step{{Dir: w, Data: http2.Preface + h2Settings + get(1)}, {Dir: r, Data: h2Settings + ok(1)}},
			want: "1>GET/ 1<200",
		},
		{
			name: "HTTP/2 server that speaks first", proto: "h2", role: decode.RoleServer,
			in:   []decodetest.Step{{Dir: w, Data: h2Settings}, {Dir: r, Data: http2.Preface + h2Settings + get(1)}, {Dir: w, Data: h2Ack + ok(1)}},
			want: "1>GET/ 1<200",
		},
		{
			name: "HTTP/2 joined late, role and protocol hinted", proto: "h2", role: decode.RoleServer,
			hint: decode.Hint{ALPN: "h2", Role: decode.RoleServer, MidStream: true},
			in:   []decodetest.Step{{Dir: r, Data: get(11) + get(13)}, {Dir: w, Data: ok(11) + ok(13)}},
			want: "!mid-stream 1>GET/ 2>GET/ !mid-stream 1<200 2<200",
		},
		{
			name: "HTTP/2 joined late, nothing known", proto: "h2", role: decode.RoleServer,
			hint: decode.Hint{MidStream: true},
			in:   []decodetest.Step{{Dir: w, Data: ok(11)}, {Dir: r, Data: get(13) + get(15)}, {Dir: w, Data: ok(13)}},
			want: "!mid-stream 1<200 !mid-stream 2>GET/ 3>GET/ 2<200",
		},
		{
			name: "HTTP/1 joined inside a response", proto: "http/1", role: decode.RoleClient,
			hint: decode.Hint{MidStream: true},
			in:   []decodetest.Step{{Dir: r, Data: "...rest of some body"}, {Dir: w, Data: h1Get}, {Dir: r, Data: h1OK}},
			want: "1>GET/a ~unknown20 1<200",
		},
		{
			name: "unknown", proto: "unknown", role: decode.RoleUnknown,
			in:   []decodetest.Step{{Dir: w, Data: "\x16\x03\x01rubbish"}, {Dir: r, Data: "\x00\x01more"}},
			want: "~unknown10 ~unknown6",
		},
		{
			name: "unknown in one direction is held no longer than the limit", proto: "unknown",
			in:   []decodetest.Step{{Dir: w, Data: "\x01" + long}, {Dir: w, Data: "rest"}},
			want: "~unknown70005",
		},
		{
			name: "a request line without end", proto: "unknown",
			in:   []decodetest.Step{{Dir: w, Data: long}},
			want: "~unknown70000",
		},
		{
			name: "HTTP/1 by the hint alone", proto: "http/1", role: decode.RoleServer,
			hint: decode.Hint{ALPN: "http/1.1", Role: decode.RoleServer},
			in:   []decodetest.Step{{Dir: r, Data: "\x01\x02"}, {Dir: w, Data: "\x03\x04"}},
			want: "~unknown2 ~unknown2",
		},
		{
			name: "HTTP after something else", proto: "http/1", role: decode.RoleServer,
			in:   []decodetest.Step{{Dir: w, Data: "\x01hello"}, {Dir: r, Data: "\x02go on"}, {Dir: w, Data: "\x03ok"}, {Dir: r, Data: h1Get}, {Dir: w, Data: h1OK}},
			want: "~unknown6 ~unknown6 ~unknown3 1>GET/a 1<200",
		},
		{
			name: "text that only looks like a request line", proto: "unknown",
			in:   []decodetest.Step{{Dir: w, Data: "\x01hello"}, {Dir: r, Data: "\x02"}, {Dir: w, Data: "MAIL FROM:<a>\r\n"}, {Dir: r, Data: "OK"}, {Dir: w, Data: "QUIT"}},
			want: "~unknown6 ~unknown1 ~unknown15 ~unknown2 ~unknown4",
		},
		{
			name: "gap first", proto: "http/1", role: decode.RoleClient,
			in:   []decodetest.Step{{Dir: r, Gap: -1}, {Dir: r, Data: "rest"}, {Dir: w, Data: h1Get}, {Dir: r, Data: h1OK}},
			want: "1>GET/a ~unknown4 1<200",
		},
		{
			name: "nothing",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ms, c := runAll(t, tt.in, tt.hint)
			if got := brief(ms); got != tt.want {
				t.Errorf("messages %s\n    want %s", got, tt.want)
			}
			if c.Proto() != tt.proto || c.Role() != tt.role {
				t.Errorf("proto %q role %d, want %q %d", c.Proto(), c.Role(), tt.proto, tt.role)
			}
		})
	}
}

func TestUpgradeToH2C(t *testing.T) {
	ms, c := runAll(t, []decodetest.Step{
		{Dir: w, Data: "GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"},
		{Dir: r, Data: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + h2Settings + ok(1)},
		{Dir: w, Data: http2.Preface + h2Settings + get(3)},
		{Dir: r, Data: ok(3)},
	}, decode.Hint{})
	if got, want := brief(ms), "1>GET/up 1<200 2>GET/ 2<200"; got != want {
		t.Errorf("messages %s\n    want %s", got, want)
	}
	if c.Proto() != "h2" || c.Role() != decode.RoleClient {
		t.Errorf("proto %q role %d", c.Proto(), c.Role())
	}
}

func TestHintBeforeBytes(t *testing.T) {
	c := New(decode.Limits{})
	if c.Role() != decode.RoleUnknown || c.Proto() != "" {
		t.Errorf("role %d proto %q at first", c.Role(), c.Proto())
	}
	c.Hint(decode.Hint{Role: decode.RoleServer})
	c.Hint(decode.Hint{ALPN: "h2"}) // does not take the role back
	if c.Role() != decode.RoleServer {
		t.Errorf("role %d", c.Role())
	}
}

func TestOpaqueMessage(t *testing.T) {
	c := New(decode.Limits{})
	at := decode.At{Seq: 3, Time: 40}
	out := c.Append(nil, decode.Chunk{Dir: w, At: at, Start: 30, Data: []byte("\x01" + strings.Repeat("y", 99))})
	out = c.Append(out, decode.Chunk{Dir: r, At: at, Start: 30, Data: []byte("\x02")})
	want := []decode.Message{
		{
			Kind: decode.Opaque, Dir: w, Proto: "unknown", Begin: 30, HeadEnd: at, End: at,
			Body: decode.Body{Data: []byte("\x01" + strings.Repeat("y", 63)), Size: 100, Cut: true},
		},
		{
			Kind: decode.Opaque, Dir: r, Proto: "unknown", Begin: 30, HeadEnd: at, End: at,
			Body: decode.Body{Data: []byte("\x02"), Size: 1},
		},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestGapStorm: a connection of nothing but gaps is decided after a few of them,
// instead of being held and looked at for ever.
func TestGapStorm(t *testing.T) {
	c := New(decode.Limits{})
	c.Hint(decode.Hint{MidStream: true})
	var out []decode.Message
	for i := range 10 * maxOpeningGaps {
		out = c.Append(out, decode.Chunk{Data: []byte("x"), At: decode.At{Seq: uint64(i)}})
		out = c.Gap(out, decode.Gap{Len: 5, Known: true, At: decode.At{Seq: uint64(i)}})
	}
	if len(c.held) > 4*maxOpeningGaps {
		t.Errorf("%d pieces held", len(c.held))
	}
	if len(out) == 0 {
		t.Error("nothing was said of any of it")
	}
}
