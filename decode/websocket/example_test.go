package websocket_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// The frames of RFC 6455 §5.7: what a client says, in one frame, and what a server
// says, in two.
func Example() {
	c := websocket.New(websocket.Options{Client: decode.Write, Exchange: 1})
	var out []decode.Message
	out = c.Append(out, decode.Chunk{Dir: decode.Write, Data: []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")})
	out = c.Append(out, decode.Chunk{Dir: decode.Read, Data: []byte("\x01\x03Hel\x80\x02lo\x88\x02\x03\xe8")})
	for _, m := range out {
		fmt.Printf("%v %d %s %q %d\n", m.Dir == decode.Write, m.Number, m.Type, m.Body.Data, m.Status)
	}
	// Output:
	// true 1 text "Hello" 0
	// false 1 text "Hello" 0
	// false 2 close "" 1000
}
