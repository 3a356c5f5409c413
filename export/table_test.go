package export

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// listItems is a session with one exchange of each kind the list tells apart.
func listItems(t *testing.T) []*replay.Item {
	c, q, r := readmeH2(t)
	items := append([]*replay.Item{session()}, turn(c, 1, q, r)...)

	nginx := curl(812, "h2")
	nginx.Proc = &replay.Proc{Proc: format.Proc{PID: 812, Comm: "nginx"}}
	post := &decode.Message{Kind: decode.Request, Exchange: 2, Stream: 3, Proto: "HTTP/2", Method: "POST", Authority: "api.example.com", Target: "/v1/orders", Begin: q.Begin + 1e9}
	bad := &decode.Message{Kind: decode.Response, Exchange: 2, Stream: 3, Status: 503, Flags: decode.Gapped, Body: decode.Body{Size: 84},
		Header: []decode.Field{{Name: "content-type", Value: "application/json"}}, Begin: post.Begin, End: decode.At{Time: post.Begin + 1_204_000_000}}
	items = append(items, turn(nginx, 2, post, bad)...)

	slow := &decode.Message{Kind: decode.Request, Method: "GET", Authority: "api.example.com", Target: "/v1/slow", Begin: q.Begin + 2e9}
	pending := turn(nginx, 3, slow, nil)
	pending[1].Exchange.Pending = true
	items = append(items, pending...)
	items = append(items, turn(nginx, 4, slow, nil)...)

	grpc := &decode.Message{Kind: decode.Response, Status: 200, Body: decode.Body{Size: 310}, Header: []decode.Field{{Name: "content-type", Value: "application/grpc+proto"}},
		Trailer: []decode.Field{{Name: "grpc-status", Value: "13"}}, Begin: slow.Begin, End: decode.At{Time: slow.Begin + 41_000_000}}
	items = append(items, turn(nginx, 5, slow, grpc)...)
	lone := *bad
	lone.Flags = 0
	return append(items, turn(nginx, 12345, nil, &lone)...)
}

func TestTable(t *testing.T) {
	want := `   #  TIME          PROCESS         METHOD  STATUS  TYPE          SIZE     TIME  URL
   1  15:11:59.346  curl/403410     GET     200     text          15 B    294ms  https://ifconfig.io/
   2  15:12:00.346  nginx/812       POST    503     json          84 B    1.20s  https://api.example.com/v1/orders  ⚠ gap
   3  15:12:01.346  nginx/812       GET     …       -                -  pending  https://api.example.com/v1/slow
   4  15:12:01.346  nginx/812       GET     -       -                -        -  https://api.example.com/v1/slow  ⚠ no-response
   5  15:12:01.346  nginx/812       GET     200/13  grpc         310 B   41.0ms  https://api.example.com/v1/slow
12345  15:12:00.346  nginx/812       -       503     json          84 B    1.20s  ?  ⚠ no-request
`
	got := tableOf(t, TableOptions{Terminal: true, Header: true}, listItems(t)...)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTabSeparated(t *testing.T) {
	want := "ID\tTIME\tPROCESS\tMETHOD\tSTATUS\tTYPE\tSIZE\tMS\tURL\tFLAGS\n" +
		"1\t2026-01-12T11:11:59.346000000Z\tcurl/403410\tGET\t200\ttext\t15\t294.290\thttps://ifconfig.io/\t\n" +
		"2\t2026-01-12T11:12:00.346000000Z\tnginx/812\tPOST\t503\tjson\t84\t1204.000\thttps://api.example.com/v1/orders\tgap\n" +
		"3\t2026-01-12T11:12:01.346000000Z\tnginx/812\tGET\t-\t-\t-\t-\thttps://api.example.com/v1/slow\tpending\n" +
		"4\t2026-01-12T11:12:01.346000000Z\tnginx/812\tGET\t-\t-\t-\t-\thttps://api.example.com/v1/slow\tno-response\n" +
		"5\t2026-01-12T11:12:01.346000000Z\tnginx/812\tGET\t200/13\tgrpc\t310\t41.000\thttps://api.example.com/v1/slow\t\n" +
		"12345\t2026-01-12T11:12:00.346000000Z\tnginx/812\t-\t503\tjson\t84\t1204.000\t-\tno-request\n"
	got := tableOf(t, TableOptions{Header: true}, listItems(t)...)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	_, rows, _ := strings.Cut(want, "\n")
	if got := tableOf(t, TableOptions{}, listItems(t)...); got != rows {
		t.Errorf("without header (-want +got):\n%s", cmp.Diff(rows, got))
	}
	if got := tableOf(t, TableOptions{Header: true}); !strings.HasPrefix(got, "ID\t") {
		t.Errorf("empty session: %q, want the header a program asked for", got)
	}
}

// TestTableHoldsItsColumns throws hostile names at the list: every row stays a
// row, and the columns stay where they are.
func TestTableHoldsItsColumns(t *testing.T) {
	evil := []string{"\x1b[2J", "a\tb\nc", strings.Repeat("x", 300), "東京東京東京東京東京", "\u202e", "", "e\u0301\u0301\u0301"}
	for _, s := range evil {
		c, q, r := readmeH2(t)
		c.Proc.Comm, q.Method, q.Target = s, s, "/"+s
		r.Header[1].Value = s + "/" + s
		r.Status = 1234567
		items := turn(c, 7, q, r)
		for _, ascii := range []bool{false, true} {
			out := tableOf(t, TableOptions{Terminal: true, Width: 120, ASCII: ascii}, items...)
			if strings.Count(out, "\n") != 1 {
				t.Errorf("%q: not one row: %q", s, out)
			}
			if n := cells([]byte(strings.TrimSuffix(out, "\n"))); n > 120 {
				t.Errorf("%q: row of %d cells in a terminal of 120: %q", s, n, out)
			}
			if i := strings.Index(out, "https://"); i < 0 || cells([]byte(out[:i])) != widthFixed {
				t.Errorf("%q: URL is not in its column: %q", s, out)
			}
		}
		if out := tableOf(t, TableOptions{}, items...); strings.Count(out, "\t") != 9 || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: not ten columns: %q", s, out)
		}
	}
}

func TestCutMiddle(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "abc…fg"}, {"abcdefg", 5, "ab…fg"}, {"東京東京", 5, "東…京"}, {"", 3, ""},
	} {
		if got := string(cutMiddle([]byte(tt.in), tt.width, "…")); got != tt.want {
			t.Errorf("%q in %d: %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	for mime, want := range map[string]string{
		"text/plain": "text", "text/html; charset=x": "html", "application/json": "json", "application/problem+json": "json",
		"application/octet-stream": "binary", "image/svg+xml": "svg", "application/x-www-form-urlencoded": "form", "application/x-tar": "tar",
		"": "-", "TEXT/HTML": "html", "junk": "junk", "application/grpc-web": "grpc",
	} {
		x := &replay.Exchange{Response: &decode.Message{Header: []decode.Field{{Name: "Content-Type", Value: mime}}}}
		if got := typeOf(x); got != want {
			t.Errorf("%q: %q, want %q", mime, got, want)
		}
	}
	ws := &replay.Exchange{Response: &decode.Message{Status: 101, Flags: decode.Upgraded, Header: []decode.Field{{Name: "Upgrade", Value: "WebSocket"}}}}
	if got := typeOf(ws); got != "websocket" {
		t.Errorf("upgrade: %q, want websocket", got)
	}
}

func TestTiming(t *testing.T) {
	q := &decode.Message{Begin: 100, End: decode.At{Time: 110}}
	r := &decode.Message{Begin: 150, End: decode.At{Time: 190}}
	early := &decode.Message{Begin: 105, End: decode.At{Time: 190}}
	tests := []struct {
		name string
		x    replay.Exchange
		want timing
	}{
		{"whole", replay.Exchange{Request: q, Response: r}, timing{begin: 100, total: 90, send: 10, wait: 40, recv: 40, ttfb: 50}},
		{"early response", replay.Exchange{Request: q, Response: early}, timing{begin: 100, total: 90, send: 10, wait: 0, recv: 85, ttfb: 5}},
		{"no response", replay.Exchange{Request: q}, timing{begin: 100, total: -1, send: 10, wait: -1, recv: -1, ttfb: -1}},
		{"no request", replay.Exchange{Response: r}, timing{begin: 150, total: 40, send: -1, wait: -1, recv: 40, ttfb: -1}},
	}
	for _, tt := range tests {
		if got := timingOf(&tt.x); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestZone(t *testing.T) {
	for offset, want := range map[int32]int{0: 0, 3600: 3600, -3600: -3600, 1 << 30: 0} {
		if _, got := session0(zone(offset)); got != want {
			t.Errorf("offset %d: zone %d, want %d", offset, got, want)
		}
	}
}

// TestCutMiddleOfAnyWidth: never wider than asked, never a broken character,
// both ends kept, and no cell given away but the one a wide character leaves.
func TestCutMiddleOfAnyWidth(t *testing.T) {
	for _, text := range []string{"https://api.example.com/v1/orders?page=2", "https://東京.example/都市/一覧", "e\u0301e\u0301e\u0301e\u0301e\u0301", "a😀b😀c😀d😀"} {
		for width := 1; width < cells([]byte(text)); width++ {
			got := string(cutMiddle([]byte(text), width, "…"))
			if n := cells([]byte(got)); n > width || n < width-2 {
				t.Errorf("%q in %d: %d cells, %q", text, width, n, got)
			}
			head, tail, ok := strings.Cut(got, "…")
			if !ok || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) || !utf8.ValidString(got) {
				t.Errorf("%q in %d: %q is not its two ends", text, width, got)
			}
		}
	}
}

// TestCutKeepsItsInput: the ellipsis goes to a copy, not over the text's rest.
func TestCutKeepsItsInput(t *testing.T) {
	text := []byte("abcdefghij")
	if got := string(cut(text, 4, "…")); got != "abc…" {
		t.Errorf("cut: %q, want abc…", got)
	}
	if got := string(cut(text, 10, "…")); got != "abcdefghij" {
		t.Errorf("what fits is cut: %q", got)
	}
	if got := string(cutMiddle(text, 5, "~")); got != "ab~ij" {
		t.Errorf("cutMiddle: %q, want ab~ij", got)
	}
	if string(text) != "abcdefghij" {
		t.Errorf("the text has become %q", text)
	}
}

func TestTableWidths(t *testing.T) {
	c, q, r := readmeH2(t)
	q.Target = "/v1/orders/2026/01/12?customer=4711&sort=created&order=descending"
	r.Flags = decode.Gapped | decode.Incomplete
	items := turn(c, 1, q, r)
	marks := "  ⚠ gap, incomplete"
	tests := []struct {
		name string
		o    TableOptions
		want string // from the URL on
	}{
		{"no limit", TableOptions{}, "https://ifconfig.io/v1/orders/2026/01/12?customer=4711&sort=created&order=descending" + marks},
		{"what is left of the line", TableOptions{Width: widthFixed + 30 + 19}, "https://ifconfi…der=descending" + marks},
		{"least width", TableOptions{Width: 10}, "https://if…escending" + marks},
		{"ASCII", TableOptions{Width: 10, ASCII: true}, "https://if~escending  ! gap, incomplete"},
	}
	for _, tt := range tests {
		tt.o.Terminal = true
		out := tableOf(t, tt.o, items...)
		if got := strings.TrimSuffix(out[max(0, strings.Index(out, "https:")):], "\n"); got != tt.want {
			t.Errorf("%s:\n%q, want\n%q", tt.name, got, tt.want)
		}
	}
}

// TestTableCells: what is too long for its column gives way by a rule.
func TestTableCells(t *testing.T) {
	c, q, r := readmeH2(t)
	c.Proc.Comm, c.PID, q.Method = "a-very-long-name", 4194304, "PROPPATCH"
	r.Header = []decode.Field{{Name: "content-type", Value: "application/vnd.example.very-long"}}
	r.Status, r.Body.Size = -1, 5<<20
	want := "   1  11:11:59.346  a-ver…/4194304  PROPP…  -       vnd.exam…   5.0MiB    294ms  https://ifconfig.io/\n"
	if d := cmp.Diff(want, tableOf(t, TableOptions{Terminal: true}, turn(c, 1, q, r)...)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	slow := turn(c, 2, q, nil)
	slow[1].Exchange.Pending = true
	out := tableOf(t, TableOptions{Terminal: true, ASCII: true}, slow...)
	if !strings.Contains(out, "  a-ver~/4194304  PROPP~  ...     -  ") || !strings.Contains(out, "  pending  ") {
		t.Errorf("ASCII: %q", out)
	}
}

func TestTableColors(t *testing.T) {
	for status, want := range map[int]string{200: "\x1b[32m200     \x1b[0m", 302: "\x1b[33m302     \x1b[0m", 404: "\x1b[31m404     \x1b[0m"} {
		c, q, r := readmeH2(t)
		r.Status, r.Flags = status, decode.Reset
		items := turn(c, 1, q, r)
		got := tableOf(t, TableOptions{Terminal: true, Header: true, Color: true}, items...)
		if !strings.Contains(got, want) || !strings.Contains(got, "\x1b[33m  ⚠ reset\x1b[0m\n") || !strings.HasPrefix(got, "\x1b[2m   #") {
			t.Errorf("%d: no %q, yellow mark or dim header in %q", status, want, got)
		}
		if got := tableOf(t, TableOptions{Header: true, Color: true}, items...); strings.Contains(got, "\x1b") {
			t.Errorf("%d: colours in columns for programs: %q", status, got)
		}
	}
}

// TestTableSections: each section's times are those of the host that recorded it.
func TestTableSections(t *testing.T) {
	c, q, r := readmeH2(t)
	other := &replay.Item{Kind: replay.ItemSession, Session: &format.Session{UTCOffset: -3600}}
	row := turn(c, 1, q, r)[2]
	got := tableOf(t, TableOptions{Terminal: true, Header: true}, row, session(), row, other, row)
	var clocks []string
	for _, line := range strings.Split(got, "\n")[1:4] {
		clocks = append(clocks, strings.Fields(line)[1])
	}
	if d := cmp.Diff([]string{"11:11:59.346", "15:11:59.346", "10:11:59.346"}, clocks); d != "" {
		t.Errorf("times (-want +got):\n%s", d)
	}
	if n := strings.Count(got, "PROCESS"); n != 1 {
		t.Errorf("%d headers, want one for all sections", n)
	}
	if got := tableOf(t, TableOptions{Terminal: true, Header: true}, session()); got != "" {
		t.Errorf("a session without exchanges leaves %q", got)
	}
}
