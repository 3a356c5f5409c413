package conn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// wsFrame is a frame of at most 125 bytes; a client's is masked.
func wsFrame(client bool, first byte, text string) string {
	if !client {
		return string([]byte{first, byte(len(text))}) + text
	}
	key := [4]byte{0xde, 0xad, byte(len(text)), 0x99}
	b := []byte(text)
	for i := range b {
		b[i] ^= key[i%4]
	}
	return string([]byte{first, 0x80 | byte(len(text))}) + string(key[:]) + string(b)
}

// TestJoinedWebSocket: a WebSocket whose handshake was not seen is recognised by its
// frames, said to be assumed, and its messages are inside one exchange.
func TestJoinedWebSocket(t *testing.T) {
	say := func(client bool, n int) (out string) {
		for i := range n {
			out += wsFrame(client, 0x81, fmt.Sprintf(`{"message": %d}`, i))
		}
		return out
	}
	late := decode.Hint{MidStream: true}
	for name, tt := range map[string]struct {
		steps []decodetest.Step
		hint  decode.Hint
		role  decode.Role
		inner int
	}{
		"both":                 {[]decodetest.Step{{Dir: w, Data: say(true, 3)}, {Dir: r, Data: say(false, 4)}}, late, decode.RoleClient, 7},
		"recorded by a server": {[]decodetest.Step{{Dir: r, Data: say(true, 3)}, {Dir: w, Data: say(false, 4)}}, late, decode.RoleServer, 7},
		"inside a frame":       {[]decodetest.Step{{Dir: w, Data: say(true, 4)[9:]}, {Dir: r, Data: say(false, 5)[3:]}}, late, decode.RoleClient, 7},
		"one direction":        {[]decodetest.Step{{Dir: r, Data: say(false, 5)}}, late, decode.RoleClient, 5},
		"after a gap": {[]decodetest.Step{{Dir: w, Gap: 100}, {Dir: r, Gap: 300}, {Dir: w, Data: say(true, 3)}, {Dir: r, Data: say(false, 4)}},
			decode.Hint{}, decode.RoleClient, 7},
	} {
		list, c := runAll(t, tt.steps, tt.hint)
		inner, told := 0, 0
		for _, m := range list {
			switch {
			case m.Kind == decode.Inner && m.Exchange == 1 && strings.HasPrefix(string(m.Body.Data), `{"message"`):
				inner++
			case m.Kind == decode.Response && m.Status == 0 && m.Flags&(decode.Continued|decode.MidStream|decode.Incomplete) == decode.Continued|decode.MidStream|decode.Incomplete:
				for _, a := range m.Anomalies {
					if a.Kind == websocket.AnomalyAssumed {
						told++
					}
				}
			}
		}
		if c.Proto() != "websocket" || c.Role() != tt.role || inner != tt.inner || told != 1 {
			t.Errorf("%s: %q, role %d, %d messages, told %d times: %+v", name, c.Proto(), c.Role(), inner, told, list)
		}
	}
}

// TestJoinedOther: what is no WebSocket is not taken for one.
func TestJoinedOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	noise := func(n int, most int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(most))
		}
		return string(b)
	}
	cases := map[string][2]string{
		"two frames":    {wsFrame(true, 0x81, "some text"), wsFrame(false, 0x81, "some text")},
		"not masked":    {strings.Repeat(wsFrame(false, 0x81, "some text"), 9), strings.Repeat(wsFrame(false, 0x81, "some text"), 9)},
		"both masked":   {strings.Repeat(wsFrame(true, 0x81, "some text"), 9), strings.Repeat(wsFrame(true, 0x81, "some text"), 9)},
		"zeros":         {strings.Repeat("\x00", 9000), strings.Repeat("\x00", 9000)},
		"a text":        {strings.Repeat("some words of a text\n", 500), ""},
		"pings and not": {"\x89\x80abcd\x89\x80abcd\x01", "\x8a\x00\x8a\x00\x03"},
	}
	for i := range 300 {
		cases[fmt.Sprint("noise ", i)] = [2]string{noise(3000, 256), noise(3000, 256)}
		cases[fmt.Sprint("small bytes ", i)] = [2]string{noise(3000, 140), noise(3000, 140)}
	}
	for name, data := range cases {
		_, c := run([]decodetest.Step{{Dir: w, Data: data[0]}, {Dir: r, Data: data[1]}}, decode.Hint{MidStream: true}, decodetest.Whole)
		if c.Proto() == "websocket" {
			t.Errorf("%s is taken for one", name)
		}
	}
}
