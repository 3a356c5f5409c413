package arena_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/http1"
)

// A decoder takes the memory of its messages from an arena, and whoever is done with
// them gives it back.
func Example() {
	var a arena.Arena
	c := http1.New(decode.Write, decode.Limits{})
	c.SetArena(&a)
	var list []decode.Message
	for _, path := range []string{"/a", "/b"} {
		list = c.Append(list[:0], decode.Chunk{Data: []byte("GET " + path + " HTTP/1.1\r\nHost: example.com\r\n\r\n")})
		fmt.Println(list[0].Target, list[0].Authority)
		a.Recycle(&list[0])
	}
	// Output:
	// /a example.com
	// /b example.com
}
