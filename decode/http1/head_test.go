package http1

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

func TestRequestHeads(t *testing.T) {
	type request struct {
		Method, Scheme, Authority, Target, Proto string
	}
	tests := []struct {
		head string
		want request
		odd  string
	}{
		{"GET / HTTP/1.1\r\nHost: a.test:81", request{"GET", "", "a.test:81", "/", "HTTP/1.1"}, ""},
		{"GET http://b.test/x?y HTTP/1.1\r\nHost: a", request{"GET", "http", "b.test", "http://b.test/x?y", "HTTP/1.1"}, ""},
		{"GET http://b.test HTTP/1.1", request{"GET", "http", "b.test", "http://b.test", "HTTP/1.1"}, ""},
		{"OPTIONS * HTTP/1.0\r\nHost: a", request{"OPTIONS", "", "a", "*", "HTTP/1.0"}, ""},
		{"CONNECT b:443 HTTP/1.1\r\nHost: a", request{"CONNECT", "", "b:443", "b:443", "HTTP/1.1"}, ""},
		{"get x:y HTTP/1.1\r\nhOsT:a", request{"get", "", "a", "x:y", "HTTP/1.1"}, ""},
		{"GET / HTTP/1.9", request{"GET", "", "", "/", "HTTP/1.9"}, ""},
		{"GET / HTTP/3.0", request{"GET", "", "", "/", "HTTP/3.0"}, "h1-bad-version"},
		{"GET / http/1.1", request{"GET", "", "", "/", "http/1.1"}, "h1-bad-version"},
		{"DESCRIBE rtsp://x/y RTSP/1.0", request{"DESCRIBE", "rtsp", "x", "rtsp://x/y", "RTSP/1.0"}, "h1-bad-version"},
		{"GET /a b HTTP/1.1", request{"GET", "", "", "/a b", "HTTP/1.1"}, "h1-bad-start-line"},
		{"GET  /  HTTP/1.1 ", request{"GET", "", "", "/", "HTTP/1.1"}, "h1-bad-start-line"},
		{"GET /\x01 HTTP/1.1", request{"GET", "", "", "/\x01", "HTTP/1.1"}, "h1-control"},
		{"GET /\r\r HTTP/1.1", request{"GET", "", "", "/\r\r", "HTTP/1.1"}, "h1-bare-cr"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b", request{"GET", "", "a", "/", "HTTP/1.1"}, "h1-repeated-host"},
		{"GET /", request{"GET", "", "", "/", "HTTP/0.9"}, "h1-bad-version"},
		{"GET\t/\vHTTP/1.1", request{"GET", "", "", "/", "HTTP/1.1"}, "h1-bad-start-line h1-control"},
		{" GET / HTTP/1.1", request{"GET", "", "", "/", "HTTP/1.1"}, "h1-bad-start-line"},
		{"GET / \r\nHost: a", request{"GET", "", "a", "/", "HTTP/0.9"}, "h1-bad-start-line h1-bad-version"},
		{"GET * HTTP/1.1", request{"GET", "", "", "*", "HTTP/1.1"}, "h1-bad-target"},
		{"GET ! HTTP/1.1", request{"GET", "", "", "!", "HTTP/1.1"}, "h1-bad-target"},
		{"GET a/b:c HTTP/1.1", request{"GET", "", "", "a/b:c", "HTTP/1.1"}, "h1-bad-target"},
		{"GET /\xce\xb4 HTTP/1.1", request{"GET", "", "", "/\xce\xb4", "HTTP/1.1"}, "h1-bad-target"},
		{"CONNECT /a HTTP/1.1", request{"CONNECT", "", "/a", "/a", "HTTP/1.1"}, "h1-bad-target"},
	}
	for _, tt := range tests {
		got := playAll(t, decode.Limits{}, []decodetest.Step{req(tt.head + "\r\n\r\n")}, true)
		if len(got) != 1 || got[0].Kind != decode.Request {
			t.Errorf("%q: got %q, want one request", tt.head, briefs(got))
			continue
		}
		m := got[0]
		if diff := cmp.Diff(tt.want, request{m.Method, m.Scheme, m.Authority, m.Target, m.Proto}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.head, diff)
		}
		if odd := strings.Join(kinds(m), " "); odd != tt.odd {
			t.Errorf("%q: anomalies %q, want %q", tt.head, odd, tt.odd)
		}
	}
}

// TestHost: HTTP/1.1 wants one, HTTP/1.0 does not know it.
func TestHost(t *testing.T) {
	for head, want := range map[string]bool{
		"GET / HTTP/1.1": true, "GET http://a/ HTTP/1.1": true, "GET / HTTP/1.1\r\nHost:": false, "GET / HTTP/1.0": false,
	} {
		m := playAll(t, decode.Limits{}, []decodetest.Step{req(head + "\r\n\r\n")}, true)[0]
		if got := slices.ContainsFunc(m.Anomalies, func(a decode.Anomaly) bool { return a.Kind == AnomalyNoHost }); got != want {
			t.Errorf("%q: no host told %t, want %t", head, got, want)
		}
	}
}

// TestOffsets: an anomaly says where in its stream it was found.
func TestOffsets(t *testing.T) {
	line := "GET / HTTP/1.1\r\nHost: a\r\n"
	long := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	for name, tt := range map[string]struct {
		steps []decodetest.Step
		kind  decode.AnomalyKind
		want  int
	}{
		"field of the second head": {[]decodetest.Step{req(line + "\r\n" + line + "a : b\r\n\r\n")}, AnomalySpaceBeforeColon, 2*len(line) + 2},
		"chunk line":               {[]decodetest.Step{req(long + "zz\r\n")}, AnomalyBadChunk, len(long)},
		"trailer field":            {[]decodetest.Step{req(long + "0\r\na: b\r\nc\r\n\r\n")}, AnomalyBadField, len(long) + 9},
		"end":                      {[]decodetest.Step{req(long)}, decode.AnomalyTruncated, len(long)},
		"hole":                     {[]decodetest.Step{req(long), {Dir: c2s, Gap: 7}, req("0\r\n\r\n")}, decode.AnomalyGap, len(long)},
		"behind a hole":            {[]decodetest.Step{req(line), {Dir: c2s, Gap: 7}, req("x" + "\r\n" + line + "\r\n")}, decode.AnomalyResync, len(line) + 7 + 3},
	} {
		found := false
		for _, m := range playAll(t, decode.Limits{}, tt.steps, true) {
			for _, a := range m.Anomalies {
				if a.Kind == tt.kind {
					if found = true; a.Offset != uint64(tt.want) {
						t.Errorf("%s: %s at %d, want %d", name, a.Kind, a.Offset, tt.want)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: no %s", name, tt.kind)
		}
	}
}

func TestNoStartLine(t *testing.T) {
	for _, line := range []string{
		"GET", "G\x00T / HTTP/1.1", "GET / HTTP/", "GET / 1.1",
		"GET / HTTP/1.1x", "GET / H/1.1", "\x7fELF", "GET  HTTP/1.1",
	} {
		got := playAll(t, decode.Limits{}, []decodetest.Step{req(line + "\r\n\r\n")}, true)
		if len(got) != 1 || got[0].Kind != decode.Opaque || got[0].Body.Size != uint64(len(line)+4) || !allKinds(got)[AnomalyBadStartLine] {
			t.Errorf("request %q: got %q", line, briefs(got))
		}
	}
	for _, line := range []string{"200 OK", "ICY 200 OK", "HTTP", "HTTP/x 200", "xHTTP/1.1 2"} {
		got := playAll(t, decode.Limits{}, []decodetest.Step{resp(line + "\r\n\r\n")}, true)
		if len(got) != 1 || got[0].Kind != decode.Opaque || !allKinds(got)[AnomalyBadStartLine] {
			t.Errorf("response %q: got %q", line, briefs(got))
		}
	}
}

func TestStatusLines(t *testing.T) {
	tests := []struct {
		line   string
		status int
		reason string
		odd    string
	}{
		{"HTTP/1.1 200 OK", 200, "OK", ""},
		{"HTTP/1.1 200 ", 200, "", ""},
		{"HTTP/1.1 200", 200, "", ""},
		{"HTTP/1.0 404 Not  there\xff", 404, "Not  there\xff", ""},
		{"HTTP/2.0 299 x", 299, "x", "h1-bad-version"},
		{"HTTP/1.1  200 OK", 200, "OK", "h1-bad-start-line"},
		{"HTTP/1.1\t200\rOK", 200, "OK", "h1-bad-start-line h1-bare-cr"},
		{"HTTP/1.1 099 OK", 99, "OK", "h1-bad-start-line"},
		{"HTTP/1.1 200 O\x1bK", 200, "O\x1bK", "h1-control"},
	}
	for _, tt := range tests {
		got := playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp(tt.line + "\r\nContent-Length: 0\r\n\r\n")}, true)
		if len(got) != 2 {
			t.Errorf("%q: got %q", tt.line, briefs(got))
			continue
		}
		m := got[1]
		if odd := strings.Join(kinds(m), " "); m.Status != tt.status || m.Reason != tt.reason || odd != tt.odd {
			t.Errorf("%q: got %d %q %q", tt.line, m.Status, m.Reason, odd)
		}
	}
}

func TestFields(t *testing.T) {
	tests := []struct {
		name string
		head string
		want []decode.Field
		odd  string
	}{
		{"order and case kept", "B: 1\r\na: 2\r\nB:3", []decode.Field{{Name: "B", Value: "1"}, {Name: "a", Value: "2"}, {Name: "B", Value: "3"}}, ""},
		{"white space", "A: \t x y \t", []decode.Field{{Name: "A", Value: "x y"}}, ""},
		{"empty", "A:\r\nB: ", []decode.Field{{Name: "A"}, {Name: "B"}}, ""},
		{"any byte", "A: \xff\xc2\x9b\t\"", []decode.Field{{Name: "A", Value: "\xff\xc2\x9b\t\""}}, ""},
		{"fold", "A: 1\r\n  2\r\n\t3 \r\nB: 4", []decode.Field{{Name: "A", Value: "1 2 3"}, {Name: "B", Value: "4"}}, "h1-obs-fold"},
		{"fold of nothing", "A:\r\n \r\n b", []decode.Field{{Name: "A", Value: "b"}}, "h1-obs-fold"},
		{"fold of no field", "A\r\n b\r\nC: d", []decode.Field{{Name: "C", Value: "d"}}, "h1-bad-field h1-obs-fold"},
		{"space first", " A: 1\r\n B: 2\r\nC: 3", []decode.Field{{Name: "C", Value: "3"}}, "h1-space-before-field"},
		{"space before colon", "A : 1", []decode.Field{{Name: "A", Value: "1"}}, "h1-space-before-colon"},
		{"no name", ": 1", []decode.Field{{Value: "1"}}, "h1-bad-field"},
		{"bad name", "A B: 1\r\nC\x00: 2", []decode.Field{{Name: "A B", Value: "1"}, {Name: "C\x00", Value: "2"}}, "h1-bad-field"},
		{"NUL", "A: x\x00y", []decode.Field{{Name: "A", Value: "x\x00y"}}, "h1-control"},
		{"bare CR", "A: x\ry\r\nB: z", []decode.Field{{Name: "A", Value: "x\ry"}, {Name: "B", Value: "z"}}, "h1-bare-cr"},
		{"CR CR LF", "A: x\r\r\nB: z", []decode.Field{{Name: "A", Value: "x\r"}, {Name: "B", Value: "z"}}, "h1-bare-cr"},
		{"bare LF", "A: x\nB: z", []decode.Field{{Name: "A", Value: "x"}, {Name: "B", Value: "z"}}, "h1-bare-lf"},
		{"DEL far in", "A: " + strings.Repeat("x", 37) + "\x7f", []decode.Field{{Name: "A", Value: strings.Repeat("x", 37) + "\x7f"}}, "h1-control"},
		{"tab far in", "A: " + strings.Repeat("x\t", 37) + "x", []decode.Field{{Name: "A", Value: strings.Repeat("x\t", 37) + "x"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := playAll(t, decode.Limits{}, []decodetest.Step{req("GET / HTTP/1.1\r\n" + tt.head + "\r\n\r\n" + get)}, true)
			if len(got) != 2 {
				t.Fatalf("got %q, want two requests", briefs(got))
			}
			if diff := cmp.Diff(tt.want, got[0].Header); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if odd := strings.Join(kinds(got[0]), " "); odd != tt.odd {
				t.Errorf("anomalies %q, want %q", odd, tt.odd)
			}
		})
	}
}

// TestFraming has the shapes of request smuggling: what comes after the head
// must be read one way only, and the reader be told.
func TestFraming(t *testing.T) {
	const body = "5\r\nhello\r\n0\r\n\r\n"
	tests := []struct {
		name    string
		head    string
		request string
		odd     string // of the request
		resp    string
	}{
		{"length", "Content-Length: 15", "[15", "", "[15"},
		{"length 0", "Content-Length: 0", "", "", ""},
		{"length in a list", "Content-Length: 15 , 15", "[15", "h1-repeated-content-length", "[15"},
		{"length twice", "Content-Length: 15\r\ncontent-length: 15", "[15", "h1-repeated-content-length", "[15"},
		{"lengths differ", "Content-Length: 15\r\nContent-Length: 16", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length +", "Content-Length: +15", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length 0x", "Content-Length: 0xf", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length empty", "Content-Length:", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length 1 5", "Content-Length: 1 5", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length 2^64+15", "Content-Length: 18446744073709551631", "incomplete", "h1-bad-content-length", "incomplete"},
		{"length space colon", "Content-Length : 15", "[15", "h1-space-before-colon", "[15"},
		{"chunked", "Transfer-Encoding: chunked", `[5 "hello"]`, "", `[5 "hello"]`},
		{"chunked, any case", "TRANSFER-ENCODING:\tCHUNKED\t", `[5 "hello"]`, "", `[5 "hello"]`},
		{"both", "Content-Length: 3\r\nTransfer-Encoding: chunked", `[5 "hello"]`, "h1-content-length-and-transfer-encoding", `[5 "hello"]`},
		{"both, bad length", "Content-Length: x\r\nTransfer-Encoding: chunked", `[5 "hello"]`, "h1-bad-content-length h1-content-length-and-transfer-encoding", `[5 "hello"]`},
		{"xchunked", "Transfer-Encoding: xchunked", "incomplete", "h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"vtab", "Transfer-Encoding: \vchunked", "incomplete", "h1-control h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"quoted", `Transfer-Encoding: "chunked"`, "incomplete", "h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"identity", "Transfer-Encoding: identity", "incomplete", "h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"empty", "Transfer-Encoding:", "incomplete", "h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"chunked twice", "Transfer-Encoding: chunked, chunked", `[5 "hello"]`, "h1-bad-transfer-encoding", `[5 "hello"]`},
		{"chunked not last", "Transfer-Encoding: chunked, gzip", "incomplete", "h1-bad-transfer-encoding", `[5 "hello"] close`},
		{"gzip, chunked", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", `[5 "hello"]`, "", `[5 "hello"]`},
		{"space colon", "Transfer-Encoding : chunked", `[5 "hello"]`, "h1-space-before-colon", `[5 "hello"]`},
		{"folded", "Transfer-Encoding:\r\n chunked", `[5 "hello"]`, "h1-obs-fold", `[5 "hello"]`},
		{"a hundred", "Transfer-Encoding: gzip" + strings.Repeat("\r\nTransfer-Encoding: chunked", 100), `[5 "hello"]`, "h1-bad-transfer-encoding", `[5 "hello"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := playAll(t, decode.Limits{}, []decodetest.Step{
				req("POST / HTTP/1.1\r\n" + tt.head + "\r\n\r\n" + body),
				resp("HTTP/1.1 200 OK\r\n" + tt.head + "\r\n\r\n" + body),
			}, true)
			m, r := decodetest.OfKind(got, decode.Request)[0], decodetest.OfKind(got, decode.Response)[0]
			if !strings.Contains(brief(m), tt.request) {
				t.Errorf("request %q, want %q", brief(m), tt.request)
			}
			if !strings.Contains(brief(r), tt.resp) {
				t.Errorf("response %q, want %q", brief(r), tt.resp)
			}
			if odd := strings.Join(kinds(m), " "); odd != tt.odd {
				t.Errorf("anomalies %q, want %q", odd, tt.odd)
			}
		})
	}
}

func TestChunked(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	zeros := strings.Repeat("0", 300)
	tests := []struct{ name, body, want string }{
		{"no chunks", "0\r\n\r\n", "1< 200"},
		{"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", `1< 200 [5 "hello"]`},
		{"hexadecimal", "B\r\n0123456789a\r\nb\r\n0123456789a\r\n0\r\n\r\n", `1< 200 [22 "0123456789a0123456789a"]`},
		{"bare LF", "5\nhello\n0\n\n", `1< 200 [5 "hello"] [h1-bare-lf]`},
		{"bare LF at the end", "5\r\nhello\r\n0\r\n\n", `1< 200 [5 "hello"] [h1-bare-lf]`},
		{"0x", "0x5\r\nhello\r\n0\r\n\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"letters", "zz\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"minus", "-1\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"underscore", "0_5\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"space first", " 5\r\nhello\r\n\t0\r\n\r\n", `1< 200 [5 "hello"] [h1-bad-chunk]`},
		{"junk behind", "5x\r\nhello\r\n5 y\r\nworld\r\n5\v\r\nagain\r\n0\r\n\r\n", `1< 200 [15 "helloworldagain"] [h1-bad-chunk h1-control]`},
		{"junk behind the last", "5\r\nhello\r\n0 x\r\n\r\n", `1< 200 [5 "hello"] incomplete [h1-bad-chunk]`},
		{"another size than it seems", "5 5\r\nhello world\r\n0\r\n\r\n", `1< 200 [5 "hello"] incomplete [h1-bad-chunk]`},
		{"many digits and junk", "00000005x\r\nhello\r\n0\r\n\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"no size", "\r\n", "1< 200 incomplete [h1-bad-chunk truncated]"},
		{"empty lines before sizes", "\r\n\n5\r\nhello\r\n\v\r\n0\r\n\r\n", `1< 200 [5 "hello"] [h1-bad-chunk h1-bare-lf h1-control]`},
		{"only an extension", ";a\r\n", "1< 200 incomplete [h1-bad-chunk]"},
		{"too big", "ffffffffffffffff\r\nhello", "1< 200 incomplete [h1-bad-chunk]"},
		{"bigger", "10000000000000005\r\nhello", "1< 200 incomplete [h1-bad-chunk]"},
		{"zeros for ever", zeros + "5\r\nhello", "1< 200 incomplete [h1-bad-chunk]"},
		{"white space after", "5  \t\r\nhello\r\n0\r\n\r\n", `1< 200 [5 "hello"]`},
		{"too long", "3\r\nhello\r\n0\r\n\r\n", `1< 200 [3 "hel"] incomplete [h1-bad-chunk]`},
		{"CR but no LF", "3\r\nhel\rx\r\n", `1< 200 [3 "hel"] incomplete [h1-bad-chunk]`},
		{"bare CR in an extension", "3;\rx\r\nhel\r\n0\r\n\r\n", `1< 200 [3 "hel"] [h1-bare-cr]`},
		{"long extension", "3;" + strings.Repeat("x", 5000) + "\r\nhel\r\n0\r\n\r\n", `1< 200 [3 "hel"] [limit]`},
		{"trailers", "0\r\nA: b\r\nC:d\r\n\r\n", "1< 200 +A:b +C:d"},
		{"framing in a trailer", "0\r\nContent-Length: 5\r\n\r\n", "1< 200 +Content-Length:5 [h1-bad-trailer]"},
		{"bad trailer", "0\r\nA\r\n\r\n", "1< 200 [h1-bad-field]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp(head + tt.body)}, true), decode.Response)
			if len(got) != 1 || brief(got[0]) != tt.want {
				t.Errorf("got %q, want %q", briefs(got), tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-%d: y\r\n", i)
		}
		return b.String()
	}
	tests := []struct {
		name string
		l    decode.Limits
		in   decodetest.Step
		want []string
		note string
	}{
		{"body", decode.Limits{Body: 3}, req("PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + get), []string{`1> PUT / HTTP/1.1 [5 "hel"]`, "2> GET / HTTP/1.1"}, ""},
		{"no body", decode.Limits{Body: -1}, req("PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + get), []string{`1> PUT / HTTP/1.1 [5 ""]`, "2> GET / HTTP/1.1"}, ""},
		{"fields", decode.Limits{Fields: 2}, req("PUT / HTTP/1.1\r\n" + fields(5) + "Content-Length: 2\r\n\r\nhi" + get), []string{`1> PUT / HTTP/1.1 [2 "hi"] [limit]`, "2> GET / HTTP/1.1"}, "6 fields, 2 kept"},
		{"head", decode.Limits{Head: 100}, req("PUT / HTTP/1.1\r\n" + fields(500) + "Content-Length: 2\r\n\r\nhi" + get), []string{`1> PUT / HTTP/1.1 [2 "hi"] [limit]`, "2> GET / HTTP/1.1"}, "501 fields"},
		{"one long line", decode.Limits{Head: 100}, req("PUT / HTTP/1.1\r\nX: " + strings.Repeat("y", 3000) + "\r\nContent-Length: 2\r\n\r\nhi"), []string{`1> PUT / HTTP/1.1 [2 "hi"] [limit]`}, "head of 3042 bytes"},
		{"start line", decode.Limits{Head: 100}, req("GET /" + strings.Repeat("y", 3000) + " HTTP/1.1\r\n\r\n"), []string{fmt.Sprintf("opaque 0 unknown [3018 %q] [h1-bad-start-line]", "GET /"+strings.Repeat("y", 59))}, ""},
		{"no start line", decode.Limits{Head: 10}, req("0123456789a\n"), []string{`opaque 0 unknown [12 "0123456789"] [h1-bad-start-line]`}, ""},
		{"trailer", decode.Limits{Head: 30}, req("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + fields(10) + "\r\n" + get), []string{"1> PUT / HTTP/1.1 +X-0:y +X-1:y +X-2:y [limit]", "2> GET / HTTP/1.1"}, ""},
		{"pipeline", decode.Limits{Pipeline: 1}, req(get + get), []string{get1, "2> GET / HTTP/1.1 [limit]"}, ""},
		{"anomalies", decode.Limits{Anomalies: 1}, req("GET  /\x01 HTTP/3.0\r\nA\r\n\r\n"), []string{"1> GET /\x01 HTTP/3.0 [h1-bad-start-line]"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := playAll(t, tt.l, []decodetest.Step{tt.in}, true)
			if diff := cmp.Diff(tt.want, briefs(got)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if tt.note != "" && !strings.Contains(fmt.Sprint(got[0].Anomalies), tt.note) {
				t.Errorf("anomalies %v do not say %q", got[0].Anomalies, tt.note)
			}
		})
	}
}

func TestDeclaredLengthIsNotAllocated(t *testing.T) {
	c := New(c2s, decode.Limits{})
	c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte("PUT / HTTP/1.1\r\nContent-Length: 9000000000000000000\r\n\r\nx")})
	if n := cap(c.req.msg.Body.Data); n > bodyReserve {
		t.Errorf("%d bytes set aside for one that came", n)
	}
}
