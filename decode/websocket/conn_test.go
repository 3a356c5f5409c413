package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

const (
	c2s = decode.Write
	s2c = decode.Read
)

// server is a frame as a server sends it, first its first byte.
func server(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return string(b) + payload
}

// client is a frame as a client sends it.
func client(first byte, payload string) string {
	f := []byte(server(first, payload))
	f[1] |= 0x80
	at := len(f) - len(payload)
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	body := []byte(payload)
	unmask(body, key, 0)
	return string(f[:at]) + string(key[:]) + string(body)
}

// packer compresses messages as one side does (RFC 7692 §7.2.1).
type packer struct {
	buf bytes.Buffer
	w   *flate.Writer
}

func (p *packer) pack(text string) string {
	p.buf.Reset()
	if p.w == nil {
		p.w, _ = flate.NewWriter(&p.buf, 6)
	}
	p.w.Write([]byte(text))
	p.w.Flush()
	return strings.TrimSuffix(p.buf.String(), "\x00\x00\xff\xff")
}

func from(dir decode.Dir, data ...string) decodetest.Step {
	return decodetest.Step{Dir: dir, Data: strings.Join(data, "")}
}

// brief is a message in few words: direction, type, number, wire size, payload.
func brief(ms []decode.Message) []string {
	var out []string
	for _, m := range ms {
		dir := ">"
		if m.Dir == s2c {
			dir = "<"
		}
		kind := m.Type
		switch m.Kind {
		case decode.Opaque:
			kind = "opaque"
		case decode.Notice:
			kind = "notice"
		}
		s := fmt.Sprintf("%s%s", dir, kind)
		if m.Kind == decode.Inner {
			s = fmt.Sprintf("%s%d %s w%d", dir, m.Number, kind, m.Wire)
		}
		if m.Status != 0 {
			s += fmt.Sprintf(" %d(%s)", m.Status, m.Reason)
		}
		b := m.Body
		if b.Size > 0 {
			s += fmt.Sprintf(" %d", b.Size)
		}
		if len(b.Data) > 40 {
			s += fmt.Sprintf(" %q…", b.Data[:40])
		} else if len(b.Data) > 0 {
			s += fmt.Sprintf(" %q", b.Data)
		}
		if b.Cut {
			s += " cut"
		}
		if b.Lost > 0 {
			s += fmt.Sprintf(" lost%d", b.Lost)
		}
		if b.ContentErr != "" {
			s += fmt.Sprintf(" %v:%s", b.Codings, b.ContentErr)
		}
		for _, f := range []struct {
			f    decode.Flags
			name string
		}{{decode.Incomplete, "incomplete"}, {decode.Gapped, "gapped"}, {decode.MidStream, "midstream"}, {decode.Last, "last"}} {
			if m.Flags&f.f != 0 {
				s += " " + f.name
			}
		}
		for _, a := range m.Anomalies {
			s += " !" + string(a.Kind)
		}
		out = append(out, s)
	}
	return out
}

// play decodes a conversation.
func play(o Options, mid bool, steps []decodetest.Step, cut decodetest.Cut, clean bool) []decode.Message {
	c := New(o)
	if mid {
		c.SetMidStream(c2s)
		c.SetMidStream(s2c)
	}
	return c.End(decodetest.Feed(c, steps, cut), decode.At{}, clean)
}

// all checks that every cut gives the same messages.
func all(t testing.TB, o Options, mid bool, steps []decodetest.Step, clean bool) []decode.Message {
	t.Helper()
	want := play(o, mid, steps, decodetest.Whole, clean)
	for _, cut := range []uint64{1, 2, 3} {
		if got := play(o, mid, steps, decodetest.NumberedCut(cut), clean); !reflect.DeepEqual(want, got) {
			t.Fatalf("cut %d differs (-whole +cut):\n%s", cut, cmp.Diff(want, got))
		}
	}
	return want
}

func TestMessages(t *testing.T) {
	var p, q packer
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"                       // RFC 7692 §7.2.3.1
	second := "\xf2\x00\x11\x00\x00"                              // §7.2.3.2: "Hello" again, from the window
	final := "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"                   // §7.2.3.4
	two := "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00" // §7.2.3.5
	stored := "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"      // §7.2.3.3
	long := strings.Repeat("lorem ipsum ", 9000)
	packed := []string{p.pack(long), p.pack(long[5:]), p.pack("x" + long[:100])}
	deflate := Extensions{Deflate: true}
	tests := []struct {
		name  string
		ext   Extensions
		lim   decode.Limits
		steps []decodetest.Step
		open  bool // the recording ended first
		want  []string
	}{
		{name: "RFC 6455 §5.7", steps: []decodetest.Step{
			from(s2c, "\x81\x05\x48\x65\x6c\x6c\x6f"),
			from(c2s, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
			from(s2c, "\x01\x03\x48\x65\x6c", "\x80\x02\x6c\x6f"),
			from(s2c, "\x89\x05\x48\x65\x6c\x6c\x6f"),
			from(c2s, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
			from(s2c, server(0x82, strings.Repeat("x", 256)), server(0x82, strings.Repeat("y", 65536))),
		}, open: true, want: []string{
			`<1 text w7 5 "Hello"`, `>1 text w11 5 "Hello"`, `<2 text w9 5 "Hello"`, `<3 ping w7 5 "Hello"`, `>2 pong w11 5 "Hello"`,
			`<4 binary w260 256 "` + strings.Repeat("x", 40) + `"…`, `<5 binary w65546 65536 "` + strings.Repeat("y", 40) + `"…`,
		}},
		{name: "empty", steps: []decodetest.Step{from(s2c, server(0x81, ""), server(0x01, ""), server(0x80, ""))}, open: true,
			want: []string{"<1 text w2", "<2 text w4"}},
		{name: "control inside a fragmented message", steps: []decodetest.Step{
			from(c2s, client(0x01, "ab"), client(0x89, "?"), client(0x00, "cd"), client(0x8a, ""), client(0x80, "e")),
		}, open: true, want: []string{`>1 ping w7 1 "?"`, `>2 pong w6`, `>3 text w23 5 "abcde"`}},
		{name: "close", steps: []decodetest.Step{
			from(c2s, client(0x88, "\x03\xe8bye")), from(s2c, server(0x88, "\x03\xe9")),
		}, want: []string{`>1 close w11 1000(normal closure) 3 "bye" last`, `<1 close w4 1001(going away) last`}},
		{name: "close without a code, of one byte, of a bad code", steps: []decodetest.Step{
			from(c2s, client(0x88, "")), from(s2c, server(0x88, "x"), server(0x88, "\x03\xee"), server(0x88, "\x13\x88\xff")),
		}, want: []string{">1 close w6 last", `<1 close w3 1 "x" last !ws-close`,
			`<2 close w4 1006(abnormal closure) !ws-after-close !ws-close`, `<3 close w5 5000() 1 "\xff" !ws-after-close !ws-close !ws-utf8`}},
		{name: "no close", steps: []decodetest.Step{from(s2c, server(0x81, "a"))},
			want: []string{`<1 text w3 1 "a"`, ">notice last", "<notice last"}},
		{name: "roles", steps: []decodetest.Step{from(c2s, server(0x81, "a")), from(s2c, client(0x81, "b"))}, open: true,
			want: []string{`>1 text w3 1 "a" !ws-mask`, `<1 text w7 1 "b" !ws-mask`}},
		{name: "bits and opcodes", steps: []decodetest.Step{
			from(s2c, server(0xc1, "a"), server(0xb2, "b"), server(0x83, "c"), server(0x8b, "d"), server(0x01, "e"), server(0xc0, "f"), server(0xc9, "g")),
		}, open: true, want: []string{
			`<1 text w3 1 "a" !ws-reserved-bit`, `<2 binary w3 1 "b" !ws-reserved-bit`, `<3 opcode 3 w3 1 "c" !ws-opcode`, `<4 opcode 11 w3 1 "d" !ws-opcode`,
			`<5 text w6 2 "ef" !ws-reserved-bit`, `<6 ping w3 1 "g" !ws-reserved-bit`,
		}},
		{name: "lengths", steps: []decodetest.Step{
			from(s2c, "\x81\x7e\x00\x01a", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01b", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00c"),
		}, open: true, want: []string{
			`<1 text w5 1 "a" !ws-length`, `<2 binary w11 1 "b" !ws-length`, `<3 binary w15 1 "c" incomplete !ws-length !ws-mask !truncated`,
		}},
		{name: "long and fragmented control frames", steps: []decodetest.Step{
			from(s2c, server(0x89, strings.Repeat("p", 126)), server(0x09, "q"), server(0x80, "r")),
		}, open: true, want: []string{
			`<1 ping w130 126 "` + strings.Repeat("p", 40) + `"… !ws-control`, `<2 ping w3 1 "q" !ws-control`, `<3 continuation w3 1 "r" !ws-fragment`,
		}},
		{name: "a message inside another", steps: []decodetest.Step{from(s2c, server(0x01, "a"), server(0x82, "b"))}, open: true,
			want: []string{`<1 text w3 1 "a" incomplete !ws-fragment`, `<2 binary w3 1 "b"`}},
		{name: "not UTF-8", steps: []decodetest.Step{from(s2c, server(0x81, "\xff"), server(0x01, "\xe2\x82"), server(0x80, "\xac"))}, open: true,
			want: []string{`<1 text w3 1 "\xff" !ws-utf8`, `<2 text w7 3 "€"`}},
		{name: "cut short", steps: []decodetest.Step{from(s2c, server(0x81, "abc")[:4]), from(c2s, "\x81")}, open: true,
			want: []string{`>opaque 1 "\x81" !truncated`, `<1 text w4 2 "ab" incomplete !truncated`}},
		{name: "keep little", lim: decode.Limits{Body: 2}, steps: []decodetest.Step{from(s2c, server(0x81, "abc"), server(0x88, "\x03\xe8bye"))}, open: true,
			want: []string{`<1 text w5 3 "ab" cut`, `<2 close w7 1000(normal closure) 3 "by" cut last`}},
		{name: "keep nothing", ext: deflate, lim: decode.Limits{Body: -1}, steps: []decodetest.Step{from(s2c, server(0x81, "abc"), server(0xc1, hello))}, open: true,
			want: []string{`<1 text w5 3 cut`, `<2 text w9 5 cut`}},
		{name: "RFC 7692 §7.2.3", ext: deflate, steps: []decodetest.Step{
			from(s2c, server(0xc1, hello), server(0xc1, second), server(0x41, hello[:3]), server(0x80, hello[3:]),
				server(0xc1, stored), server(0xc1, final), server(0xc1, two), server(0xc2, final[:7])),
			from(c2s, client(0xc1, hello), client(0x81, "plain")),
		}, open: true, want: []string{
			`<1 text w9 5 "Hello"`, `<2 text w7 5 "Hello"`, `<3 text w11 5 "Hello"`, `<4 text w13 5 "Hello"`, `<5 text w10 5 "Hello"`, `<6 text w15 5 "Hello"`,
			`<7 binary w9 5 "Hello"`, `>1 text w13 5 "Hello"`, `>2 text w11 5 "plain"`,
		}},
		{name: "takeover", ext: deflate, steps: []decodetest.Step{
			from(s2c, server(0xc1, packed[0]), server(0xc1, packed[1]), server(0xc1, packed[2])),
		}, open: true, want: []string{
			fmt.Sprintf("<1 text w%d 108000 %q…", len(packed[0])+4, long[:40]), fmt.Sprintf("<2 text w%d 107995 %q…", len(packed[1])+4, long[5:45]),
			fmt.Sprintf("<3 text w%d 101 %q…", len(packed[2])+2, "x"+long[:39]),
		}},
		{name: "no takeover", ext: Extensions{Deflate: true, ServerNoTakeover: true}, steps: []decodetest.Step{
			from(s2c, server(0xc1, hello), server(0xc1, second)),
		}, open: true, want: []string{`<1 text w9 5 "Hello"`, `<2 text w7 5 "` + escape(second) + `" [permessage-deflate]:ws-deflate !ws-deflate`}},
		{name: "not negotiated", steps: []decodetest.Step{from(s2c, server(0xc2, hello))}, open: true,
			want: []string{`<1 binary w9 7 "` + escape(hello) + `" !ws-reserved-bit`}},
		{name: "other extension", ext: Extensions{Other: "x-webkit-deflate-frame"}, steps: []decodetest.Step{from(s2c, server(0xc1, hello))}, open: true,
			want: []string{`<1 text w9 7 "` + escape(hello) + `" [x-webkit-deflate-frame]:ws-reserved-bit`}},
		{name: "corrupt, and what follows", ext: deflate, steps: []decodetest.Step{
			from(s2c, server(0xc1, hello), server(0xc1, "\x07junk"), server(0xc1, second), server(0xc1, hello), server(0xc1, second)),
		}, open: true, want: []string{
			`<1 text w9 5 "Hello"`, `<2 text w7 5 "\ajunk" [permessage-deflate]:ws-deflate !ws-deflate`,
			`<3 text w7 5 "` + escape(second) + `" [permessage-deflate]:gap !ws-deflate`, `<4 text w9 5 "Hello"`, `<5 text w7 5 "Hello"`,
		}},
		{name: "hole in a frame", steps: []decodetest.Step{
			from(c2s, client(0x82, "abcdefghij")[:9]), {Dir: c2s, Gap: 4}, from(c2s, client(0x82, "abcdefghij")[13:], client(0x81, "next")),
		}, open: true, want: []string{`>1 binary w16 10 "abchij" lost4 gapped !gap`, `>2 text w10 4 "next"`}},
		{name: "hole in a compressed message", ext: deflate, steps: []decodetest.Step{
			from(s2c, server(0xc1, hello)[:4]), {Dir: s2c, Gap: 5}, from(s2c, server(0xc1, second), server(0xc1, hello), server(0xc1, second)),
		}, open: true, want: []string{
			`<1 text w9 7 "\xf2H" lost5 [permessage-deflate]:gap gapped !gap !ws-deflate`,
			`<2 text w7 5 "` + escape(second) + `" [permessage-deflate]:gap !ws-deflate`, `<3 text w9 5 "Hello"`, `<4 text w7 5 "Hello"`,
		}},
		{name: "hole over a boundary", steps: []decodetest.Step{
			from(s2c, server(0x01, "first part"), server(0x00, "more")[:3]), {Dir: s2c, Gap: 9},
			from(s2c, "tail of it", server(0x81, `{"a": "one"}`), server(0x81, `{"b": "two"}`)),
		}, open: true, want: []string{
			`<1 text w18 14 "first partm" lost3 incomplete gapped !gap`, `<opaque 10 "tail of it" !gap`,
			`<2 text w14 12 "{\"a\": \"one\"}" !resync`, `<3 text w14 12 "{\"b\": \"two\"}"`,
		}},
		{name: "unknown hole, client, fragments, control", ext: deflate, steps: []decodetest.Step{
			from(c2s, client(0x81, "before")), {Dir: c2s, Gap: decodetest.Unknown},
			from(c2s, "\x00\x00\x00junk\x81\x02", client(0x89, ""), client(0x80, "end of one"), client(0x82, "\x00\x01"), client(0x8a, ""), client(0xc1, q.pack("text"))),
		}, open: true, want: []string{
			`>1 text w12 6 "before"`, `>opaque 9 "\x00\x00\x00junk\x81\x02" !gap`, `>2 ping w6 !resync`,
			`>3 continuation w16 10 "end of one" midstream !mid-stream`, `>4 binary w8 2 "\x00\x01"`, `>5 pong w6`, `>6 text w12 4 "text"`,
		}},
		{name: "nothing found", steps: []decodetest.Step{{Dir: s2c, Gap: decodetest.Unknown}, from(s2c, strings.Repeat("\x00\xff", 5000))}, open: true,
			want: []string{`<opaque 10000 "` + escape(strings.Repeat("\x00\xff", 20)) + `"… cut !gap`}},
		{name: "hole and nothing after", steps: []decodetest.Step{{Dir: s2c, Gap: 7}}, open: true, want: []string{"<notice !gap"}},
		{name: "holes in a search", steps: []decodetest.Step{
			{Dir: s2c, Gap: 3}, from(s2c, "ab"), {Dir: s2c, Gap: 3}, from(s2c, server(0x81, "a single text")), {Dir: s2c, Gap: 1}, from(s2c, "c"),
		}, open: true, want: []string{`<opaque 2 "ab" !gap`, `<1 text w15 13 "a single text" !gap`, `<opaque 1 "c" !gap`}},
		{name: "hole in a header", steps: []decodetest.Step{from(s2c, "\x81"), {Dir: s2c, Gap: 3}, from(s2c, server(0x81, "a single text"))}, open: true,
			want: []string{`<opaque 1 "\x81"`, `<1 text w15 13 "a single text" !gap`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Client: c2s, Limits: tt.lim, Extensions: tt.ext, Exchange: 7, Stream: 3}
			ms := all(t, o, false, tt.steps, !tt.open)
			if diff := cmp.Diff(tt.want, brief(ms)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, m := range ms {
				if m.Exchange != 7 || m.Stream != 3 || m.Proto != "websocket" {
					t.Errorf("exchange %d stream %d proto %q", m.Exchange, m.Stream, m.Proto)
				}
			}
		})
	}
}

// escape is how brief writes a payload, without the quotes.
func escape(s string) string {
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}
