package export

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// feed is a WebSocket as an engine tells of it.
func feed(t *testing.T) []*replay.Item {
	t.Helper()
	c := curl(9920, "http/1.1")
	begin := at(t, "15:12:06.044")
	q := &decode.Message{
		Kind: decode.Request, Exchange: 1, Proto: "HTTP/1.1", Method: "GET", Authority: "push.example.com", Target: "/feed",
		Header: []decode.Field{{Name: "Upgrade", Value: "websocket"}}, Begin: begin, End: decode.At{Time: begin},
	}
	r := &decode.Message{
		Kind: decode.Response, Dir: decode.Read, Exchange: 1, Proto: "HTTP/1.1", Status: 101, Reason: "Switching Protocols", Flags: decode.Upgraded | decode.Continued,
		Header: []decode.Field{{Name: "Upgrade", Value: "websocket"}}, Begin: begin + 2e6, End: decode.At{Time: begin + 2e6},
	}
	in := func(ms int64, dir decode.Dir, typ string, n uint64, body string) *decode.Message {
		return &decode.Message{
			Kind: decode.Inner, Dir: dir, Exchange: 1, Proto: "websocket", Type: typ, Number: n, Wire: uint64(len(body)) + 2,
			Body: decode.Body{Data: []byte(body), Size: uint64(len(body))}, Begin: begin + ms*1e6, End: decode.At{Time: begin + ms*1e6},
		}
	}
	bye := in(12400, decode.Write, "close", 2, "bye")
	bye.Status, bye.Reason = 1000, "normal closure"
	bad := in(12401, decode.Read, "binary", 2, "\x00\x01\x02")
	bad.Body.Codings, bad.Body.ContentErr = []string{"permessage-deflate"}, "gap"
	bad.Anomalies = []decode.Anomaly{{Kind: "ws-deflate", Dir: decode.Read, Detail: "it refers to text that was not seen"}}
	list := []*decode.Message{q, r, in(10, decode.Write, "text", 1, `{"subscribe":`+"\n"+`"a\u001b"}`), in(20, decode.Read, "t\x1bext", 1, strings.Repeat("tick ", 100)), bye, bad}
	var out []*replay.Item
	for _, m := range list {
		it := &replay.Item{Kind: replay.ItemMessage, Conn: c, Dir: m.Dir, Time: m.End.Time, Message: m}
		if m.Kind != decode.Request {
			it.Request = q
		}
		out = append(out, it)
	}
	x := &replay.Exchange{ID: 4, Conn: c, Request: q, Response: r, Inner: &replay.Inner{
		Proto: "websocket", Client: replay.Tally{Count: 31, Size: 27, Wire: 40}, Server: replay.Tally{Count: 4, Size: 4200, Wire: 5000}, End: begin + 12401e6,
	}}
	return append(out, &replay.Item{Kind: replay.ItemExchange, Conn: c, Time: begin + 12401e6, Exchange: x})
}

// through gives items to a sink.
func through(t *testing.T, s Sink, items []*replay.Item) {
	t.Helper()
	for _, it := range append([]*replay.Item{session()}, items...) {
		if err := s.Item(it); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestInnerText(t *testing.T) {
	tests := []struct {
		name string
		o    TextOptions
		want string
	}{
		{"compact", TextOptions{Compact: true, Latency: true}, `
15:12:06.044 → GET wss://push.example.com/feed ALPN:http/1.1 curl (9920)
15:12:06.046 ← 101 wss://push.example.com/feed ALPN:http/1.1 curl (9920) [2.00ms]
15:12:06.054 → websocket text (24 bytes) wss://push.example.com/feed curl (9920)
15:12:06.064 ← websocket t\x1bext (500 bytes) wss://push.example.com/feed curl (9920)
15:12:18.444 → websocket close 1000 normal closure (3 bytes) wss://push.example.com/feed curl (9920)
15:12:18.445 ← websocket binary (3 bytes) wss://push.example.com/feed curl (9920)  ⚠ ws-deflate: it refers to text that was not seen
15:12:18.445 ⇅ 31/4 messages wss://push.example.com/feed curl (9920) [12.40s]
`},
		{"bodies, ASCII", TextOptions{Bodies: true, ASCII: true}, `
15:12:06.044 -> GET wss://push.example.com/feed ALPN:http/1.1 curl (9920)
  Upgrade: websocket

15:12:06.046 <- 101 wss://push.example.com/feed ALPN:http/1.1 curl (9920)
  Upgrade: websocket

15:12:06.054 -> websocket text (24 bytes) wss://push.example.com/feed curl (9920)
--- Body (24 bytes) ---
{"subscribe":
"a\u001b"}
------------

15:12:06.064 <- websocket t\x1bext (500 bytes) wss://push.example.com/feed curl (9920)
--- Body (500 bytes) ---
` + strings.Repeat("tick ", 100) + `
------------

15:12:18.444 -> websocket close 1000 normal closure (3 bytes) wss://push.example.com/feed curl (9920)
--- Body (3 bytes) ---
bye
------------

15:12:18.445 <- websocket binary (3 bytes) wss://push.example.com/feed curl (9920)  ! content coding: gap  ! ws-deflate: it refers to text that was not seen
--- Body (3 bytes) ---
00000000  00 01 02                                          |...|
------------

15:12:18.445 | 31/4 messages wss://push.example.com/feed curl (9920)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			through(t, NewText(&b, tt.o), feed(t))
			if d := cmp.Diff(tt.want[1:], b.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A call whose request is still being sent, at a server: there is no URL yet.
func TestInnerWithoutRequest(t *testing.T) {
	c := curl(1, "h2")
	c.Role = decode.RoleServer
	m := &decode.Message{Kind: decode.Inner, Dir: decode.Read, Exchange: 1, Stream: 3, Proto: "grpc", Type: "message", Body: decode.Body{Size: 7}, Begin: at(t, "15:12:06.044")}
	var b bytes.Buffer
	through(t, NewText(&b, TextOptions{}), []*replay.Item{{Kind: replay.ItemMessage, Conn: c, Dir: m.Dir, Message: m}})
	if got, want := b.String(), "15:12:06.044 → grpc message (7 bytes) curl (1) [stream 3]\n"; got != want {
		t.Errorf("got  %qwant %q", got, want)
	}
}

func TestInnerTable(t *testing.T) {
	var b bytes.Buffer
	through(t, NewTable(&b, TableOptions{Terminal: true, Width: 120}), feed(t))
	through(t, NewTable(&b, TableOptions{Terminal: true, Width: 120, ASCII: true}), feed(t)[6:])
	want := "   4  15:12:06.044  curl/9920       GET     101     websocket   4.1KiB    12.4s  wss://push.example.com/feed  ⇅ 31/4\n" +
		"   4  15:12:06.044  curl/9920       GET     101     websocket   4.1KiB    12.4s  wss://push.example.com/feed  | 31/4\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestInnerDetail(t *testing.T) {
	for _, tt := range []struct {
		o    TextOptions
		want string
	}{
		{TextOptions{Bodies: true}, `
─── Messages  websocket, 31 from the client (27 B), 4 from the server (4.1KiB) ───
  15:12:06.054  → text  24 B  {"subscribe": "a\u001b"}
  15:12:06.064  ← t\x1bext  500 B  ` + strings.Repeat("tick ", 14) + `t…
  15:12:18.444  → close 1000 normal closure  3 B  bye
  15:12:18.445  ← binary  3 B  00 01 02  ⚠ content coding: gap  ⚠ ws-deflate: it refers to text that was not seen
… (31 more messages)
────────────
`},
		{TextOptions{Hex: true}, `
  15:12:18.444  → close 1000 normal closure  3 B
00000000  62 79 65                                          |bye|
`},
	} {
		var b bytes.Buffer
		last := &lastExchange{}
		through(t, Collected(last, CollectLimits{}), feed(t))
		if err := Detail(&b, last.x, session().Session, tt.o); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), tt.want[1:]) {
			t.Errorf("got\n%s\nwant in it\n%s", b.String(), tt.want)
		}
	}
}

// lastExchange remembers the exchange that came last.
type lastExchange struct{ x *replay.Exchange }

func (l *lastExchange) Item(it *replay.Item) error {
	if it.Kind == replay.ItemExchange {
		l.x = it.Exchange
	}
	return nil
}
func (l *lastExchange) Close() error { return nil }

func TestInnerJSON(t *testing.T) {
	var b bytes.Buffer
	through(t, Collected(NewJSON(&b, JSONOptions{}), CollectLimits{Messages: 2}), feed(t))
	want := `"messages":{"proto":"websocket","client":{"count":31,"size":27,"wire":40},"server":{"count":4,"size":4200,"wire":5000},"list":[` +
		`{"n":1,"from":"client","type":"text","time":"2026-01-12T11:12:06.054000000Z","size":24,"wire":26,"body":{"size":24,"text":"{\"subscribe\":\n\"a\\u001b\"}"}},` +
		`{"n":1,"from":"server","type":"t\u001bext","time":"2026-01-12T11:12:06.064000000Z","size":500,"wire":502,"body":{"size":500,"text":"` + strings.Repeat("tick ", 100) + `"}}],"cut":true}`
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant in it\n%s", b.String(), want)
	}
	if !strings.Contains(b.String(), `"dur":12.401,`) {
		t.Errorf("the exchange lasts until its last message: %s", b.String())
	}
	b.Reset()
	through(t, NewJSON(&b, JSONOptions{}), feed(t))
	if !strings.Contains(b.String(), `"server":{"count":4,"size":4200,"wire":5000}},"proc"`) {
		t.Errorf("without a collector: %s", b.String())
	}
}

// TestCollected: bounds of one exchange and of all, and what is freed.
func TestCollected(t *testing.T) {
	c1, c2 := curl(1, ""), curl(2, "")
	c2.ID = 9
	message := func(c *replay.Conn, exchange uint32, body string) *replay.Item {
		return &replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Inner, Exchange: exchange, Body: decode.Body{Data: []byte(body), Size: uint64(len(body))}}}
	}
	over := func(c *replay.Conn, exchange uint32) *replay.Item {
		return &replay.Item{Kind: replay.ItemExchange, Conn: c, Exchange: &replay.Exchange{Conn: c, Response: &decode.Message{Exchange: exchange}, Inner: &replay.Inner{}}}
	}
	end := func(c *replay.Conn) *replay.Item { return &replay.Item{Kind: replay.ItemConnEnd, Conn: c} }
	l := CollectLimits{Messages: 3, Bytes: 5, AllMessages: 5, AllBytes: 9}
	tests := []struct {
		name  string
		items []*replay.Item
		want  string
	}{
		{"two exchanges, two connections", []*replay.Item{message(c1, 1, "a"), message(c1, 2, "b"), message(c2, 1, "c"), over(c1, 2), over(c1, 1), over(c2, 1)}, "[b] [a] [c]"},
		{"messages", []*replay.Item{message(c1, 1, ""), message(c1, 1, ""), message(c1, 1, "x"), message(c1, 1, "y"), over(c1, 1)}, "[  x]cut"},
		{"bytes", []*replay.Item{message(c1, 1, "abc"), message(c1, 1, "def"), message(c1, 1, "g"), over(c1, 1)}, "[abc de]cut"},
		{"all messages", []*replay.Item{message(c1, 1, "a"), message(c1, 1, "b"), message(c2, 1, "c"), message(c2, 1, "d"), message(c2, 2, "e"), message(c2, 2, "f"), over(c2, 2), over(c1, 1)}, "[e]cut [a b]"},
		{"all bytes", []*replay.Item{message(c1, 1, "abcde"), message(c2, 1, "abcde"), over(c2, 1)}, "[abcd]cut"},
		{"an end frees", []*replay.Item{message(c1, 1, "abcde"), message(c1, 2, "abcd"), end(c1), message(c2, 1, "abcde"), over(c2, 1)}, "[abcde]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := &lists{}
			s := Collected(got, l)
			through(t, s, append(tt.items, end(c1), end(c2)))
			if g := strings.Join(got.list, " "); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
			if c := s.(*collector); c.messages != 0 || c.bytes != 0 || len(c.open) != 0 {
				t.Errorf("%d messages, %d bytes, %d connections left", c.messages, c.bytes, len(c.open))
			}
			for _, it := range tt.items {
				if it.Exchange != nil && it.Exchange.Inner.List != nil {
					t.Error("a shared item was changed")
				}
			}
		})
	}
}

// lists writes down what was collected.
type lists struct{ list []string }

func (l *lists) Item(it *replay.Item) error {
	if it.Kind != replay.ItemExchange {
		return nil
	}
	var bodies []string
	for _, m := range it.Exchange.Inner.List {
		bodies = append(bodies, string(m.Body.Data))
	}
	s := fmt.Sprintf("[%s]", strings.Join(bodies, " "))
	if it.Exchange.Inner.Cut {
		s += "cut"
	}
	l.list = append(l.list, s)
	return nil
}
func (l *lists) Close() error { return nil }

func TestWebSocketURL(t *testing.T) {
	c := curl(1, "h2")
	for _, tt := range []struct {
		m    decode.Message
		want string
	}{
		{decode.Message{Method: "GET", Authority: "a", Target: "/x", Header: []decode.Field{{Name: "UPGRADE", Value: "WebSocket"}}}, "wss://a/x"},
		{decode.Message{Method: "GET", Authority: "a", Target: "/x", Header: []decode.Field{{Name: "Upgrade", Value: "h2c"}}}, "https://a/x"},
		{decode.Message{Method: "CONNECT", Scheme: "https", Authority: "a", Target: "/x", Header: []decode.Field{{Name: ":protocol", Value: "websocket"}}}, "wss://a/x"},
		{decode.Message{Method: "CONNECT", Scheme: "http", Authority: "a", Target: "/x", Header: []decode.Field{{Name: ":protocol", Value: "websocket"}}}, "ws://a/x"},
		{decode.Message{Method: "CONNECT", Authority: "a:1"}, "a:1"},
	} {
		if got := urlOf(&tt.m, c); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
