package export

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// The three texts the seed's README shows, to the byte.
const readmeH2Text = `15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [63.1us] [stream 1]
  user-agent: curl/8.15.0
  accept: */*

15:11:59.639 ← 200 https://ifconfig.io/ ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [294.29ms] [stream 1]
  date: Mon, 12 Jan 2026 11:11:59 GMT
  content-type: text/plain; charset=utf-8
  content-length: 15
─── Body ───
203.0.113.42
────────────
`

const readmeH1Text = `15:12:05.592 → GET https://ifconfig.io/ ALPN:http/1.1 curl (403422) [31.9us]
  Host: ifconfig.io
  User-Agent: curl/8.15.0
  Accept: */*

15:12:05.883 ← 200 https://ifconfig.io/ ALPN:http/1.1 text/plain; charset=utf-8 (15 bytes) curl (403422) [462.5us]
  Date: Mon, 12 Jan 2026 11:12:05 GMT
  Content-Type: text/plain; charset=utf-8
  Content-Length: 15
─── Body (15 bytes) ───
203.0.113.42
────────────
`

const readmeHandshakeText = "15:12:05.100 🔒 TLS handshake complete [15.00ms] curl (403422)\n"

func TestTextIsTheSeeds(t *testing.T) {
	o := TextOptions{Bodies: true, Latency: true, Handshakes: true}
	c2, q2, r2 := readmeH2(t)
	c1, q1, r1 := readmeH1(t)
	// The seed counts 15 bytes in the body frame and prints 12 and their line
	// end; the address in its README was replaced by a shorter one.
	r1.Body.Content = []byte("203.0.113.42   ")
	want1 := strings.Replace(readmeH1Text, "203.0.113.42\n", "203.0.113.42   \n", 1)
	hand := &replay.Item{Kind: replay.ItemHandshake, Conn: c1, Time: at(t, "15:12:05.100"), Handshake: &format.Handshake{OK: true, Dur: 15_000_000}}
	for _, tt := range []struct {
		name, want string
		items      []*replay.Item
	}{
		{"HTTP/2", readmeH2Text, turn(c2, 1, q2, r2)},
		{"HTTP/1.1", want1, turn(c1, 1, q1, r1)},
		{"handshake", readmeHandshakeText, []*replay.Item{hand}},
	} {
		got := textOf(t, o, append([]*replay.Item{session()}, tt.items...)...)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestTextOptions(t *testing.T) {
	c, q, r := readmeH2(t)
	items := append([]*replay.Item{session()}, turn(c, 1, q, r)...)
	noLatency := strings.NewReplacer(" [63.1us]", "", " [294.29ms]", "")
	body := "─── Body ───\n203.0.113.42\n────────────\n"
	tests := []struct {
		name string
		o    TextOptions
		want string
	}{
		{"none", TextOptions{}, strings.Replace(noLatency.Replace(readmeH2Text), body, "", 1)},
		{"latency", TextOptions{Latency: true}, strings.Replace(readmeH2Text, body, "", 1)},
		{"compact", TextOptions{Compact: true, Bodies: true}, "15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n" +
			"15:11:59.639 ← 200 https://ifconfig.io/ ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [stream 1]\n"},
		{"ascii", TextOptions{Compact: true, ASCII: true}, "15:11:59.346 -> GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n" +
			"15:11:59.639 <- 200 https://ifconfig.io/ ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [stream 1]\n"},
		{"hex", TextOptions{Hex: true}, strings.Replace(noLatency.Replace(readmeH2Text), body,
			"─── Body │ text/plain; charset=utf-8 (13 bytes) ───\n"+
				"00000000  32 30 33 2e 30 2e 31 31  33 2e 34 32 0a           |203.0.113.42.|\n────────────\n", 1)},
		{"color", TextOptions{Compact: true, Color: true}, "\x1b[2m15:11:59.346\x1b[0m \x1b[36m→ GET\x1b[0m https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n" +
			"\x1b[2m15:11:59.639\x1b[0m ← \x1b[32m200\x1b[0m https://ifconfig.io/ ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [stream 1]\n"},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, textOf(t, tt.o, items...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestStatusColors(t *testing.T) {
	for status, want := range map[int]string{200: "\x1b[32m200", 301: "\x1b[33m301", 404: "\x1b[31m404", 503: "\x1b[31m503"} {
		c, q, r := readmeH2(t)
		r.Status = status
		if got := textOf(t, TextOptions{Color: true}, turn(c, 1, q, r)...); !strings.Contains(got, want+"\x1b[0m") {
			t.Errorf("%d: no %q in %q", status, want, got)
		}
	}
}

func TestTextShowsLoss(t *testing.T) {
	c, q, r := readmeH2(t)
	r.Flags = decode.Gapped | decode.Incomplete
	r.Body.Lost, r.Body.Cut, r.Body.Size = 1234, true, 2000
	r.Anomalies = []decode.Anomaly{{Kind: decode.AnomalyTruncated, Detail: "ended \x1b[2J"}}
	got := textOf(t, TextOptions{Bodies: true}, turn(c, 1, q, r)...)
	for _, want := range []string{"  ⚠ 1234 bytes missing\n", "  ⚠ incomplete: its end was not seen\n",
		"  ⚠ body cut: 13 of 2000 bytes kept\n", `  ⚠ truncated at byte 0: ended \x1b[2J` + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if got := textOf(t, TextOptions{Compact: true}, turn(c, 1, q, r)...); !strings.Contains(got, "  ⚠ 1234 bytes missing  ⚠ incomplete") || strings.Count(got, "\n") != 2 {
		t.Errorf("compact: want the warnings on the message's line:\n%s", got)
	}
}

func TestTextLines(t *testing.T) {
	c, q, _ := readmeH2(t)
	c.Proc.Comm, c.PID = "nginx", 12959
	now := at(t, "00:09:03.332")
	item := func(it replay.Item) *replay.Item { it.Time = now; return &it }
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	tests := []struct {
		name string
		it   *replay.Item
		want string
	}{
		{"opaque", item(replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Opaque, Proto: "unknown", Body: decode.Body{Size: 1940}}}),
			"00:09:03.332 [WRITE] nginx (PID 12959) 1940 bytes\n"},
		{"opaque with a signature", item(replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Opaque, Dir: decode.Read, Proto: "unknown", Body: decode.Body{Size: 16, Data: png}}}),
			"00:09:03.332 [READ] nginx (PID 12959) 16 bytes [PNG image]\n"},
		{"tunnel", item(replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Opaque, Proto: "websocket", Body: decode.Body{Size: 6}}}),
			"00:09:03.332 [WRITE] nginx (PID 12959) 6 bytes [websocket]\n"},
		{"notice", item(replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Notice, Dir: decode.Read, Anomalies: []decode.Anomaly{{Kind: "gap", Detail: "8 bytes"}}}}),
			"00:09:03.332 ⚠ gap at byte 0: 8 bytes [READ] nginx (12959)\n"},
		{"drop", item(replay.Item{Kind: replay.ItemDrop, Conn: c, Drop: &format.Drop{Cause: format.DropRingFull, Bytes: 9, Events: 2}}),
			"00:09:03.332 ⚠ not recorded: 9 bytes, 2 events, kernel buffer full nginx (12959)\n"},
		{"drop of nobody", item(replay.Item{Kind: replay.ItemDrop, Drop: &format.Drop{Cause: format.DropMissed}}),
			"00:09:03.332 ⚠ not recorded: probe not run by the kernel\n"},
		{"no response", item(replay.Item{Kind: replay.ItemExchange, Conn: c, Exchange: &replay.Exchange{Conn: c, Request: q}}),
			"00:09:03.332 ⚠ no response: GET https://ifconfig.io/ nginx (12959) [stream 1]\n"},
		{"pending", item(replay.Item{Kind: replay.ItemExchange, Conn: c, Exchange: &replay.Exchange{Conn: c, Request: q, Pending: true}}),
			"00:09:03.332 ⚠ no response yet when the recording ended: GET https://ifconfig.io/ nginx (12959) [stream 1]\n"},
		{"failed handshake", item(replay.Item{Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{}}),
			"00:09:03.332 🔒 TLS handshake failed nginx (12959)\n"},
		{"handshake in a read", item(replay.Item{Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{OK: true, Bound: true, Dur: 15_000_000}}),
			"00:09:03.332 🔒 TLS handshake complete [at most 15.00ms] nginx (12959)\n"},
		{"items without text", item(replay.Item{Kind: replay.ItemConnEnd, Conn: c, End: &format.ConnEnd{}}), ""},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, textOf(t, TextOptions{Handshakes: true}, session(), tt.it)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	hand := item(replay.Item{Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{}})
	if got := textOf(t, TextOptions{}, hand); got != "" {
		t.Errorf("handshake without -H printed: %q", got)
	}
}

func TestURL(t *testing.T) {
	c, _, _ := readmeH2(t)
	server := *c
	server.Role, server.Local, server.Remote = decode.RoleServer, c.Remote, c.Local
	tests := []struct {
		m    decode.Message
		c    *replay.Conn
		want string
	}{
		{decode.Message{Method: "GET", Authority: "a", Target: "/x?y"}, c, "https://a/x?y"},
		{decode.Message{Method: "GET", Scheme: "http", Authority: "a", Target: "/"}, c, "http://a/"},
		{decode.Message{Method: "GET", Authority: "a", Target: "http://b/c"}, c, "http://b/c"},
		{decode.Message{Method: "GET", Authority: "a", Target: "/r?u=http://b"}, c, "https://a/r?u=http://b"},
		{decode.Message{Method: "OPTIONS", Authority: "a", Target: "*"}, c, "https://a/*"},
		{decode.Message{Method: "CONNECT", Authority: "a:1", Target: "a:1"}, c, "a:1"},
		{decode.Message{Method: "CONNECT", Authority: "a:1"}, c, "a:1"},
		{decode.Message{Method: "GET", Target: "/"}, c, "https://93.184.216.34:443/"},
		{decode.Message{Method: "GET", Target: "/"}, &server, "https://93.184.216.34:443/"},
		{decode.Message{Method: "GET", Target: "/"}, &replay.Conn{}, "https://?/"},
	}
	for _, tt := range tests {
		if got := urlOf(&tt.m, tt.c); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.m.Method, tt.m.Target, got, tt.want)
		}
	}
}

func TestHexdump(t *testing.T) {
	var s screen
	s.hexdump(bytes.Repeat([]byte{'A', 0x1b}, 300))
	lines := strings.Split(strings.TrimSuffix(string(s.buf), "\n"), "\n")
	if len(lines) != 33 {
		t.Fatalf("%d lines, want 32 of 16 bytes and one for the rest", len(lines))
	}
	if want := "000001f0  41 1b 41 1b 41 1b 41 1b  41 1b 41 1b 41 1b 41 1b  |A.A.A.A.A.A.A.A.|"; lines[31] != want {
		t.Errorf("line 32 is\n%s, want\n%s", lines[31], want)
	}
	if want := "... (88 more bytes)"; lines[32] != want {
		t.Errorf("last line %q, want %q", lines[32], want)
	}
}

func TestBodies(t *testing.T) {
	png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 30)...)
	tests := []struct {
		name string
		m    decode.Message
		hex  bool
		want string // first line
	}{
		{"binary without -x", decode.Message{Proto: "HTTP/1.1", Body: decode.Body{Data: png}}, false, "─── Body (46 bytes) ───"},
		{"signature", decode.Message{Body: decode.Body{Data: png, Cut: true}}, true, "─── Body │ PNG image [Image] (46 bytes) ───"},
		{"trailer", decode.Message{Body: decode.Body{Data: png}}, true, "─── Body │ PNG image [Image] (trailer mismatch) (46 bytes) ───"},
		{"trailer of a part", decode.Message{Flags: decode.Incomplete, Body: decode.Body{Data: png}}, true, "─── Body │ PNG image [Image] (46 bytes) ───"},
		{"nothing known", decode.Message{Body: decode.Body{Data: []byte("x")}}, true, "─── Body │ unknown (1 bytes) ───"},
		{"decoded", decode.Message{Proto: "HTTP/1.1", Body: decode.Body{Data: []byte("zz"), Codings: []string{"gzip"}, Content: []byte("hello")}}, false, "─── Body (5 bytes) ───"},
		{"no body", decode.Message{}, true, ""},
	}
	for _, tt := range tests {
		var s screen
		s.body(&tt.m, &TextOptions{Hex: tt.hex})
		if got, _, _ := strings.Cut(string(s.buf), "\n"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTrailers(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       bool
	}{
		{"PNG image", "IEND\xaeB`\x82", true}, {"PNG image", "x", false}, {"GIF image", "\x00;", true}, {"GIF image", "", false},
		{"JPEG image (JFIF)", "\xff\xd9", true}, {"JPEG image", "\xff", false}, {"PDF document", "%%EOF\r\n", true}, {"PDF document", "x", false}, {"ZIP archive", "", true},
	} {
		if got := trailerOK(tt.name, []byte(tt.body)); got != tt.want {
			t.Errorf("%s ending %q: %t, want %t", tt.name, tt.body, got, tt.want)
		}
	}
}

func BenchmarkText(b *testing.B) {
	c, q, r := readmeH2(&testing.T{})
	items := turn(c, 1, q, r)
	s := NewText(discard{}, TextOptions{Bodies: true})
	b.ReportAllocs()
	for b.Loop() {
		for _, it := range items {
			if err := s.Item(it); err != nil {
				b.Fatal(err)
			}
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func ExampleNewText() {
	var out strings.Builder
	s := NewText(&out, TextOptions{Compact: true})
	c := &replay.Conn{Conn: format.Conn{PID: 7, ALPN: "http/1.1"}, Proc: &replay.Proc{Proc: format.Proc{Comm: "curl"}}}
	m := &decode.Message{Kind: decode.Request, Method: "GET", Authority: "a.test", Target: "/\x1b[2J", Begin: 1}
	if err := s.Item(&replay.Item{Kind: replay.ItemMessage, Conn: c, Message: m}); err != nil {
		fmt.Println(err)
	}
	fmt.Print(out.String())
	// Output: 00:00:00.000 → GET https://a.test/\x1b[2J ALPN:http/1.1 curl (7)
}

// TestTextTimes: a message is listed under its first byte's time, or the
// event's when that is not known, and a time that runs backwards is not shown.
func TestTextTimes(t *testing.T) {
	c, q, r := readmeH2(t)
	later := at(t, "16:00:00.000")
	tests := []struct {
		name       string
		begin, end int64
		want       string
	}{
		{"known", q.Begin, q.Begin + 5_000_000, "15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [5.00ms] [stream 1]\n"},
		{"beginning not known", 0, later, "16:00:00.000 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n"},
		{"backwards", q.Begin, q.Begin - 1, "15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n"},
		{"no time at all", q.Begin, q.Begin, "15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n"},
	}
	for _, tt := range tests {
		q.Begin, q.End.Time = tt.begin, tt.end
		it := &replay.Item{Kind: replay.ItemMessage, Conn: c, Time: later, Message: q}
		if d := cmp.Diff(tt.want, textOf(t, TextOptions{Compact: true, Latency: true}, session(), it)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	// A response alone is timed from its own first byte.
	lone := &replay.Item{Kind: replay.ItemExchange, Conn: c, Exchange: &replay.Exchange{Conn: c, Response: r}}
	want := "15:11:59.639 ← 200 ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [1.29ms] [stream 1]\n"
	if d := cmp.Diff(want, textOf(t, TextOptions{Compact: true, Latency: true}, session(), lone)); d != "" {
		t.Errorf("lone response (-want +got):\n%s", d)
	}
}

// TestTextSpacing: an empty line sets apart what takes more than a line, and
// nothing else.
func TestTextSpacing(t *testing.T) {
	c, q, r := readmeH2(t)
	drop := &replay.Item{Kind: replay.ItemDrop, Drop: &format.Drop{Events: 2, Cause: format.DropRingFull}}
	whole := turn(c, 1, q, r)
	tests := []struct {
		name  string
		o     TextOptions
		items []*replay.Item
		want  int // empty lines
	}{
		{"lines", TextOptions{}, []*replay.Item{drop, drop, drop}, 0},
		{"line, block", TextOptions{}, []*replay.Item{drop, whole[0]}, 1},
		{"block, line, line", TextOptions{}, []*replay.Item{whole[0], drop, drop}, 1},
		{"blocks", TextOptions{}, append(whole, whole...), 3},
		{"compact", TextOptions{Compact: true}, append(whole, drop, whole[0]), 0},
		{"what is not shown", TextOptions{}, []*replay.Item{drop, {Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{}}, {Kind: replay.ItemConnEnd}, drop}, 0},
	}
	for _, tt := range tests {
		got := textOf(t, tt.o, tt.items...)
		if n := strings.Count(got, "\n\n"); n != tt.want || strings.HasPrefix(got, "\n") {
			t.Errorf("%s: %d empty lines, want %d:\n%s", tt.name, n, tt.want, got)
		}
	}
}
