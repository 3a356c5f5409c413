package export

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// lastItem keeps what it needs of the last item, which is not its own.
type lastItem struct {
	message *decode.Message
	body    decode.Body
}

func (l *lastItem) Item(it *replay.Item) error {
	if l.message = it.Message; it.Exchange != nil {
		l.body = it.Exchange.Response.Body
	}
	return nil
}

func (l *lastItem) Close() error { return nil }

// TestDecoded: codings are removed in what the sink sees, up to the limit, and
// nowhere else: the message belongs to others too.
func TestDecoded(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(bytes.Repeat([]byte("text "), 1000))
	w.Close()
	m := &decode.Message{Kind: decode.Response, Proto: "HTTP/2", Header: []decode.Field{{Name: "content-encoding", Value: "gzip"}},
		Body: decode.Body{Data: z.Bytes(), Size: uint64(z.Len())}}
	var got lastItem
	s := Decoded(&got, 100)
	if err := s.Item(&replay.Item{Kind: replay.ItemExchange, Exchange: &replay.Exchange{Response: m}}); err != nil {
		t.Fatal(err)
	}
	b := got.body
	if len(b.Content) != 100 || !b.ContentCut || string(b.Content[:5]) != "text " {
		t.Errorf("%d bytes decoded, cut %v", len(b.Content), b.ContentCut)
	}
	if m.Body.Content != nil {
		t.Error("the shared message was changed")
	}
	if err := s.Item(&replay.Item{Kind: replay.ItemMessage, Message: m}); err != nil || got.message != m {
		t.Error("an item of another kind was touched")
	}
}

// TestTextDecodes: a body is printed without its content coding, whether its message
// is printed when it comes, as a request, or with its exchange, as a response.
func TestTextDecodes(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(`{"hello":"wörld"}`))
	w.Close()
	coded := func(kind decode.Kind) *decode.Message {
		return &decode.Message{Kind: kind, Exchange: 1, Proto: "HTTP/1.1", Method: "POST", Status: 200, Target: "/",
			Header: []decode.Field{{Name: "Content-Encoding", Value: "gzip"}, {Name: "Content-Type", Value: "application/json"}},
			Body:   decode.Body{Data: z.Bytes(), Size: uint64(z.Len())}}
	}
	request, response := coded(decode.Request), coded(decode.Response)
	conn, _, _ := readmeH2(t)
	for name, it := range map[string]*replay.Item{
		"request":  {Kind: replay.ItemMessage, Conn: conn, Message: request},
		"response": {Kind: replay.ItemExchange, Conn: conn, Exchange: &replay.Exchange{Request: request, Response: response}},
	} {
		var out bytes.Buffer
		s := NewText(&out, TextOptions{Bodies: true, Content: 1 << 20})
		if err := s.Item(it); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(out.Bytes(), []byte(`{"hello":"wörld"}`)) {
			t.Errorf("%s: the body is not decoded in\n%s", name, out.String())
		}
	}
	if request.Body.Content != nil || response.Body.Content != nil {
		t.Error("a shared message was changed")
	}
}
