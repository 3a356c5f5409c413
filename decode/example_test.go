package decode_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/http1"
)

// A server that answers before it was asked: the decoder says so and goes on.
func Example() {
	c := http1.New(decode.Read, decode.Limits{}) // requests are read: the process is the server
	list := c.Append(nil, decode.Chunk{Dir: decode.Write, Data: []byte("HTTP/1.1 408 Request Timeout\nContent-Length: 0\n\n")})
	for _, a := range list[0].Anomalies {
		fmt.Println(list[0].Status, a.Kind)
	}
	// Output:
	// 408 h1-bare-lf
	// 408 no-request
}
