package http1_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/http1"
)

func Example() {
	c := http1.New(decode.Write, decode.Limits{}) // the recorded process is the client
	var list []decode.Message
	list = c.Append(list, decode.Chunk{Dir: decode.Write, Data: []byte("GET /hello HTTP/1.1\r\nHost: a.test\r\n\r\n")})
	list = c.Append(list, decode.Chunk{Dir: decode.Read, Data: []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")})
	list = c.Append(list, decode.Chunk{Dir: decode.Read, Data: []byte("\r\nhello")})
	list = c.End(list, decode.At{}, true)
	for _, m := range list {
		fmt.Printf("%d %s%s %s%s%s\n", m.Exchange, m.Method, m.Reason, m.Authority, m.Target, m.Body.Data)
	}
	// Output:
	// 1 GET a.test/hello
	// 1 OK hello
}
