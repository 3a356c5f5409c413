package hpack_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode/hpack"
)

// A connection joined late: the first block refers to an entry inserted before.
func Example() {
	d := hpack.New(hpack.Options{})
	d.Forget()
	fields, res := d.Decode(nil, []byte("\x82\xbe\x40\x03foo\x03bar"))
	for _, f := range fields {
		fmt.Println(f.Name, f.Value, f.Unknown)
	}
	fmt.Println(res.Unknown)
	// Output:
	// :method GET false
	// ‹unknown› ‹unknown› true
	// foo bar false
	// 1
}
