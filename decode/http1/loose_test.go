package http1

import (
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestLooseStatus: what begins as a status-line is a response's, whatever is wrong
// with it, and the fields behind it count.
func TestLooseStatus(t *testing.T) {
	const more = "\r\nContent-Length: 5\r\n\r\nhello"
	for line, want := range map[string]string{
		"HTTP/1.1":                    "1< 0",
		"HTTP/1.1 ":                   "1< 0",
		"HTTP/1.1 2 ok":               "1< 0",
		"HTTP/1.1 2xx ok":             "1< 0",
		"HTTP/1.1 0204 ok":            "1< 0",
		"HTTP/1.1 2040 ok":            "1< 0",
		"HTTP/1.1 -20":                "1< 0",
		"HTTP/1\x00.1 200 ok":         "1< 200",
		"HTTP/1.1\x00 200 ok":         "1< 200",
		"HTTP/1.1 2\x0000 ok":         "1< 200",
		"HTTP/1.1\x00200\x00ok":       "1< 200",
		"\x00HTTP/1.1 200":            "1< 200",
		"HTTP/1.1\rA: b":              "1< 0",
		"HTTP/" + "1.1.1.1.1.1.1.1.1": "1< 0",
	} {
		got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp(line + more)}, true), decode.Response)
		if len(got) != 1 || !strings.HasPrefix(brief(got[0]), want+` [5 "hello"] `) || !allKinds(got)[AnomalyBadStartLine] {
			t.Errorf("%q: got %q, want %s", line, briefs(got), want)
		}
	}
}

// TestAssumedChunked: a body that ends with the connection is joined if all of it is
// chunked and the head says so in some way; else it is what was sent.
func TestAssumedChunked(t *testing.T) {
	const body, joined = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", `[11 "hello world"]`
	tests := []struct{ name, head, body, want string }{
		{"another word", "Transfer-Encoding: xchunked", body, joined},
		{"two", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", body, joined},
		{"a control byte in the name", "Transfer-Encoding\v: chunked", body, joined},
		{"NUL in the name", "Transfer\x00-Encoding: chunked", body, joined},
		{"behind a bare CR", "A: b\rTransfer-Encoding: chunked", body, joined},
		{"CR in front", "\r\rTransfer-Encoding: chunked", body, joined},
		{"folded to another", "A: b\r\n Transfer-Encoding: chunked", body, joined},
		{"its value on a line of its own", "Transfer-Encoding:\n\x00chunked", body, joined},
		{"more follows", "Transfer-Encoding: xchunked", body + "x", "[27 "},
		{"a trailer section", "Transfer-Encoding: xchunked", strings.TrimSuffix(body, "\r\n") + "A: b\r\n\r\n", "[32 "},
		{"its end is missing", "Transfer-Encoding: xchunked", strings.TrimSuffix(body, "0\r\n\r\n"), "[21 "},
		{"not chunked", "Transfer-Encoding: xchunked", "hello", `[5 "hello"]`},
		{"nothing says so", "A: b\x01", body, "[26 "},
		{"said in another field, and nothing wrong", "A: Transfer-Encoding: chunked", body, "[26 "},
	}
	for _, tt := range tests {
		got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp("HTTP/1.1 200 OK\r\n" + tt.head + "\r\n\r\n" + tt.body)}, true), decode.Response)
		if len(got) != 1 || !strings.Contains(brief(got[0]), tt.want) {
			t.Errorf("%s: got %q, want %s", tt.name, briefs(got), tt.want)
			continue
		}
		if told := allKinds(got)[AnomalyAssumedChunked]; told != (tt.want == joined) {
			t.Errorf("%s: told %v: %q", tt.name, told, briefs(got))
		}
	}
	// The end of the recording proves nothing, and a body that is not kept whole
	// cannot be held against anything.
	cut := playAll(t, decode.Limits{Body: 9}, []decodetest.Step{req(get), resp("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n" + body)}, true)
	if allKinds(cut)[AnomalyAssumedChunked] {
		t.Errorf("of a cut body: %q", briefs(cut))
	}
}

// TestChunkedJunk: a line that could be a chunk-size of its own kind is read, as
// long as the connection ends after it and the whole is chunked.
func TestChunkedJunk(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	for body, want := range map[string]string{
		"fx\r\n0123456789abcde\r\n0\r\n\r\n":          `[15 "0123456789abcde"]`,
		"\r\n\r\n5\r\nhello\r\n\r\n0\r\n\r\n":         `[5 "hello"]`,
		"5 x\r\nhello\r\n5\x00\r\nworld\r\n0\r\n\r\n": `[10 "helloworld"]`,
		"face it\r\nthis is no chunk":                 `[25 "face it`,
	} {
		got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp(head + body)}, true), decode.Response)
		if len(got) != 1 || !strings.Contains(brief(got[0]), want) || !allKinds(got)[AnomalyBadChunk] || got[0].Flags&decode.Incomplete == 0 {
			t.Errorf("%q: got %q, want %s", body, briefs(got), want)
		}
	}
}

// TestFieldLines: the colon may stand on a line that continues the first, and a CR in
// front of a name is not part of it.
func TestFieldLines(t *testing.T) {
	for head, want := range map[string]string{
		"A\r\n : b":                    "A=b h1-bad-field h1-obs-fold",
		"A\r\n \r\n :\r\n b":           "A=b h1-bad-field h1-obs-fold",
		"A\r\n b":                      " h1-bad-field h1-obs-fold",
		"\r\rA: b":                     "A=b h1-bare-cr",
		"\r \rA : b":                   "A=b h1-bare-cr h1-space-before-colon",
		"Transfer-Encoding\n :chunked": "Transfer-Encoding=chunked h1-bare-lf h1-bad-field h1-obs-fold",
	} {
		got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n0\r\n\r\n")}, true), decode.Response)
		if len(got) != 1 {
			t.Fatalf("%q: %q", head, briefs(got))
		}
		var fields string
		for _, f := range got[0].Header {
			fields += f.Name + "=" + f.Value
		}
		if text := fields + " " + strings.Join(kinds(got[0]), " "); text != want {
			t.Errorf("%q: got %q, want %q", head, text, want)
		}
	}
}

// TestHeadWithoutEnd: a line of white space is taken for the end of a head that has
// no other; that is never called complete.
func TestHeadWithoutEnd(t *testing.T) {
	for rest, want := range map[string]string{
		"Content-Length: 5\n \nhello":                            `1< 200 [5 "hello"] incomplete [h1-bad-field`,
		"Content-Length: 5\n\r\r\nhello":                         `1< 200 [5 "hello"] incomplete [h1-bad-field`,
		"A: b\n\t\nhello":                                        `1< 200 [5 "hello"] incomplete close [h1-bad-field`,
		"A: b\n \nContent-Length: 5\n \nhello":                   `1< 200 [25 "Content`,
		"Transfer-Encoding: chunked\n \n5\r\nhello\r\n0\r\n\r\n": `1< 200`,
		"A: b\r\nhello":                                          `1< 200 incomplete [truncated]`,
	} {
		got := decodetest.OfKind(playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp("HTTP/1.1 200 OK\r\n" + rest)}, true), decode.Response)
		if len(got) != 1 || !strings.HasPrefix(brief(got[0]), want) || got[0].Flags&decode.Incomplete == 0 {
			t.Errorf("%q: got %q, want %s", rest, briefs(got), want)
		}
	}
}

// TestSimple: the answer to a request without a version may be nothing but a body
// (RFC 1945 §6), and may have a head.
func TestSimple(t *testing.T) {
	got := playAll(t, decode.Limits{}, []decodetest.Step{req("GET /\r\n\r\n"), resp("<html>\nhello\n</html>")}, true)
	r := decodetest.OfKind(got, decode.Response)
	if len(r) != 1 || r[0].Proto != "HTTP/0.9" || r[0].Exchange != 1 || r[0].Body.Size != 20 || r[0].Flags != decode.UntilClose {
		t.Errorf("got %q", briefs(got))
	}
	// As it was meant: one line, and no version is missed.
	got = playAll(t, decode.Limits{}, []decodetest.Step{req("GET /\n"), resp("<html>\nhello\n</html>")}, true)
	if r := decodetest.OfKind(got, decode.Response); len(r) != 1 || r[0].Body.Size != 20 || got[0].Kind != decode.Request || got[0].Flags != 0 {
		t.Errorf("one line asked: %q", briefs(got))
	}
	got = playAll(t, decode.Limits{}, []decodetest.Step{req("GET /\r\n\r\n"), resp("no line end")}, true)
	if r := decodetest.OfKind(got, decode.Response); len(r) != 1 || r[0].Body.Size != 11 || r[0].Exchange != 1 {
		t.Errorf("one line: %q", briefs(got))
	}
	got = playAll(t, decode.Limits{}, []decodetest.Step{req("GET /\r\n\r\n"), resp(ok)}, true)
	if r := decodetest.OfKind(got, decode.Response); len(r) != 1 || r[0].Status != 200 || r[0].Proto != "HTTP/1.1" {
		t.Errorf("with a head: %q", briefs(got))
	}
	got = playAll(t, decode.Limits{}, []decodetest.Step{req(get), resp("<html>\nhello\n</html>")}, true)
	if r := decodetest.OfKind(got, decode.Response); len(r) != 0 {
		t.Errorf("to a request of HTTP/1.1: %q", briefs(got))
	}
}

// TestNoTarget: a request-line without a target is a request all the same.
func TestNoTarget(t *testing.T) {
	got := playAll(t, decode.Limits{}, []decodetest.Step{req("GET HTTP/1.1\r\nHost: a\r\n\r\n"), resp(ok)}, true)
	r := decodetest.OfKind(got, decode.Request)
	if len(r) != 1 || r[0].Method != "GET" || r[0].Target != "" || r[0].Authority != "a" || !allKinds(got)[AnomalyBadStartLine] || !allKinds(got)[AnomalyBadTarget] {
		t.Errorf("got %q", briefs(got))
	}
}
