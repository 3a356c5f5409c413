package export

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// at is a time of the day the README's examples were recorded, as the
// recording host's clock showed it (four hours east of UTC).
func at(t *testing.T, clock string) int64 {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04:05.000", "2026-01-12 "+clock, time.FixedZone("", 4*3600))
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixNano()
}

func session() *replay.Item {
	return &replay.Item{Kind: replay.ItemSession, Session: &format.Session{UTCOffset: 4 * 3600}}
}

func curl(pid uint32, alpn string) *replay.Conn {
	return &replay.Conn{
		Conn: format.Conn{PID: pid, ALPN: alpn, Local: netip.MustParseAddrPort("10.0.0.5:40112"), Remote: netip.MustParseAddrPort("93.184.216.34:443")},
		ID:   2, Role: decode.RoleClient, Lib: "openssl", Proc: &replay.Proc{Proc: format.Proc{PID: pid, PPID: 1, UID: 33, Comm: "curl"}},
	}
}

// turn gives the items an engine makes of one exchange.
func turn(c *replay.Conn, id uint64, req, resp *decode.Message) []*replay.Item {
	var out []*replay.Item
	for _, m := range []*decode.Message{req, resp} {
		if m != nil {
			out = append(out, &replay.Item{Kind: replay.ItemMessage, Conn: c, Dir: m.Dir, Time: m.End.Time, Message: m})
		}
	}
	return append(out, &replay.Item{Kind: replay.ItemExchange, Conn: c, Exchange: &replay.Exchange{ID: id, Conn: c, Request: req, Response: resp}})
}

// readmeH2 is the HTTP/2 example of the seed's README.
func readmeH2(t *testing.T) (*replay.Conn, *decode.Message, *decode.Message) {
	begin := at(t, "15:11:59.346")
	body := []byte("203.0.113.42\n")
	return curl(403410, "h2"), &decode.Message{
			Kind: decode.Request, Exchange: 1, Stream: 1, Proto: "HTTP/2", Method: "GET", Scheme: "https", Authority: "ifconfig.io", Target: "/",
			Header: []decode.Field{{Name: "user-agent", Value: "curl/8.15.0"}, {Name: "accept", Value: "*/*"}},
			Begin:  begin, End: decode.At{Time: begin + 63_100},
		}, &decode.Message{
			Kind: decode.Response, Dir: decode.Read, Exchange: 1, Stream: 1, Proto: "HTTP/2", Status: 200,
			Header: []decode.Field{{Name: "date", Value: "Mon, 12 Jan 2026 11:11:59 GMT"},
				{Name: "content-type", Value: "text/plain; charset=utf-8"}, {Name: "content-length", Value: "15"}},
			Body:  decode.Body{Data: body, Content: body, Size: 15},
			Begin: at(t, "15:11:59.639"), End: decode.At{Time: begin + 294_290_000},
		}
}

// readmeH1 is the HTTP/1.1 example. The seed printed there how long one read
// call took; the engine's answer to -l is the time since the request began. The
// response's end is set so that the same digits come out: it is the shape that
// the golden text holds.
func readmeH1(t *testing.T) (*replay.Conn, *decode.Message, *decode.Message) {
	begin := at(t, "15:12:05.592")
	body := []byte("203.0.113.42\r\n\n")
	return curl(403422, "http/1.1"), &decode.Message{
			Kind: decode.Request, Exchange: 1, Proto: "HTTP/1.1", Method: "GET", Authority: "ifconfig.io", Target: "/",
			Header: []decode.Field{{Name: "Host", Value: "ifconfig.io"}, {Name: "User-Agent", Value: "curl/8.15.0"}, {Name: "Accept", Value: "*/*"}},
			Begin:  begin, End: decode.At{Time: begin + 31_900},
		}, &decode.Message{
			Kind: decode.Response, Dir: decode.Read, Exchange: 1, Proto: "HTTP/1.1", Status: 200, Reason: "OK",
			Header: []decode.Field{{Name: "Date", Value: "Mon, 12 Jan 2026 11:12:05 GMT"},
				{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Content-Length", Value: "15"}},
			Body:  decode.Body{Data: body[:13], Content: body[:13], Size: 15},
			Begin: at(t, "15:12:05.883"), End: decode.At{Time: begin + 462_500},
		}
}

// give runs items through a sink and returns what it wrote.
func give(t *testing.T, mk func(*strings.Builder) Sink, items ...*replay.Item) string {
	t.Helper()
	var b strings.Builder
	s := mk(&b)
	for _, it := range items {
		if err := s.Item(it); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func textOf(t *testing.T, o TextOptions, items ...*replay.Item) string {
	t.Helper()
	return give(t, func(b *strings.Builder) Sink { return NewText(b, o) }, items...)
}

func tableOf(t *testing.T, o TableOptions, items ...*replay.Item) string {
	t.Helper()
	return give(t, func(b *strings.Builder) Sink { return NewTable(b, o) }, items...)
}

func jsonOf(t *testing.T, items ...*replay.Item) string {
	t.Helper()
	return give(t, func(b *strings.Builder) Sink { return NewJSON(b, JSONOptions{}) }, items...)
}

func detailOf(t *testing.T, x *replay.Exchange, o TextOptions) string {
	t.Helper()
	var b strings.Builder
	if err := Detail(&b, x, &format.Session{UTCOffset: 4 * 3600}, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// unprintable reports the first thing in text that must not reach a terminal.
func unprintable(text string) string {
	for i, r := range text {
		switch {
		case r == '\n' || r == '\t':
		case r < 0x20, r >= 0x7f && r < 0xa0:
			return text[max(0, i-20):min(len(text), i+20)]
		case r == '\ufffd' && text[i] != 0xef:
			return text[max(0, i-20):min(len(text), i+20)]
		case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x2069, r == 0xfeff:
			return text[max(0, i-20):min(len(text), i+20)]
		}
	}
	return ""
}

func session0(z *time.Location) (string, int) { return time.Unix(0, 0).In(z).Zone() }
