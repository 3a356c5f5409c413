package websocket

import (
	"fmt"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// BenchmarkMessages decodes messages of a size, both directions, in chunks of 16 KiB.
func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{50, 1000, 100_000} {
		for _, deflate := range []bool{false, true} {
			b.Run(fmt.Sprintf("size=%d/deflate=%v", size, deflate), func(b *testing.B) {
				text := strings.Repeat(`{"type": "tick", "price": 12.75, "volume": 3199} `, size/49+1)[:size]
				var p packer
				var stream string
				for i := range 1 + 200_000/size {
					if deflate {
						stream += server(0xc1, p.pack(fmt.Sprint(i)+text))
					} else {
						stream += server(0x81, text)
					}
				}
				b.SetBytes(int64(1+200_000/size) * int64(size))
				b.ReportAllocs()
				for b.Loop() {
					c := New(Options{Client: c2s, Extensions: Extensions{Deflate: deflate}})
					var out []decode.Message
					for at := 0; at < len(stream); at += 16384 {
						out = c.Append(out[:0], decode.Chunk{Dir: s2c, Data: []byte(stream[at:min(at+16384, len(stream))])})
					}
				}
			})
		}
	}
}
