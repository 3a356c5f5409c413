package pcapng

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func TestPreface(t *testing.T) {
	full := preface + settings
	tests := []struct {
		name  string
		alpn  string
		items func(c *replay.Conn) []*replay.Item
		want  string // payloads, C for the client's, S for the server's
	}{
		{"seen", "h2", func(c *replay.Conn) []*replay.Item { return []*replay.Item{data(c, true, 0, full)} }, "C" + preface + "C" + settings},
		{"seen in pieces", "h2", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, true, 0, preface[:5]), data(c, true, 5, preface[5:])}
		}, "C" + preface},
		{"in pieces with the server between", "h2", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, true, 0, preface[:5]), data(c, false, 0, settings), data(c, true, 5, preface[5:]+settings)}
		}, "C" + preface + "C" + settings + "S" + settings},
		{"cut inside it", "", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, true, 0, preface[:5]), end(c, format.ConnEnd{})}
		}, "C" + preface[:5]},
		{"begins like it", "http/1.1", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, true, 0, "P"), data(c, true, 1, "UT /")}
		}, "CPUT /"},
		{"a gap inside it", "http/1.1", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, true, 0, "P"), data(c, true, 9, "x")}
		}, "CPCx"},
		{"missed", "h2", func(c *replay.Conn) []*replay.Item { return []*replay.Item{data(c, true, 0, settings)} }, "C" + full + "C" + settings},
		{"not HTTP/2", "http/1.1", func(c *replay.Conn) []*replay.Item { return []*replay.Item{data(c, true, 0, "GET /")} }, "CGET /"},
		{"server first, preface comes", "h2", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, false, 0, settings), data(c, true, 0, full)}
		}, "C" + preface + "C" + settings + "S" + settings},
		{"server first, preface missed", "h2", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, false, 0, settings), data(c, true, 9, settings)}
		}, "C" + full + "S" + settings + "C" + settings},
		{"only the server", "h2", func(c *replay.Conn) []*replay.Item {
			return []*replay.Item{data(c, false, 0, settings), end(c, format.ConnEnd{})}
		}, "C" + full + "S" + settings},
		{"found in the frames", "", func(c *replay.Conn) []*replay.Item { return []*replay.Item{data(c, true, 0, settings)} }, "C" + full + "C" + settings},
		{"server first, not HTTP/2", "", func(c *replay.Conn) []*replay.Item { return []*replay.Item{data(c, false, 0, "220 hello")} }, "S220 hello"},
	}
	for _, tt := range tests {
		c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
		c.ALPN = tt.alpn
		got := ""
		for _, p := range read(t, write(t, tt.items(c)...)) {
			if p.payload != "" {
				got += map[bool]string{true: "C", false: "S"}[strings.HasPrefix(p.from, "10.0.0.1")] + p.payload
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestServerIsNotHeldForEver(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	c.ALPN = "h2"
	var out bytes.Buffer
	w := New(&out, Options{})
	for i := range 5 {
		if err := w.Item(data(c, false, uint64(i)*20000, strings.Repeat("x", 20000))); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() < 5*20000 {
		t.Errorf("%d bytes out, want the held ones too", out.Len())
	}
}

func TestLooksH2(t *testing.T) {
	frame := func(length int, typ, stream byte) string {
		return string([]byte{0, byte(length >> 8), byte(length), typ, 0, 0, 0, 0, stream}) + strings.Repeat("x", length)
	}
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{settings, true}, {frame(3, 0, 1), true}, {frame(3, 0, 1) + frame(200, 1, 3)[:50], true},
		{"", false}, {"GET / HTTP/1.1\r\n", false}, {"HTTP/1.1 200 OK\r\n", false}, {frame(3, 0, 0), false}, {frame(3, 4, 1), false},
		{frame(3, 12, 1), false}, {frame(300, 1, 1)[:100], false}, {strings.Repeat("\x00", 100), false},
	} {
		if got := looksH2([]byte(tt.in)); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.in, got, tt.want)
		}
	}
}
