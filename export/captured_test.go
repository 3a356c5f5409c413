package export

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func TestCaptured(t *testing.T) {
	tests := []struct{ name, in, want, body, ascii string }{
		{"plain", "abc /?=&", "abc /?=&", "abc /?=&", "abc /?=&"},
		{"backslash stays", `a\x1b`, `a\x1b`, `a\x1b`, `a\x1b`},
		{"escape", "\x1b[2J", `\x1b[2J`, `\x1b[2J`, `\x1b[2J`},
		{"control", "\x00\a\b\x7f", `\x00\x07\x08\x7f`, `\x00\x07\x08\x7f`, `\x00\x07\x08\x7f`},
		{"line breaks", "a\nb\tc\r\nd\re", `a\x0ab\x09c\x0d\x0ad\x0de`, "a\nb\tc\nd\\x0de", `a\x0ab\x09c\x0d\x0ad\x0de`},
		{"c1", "\u009b31m", `\u009b31m`, `\u009b31m`, `\u009b31m`},
		{"raw c1", "\x9b31m", `\x9b31m`, `\x9b31m`, `\x9b31m`},
		{"bidi", "\u202egpj.exe\u2066", `\u202egpj.exe\u2066`, `\u202egpj.exe\u2066`, `\u202egpj.exe\u2066`},
		{"zero width", "a\u200bb\ufeff\u2060", `a\u200bb\ufeff\u2060`, `a\u200bb\ufeff\u2060`, `a\u200bb\ufeff\u2060`},
		{"separators", "\u2028\u2029\u0085", `\u2028\u2029\u0085`, `\u2028\u2029\u0085`, `\u2028\u2029\u0085`},
		{"wide space", "a\u00a0b\u3000", `a\u00a0b\u3000`, `a\u00a0b\u3000`, `a\u00a0b\u3000`},
		{"blank letters", "a\u3164\u115f\ufe0f", `a\u3164\u115f\ufe0f`, `a\u3164\u115f\ufe0f`, `a\u3164\u115f\ufe0f`},
		{"tags", "a\U000e0041", `a\U000e0041`, `a\U000e0041`, `a\U000e0041`},
		{"invalid", "\xff\xc0\xaf\xed\xa0\x80", `\xff\xc0\xaf\xed\xa0\x80`, `\xff\xc0\xaf\xed\xa0\x80`, `\xff\xc0\xaf\xed\xa0\x80`},
		{"replacement character", "\ufffd", "\ufffd", "\ufffd", `\ufffd`},
		{"letters", "Zürich 東京 😀", "Zürich 東京 😀", "Zürich 東京 😀", `Z\u00fcrich \u6771\u4eac \U0001f600`},
		{"cut character", "a\xe2\x82", `a\xe2\x82`, `a\xe2\x82`, `a\xe2\x82`},
	}
	for _, tt := range tests {
		var line, body, ascii screen
		ascii.ascii = true
		line.captured(tt.in)
		body.capturedBody(tt.in)
		ascii.captured(tt.in)
		if got := string(line.buf); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := Escape(tt.in); got != tt.want {
			t.Errorf("%s: Escape gives %q, want %q", tt.name, got, tt.want)
		}
		if got := string(body.buf); got != tt.body {
			t.Errorf("%s: as body %q, want %q", tt.name, got, tt.body)
		}
		if got := string(ascii.buf); got != tt.ascii {
			t.Errorf("%s: in ASCII %q, want %q", tt.name, got, tt.ascii)
		}
	}
}

func TestOwnInASCII(t *testing.T) {
	s := screen{ascii: true}
	s.own("→ ← ─ │ ⚠ 🔒 … µ ⇅ x é")
	if got, want := string(s.buf), "-> <- - | ! * ... u | x #"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "東京": 4, "e\u0301": 1, "…": 1, "😀": 2} {
		if got := cells([]byte(text)); got != want {
			t.Errorf("cells(%q) = %d, want %d", text, got, want)
		}
	}
}

func FuzzCaptured(f *testing.F) {
	f.Add("\x1b[2J\u202e\x9b\xff東\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		for _, ascii := range []bool{false, true} {
			s := screen{ascii: ascii}
			s.captured(in)
			if strings.ContainsAny(string(s.buf), "\n\t") {
				t.Errorf("%q left its line", in)
			}
			s.capturedBody(in)
			if bad := unprintable(string(s.buf)); bad != "" {
				t.Errorf("%q reaches the screen as %q", in, bad)
			}
			if !utf8.Valid(s.buf) {
				t.Errorf("%q is not UTF-8 on the screen", in)
			}
			if i := strings.IndexFunc(string(s.buf), func(r rune) bool { return r > 0x7e }); ascii && i >= 0 {
				t.Errorf("%q is not ASCII at %d", in, i)
			}
		}
	})
}

// TestHostileView plays the shared cases made to attack whoever looks.
func TestHostileView(t *testing.T) {
	ran := 0
	for _, h := range decodetest.ReadHostile(t) {
		if !strings.HasPrefix(h.Name, "view-") {
			continue
		}
		ran++
		t.Run(h.Name, func(t *testing.T) {
			d := conn.New(decode.Limits{Content: 1 << 20})
			msgs := decodetest.Feed(d, h.Steps, decodetest.Whole)
			msgs = d.End(msgs, decode.At{Time: 9}, true)
			c := curl(1, "\x1b]0;alpn\a")
			c.Proc.Comm, c.Proc.Args, c.Proc.Exe = "\x1b[31mevil", []string{"\u202ex", "\x9b"}, "/tmp/\x07"
			var req, resp *decode.Message
			for i := range msgs {
				switch msgs[i].Kind {
				case decode.Request:
					req = &msgs[i]
				case decode.Response:
					resp = &msgs[i]
				}
			}
			if req == nil || resp == nil {
				t.Fatalf("decoder gave %d messages, want a request and a response", len(msgs))
			}
			items := turn(c, 1, req, resp)
			x := items[len(items)-1].Exchange
			outputs := map[string]string{
				"text":   textOf(t, TextOptions{Bodies: true}, items...),
				"hex":    textOf(t, TextOptions{Hex: true}, items...),
				"table":  tableOf(t, TableOptions{Terminal: true, Width: 100}, items...),
				"tsv":    tableOf(t, TableOptions{}, items...),
				"detail": detailOf(t, x, TextOptions{Bodies: true}),
				"json":   jsonOf(t, items...),
			}
			for kind, out := range outputs {
				if out == "" {
					t.Errorf("%s: nothing written", kind)
				}
				if bad := unprintable(out); bad != "" {
					t.Errorf("%s: %q reaches the screen", kind, bad)
				}
			}
			checkReversible(t, outputs["json"], req, resp)
		})
	}
	if ran < 3 {
		t.Errorf("%d cases made for viewers, want 3 or more", ran)
	}
}

// checkReversible reads the fields of the first JSON line back and compares
// them byte for byte.
func checkReversible(t *testing.T, line string, req, resp *decode.Message) {
	t.Helper()
	got := parseLine(t, line)
	for _, side := range []struct {
		name string
		m    *decode.Message
	}{{"req", req}, {"resp", resp}} {
		if side.m == nil {
			continue
		}
		var want [][2]string
		for _, f := range side.m.Header {
			want = append(want, [2]string{f.Name, f.Value})
		}
		var have [][2]string
		for _, pair := range got[side.name].(map[string]any)["header"].([]any) {
			p := pair.([]any)
			have = append(have, [2]string{unwild(t, p[0]), unwild(t, p[1])})
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s header (-captured +from JSON):\n%s", side.name, d)
		}
	}
}

func TestScreenReturnsWriteErrors(t *testing.T) {
	c, q, r := readmeH2(t)
	for name, mk := range map[string]func() Sink{
		"text":  func() Sink { return NewText(brokenWriter{}, TextOptions{}) },
		"table": func() Sink { return NewTable(brokenWriter{}, TableOptions{}) },
		"json":  func() Sink { return NewJSON(brokenWriter{}, JSONOptions{}) },
	} {
		s := mk()
		var first error
		for _, it := range turn(c, 1, q, r) {
			if err := s.Item(it); first == nil {
				first = err
			}
		}
		if first != os.ErrClosed || s.Close() != os.ErrClosed || s.Item(&replay.Item{}) != os.ErrClosed {
			t.Errorf("%s: error %v, then %v; want the writer's, for good", name, first, s.Close())
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestASCIIEverywhere: a reader whose locale is not UTF-8 gets ASCII from every
// view, whatever was captured.
func TestASCIIEverywhere(t *testing.T) {
	c, q, r := readmeH2(t)
	c.Proc.Comm, c.Proc.Args, c.Proc.Cgroup = "東京", []string{"é", "\xff"}, "/ü"
	q.Target, r.Reason = "/ł?→", "Žluť"
	r.Flags, r.Body.Lost = decode.Gapped, 3
	r.Body.Content = []byte("příliš \u202e žluťoučký\n")
	r.Interim = []decode.Interim{{Status: 103, Header: []decode.Field{{Name: "link", Value: "ü"}}}}
	items := append([]*replay.Item{session()}, turn(c, 1, q, r)...)
	items = append(items, turn(c, 2, q, nil)...)
	items = append(items,
		&replay.Item{Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{OK: true, Dur: 5_000}},
		&replay.Item{Kind: replay.ItemHandshake, Conn: c, Handshake: &format.Handshake{}},
		&replay.Item{Kind: replay.ItemDrop, Conn: c, Drop: &format.Drop{Bytes: 1, Cause: format.DropFault}},
		&replay.Item{Kind: replay.ItemMessage, Conn: c, Message: &decode.Message{Kind: decode.Opaque, Proto: "ünknown"}})
	for name, out := range map[string]string{
		"text":    textOf(t, TextOptions{ASCII: true, Bodies: true, Latency: true, Handshakes: true}, items...),
		"hex":     textOf(t, TextOptions{ASCII: true, Hex: true}, items...),
		"compact": textOf(t, TextOptions{ASCII: true, Compact: true}, items...),
		"table":   tableOf(t, TableOptions{ASCII: true, Terminal: true, Width: 90, Header: true}, items...),
		"columns": tableOf(t, TableOptions{ASCII: true, Header: true}, items...),
		"detail":  detailOf(t, items[3].Exchange, TextOptions{ASCII: true, Bodies: true, Color: true}),
	} {
		if i := strings.IndexFunc(out, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 || out == "" {
			t.Errorf("%s is not ASCII at %d:\n%s", name, i, out)
		}
		if strings.Contains(out, "#") && name != "detail" && name != "table" && !strings.Contains(out, "ID\t") {
			t.Errorf("%s has a sign of ours without a form in ASCII:\n%s", name, out)
		}
	}
}
