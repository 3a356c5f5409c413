package http2

import (
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// TestFlowControl: DATA beyond a window is told where it begins, and DATA that the
// updates before it allow is not.
func TestFlowControl(t *testing.T) {
	piece := make([]byte, 16384)
	ask := func(k *talk, id uint32) {
		k.cl.block(id, true, ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/")
		k.flush()
		k.sv.block(id, false, ":status", "200")
	}
	send := func(k *talk, id uint32, n int) {
		for range n {
			k.sv.data(id, false, piece)
		}
		k.flush()
	}
	widen := func(k *talk, id uint32, by uint32) {
		k.cl.frame(frameWindow, 0, id, byte(by>>24), byte(by>>16), byte(by>>8), byte(by))
		k.flush()
	}
	for _, tt := range []struct {
		name string
		talk func(*talk)
		late bool
		want string // stream of each anomaly
	}{
		{"what is allowed", func(k *talk) { ask(k, 1); send(k, 1, 3) }, false, ""},
		{"both windows", func(k *talk) { ask(k, 1); send(k, 1, 4) }, false, "connection stream"},
		{"once", func(k *talk) { ask(k, 1); send(k, 1, 9) }, false, "connection stream"},
		{"the stream's", func(k *talk) { ask(k, 1); widen(k, 0, 1<<20); send(k, 1, 4) }, false, "stream"},
		{"the connection's", func(k *talk) { ask(k, 1); ask(k, 3); send(k, 1, 2); send(k, 3, 2) }, false, "connection"},
		{"widened", func(k *talk) {
			ask(k, 1)
			send(k, 1, 3)
			widen(k, 0, 1<<20)
			widen(k, 1, 1<<20)
			send(k, 1, 9)
		}, false, ""},
		{"widened by less", func(k *talk) {
			ask(k, 1)
			send(k, 1, 3)
			widen(k, 0, 1<<20)
			widen(k, 1, 3)
			send(k, 1, 2)
		}, false, "stream"},
		{"widened too late", func(k *talk) {
			ask(k, 1)
			send(k, 1, 4)
			widen(k, 0, 1<<20)
			widen(k, 1, 1<<20)
		}, false, "connection stream"},
		{"a larger window announced", func(k *talk) {
			k.cl.settings(settingWindow, 1<<20)
			widen(k, 0, 1<<20)
			ask(k, 1)
			send(k, 1, 9)
		}, false, ""},
		{"a smaller one may come into force later", func(k *talk) {
			k.cl.settings(settingWindow, 10)
			ask(k, 1)
			send(k, 1, 3)
		}, false, ""},
		{"joined late", func(k *talk) { ask(k, 1); send(k, 1, 9) }, true, ""},
	} {
		k := newTalk(t)
		tt.talk(k)
		k.flush()
		var got []string
		for _, m := range runAll(t, k.pieces, options{mid: tt.late}) {
			for _, a := range m.Anomalies {
				switch {
				case a.Kind != AnomalyFlow:
				case a.Dir != decode.Read || a.Offset == 0:
					t.Errorf("%s: %+v", tt.name, a)
				case m.Kind == decode.Notice:
					got = append(got, "connection")
				default:
					got = append(got, "stream")
				}
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}
