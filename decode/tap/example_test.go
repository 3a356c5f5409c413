package tap_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/tap"
)

func ExampleOpen() {
	head := decode.Message{Kind: decode.Response, Header: []decode.Field{{Name: "content-type", Value: "text/event-stream"}}}
	l := decode.Limits{}.WithDefaults()
	t := tap.Open(&head, &l)
	for _, m := range t.Append(nil, decode.Chunk{Data: []byte("data: first\n\ndata: sec")}) {
		fmt.Println(m.Proto, m.Number, string(m.Body.Data))
	}
	// Output: sse 1 first
}
