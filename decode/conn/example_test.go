package conn_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
)

// A server's side of a connection: what it reads are requests.
func Example() {
	c := conn.New(decode.Limits{})
	var out []decode.Message
	out = c.Append(out, decode.Chunk{Dir: decode.Read, Data: []byte("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")})
	out = c.Append(out, decode.Chunk{Dir: decode.Write, Data: []byte("HTTP/1.1 204 No Content\r\n\r\n")})
	fmt.Println(c.Proto(), c.Role() == decode.RoleServer)
	for _, m := range out {
		fmt.Println(m.Exchange, m.Method, m.Target, m.Status)
	}
	// Output:
	// http/1 true
	// 1 GET /a 0
	// 1   204
}
