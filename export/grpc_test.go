package export

import (
	"fmt"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// call is a gRPC call with two messages one way and one back.
func call() *replay.Exchange {
	kind := []decode.Field{{Name: "content-type", Value: "application/grpc"}}
	msg := func(parts ...string) decode.Body {
		b := ""
		for _, p := range parts {
			b += fmt.Sprintf("\x00\x00\x00\x00%c%s", len(p), p)
		}
		return decode.Body{Data: []byte(b), Content: []byte(b), Size: uint64(len(b))}
	}
	return &replay.Exchange{
		ID: 3, Conn: curl(7, "h2"),
		Request: &decode.Message{
			Kind: decode.Request, Proto: "HTTP/2", Exchange: 1, Stream: 1, Method: "POST", Scheme: "https", Authority: "a.test",
			Target: "/hello.Greeter/SayHello", Header: kind, Inners: 2, Body: msg("\x0a\x05world\x12\x02\x08\x07", `{"a": 1}`),
		},
		Response: &decode.Message{
			Kind: decode.Response, Dir: decode.Read, Proto: "HTTP/2", Exchange: 1, Stream: 1, Status: 200, Header: kind, Inners: 1,
			Body: msg("\x0a\x03\x1b[1"), Trailer: []decode.Field{{Name: "grpc-status", Value: "5"}, {Name: "grpc-message", Value: "no %1Bsuch"}},
		},
	}
}

func TestGRPCDetail(t *testing.T) {
	var b strings.Builder
	if err := Detail(&b, call(), nil, TextOptions{Bodies: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`    grpc      NOT_FOUND (no \x1bsuch)  messages → 2  ← 1`,
		"message 1: 11 bytes\n1: \"world\"\n2 {\n  1: 7\n}\nmessage 2: 8 bytes\n{\"a\": 1}\n",
		`message 1: 5 bytes` + "\n1: 3 bytes 1b5b31\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestGRPCText(t *testing.T) {
	x := call()
	got := give(t, func(b *strings.Builder) Sink { return NewText(b, TextOptions{Compact: true}) },
		&replay.Item{Kind: replay.ItemExchange, Conn: x.Conn, Exchange: x})
	if want := `← 200 https://a.test/hello.Greeter/SayHello ALPN:h2 grpc:NOT_FOUND (no \x1bsuch) application/grpc (10 bytes)`; !strings.Contains(got, want) {
		t.Errorf("no %s in\n%s", want, got)
	}
}

func TestGRPCBodies(t *testing.T) {
	head := func(kind, coding string) []decode.Field {
		return []decode.Field{{Name: "content-type", Value: kind}, {Name: "grpc-encoding", Value: coding}}
	}
	tests := []struct {
		name, kind, coding, body, want string
	}{
		{"compressed", "application/grpc", "deflate", "\x01\x00\x00\x00\x0d\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15", "message 1: 13 bytes, compressed\nhello\n"},
		{"cut", "application/grpc", "", "\x00\x00\x00\x01\x00hello", "message 1: 256 bytes, cut\nhello\n"},
		{"web", "application/grpc-web", "", "\x00\x00\x00\x00\x00\x80\x00\x00\x00\x0egrpc-status: 0", "message 1: 0 bytes\ntrailers:\ngrpc-status: 0\n"},
		{"web text", "application/grpc-web-text", "", "AAAAAAVoZWxsbw==", "message 1: 5 bytes\nhello\n"},
		{"not the framing", "application/grpc", "", "oops", "oops\n"},
		{"another type", "text/plain", "", "\x00\x00\x00\x00\x00", "00000000  00 00 00 00 00                                    |.....|\n"},
	}
	for _, tt := range tests {
		var s screen
		s.content(&decode.Message{Kind: decode.Response, Header: head(tt.kind, tt.coding)}, []byte(tt.body), &TextOptions{})
		if got := string(s.buf); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	var s screen
	s.content(&decode.Message{Kind: decode.Inner, Proto: "grpc"}, []byte("\x08\x01"), &TextOptions{})
	if string(s.buf) != "1: 1\n" {
		t.Errorf("inner: %q", s.buf)
	}
}

func TestPrettyAndCharset(t *testing.T) {
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	tests := []struct {
		name, kind, body string
		pretty           bool
		want             string
	}{
		{"JSON on a terminal", "application/json", `{"a":[1,2]}`, true, "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n"},
		{"JSON in a pipe", "application/json", `{"a":1}`, false, "{\"a\":1}\n"},
		{"brackets in strings", "", `{"a":"[[\"{{"}`, true, "{\n  \"a\": \"[[\\\"{{\"\n}\n"},
		{"JSON that is none", "application/json", `{"a":1`, true, "{\"a\":1\n"},
		{"too deep", "application/json", deep, true, deep + "\n"},
		{"no object", "application/json", `5`, true, "5\n"},
		{"Latin-1", "text/plain; charset=iso-8859-1", "gr\xf6\xdfe", false, "größe\n"},
		{"UTF-16", "text/plain", "\xff\xfeh\x00i\x00", false, "hi\n"},
	}
	for _, tt := range tests {
		var s screen
		s.content(&decode.Message{Kind: decode.Response, Header: []decode.Field{{Name: "Content-Type", Value: tt.kind}}}, []byte(tt.body), &TextOptions{Pretty: tt.pretty})
		if got := string(s.buf); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestSpill: a large body is written in pieces, and is the same text.
func TestSpill(t *testing.T) {
	body := strings.Repeat("ö\r\n\x01中é", 1<<19)
	var out strings.Builder
	s := screen{w: &out}
	s.text([]byte(body))
	if out.Len() == 0 {
		t.Error("nothing was handed on half-way")
	}
	if err := s.flush(&out); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ö\n\\x01中é", 1<<19) + "\n"; out.String() != want {
		t.Error("text in pieces is other text")
	}
}
