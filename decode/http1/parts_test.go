package http1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestTokenBytes compares the bit sets with the grammar (RFC 9110 §5.6.2).
func TestTokenBytes(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		want := 0
		if strings.IndexByte(tchar, byte(c)) >= 0 {
			want = 1
		}
		if got := tokenLen([]byte{byte(c)}); got != want {
			t.Errorf("byte %#x: %d, want %d", c, got, want)
		}
	}
}

// TestHasControl puts every byte at every place of a line, where eight bytes
// are looked at in one and where they are not.
func TestHasControl(t *testing.T) {
	for c := range 256 {
		want := c < 0x20 && c != '\t' || c == 0x7f
		for at := range 19 {
			for _, fill := range []byte{'a', '\t', 0x80, 0xff} {
				line := bytes.Repeat([]byte{fill}, 19)
				line[at] = byte(c)
				if got := hasControl(line); got != want {
					t.Fatalf("byte %#x at %d among %#x: %v, want %v", c, at, fill, got, want)
				}
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	tests := []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"0", 0, true}, {"00012", 12, true}, {"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775808", 0, false}, {"18446744073709551617", 0, false}, {"99999999999999999999", 0, false},
		{"", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1 ", 0, false}, {"0x1", 0, false}, {"1_0", 0, false}, {"１", 0, false},
	}
	for _, tt := range tests {
		got, ok := decimal(tt.in)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %d, %v, want %d, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestChunkSize(t *testing.T) {
	tests := []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"0", 0, true}, {"a", 10, true}, {"FfF", 0xfff, true}, {"7fffffffffffffff", 1<<63 - 1, true},
		{"8000000000000000", 0, false}, {"ffffffffffffffff", 0, false}, {"00000000000000000001", 1, true},
		{"1;x", 1, true}, {"1 ;x", 1, true}, {"1\t", 1, true}, {"1 x", 0, false}, {"1x", 0, false}, {"g", 0, false},
		{"", 0, false}, {";", 0, false}, {" 1", 0, false}, {"+1", 0, false}, {"1\r", 0, false},
	}
	for _, tt := range tests {
		got, _, ok := chunkSize([]byte(tt.in))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %d, %v, want %d, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestCertain(t *testing.T) {
	tests := []struct {
		sh   shape
		line string
		want bool
	}{
		{requestLine, "GET / HTTP/1.1\r\n", true},
		{requestLine, "CONNECT a:1 HTTP/1.0\r\n", true},
		{requestLine, "OPTIONS * HTTP/1.1\r\n", true},
		{requestLine, "GET http://a/ HTTP/1.1\r\n", true},
		{requestLine, "GET / HTTP/1.1\n", false},
		{requestLine, "GET / HTTP/1.1", true},
		{requestLine, "get / HTTP/1.1\r\n", false},
		{requestLine, "GET / HTTP/1.2\r\n", false},
		{requestLine, "GET / HTTP/2.0\r\n", false},
		{requestLine, "GET  / HTTP/1.1\r\n", false},
		{requestLine, "GET \xff HTTP/1.1\r\n", false},
		{requestLine, "the words GET / HTTP/1.1\r\n", false},
		{statusLine, "HTTP/1.1 200 OK\r\n", true},
		{statusLine, "HTTP/1.0 599\r\n", true},
		{statusLine, "HTTP/1.1 666 Evil\r\n", false},
		{statusLine, "HTTP/1.1 099 OK\r\n", false},
		{statusLine, "HTTP/1.1 200 OK\n", false},
		{statusLine, "HTTP/1.1  200 OK\r\n", false},
		{statusLine, "HTTP/1.1 200 \x00\r\n", false},
	}
	for _, tt := range tests {
		if got := certain(tt.sh, []byte(tt.line)); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.line, got, tt.want)
		}
	}
}

func TestAuthority(t *testing.T) {
	tests := []struct{ method, target, host, scheme, auth string }{
		{"GET", "/x", "h", "", "h"},
		{"OPTIONS", "*", "h", "", "h"},
		{"CONNECT", "a:443", "h", "", "a:443"},
		{"GET", "https://u@a:1/x?y://z", "h", "https", "u@a:1"},
		{"GET", "http://a?x", "h", "http", "a"},
		{"GET", "http://a#x", "h", "http", "a"},
		{"GET", "http://", "h", "http", ""},
		{"GET", "://a", "h", "", "h"},
		{"GET", "x/y://a", "h", "", "h"},
		{"GET", "?", "", "", ""},
	}
	for _, tt := range tests {
		if scheme, auth := authority(tt.method, tt.target, tt.host); scheme != tt.scheme || auth != tt.auth {
			t.Errorf("%s %s: %q, %q, want %q, %q", tt.method, tt.target, scheme, auth, tt.scheme, tt.auth)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	c := New(c2s, decode.Limits{Pipeline: 100})
	var out []decode.Message
	for range 10000 {
		out = c.Append(out[:0], decode.Chunk{Dir: c2s, Data: []byte(get)})
	}
	if n := c.queue.len(); n != 100 || cap(c.queue.list) > 1000 {
		t.Errorf("%d requests remembered in room for %d, want 100", n, cap(c.queue.list))
	}
	out = c.Append(out[:0], decode.Chunk{Dir: s2c, Data: []byte(ok)})
	if out[0].Exchange != 9901 {
		t.Errorf("the answer is to %d, want the oldest that is remembered, 9901", out[0].Exchange)
	}
}

// TestMemory floods a connection with what never ends, and looks at what it holds.
func TestMemory(t *testing.T) {
	const rounds = 20000
	l := decode.Limits{Head: 1 << 16, Body: 1 << 16, Fields: 100, Gaps: 10}
	tests := []struct {
		name        string
		dir         decode.Dir
		start, more string
	}{
		{"head line", c2s, "GET / HTTP/1.1\r\nA: ", "aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"head", c2s, "GET / HTTP/1.1\r\n", "Aaaaaaaa: aaaaaaaaaaaa\r\n"},
		{"framing fields", c2s, "GET / HTTP/1.1\r\n", "Content-Length: 1\r\nHost: x\r\n"},
		{"folds", c2s, "GET / HTTP/1.1\r\nA: b\r\n", " folded folded folded\r\n"},
		{"start line", s2c, "HTTP/1.1 200 ", "aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"empty lines", c2s, "\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n"},
		{"no start line", s2c, "\x00", "binary data without line ends"},
		{"no start lines", c2s, "\x00\r\n", "GET is not a request line\n"},
		{"body", s2c, "HTTP/1.1 200 OK\r\n\r\n", "until the connection is closed"},
		{"chunk line", s2c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", "aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"trailer", s2c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "Aaaaaaaa: aaaaaaaaaaaa\r\n"},
		{"interim", s2c, "", "HTTP/1.1 103 Early\r\nA: b\r\n\r\n"},
		{"waiting", c2s, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n\x00", "bytes whose meaning hangs on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(c2s, l)
			var out []decode.Message
			out = c.Append(out, decode.Chunk{Dir: tt.dir, Data: []byte(tt.start)})
			for range rounds {
				out = c.Append(out[:0], decode.Chunk{Dir: tt.dir, Data: []byte(tt.more)})
			}
			held := 0
			for _, s := range []*stream{&c.req, &c.resp} {
				held += cap(s.sec.buf) + 8*cap(s.sec.ends) + cap(s.sec.line) + cap(s.skip.line) + cap(s.skip.head)
				held += cap(s.msg.Body.Data) + cap(s.chunk.buf) + s.heldLen + 500*(cap(s.interim)+cap(s.carry))
			}
			if most := 8*l.Head + holdMax; held > most {
				t.Errorf("%d bytes held after %d came, want at most %d", held, rounds*len(tt.more), most)
			}
			if got := c.End(nil, decode.At{}, true); tt.name != "empty lines" && tt.name != "waiting" && len(got) == 0 {
				t.Error("nothing is said of it")
			}
		})
	}
}

// TestFramingPastTheLimit: fields that frame a message are found wherever the
// limit falls, so that no padding can hide one.
func TestFramingPastTheLimit(t *testing.T) {
	for pad := range 140 {
		data := fmt.Sprintf("PUT / HTTP/1.1\r\nX: %s\r\nContent-Length: 2\r\nY: z\r\n\r\nhi%s", strings.Repeat("p", pad), get)
		got := playAll(t, decode.Limits{Head: 100}, []decodetest.Step{req(data)}, true)
		if len(got) != 2 || string(got[0].Body.Data) != "hi" || got[1].Method != "GET" {
			t.Fatalf("pad %d: got %q", pad, briefs(got))
		}
	}
}

// TestManyWaiting: requests that each might end HTTP, sent without waiting, are
// released one answer at a time.
func TestManyWaiting(t *testing.T) {
	const n = 300
	one := "GET /x HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"
	got := playAll(t, decode.Limits{}, []decodetest.Step{req(strings.Repeat(one, n)), resp(strings.Repeat(none, n))}, true)
	var want []string
	for i := 1; i <= n; i++ {
		want = append(want, fmt.Sprintf("%d> GET /x HTTP/1.1", i))
		want = append(want, fmt.Sprintf("%d< 200", i))
	}
	// Each request but the first is read when the answer before it is: before
	// that answer is complete.
	for i := 1; i+1 < len(want); i += 2 {
		want[i], want[i+1] = want[i+1], want[i]
	}
	if diff := cmp.Diff(want, briefs(got)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestMessagesOwnTheirMemory: a message does not change when the chunk it came
// from does, nor when the decoder goes on.
func TestMessagesOwnTheirMemory(t *testing.T) {
	chunk := []byte("PUT /a HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nhi")
	c := New(c2s, decode.Limits{})
	first := c.Append(nil, decode.Chunk{Dir: c2s, Data: chunk})
	before := brief(first[0])
	for i := range chunk {
		chunk[i] = '#'
	}
	c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte("PUT /b HTTP/1.1\r\nHost: c\r\nContent-Length: 2\r\n\r\nho")})
	if after := brief(first[0]); after != before || first[0].Header[0].Value != "b" {
		t.Errorf("got %q, was %q", after, before)
	}
}

// TestAllocations: a request without a body costs its head, its fields, and
// nothing that grows with the connection.
func TestAllocations(t *testing.T) {
	c := New(c2s, decode.Limits{})
	out := make([]decode.Message, 0, 4)
	asked, answered := []byte(get), []byte(ok)
	pair := func() {
		out = c.Append(out[:0], decode.Chunk{Dir: c2s, Data: asked})
		out = c.Append(out, decode.Chunk{Dir: s2c, Data: answered})
	}
	pair()
	// Two heads, two lists of fields, a body.
	if n := testing.AllocsPerRun(100, pair); n > 5 {
		t.Errorf("%v allocations an exchange, want at most 5", n)
	}
}
