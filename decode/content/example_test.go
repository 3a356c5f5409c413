package content_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode/content"
)

func ExampleDecode() {
	wire := []byte("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15")
	out, _, trouble := content.Decode([]string{"deflate"}, wire, 1<<20)
	fmt.Printf("%s %q\n", out, trouble)
	out, _, trouble = content.Decode([]string{"deflate"}, wire[:8], 1<<20)
	fmt.Printf("%s %q\n", out, trouble)
	// Output:
	// hello ""
	// hello "content-truncated"
}

func ExampleSniff() {
	s := content.Sniff([]byte("%PDF-1.7\n"))
	fmt.Println(s.Name, s.Class, s.MIME)
	// Output: PDF document Document application/pdf
}
