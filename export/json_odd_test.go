package export

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// TestInert: what a terminal would act on, or hide, is escaped, and the value
// stays the same.
func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"plain":         "plain",
		"Zürich 東京 😀":   "Zürich 東京 😀",
		"\x7f":          `\u007f`,
		"a\u202eb":      `a\u202eb`,
		"\u009b":        `\u009b`,
		"\U000e0041":    `\udb40\udc41`,
		"x\ufeff\u200b": `x\ufeff\u200b`,
	} {
		got := string(inert([]byte(in)))
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+got+`"`), &back); err != nil || back != in {
			t.Errorf("%q comes back as %q, %v", in, back, err)
		}
	}
}

// TestJSONOddCases: what a reader of the lines meets in real sessions besides
// the whole exchange.
func TestJSONOddCases(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(x *replay.Exchange)
		o     JSONOptions
		want  map[string]any // by path; nil: the key is absent
	}{
		{"query with question marks", func(x *replay.Exchange) { x.Request.Target = "/a?b?c" }, JSONOptions{},
			map[string]any{"req.path": "/a", "req.query": "b?c", "req.target": "/a?b?c"}},
		{"no path", func(x *replay.Exchange) { x.Request.Target = "*" }, JSONOptions{},
			map[string]any{"req.path": "*", "req.query": nil, "req.url": "https://ifconfig.io/*"}},
		{"no request", func(x *replay.Exchange) { x.Request = nil }, JSONOptions{},
			map[string]any{"req": nil, "ttfb": nil, "timing.send": nil, "timing.wait": nil, "dur": json.Number("0.00129"), "time": "2026-01-12T11:11:59.639000000Z"}},
		{"pending", func(x *replay.Exchange) { x.Response, x.Pending = nil, true }, JSONOptions{},
			map[string]any{"resp": nil, "dur": nil, "timing.receive": nil, "timing.send": json.Number("0.0000631")}},
		{"bodies left out", func(*replay.Exchange) {}, JSONOptions{NoBodies: true},
			map[string]any{"resp.body": nil, "resp.size": json.Number("15")}},
		{"body not kept", func(x *replay.Exchange) { x.Response.Body = decode.Body{Size: 9, Cut: true} }, JSONOptions{},
			map[string]any{"resp.size": json.Number("9"), "resp.body.size": json.Number("0"), "resp.body.cut": true, "resp.body.text": ""}},
		{"binary body", func(x *replay.Exchange) { x.Response.Body = decode.Body{Data: []byte{0xff, 0}, Size: 2} }, JSONOptions{},
			map[string]any{"resp.body.base64": "/wA=", "resp.body.text": nil}},
		{"body that could not be decoded", func(x *replay.Exchange) {
			x.Response.Body = decode.Body{Data: []byte("zz"), Size: 2, Codings: []string{"br"}, ContentErr: "content-corrupt"}
		}, JSONOptions{}, map[string]any{"resp.body.text": "zz", "resp.body.decoded": nil, "resp.body.error": "content-corrupt"}},
		{"decoded to nothing", func(x *replay.Exchange) {
			x.Response.Body = decode.Body{Data: []byte("zz"), Size: 2, Codings: []string{"br"}, Content: []byte{}}
		}, JSONOptions{}, map[string]any{"resp.body.text": "", "resp.body.decoded": true}},
		{"no body", func(x *replay.Exchange) { x.Response.Body = decode.Body{} }, JSONOptions{},
			map[string]any{"resp.body": nil, "resp.size": json.Number("0")}},
		{"unknown role", func(x *replay.Exchange) { x.Conn.Role = decode.RoleUnknown }, JSONOptions{},
			map[string]any{"net.role": nil, "net.src": "10.0.0.5:40112"}},
		{"HTTP/1", func(x *replay.Exchange) { x.Response.Proto, x.Response.Stream = "HTTP/1.1", 0 }, JSONOptions{},
			map[string]any{"proto": "http/1.1", "stream": nil, "req.proto": "HTTP/2"}},
		{"times that are not known", func(x *replay.Exchange) { x.Request.Begin, x.Response.Begin = 0, 0 }, JSONOptions{},
			map[string]any{"time": "1970-01-01T00:00:00.000000000Z", "dur": nil, "ttfb": nil, "timing.send": nil, "timing.wait": nil, "timing.receive": nil}},
	}
	for _, tt := range tests {
		c, q, r := readmeH2(t)
		x := &replay.Exchange{ID: 1, Conn: c, Request: q, Response: r}
		tt.spoil(x)
		line := give(t, func(b *strings.Builder) Sink { return NewJSON(b, tt.o) }, &replay.Item{Kind: replay.ItemExchange, Exchange: x})
		if d := cmp.Diff(wantLine(t, x, tt.o), line); d != "" {
			t.Errorf("%s: encoding/json writes another line (-want +got):\n%s", tt.name, d)
		}
		got := parseLine(t, line)
		for path, want := range tt.want {
			if have := lookUp(got, path); !cmp.Equal(have, want) {
				t.Errorf("%s: %s is %#v, want %#v", tt.name, path, have, want)
			}
		}
	}
}

// lookUp follows a dotted path through objects; nil where it ends early.
func lookUp(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

func TestJSONWritesExchangesOnly(t *testing.T) {
	c, q, r := readmeH2(t)
	items := append([]*replay.Item{session()}, turn(c, 1, q, r)...)
	items = append(items, &replay.Item{Kind: replay.ItemDrop, Drop: &format.Drop{Bytes: 1}})
	if got := jsonOf(t, items...); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, `{"v":1,"id":1,`) {
		t.Errorf("%d items give %q, want one line", len(items), got)
	}
	if got := jsonOf(t); got != "" {
		t.Errorf("an empty session gives %q", got)
	}
}
