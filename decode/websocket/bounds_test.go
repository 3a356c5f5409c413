package websocket

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

func TestNegotiated(t *testing.T) {
	tests := []struct {
		in   []string
		want Extensions
	}{
		{nil, Extensions{ClientBits: 15, ServerBits: 15}},
		{[]string{"permessage-deflate"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15}},
		{[]string{`Permessage-Deflate; server_no_context_takeover; client_max_window_bits="10";server_max_window_bits=9 ; client_no_context_takeover`},
			Extensions{Deflate: true, ClientNoTakeover: true, ServerNoTakeover: true, ClientBits: 10, ServerBits: 9}},
		{[]string{"foo; a=1, permessage-deflate", "bar"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15, Other: "foo"}},
		{[]string{"permessage-deflate, permessage-deflate; x"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15, Bad: "permessage-deflate twice"}},
		{[]string{"permessage-deflate; server_max_window_bits=7"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15, Bad: `server_max_window_bits "7"`}},
		{[]string{"permessage-deflate; client_max_window_bits"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15, Bad: `client_max_window_bits ""`}},
		{[]string{"permessage-deflate; x"}, Extensions{Deflate: true, ClientBits: 15, ServerBits: 15, Bad: `parameter "x"`}},
		{[]string{" , ;"}, Extensions{ClientBits: 15, ServerBits: 15}},
	}
	for _, tt := range tests {
		header := []decode.Field{{Name: "Sec-WebSocket-Extensions", Value: "unknown", Unknown: true}, {Name: "Upgrade", Value: "websocket"}}
		for _, v := range tt.in {
			header = append(header, decode.Field{Name: "sec-websocket-extensions", Value: v})
		}
		if diff := cmp.Diff(tt.want, Negotiated(header)); diff != "" {
			t.Errorf("%q (-want +got)\n%s", tt.in, diff)
		}
	}
}

func TestBadNegotiation(t *testing.T) {
	o := Options{Client: c2s, Extensions: Extensions{Deflate: true, Bad: "x"}}
	ms := all(t, o, false, []decodetest.Step{from(c2s, client(0x81, "a")), from(s2c, server(0x81, "b"))}, false)
	if diff := cmp.Diff([]string{`>1 text w7 1 "a"`, `<1 text w3 1 "b" !ws-deflate`}, brief(ms)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A name for each code that may be sent, and none for those that mean nothing.
func TestCloseName(t *testing.T) {
	for _, tt := range []struct {
		code int
		name string
		send bool
	}{
		{1000, "normal closure", true}, {1005, "no status received", false}, {1006, "abnormal closure", false}, {1004, "", false},
		{1011, "internal error", true}, {1014, "bad gateway", true}, {1015, "TLS handshake failure", false}, {1016, "", false}, {999, "", false},
		{3000, "registered", true}, {4999, "private use", true}, {5000, "", false}, {0, "", false}, {65535, "", false},
	} {
		if got := CloseName(tt.code); got != tt.name || sendable(tt.code) != tt.send {
			t.Errorf("%d: %q sendable %v, want %q %v", tt.code, got, sendable(tt.code), tt.name, tt.send)
		}
	}
	for code := 1000; code < 1016; code++ {
		if (CloseName(code) == "") != (code == 1004) {
			t.Errorf("%d is %q", code, CloseName(code))
		}
	}
}

// zeros is a message that inflates to n zeros.
func zeros(n int) string {
	var p packer
	return p.pack(strings.Repeat("\x00", n))
}

// TestBombs: what messages inflate to is looked at up to a bound, kept up to a
// smaller one, and a connection of bombs is not inflated for ever.
func TestBombs(t *testing.T) {
	bomb := zeros(inflateMax + 1<<20)
	o := Options{Client: c2s, Limits: decode.Limits{Body: 1000}, Extensions: Extensions{Deflate: true, ServerNoTakeover: true}}
	c := New(o)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var ms []decode.Message
	for range 8 {
		ms = c.Append(ms, decode.Chunk{Dir: s2c, Data: []byte(server(0xc2, bomb))})
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes allocated", got)
	}
	spent := 0
	for _, m := range ms {
		b := m.Body
		if len(b.Data) != 1000 || !b.Cut || b.ContentErr != string(decode.AnomalyLimit) {
			t.Errorf("%d bytes kept, cut %v, error %q", len(b.Data), b.Cut, b.ContentErr)
		}
		if b.Codings != nil {
			spent++
		}
	}
	if len(ms) != 8 || spent != 4 || c.inf.got > freeInflate+2*inflateMax {
		t.Errorf("%d messages, %d not inflated, %d bytes inflated", len(ms), spent, c.inf.got)
	}
	// With a window the messages after it cannot be told.
	o.Extensions.ServerNoTakeover = false
	ms = all(t, o, false, []decodetest.Step{from(s2c, server(0xc2, bomb), server(0xc1, "\xf2\x00\x11\x00\x00"))}, false)
	if ms[1].Body.ContentErr != string(decode.AnomalyGap) {
		t.Errorf("after the bomb: %v", brief(ms[1:]))
	}
}

// TestLongCompressed: a compressed message is held up to a bound, and its text is
// part of the window if it fits.
func TestLongCompressed(t *testing.T) {
	noise := make([]byte, compLeast+100)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	var p packer
	o := Options{Client: c2s, Limits: decode.Limits{Body: 10}, Extensions: Extensions{Deflate: true}}
	ms := play(o, false, []decodetest.Step{from(s2c, server(0xc2, p.pack(string(noise[:compLeast/2]))), server(0xc2, p.pack(string(noise))))}, decodetest.Whole, false)
	if b := ms[0].Body; b.Size != compLeast/2 || string(b.Data) != string(noise[:10]) {
		t.Errorf("%d bytes, %x", b.Size, b.Data)
	}
	if b := ms[1].Body; b.ContentErr != "limit" || len(b.Data) != 10 || !b.Cut {
		t.Errorf("%d bytes of %d, %q", len(b.Data), b.Size, b.ContentErr)
	}
}

// TestSearchIsBounded: bytes among which there is no frame do not stay.
func TestSearchIsBounded(t *testing.T) {
	for _, junk := range []string{"\x00", "\x81\x7e\xff\xff", "\xff", "\x82\x00", "\x8a\x05abcde", "\x81\x01\x00"} {
		c := New(Options{Client: c2s})
		c.SetMidStream(s2c)
		chunk := []byte(strings.Repeat(junk, 10_000/len(junk)))
		for range 100 {
			c.Append(nil, decode.Chunk{Dir: s2c, Data: chunk})
		}
		if n := cap(c.half[s2c].search.buf); n > 8*searchFrame {
			t.Errorf("%q: %d bytes held", junk, n)
		}
	}
}

// TestFoundTimes: what is found after a gap has the times of its own bytes.
func TestFoundTimes(t *testing.T) {
	c := New(Options{Client: c2s})
	c.SetMidStream(s2c)
	var ms []decode.Message
	for i := range 6 {
		at := decode.At{Seq: uint64(i), Time: int64(100 + i)}
		ms = c.Append(ms, decode.Chunk{Dir: s2c, At: at, Start: int64(i), Data: []byte(server(0x82, string(rune('a'+i))))})
		if i == 2 && len(ms) != 0 {
			t.Fatalf("found after %d frames: %v", i+1, brief(ms))
		}
	}
	if len(ms) != 6 {
		t.Fatalf("%v", brief(ms))
	}
	for i, m := range ms {
		if m.Begin != int64(i) || m.End.Time != int64(100+i) || m.HeadEnd.Seq != uint64(i) {
			t.Errorf("message %d: begin %d end %+v", i, m.Begin, m.End)
		}
	}
}

// TestLateJoin: a connection of which the beginning was not seen.
func TestLateJoin(t *testing.T) {
	var p packer
	p.pack(strings.Repeat("all that was said before. ", 10))
	steps := []decodetest.Step{
		from(s2c, "e}", server(0x81, `{"plain": 1}`), server(0xc1, p.pack("all that was said before. And more.")), server(0xc1, p.pack("And more."))),
		from(c2s, client(0x82, "\x00")[3:], client(0x82, "\x01\x02"), client(0x82, "\x03"), client(0x89, ""), client(0x82, "\x04")),
	}
	want := []string{
		`<opaque 2 "e}" !mid-stream`, `<1 text w14 12 "{\"plain\": 1}" !resync`, "?", "?",
		`>opaque 4 "\xfa!=7" !mid-stream`, `>1 binary w8 2 "\x01\x02" !resync`, `>2 binary w7 1 "\x03"`, ">3 ping w6", `>4 binary w7 1 "\x04"`,
	}
	got := brief(all(t, Options{Client: c2s, Extensions: Extensions{Deflate: true}}, true, steps, false))
	for i := range got {
		// How the packer matched is its own affair; the first must refer back.
		if i == 2 && strings.Contains(got[i], "[permessage-deflate]:gap !ws-deflate") || i == 3 {
			got[i] = "?"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestShed: what is held can be dropped at any time, and is missed where it is
// needed.
func TestShed(t *testing.T) {
	hello, second := "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"
	c := New(Options{Client: c2s, Extensions: Extensions{Deflate: true}})
	var ms []decode.Message
	say := func(dir decode.Dir, text string) { ms = c.Append(ms, decode.Chunk{Dir: dir, Data: []byte(text)}) }
	say(s2c, server(0xc1, hello)+server(0x41, second[:2]))
	say(c2s, client(0x02, "abc"))
	if c.Kept() == 0 {
		t.Error("nothing is held")
	}
	c.Shed()
	if n := c.Kept(); n != 0 {
		t.Errorf("%d bytes are held", n)
	}
	say(s2c, server(0x80, second[2:])+server(0xc1, second)+server(0xc1, hello)+server(0xc1, second))
	say(c2s, client(0x80, "de"))
	want := []string{
		`<1 text w9 5 "Hello"`, `<2 text w9 5 cut [permessage-deflate]:limit !limit !ws-deflate`, `<3 text w7 5 "` + escape(second) + `" [permessage-deflate]:gap !ws-deflate`,
		`<4 text w9 5 "Hello"`, `<5 text w7 5 "Hello"`, `>1 binary w17 5 cut !limit`,
	}
	if diff := cmp.Diff(want, brief(ms)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRest: between messages a connection with compression holds the text that later
// ones may refer to, and what it takes to inflate only while it is busy.
func TestRest(t *testing.T) {
	var p packer
	c := New(Options{Client: c2s, Extensions: Extensions{Deflate: true}})
	at := int64(1e9)
	say := func(text string) int {
		wire := server(0xc1, p.pack(text))
		ms := c.Append(nil, decode.Chunk{Dir: s2c, At: decode.At{Time: at}, Data: []byte(wire)})
		if len(ms) != 1 || string(ms[0].Body.Data) != text || len(ms[0].Anomalies) > 0 {
			t.Fatalf("%v", brief(ms))
		}
		return c.Kept()
	}
	text := strings.Repeat("some words, and again. ", 10_000)
	if n := say(text); n > windowSize+windowSlack+compKept {
		t.Errorf("%d bytes are held after a message that came alone", n)
	}
	at += 1000
	if n := say("words, and again."); n < windowSize+windowSlack {
		t.Errorf("%d bytes are held of a busy connection", n)
	}
	at += 1000
	say("and again.")
	if c.Rest(); c.Kept() > windowSize+windowSlack {
		t.Errorf("%d bytes are held at rest", c.Kept())
	}
	at += 1000
	say("some words, and again.") // which nothing was lost for
}
