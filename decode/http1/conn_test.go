package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// brief is a message in one line: what most tests want to compare.
func brief(m decode.Message) string {
	var b strings.Builder
	switch m.Kind {
	case decode.Request:
		fmt.Fprintf(&b, "%d> %s %s %s", m.Exchange, m.Method, m.Target, m.Proto)
	case decode.Response:
		fmt.Fprintf(&b, "%d< %d", m.Exchange, m.Status)
		for _, i := range m.Interim {
			fmt.Fprintf(&b, " after %d", i.Status)
		}
	case decode.Opaque:
		fmt.Fprintf(&b, "opaque %d %s", m.Dir, m.Proto)
	case decode.Notice:
		fmt.Fprintf(&b, "notice %d", m.Dir)
	}
	if m.Body.Size > 0 {
		fmt.Fprintf(&b, " [%d %q]", m.Body.Size, m.Body.Data)
	}
	for _, f := range m.Trailer {
		fmt.Fprintf(&b, " +%s:%s", f.Name, f.Value)
	}
	for i, name := range []string{"incomplete", "gapped", "mid", "close", "upgraded"} {
		if m.Flags&(1<<i) != 0 {
			b.WriteString(" " + name)
		}
	}
	if len(kinds(m)) > 0 {
		fmt.Fprintf(&b, " %v", kinds(m))
	}
	return b.String()
}

func briefs(list []decode.Message) []string {
	var out []string
	for _, m := range list {
		out = append(out, brief(m))
	}
	return out
}

const (
	get  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	none = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	get1 = "1> GET / HTTP/1.1"
	ok1  = `1< 200 [2 "ok"]`
)

func TestConversations(t *testing.T) {
	tests := []struct {
		name     string
		acts     []decodetest.Step
		unclean  bool
		want     []string
		upgraded string
	}{
		{name: "one exchange", acts: []decodetest.Step{req(get), resp(ok)}, want: []string{get1, ok1}},
		{
			name: "keep-alive",
			acts: []decodetest.Step{req(get), resp(ok), req(get), resp(none)},
			want: []string{get1, ok1, "2> GET / HTTP/1.1", "2< 200"},
		},
		{
			name: "pipelined",
			acts: []decodetest.Step{req("HEAD /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"), resp("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + ok)},
			want: []string{"1> HEAD /1 HTTP/1.1", "2> GET /2 HTTP/1.0", "1< 200", `2< 200 [2 "ok"]`},
		},
		{
			name: "no bodies",
			acts: []decodetest.Step{req(get + get + get), resp("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n" + ok)},
			want: []string{get1, "2> GET / HTTP/1.1", "3> GET / HTTP/1.1", "1< 204", "2< 304", `3< 200 [2 "ok"]`},
		},
		{
			name: "chunked with extensions and trailers",
			acts: []decodetest.Step{req("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=\"\\\"\"\r\nabc\r\n0A ;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n"), resp(none)},
			want: []string{`1> POST / HTTP/1.1 [13 "abc0123456789"] +X:y`, "1< 200"},
		},
		{
			name: "interim responses",
			acts: []decodetest.Step{req("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"), resp("HTTP/1.1 100 Continue\r\n\r\n"), req("hi"), resp("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + ok)},
			want: []string{`1> PUT / HTTP/1.1 [2 "hi"]`, `1< 200 after 100 after 103 [2 "ok"]`},
		},
		{
			name: "early response",
			acts: []decodetest.Step{req("PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"), resp("HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n"), req("cd" + get), resp(ok)},
			want: []string{"1< 413", `1> PUT / HTTP/1.1 [4 "abcd"]`, "2> GET / HTTP/1.1", `2< 200 [2 "ok"]`},
		},
		{
			name: "until close",
			acts: []decodetest.Step{req(get), resp("HTTP/1.0 200 OK\r\n\r\nall of\r\n\r\nHTTP/1.1 200 OK\r\n")},
			want: []string{get1, `1< 200 [27 "all of\r\n\r\nHTTP/1.1 200 OK\r\n"] close`},
		},
		{
			name: "until close, recording stopped", unclean: true,
			acts: []decodetest.Step{req(get), resp("HTTP/1.0 200 OK\r\n\r\nall")},
			want: []string{get1, `1< 200 [3 "all"] incomplete close [truncated]`},
		},
		{
			name: "websocket",
			acts: []decodetest.Step{
				req("GET /c HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x01a" + get),
				resp("HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\n\r\n\x81\x01b" + ok), req("\x88"),
			},
			upgraded: "websocket",
			want: []string{"1> GET /c HTTP/1.1", "1< 101 upgraded",
				fmt.Sprintf("opaque 0 websocket [%d %q]", 3+len(get), "\x81\x01a"+get),
				fmt.Sprintf("opaque 1 websocket [%d %q]", 3+len(ok), "\x81\x01b"+ok),
				`opaque 0 websocket [1 "\x88"]`},
		},
		{
			name: "upgrade declined",
			acts: []decodetest.Step{req("GET /c HTTP/1.1\r\nUpgrade: h2c\r\n\r\n" + get), resp(ok + none)},
			want: []string{"1> GET /c HTTP/1.1", "2> GET / HTTP/1.1", ok1, "2< 200"},
		},
		{
			name:     "connect",
			acts:     []decodetest.Step{req("CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n"), resp("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), req("\x16\x03"), resp("\x16")},
			upgraded: "tunnel",
			want:     []string{"1> CONNECT b:443 HTTP/1.1", "1< 200 upgraded", `opaque 0 tunnel [2 "\x16\x03"]`, `opaque 1 tunnel [1 "\x16"]`},
		},
		{
			name: "upgrade never answered",
			acts: []decodetest.Step{req("GET /c HTTP/1.1\r\nUpgrade: x\r\n\r\n" + get)},
			want: []string{"1> GET /c HTTP/1.1", "2> GET / HTTP/1.1"},
		},
		{
			name:     "upgrade never answered, then no HTTP",
			acts:     []decodetest.Step{req("GET /c HTTP/1.1\r\nUpgrade: x\r\n\r\n\x81\x01a\n")},
			upgraded: "unknown",
			want:     []string{"1> GET /c HTTP/1.1", `opaque 0 unknown [4 "\x81\x01a\n"]`},
		},
		{
			name:     "101 nobody asked for",
			acts:     []decodetest.Step{req(get), resp("HTTP/1.1 101 Hm\r\n\r\nx"), req("GET")},
			upgraded: "unknown",
			want:     []string{get1, "1< 101 upgraded [h1-bad-upgrade]", `opaque 1 unknown [1 "x"]`, `opaque 0 unknown [3 "GET"]`},
		},
		{
			name: "responses only",
			acts: []decodetest.Step{resp(ok + none)},
			want: []string{`1< 200 [2 "ok"] [no-request]`, "2< 200 [no-request]"},
		},
		{name: "requests only", acts: []decodetest.Step{req(get + get)}, want: []string{get1, "2> GET / HTTP/1.1"}},
		{
			name: "empty lines first",
			acts: []decodetest.Step{req("\r\n\r\n" + get + "\r\n\n" + get), resp("\r\n" + ok)},
			want: []string{get1, "2> GET / HTTP/1.1", ok1 + " [h1-bad-start-line]"},
		},
		{
			name: "junk between messages",
			acts: []decodetest.Step{req("0\r\n\r\n" + get), resp("\x00\x01junk" + ok)},
			want: []string{`opaque 0 unknown [5 "0\r\n\r\n"] [h1-bad-start-line]`, get1 + " [resync]",
				`opaque 1 unknown [6 "\x00\x01junk"] [h1-bad-start-line]`, ok1 + " [resync h1-uncertain-pair]"},
		},
		{
			name: "truncated head", unclean: true,
			acts: []decodetest.Step{req("GET /x HTTP/1.1\r\nHost: a\r\nCook")},
			want: []string{"1> GET /x HTTP/1.1 incomplete [truncated]"},
		},
		{
			name: "truncated start line",
			acts: []decodetest.Step{req("GET /x HT")},
			want: []string{`opaque 0 unknown [9 "GET /x HT"] [truncated]`},
		},
		{
			name: "truncated bodies",
			acts: []decodetest.Step{req("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"), resp("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")},
			want: []string{`1> PUT / HTTP/1.1 [2 "ab"] incomplete [truncated]`, `1< 200 [2 "ab"] incomplete [truncated]`},
		},
		{
			name: "only an interim response",
			acts: []decodetest.Step{req(get), resp("HTTP/1.1 100 Continue\r\n\r\n")},
			want: []string{get1, "notice 1 [truncated]"},
		},
		{
			name: "after close",
			acts: []decodetest.Step{req("GET / HTTP/1.1\r\nConnection: Keep-Alive, Close\r\n\r\n" + get)},
			want: []string{get1, "2> GET / HTTP/1.1 [h1-after-close]"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := playAll(t, decode.Limits{}, tt.acts, !tt.unclean)
			if diff := cmp.Diff(tt.want, briefs(got)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			c := New(c2s, decode.Limits{})
			play(c, tt.acts, decodetest.Whole, !tt.unclean)
			if c.Upgraded() != tt.upgraded {
				t.Errorf("upgraded %q, want %q", c.Upgraded(), tt.upgraded)
			}
		})
	}
}

func TestGaps(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	hole := func(n int) decodetest.Step { return decodetest.Step{Dir: s2c, Gap: n} }
	tests := []struct {
		name string
		acts []decodetest.Step
		want []string
	}{
		{
			"inside a length", []decodetest.Step{req(get), resp(long + "012"), hole(4), resp("789" + ok)},
			[]string{get1, `1< 200 [10 "012789"] gapped [gap]`, `2< 200 [2 "ok"] [no-request]`},
		},
		{
			"to the end of a length", []decodetest.Step{req(get + get), resp(long + "012"), hole(7), resp(ok)},
			[]string{get1, "2> GET / HTTP/1.1", `1< 200 [10 "012"] gapped [gap]`, `2< 200 [2 "ok"]`},
		},
		{
			"beyond a length", []decodetest.Step{req(get + get), resp(long + "012"), hole(8), resp("x\r\n" + ok)},
			[]string{get1, "2> GET / HTTP/1.1", `1< 200 [10 "012"] incomplete gapped [gap]`, `opaque 1 unknown [3 "x\r\n"] [resync]`, `2< 200 [2 "ok"] [resync h1-uncertain-pair]`},
		},
		{
			"unknown, inside a length", []decodetest.Step{req(get), resp(long + "012"), hole(-1), resp("789")},
			[]string{get1, `1< 200 [10 "012"] incomplete gapped [gap]`, `opaque 1 unknown [3 "789"] [resync]`},
		},
		{
			"inside a chunk", []decodetest.Step{req(get), resp(chunked + "5\r\na"), hole(3), resp("e\r\n0\r\n\r\n")},
			[]string{get1, `1< 200 [5 "ae"] gapped [gap]`},
		},
		{
			"beyond a chunk", []decodetest.Step{req(get), resp(chunked + "5\r\na"), hole(5), resp("\n0\r\n\r\n")},
			[]string{get1, `1< 200 [1 "a"] incomplete gapped [gap]`, `opaque 1 unknown [6 "\n0\r\n\r\n"] [resync]`},
		},
		{
			"in a chunk line", []decodetest.Step{req(get), resp(chunked + "5"), hole(1), resp("\nabcde\r\n")},
			[]string{get1, "1< 200 incomplete gapped [gap]", `opaque 1 unknown [8 "\nabcde\r\n"] [resync]`},
		},
		{
			"in a trailer", []decodetest.Step{req(get), resp(chunked + "0\r\nX:"), hole(1), resp("\r\n\r\n")},
			[]string{get1, "1< 200 incomplete gapped [gap]", `opaque 1 unknown [4 "\r\n\r\n"] [resync]`},
		},
		{
			"until close", []decodetest.Step{req(get), resp("HTTP/1.1 200 OK\r\n\r\nab"), hole(3), resp("c"), hole(-1), resp("d")},
			[]string{get1, `1< 200 [7 "abcd"] gapped close [gap]`},
		},
		{
			"in a head", []decodetest.Step{req(get + get), resp("HTTP/1.1 404 No\r\nX: y\r\nConte"), hole(9), resp("9\r\n\r\n" + ok)},
			[]string{get1, "2> GET / HTTP/1.1", "1< 404 incomplete gapped [gap]", `opaque 1 unknown [5 "9\r\n\r\n"] [resync]`, `2< 200 [2 "ok"] [resync h1-uncertain-pair]`},
		},
		{
			"in a start line", []decodetest.Step{req(get), resp("HTTP/1."), hole(9), resp(ok)},
			[]string{get1, `opaque 1 unknown [7 "HTTP/1."] [gap]`, `1< 200 [2 "ok"]`},
		},
		{
			"a whole response, to a client that waits",
			[]decodetest.Step{req("GET /1 HTTP/1.1\r\n\r\n"), hole(40), req("GET /2 HTTP/1.1\r\n\r\n"), resp(ok)},
			[]string{"1> GET /1 HTTP/1.1", "2> GET /2 HTTP/1.1", `2< 200 [2 "ok"] [gap]`},
		},
		{
			"a whole response, to a client that does not wait",
			[]decodetest.Step{req(get + get), hole(40), req(get), resp(ok)},
			[]string{get1, "2> GET / HTTP/1.1", "3> GET / HTTP/1.1", `1< 200 [2 "ok"] [gap h1-uncertain-pair]`},
		},
		{
			"a whole request", []decodetest.Step{{Dir: c2s, Gap: 30}, resp(ok), req(get), resp(ok)},
			[]string{`1< 200 [2 "ok"] [no-request]`, `2> GET / HTTP/1.1 [gap]`, `2< 200 [2 "ok"]`},
		},
		{
			"a request after a lost one", []decodetest.Step{req("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"), {Dir: c2s, Gap: -1}, req("cd"), resp(ok), req(get)},
			[]string{`1> PUT / HTTP/1.1 [9 "ab"] incomplete gapped [gap]`, ok1, `opaque 0 unknown [2 "cd"] [resync]`, "2> GET / HTTP/1.1 [resync]"},
		},
		{
			"in a tunnel", []decodetest.Step{req("CONNECT b:1 HTTP/1.1\r\n\r\n"), resp("HTTP/1.1 200 OK\r\n\r\n"), hole(9), resp("x")},
			[]string{"1> CONNECT b:1 HTTP/1.1", "1< 200 upgraded", `opaque 1 tunnel [9 ""] gapped [gap]`, `opaque 1 tunnel [1 "x"]`},
		},
		{
			"in bytes that wait", []decodetest.Step{req("CONNECT b:1 HTTP/1.1\r\n\r\nab"), {Dir: c2s, Gap: 2}, req("cd"), resp("HTTP/1.1 200 OK\r\n\r\n")},
			[]string{"1> CONNECT b:1 HTTP/1.1", "1< 200 upgraded", `opaque 0 tunnel [2 "ab"]`, `opaque 0 tunnel [2 ""] gapped [gap]`, `opaque 0 tunnel [2 "cd"]`},
		},
		{
			"the answer that others wait for", []decodetest.Step{req("GET /1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"), hole(40), resp(ok)},
			[]string{"1> GET /1 HTTP/1.1", "2> GET /2 HTTP/1.1", `2< 200 [2 "ok"] [gap]`},
		},
		{
			"the last thing", []decodetest.Step{req(get), hole(40)},
			[]string{get1, "notice 1 [gap]"},
		},
		{"of nothing", []decodetest.Step{req(get), {Dir: s2c, Gap: 0}, resp(ok)}, []string{get1, ok1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := playAll(t, decode.Limits{}, tt.acts, true)
			if diff := cmp.Diff(tt.want, briefs(got)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGapSpans(t *testing.T) {
	got := playAll(t, decode.Limits{Gaps: 2}, []decodetest.Step{
		resp("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nab"), {Dir: s2c, Gap: 1}, {Dir: s2c, Gap: 2},
		resp("c"), {Dir: s2c, Gap: 3}, resp("d"), {Dir: s2c, Gap: 4}, resp("efghij"),
	}, true)
	want := decode.Body{Data: []byte("abcdefghij"), Size: 20, Lost: 10, Gaps: []decode.Span{{Off: 2, Len: 3}, {Off: 6, Len: 3}}}
	if diff := cmp.Diff(want, got[0].Body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestMidStream(t *testing.T) {
	tests := []struct {
		name string
		acts []decodetest.Step
		want []string
	}{
		{"on a boundary", []decodetest.Step{req(get), resp(ok)}, []string{get1, ok1}},
		{
			"inside a body", []decodetest.Step{resp("tail of a body" + ok), req(get), resp(ok)},
			[]string{`opaque 1 unknown [14 "tail of a body"] mid [mid-stream]`, `1< 200 [2 "ok"] [resync no-request]`, "2> GET / HTTP/1.1", `2< 200 [2 "ok"]`},
		},
		{
			"inside a head", []decodetest.Step{req("ost: b\r\n\r\n" + get)},
			[]string{`opaque 0 unknown [10 "ost: b\r\n\r\n"] mid [mid-stream]`, get1 + " [resync]"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []decodetest.Cut{decodetest.Whole, decodetest.Single, decodetest.Random(4, 9)} {
				c := New(c2s, decode.Limits{})
				c.SetMidStream()
				got := play(c, tt.acts, cut, true)
				if diff := cmp.Diff(tt.want, briefs(got)); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestHandOver(t *testing.T) {
	c := New(c2s, decode.Limits{})
	c.HandOver("websocket", "h2c")
	var got []decode.Message
	rest := map[decode.Dir]string{}
	for _, step := range []decodetest.Step{
		req("GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\nPRI"),
		resp("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n\x00\x00"),
		{Dir: c2s, Gap: 3}, req("x"),
	} {
		if step.Gap > 0 {
			got = c.Gap(got, decode.Gap{Dir: step.Dir, Len: uint64(step.Gap), Known: true})
		} else {
			got = c.Append(got, decode.Chunk{Dir: step.Dir, Data: []byte(step.Data)})
		}
		for _, r := range c.Rest() {
			if rest[r.Dir] += string(r.Data); r.Gap != nil {
				rest[r.Gap.Dir] += fmt.Sprintf("[%d]", r.Gap.Len)
			}
		}
	}
	if diff := cmp.Diff([]string{get1, "1< 101 upgraded"}, briefs(c.End(got, decode.At{}, true))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[decode.Dir]string{c2s: "PRI[3]x", s2c: "\x00\x00"}, rest); diff != "" || c.Upgraded() != "h2c" {
		t.Errorf("upgraded %q, rest (-want +got):\n%s", c.Upgraded(), diff)
	}
	if len(c.Rest()) != 0 {
		t.Error("the rest is given twice")
	}
}

func TestEndTwice(t *testing.T) {
	c := New(c2s, decode.Limits{})
	play(c, []decodetest.Step{req(get[:20]), resp("HTTP/1.1 200 OK\r\n\r\nab")}, decodetest.Whole, true)
	if got := c.End(nil, decode.At{}, true); len(got) != 0 {
		t.Errorf("second end gave %q", briefs(got))
	}
}

func TestTimes(t *testing.T) {
	c := New(c2s, decode.Limits{})
	at := func(n uint64) decode.At { return decode.At{Seq: n, Time: int64(n) * 10} }
	var out []decode.Message
	for i, p := range []string{"\r\n", "\r\nPO", "ST / HTTP/1.1\r\nContent-Length: 2\r\n", "\r\n", "a", "b"} {
		n := uint64(i + 1)
		out = c.Append(out, decode.Chunk{Dir: c2s, At: at(n), Start: at(n).Time - 5, Data: []byte(p)})
	}
	if len(out) != 1 {
		t.Fatalf("%d messages, want 1", len(out))
	}
	if m := out[0]; m.Begin != 15 || m.HeadEnd != at(4) || m.End != at(6) {
		t.Errorf("begin %d head end %v end %v, want 15, %v, %v", m.Begin, m.HeadEnd, m.End, at(4), at(6))
	}
}
