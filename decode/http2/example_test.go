package http2_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/http2"
)

// The client's side of a connection: preface, SETTINGS, one GET.
func Example() {
	c := http2.New(decode.Write, decode.Limits{})
	bytes := http2.Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" +
		"\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x87\x84"
	for _, m := range c.Append(nil, decode.Chunk{Dir: decode.Write, Data: []byte(bytes)}) {
		fmt.Println(m.Stream, m.Method, m.Scheme, m.Target)
	}
	// Output: 1 GET https /
}
