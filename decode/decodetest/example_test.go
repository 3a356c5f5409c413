package decodetest_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/http1"
)

// However a stream is cut, the same messages come out.
func Example() {
	steps := []decodetest.Step{
		{Dir: decode.Write, Data: "GET /a HTTP/1.1\r\nHost: b\r\n\r\n"},
		{Dir: decode.Read, Data: "HTTP/1.1 204 No Content\r\n\r\n"},
	}
	for n := range uint64(3) {
		c := http1.New(decode.Write, decode.Limits{})
		list := decodetest.Feed(c, steps, decodetest.NumberedCut(n))
		list = c.End(list, decode.At{}, true)
		fmt.Println(list[0].Method, list[0].Target, list[1].Status)
	}
	// Output:
	// GET /a 204
	// GET /a 204
	// GET /a 204
}
