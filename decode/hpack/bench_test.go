package hpack

import (
	"bytes"
	"fmt"
	"testing"

	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
)

// benchBlocks are the header blocks of a browser's requests.
func benchBlocks(b *testing.B) (blocks [][]byte, size int64) {
	b.Helper()
	var buf bytes.Buffer
	e := xhpack.NewEncoder(&buf)
	for i := range 1000 {
		for _, f := range []xhpack.HeaderField{
			{Name: ":method", Value: "GET"},
			{Name: ":scheme", Value: "https"},
			{Name: ":authority", Value: "www.example.com"},
			{Name: ":path", Value: fmt.Sprintf("/static/chunks/%d/main-%x.js?v=%d", i, i*7919, i%13)},
			{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
			{Name: "accept", Value: "*/*"},
			{Name: "accept-encoding", Value: "gzip, deflate, br, zstd"},
			{Name: "referer", Value: fmt.Sprintf("https://www.example.com/page/%d", i/20)},
			{Name: "cookie", Value: "session=0123456789abcdef; theme=dark"},
			{Name: "x-request-id", Value: fmt.Sprintf("%08x-%04x", i*2654435761, i), Sensitive: i%2 == 0},
		} {
			if err := e.WriteField(f); err != nil {
				b.Fatal(err)
			}
		}
		blocks = append(blocks, bytes.Clone(buf.Bytes()))
		size += int64(buf.Len())
		buf.Reset()
	}
	return blocks, size
}

func BenchmarkDecode(b *testing.B) {
	blocks, size := benchBlocks(b)
	b.Run("spliff", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		var fs []decode.Field
		for b.Loop() {
			d := New(Options{})
			for _, block := range blocks {
				fs, _ = d.Decode(fs[:0], block)
			}
		}
	})
	b.Run("xnet", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		var fs []xhpack.HeaderField
		for b.Loop() {
			d := xhpack.NewDecoder(4096, func(f xhpack.HeaderField) { fs = append(fs, f) })
			for _, block := range blocks {
				fs = fs[:0]
				if _, err := d.Write(block); err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
