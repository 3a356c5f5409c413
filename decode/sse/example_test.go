package sse_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/sse"
)

// An event is there with the blank line behind it; the response goes on.
func Example() {
	l := decode.Limits{}.WithDefaults()
	r := sse.New(&decode.Message{Kind: decode.Response}, &l)
	list := r.Append(nil, decode.Chunk{Data: []byte("event: price\ndata: 12\nda")})
	fmt.Println(len(list))
	list = r.Append(list, decode.Chunk{Data: []byte("ta: EUR\n\n: more to come\n")})
	fmt.Printf("%s %q\n", list[0].Type, list[0].Body.Data)
	// Output:
	// 0
	// price "12\nEUR"
}
