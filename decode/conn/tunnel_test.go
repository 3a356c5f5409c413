package conn

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// h2side writes frames of one direction.
type h2side struct {
	out, block bytes.Buffer
	enc        *hpack.Encoder
}

func newH2side(preface string) *h2side {
	s := &h2side{}
	s.enc = hpack.NewEncoder(&s.block)
	s.out.WriteString(preface)
	s.frame(4, 0, 0, "")
	return s
}

func (s *h2side) frame(typ, flags byte, stream byte, payload string) {
	n := len(payload)
	s.out.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, 0, 0, 0, stream})
	s.out.WriteString(payload)
}

func (s *h2side) head(stream byte, fields ...string) {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	s.frame(1, 4, stream, s.block.String())
}

func (s *h2side) data(stream byte, end bool, text string) {
	s.frame(0, map[bool]byte{true: 1}[end], stream, text)
}

// take returns what was written since the last time.
func (s *h2side) take(d decode.Dir) decodetest.Step {
	defer s.out.Reset()
	return decodetest.Step{Dir: d, Data: s.out.String()}
}

// told puts messages in few words.
func told(list []decode.Message) string {
	var out []string
	for _, m := range list {
		s := fmt.Sprintf("%d", m.Exchange)
		switch m.Kind {
		case decode.Request:
			s += m.Method + m.Target
		case decode.Response:
			s += fmt.Sprintf("=%d(%d)", m.Status, m.Body.Size)
		case decode.Opaque:
			s += fmt.Sprintf("~%s%d/%d", m.Proto, m.Dir, m.Body.Size)
		case decode.Inner:
			s += m.Type + ":" + string(m.Body.Data)
		case decode.Notice:
			s += "notice"
		}
		if m.Flags&decode.Incomplete != 0 {
			s += "-"
		}
		for _, a := range m.Anomalies {
			s += "!" + string(a.Kind)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestTunnelsInH2: what is in the tunnel of a CONNECT is decoded if it is HTTP, and
// summed up if not.
func TestTunnelsInH2(t *testing.T) {
	ask := func(c, s *h2side, id byte) (out []decodetest.Step) {
		c.head(id, ":method", "CONNECT", ":authority", "a:80")
		out = append(out, c.take(w))
		s.head(id, ":status", "200")
		return append(out, s.take(r))
	}
	for _, tt := range []struct {
		name string
		talk func(c, s *h2side) []decodetest.Step
		want string
	}{
		{"two exchanges", func(c, s *h2side) []decodetest.Step {
			out := ask(c, s, 1)
			c.data(1, false, h1Get[:9])
			c.data(1, false, h1Get[9:])
			out = append(out, c.take(w))
			s.data(1, false, h1OK)
			out = append(out, s.take(r))
			c.data(1, true, h1Get)
			out = append(out, c.take(w))
			s.data(1, true, h1OK)
			return append(out, s.take(r))
		}, "1CONNECT 1=200(0) 2GET/a 2=200(2) 3GET/a 3=200(2)"},
		{"two tunnels, and a request beside them", func(c, s *h2side) []decodetest.Step {
			out := append(ask(c, s, 1), ask(c, s, 3)...)
			c.data(1, false, h1Get)
			c.data(3, false, h1Get)
			c.head(5, ":method", "GET", ":scheme", "https", ":authority", "b", ":path", "/b")
			c.data(5, true, "")
			out = append(out, c.take(w))
			s.data(3, false, h1OK)
			s.head(5, ":status", "204")
			s.data(5, true, "")
			s.data(1, false, h1OK)
			return append(out, s.take(r))
		}, "1CONNECT 1=200(0) 2CONNECT 2=200(0) 3GET/a 4GET/a 5GET/b 4=200(2) 5=204(0) 3=200(2)"},
		{"TLS", func(c, s *h2side) []decodetest.Step {
			out := ask(c, s, 1)
			c.data(1, false, "\x16\x03\x01\x00\x05hello")
			out = append(out, c.take(w))
			s.data(1, false, "\x16\x03\x03\x00\x03abc")
			out = append(out, s.take(r))
			c.data(1, true, "\x17\x03\x03\x00\x01x")
			s.data(1, true, "")
			return append(out, c.take(w), s.take(r))
		}, "1CONNECT 1=200(0) 0~tunnel0/16 0~tunnel1/8"},
		{"the client does not wait", func(c, s *h2side) []decodetest.Step {
			c.head(1, ":method", "CONNECT", ":authority", "a:80")
			c.data(1, false, h1Get)
			out := []decodetest.Step{c.take(w)}
			s.head(1, ":status", "200")
			s.data(1, false, h1OK)
			return append(out, s.take(r))
		}, "1CONNECT 2GET/a 1=200(0) 2=200(2)"},
		{"refused", func(c, s *h2side) []decodetest.Step {
			c.head(1, ":method", "CONNECT", ":authority", "a:80")
			c.data(1, true, h1Get)
			out := []decodetest.Step{c.take(w)}
			s.head(1, ":status", "403")
			s.data(1, true, "no")
			return append(out, s.take(r))
		}, fmt.Sprintf("1CONNECT 0~tunnel0/%d 1=403(2)", len(h1Get))},
		{"reset", func(c, s *h2side) []decodetest.Step {
			out := ask(c, s, 1)
			c.data(1, false, h1Get)
			out = append(out, c.take(w))
			s.data(1, false, h1OK[:len(h1OK)-1])
			s.frame(3, 0, 1, "\x00\x00\x00\x08")
			return append(out, s.take(r))
		}, "1CONNECT 1=200(0) 2GET/a 2=200(1)-!truncated"},
		{"a tunnel in a tunnel", func(c, s *h2side) []decodetest.Step {
			out := ask(c, s, 1)
			c.data(1, false, connect)
			out = append(out, c.take(w))
			s.data(1, false, opened)
			out = append(out, s.take(r))
			c.data(1, false, h1Get)
			out = append(out, c.take(w))
			s.data(1, false, h1OK)
			return append(out, s.take(r))
		}, "1CONNECT 1=200(0) 2CONNECTb.test:80 2=200(0) 3GET/a 3=200(2)"},
		{"WebSocket in a tunnel", func(c, s *h2side) []decodetest.Step {
			out := ask(c, s, 1)
			c.data(1, false, wsGet)
			out = append(out, c.take(w))
			s.data(1, false, ws101+"\r\n\x81\x02yo")
			return append(out, s.take(r))
		}, "1CONNECT 1=200(0) 2GET/ws 2=101(0) 2text:yo"},
	} {
		c, s := newH2side("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), newH2side("")
		steps := tt.talk(c, s)
		list, _ := runAll(t, steps, decode.Hint{})
		if got := told(list); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
		list, _ = runAll(t, swap(steps), decode.Hint{})
		if len(list) == 0 || list[0].Dir != r {
			t.Errorf("%s: recorded by the server: %s", tt.name, told(list))
		}
	}
}

// TestTunnelGap: bytes lost inside a tunnel are lost for what is in it only.
func TestTunnelGap(t *testing.T) {
	c, s := newH2side("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), newH2side("")
	c.head(1, ":method", "CONNECT", ":authority", "a:80")
	c.data(1, false, h1Get)
	steps := []decodetest.Step{c.take(w)}
	s.head(1, ":status", "200")
	const body = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789"
	s.data(1, false, body+h1OK)
	step := s.take(r)
	at := strings.Index(step.Data, "0123") + 5
	steps = append(steps, decodetest.Step{Dir: r, Data: step.Data[:at]}, decodetest.Step{Dir: r, Gap: 7}, decodetest.Step{Dir: r, Data: step.Data[at+7:]})
	c.data(1, false, h1Get)
	steps = append(steps, c.take(w))
	list, _ := runAll(t, steps, decode.Hint{})
	if got, want := told(list), "1CONNECT 2GET/a 1=200(0) 2=200(20)!gap 3=200(2)!no-request 4GET/a"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestManyTunnels: of a thousand tunnels a few are read, and all are told of.
func TestManyTunnels(t *testing.T) {
	c, s := newH2side("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), newH2side("")
	d := New(decode.Limits{})
	var off [2]uint64
	feed := func(step decodetest.Step) []decode.Message {
		ch := decode.Chunk{Dir: step.Dir, Off: off[step.Dir], Data: []byte(step.Data)}
		off[step.Dir] += uint64(len(step.Data))
		return d.Append(nil, ch)
	}
	const n = 120
	for i := range n {
		c.head(byte(2*i+1), ":method", "CONNECT", ":authority", "a:80")
		s.head(byte(2*i+1), ":status", "200")
	}
	feed(c.take(w))
	feed(s.take(r))
	for i := range n {
		c.data(byte(2*i+1), false, strings.Repeat("text without an end ", 800))
	}
	feed(c.take(w))
	if kept := d.Kept(); kept < 1000_000 || kept > maxTunnels*maxHeld {
		t.Errorf("%d bytes are held", kept)
	}
	opaque := 0
	for _, m := range d.End(nil, decode.At{}, true) {
		if m.Kind == decode.Opaque && m.Body.Size == 16000 {
			opaque++
		}
	}
	if opaque != n {
		t.Errorf("%d tunnels told of, want %d", opaque, n)
	}
}
