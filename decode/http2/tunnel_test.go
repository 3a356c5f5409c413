package http2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// insides are the messages that are neither requests nor responses, in few words.
func insides(ms []decode.Message) string {
	var out []string
	for _, m := range ms {
		s := fmt.Sprintf("%d%c", m.Stream, "><"[m.Dir])
		switch m.Kind {
		case decode.Inner:
			s += fmt.Sprintf("%s(%s)", m.Type, m.Body.Data)
		case decode.Opaque:
			s += fmt.Sprintf("~%s%d", m.Proto, m.Body.Size)
		case decode.Notice:
			if m.Exchange == 0 {
				continue
			}
			s += "notice"
		default:
			continue
		}
		if m.Flags&decode.Last != 0 {
			s += "+"
		}
		for _, a := range m.Anomalies {
			s += "!" + string(a.Kind)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestWebSocketStreams: RFC 8441.
func TestWebSocketStreams(t *testing.T) {
	ask := func(k *talk, id uint32) {
		k.cl.block(id, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a", ":path", "/chat")
	}
	hi := []byte("\x81\x82\x00\x00\x00\x00hi")
	tests := []struct {
		name string
		talk func(*talk)
		gap  int // bytes left out of the server's second piece, and where
		at   int
		want string
	}{
		{"both ways, two streams", func(k *talk) {
			ask(k, 1)
			ask(k, 3)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.sv.block(3, false, ":status", "200", "sec-websocket-extensions", "permessage-deflate")
			k.flush()
			k.cl.data(1, false, hi[:3])
			k.sv.data(3, false, []byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"))
			k.flush()
			k.cl.data(3, false, hi)
			k.cl.data(1, false, hi[3:])
			k.cl.data(1, true, []byte("\x88\x80\x00\x00\x00\x00"))
			k.flush()
			k.sv.data(1, true, []byte("\x88\x00"))
			k.sv.data(3, true, nil)
			k.flush()
			k.cl.frame(frameReset, 0, 3, 0, 0, 0, 8)
		}, 0, 0, "3<text(Hello) 3>text(hi) 1>text(hi) 1>close()+ 1<close()+ 3<notice+ 3>notice+!h2-reset"},
		{"the client does not wait", func(k *talk) {
			ask(k, 1)
			k.cl.data(1, false, hi)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.sv.data(1, false, []byte("\x89\x00"))
		}, 0, 0, "1>text(hi) 1<ping() 1>notice+ 1<notice+"},
		{"too much of that", func(k *talk) {
			ask(k, 1)
			for range 5 {
				k.cl.data(1, false, make([]byte, 16384))
			}
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.flush()
			k.cl.data(1, false, []byte("\x82\x81\x00\x00\x00\x00a\x82\x81\x00\x00\x00\x00b\x82\x81\x00\x00\x00\x00c\x82\x81\x00\x00\x00\x00d"))
		}, 0, 0, "1>binary(a)!mid-stream 1>binary(b) 1>binary(c) 1>binary(d) 1>notice+ 1>~websocket81920!h2-flow-control 1<notice+"},
		{"refused", func(k *talk) {
			ask(k, 1)
			k.cl.data(1, false, hi)
			k.flush()
			k.sv.block(1, true, ":status", "403")
		}, 0, 0, "1>~websocket8"},
		{"refused by a reset", func(k *talk) {
			ask(k, 1)
			k.cl.data(1, false, hi)
			k.flush()
			k.sv.frame(frameReset, 0, 1, 0, 0, 0, 7)
		}, 0, 0, "1>~websocket8!h2-reset"},
		{"reset", func(k *talk) {
			ask(k, 1)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.sv.data(1, false, []byte("\x81\x05ab"))
			k.sv.frame(frameReset, 0, 1, 0, 0, 0, 8)
		}, 0, 0, "1>notice+!h2-reset 1<text(ab)!truncated 1<notice+!h2-reset"},
		{"other protocol", func(k *talk) {
			k.cl.block(1, false, ":method", "CONNECT", ":protocol", "foo", ":scheme", "https", ":authority", "a", ":path", "/chat")
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.sv.data(1, true, []byte("\x81\x00"))
		}, 0, 0, "1<~foo2"},
		{"a gap in a frame of a frame", func(k *talk) {
			ask(k, 1)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.flush()
			k.sv.data(1, false, []byte("\x82\x05abcde\x89\x00"))
		}, 2, 12, "1<binary(ade)!gap 1<ping() 1>notice+ 1<notice+"},
		{"a gap over a boundary", func(k *talk) {
			ask(k, 1)
			k.flush()
			k.sv.block(1, false, ":status", "200")
			k.flush()
			k.sv.data(1, false, []byte("\x81\x08lost"))
			k.sv.data(1, false, []byte("text\x81\x0aother text\x81\x0athird text"))
			k.sv.data(1, false, []byte("\x89\x00"))
		}, 20, 11, "1<text()!gap 1>notice+ 1<~websocket2!gap 1<notice+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t)
			tt.talk(k)
			k.flush()
			steps := k.pieces
			if tt.gap > 0 {
				last := len(steps) - 1
				s := steps[last]
				steps = append(steps[:last:last], decodetest.Step{Dir: s.Dir, Data: s.Data[:tt.at]},
					decodetest.Step{Dir: s.Dir, Gap: tt.gap}, decodetest.Step{Dir: s.Dir, Data: s.Data[tt.at+tt.gap:]})
			}
			ms := runAll(t, steps, options{})
			if got := insides(ms); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, m := range ms {
				if m.Kind == decode.Inner && m.Exchange == 0 || m.Kind == decode.Response && m.Status == 200 && (m.Flags&decode.Continued != 0) != (tt.name != "other protocol") {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}
