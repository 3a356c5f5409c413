package grpc_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/grpc"
)

// A message is there as soon as its last byte is, whatever follows.
func Example() {
	l := decode.Limits{}.WithDefaults()
	r := grpc.New(&decode.Message{Kind: decode.Request}, grpc.Plain, "", &l)
	list := r.Append(nil, decode.Chunk{Data: []byte("\x00\x00\x00\x00\x07\x0a\x05wor")})
	fmt.Println(len(list))
	list = r.Append(list, decode.Chunk{Data: []byte("ld\x00\x00")})
	text, _ := grpc.View(list[0].Body.Data)
	fmt.Print(string(text))
	// Output:
	// 0
	// 1: "world"
}
