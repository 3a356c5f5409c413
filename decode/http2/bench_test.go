package http2

import (
	"fmt"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// benchTalk is n exchanges as a browser and a server have them: ten request
// fields, eight response fields, a body of about 1 KiB.
func benchTalk(b *testing.B, n int) []decodetest.Step {
	b.Helper()
	k := newTalk(b)
	body := make([]byte, 1024)
	for i := range n {
		id := uint32(1 + 2*i)
		// As much room as the body takes: the connection begins with 64 KiB.
		k.cl.frame(frameWindow, 0, 0, 0, 0, byte(len(body)>>8), 0)
		k.cl.block(id, true, ":method", "GET", ":scheme", "https", ":authority", "www.example.com",
			":path", fmt.Sprintf("/static/chunks/%d/main-%x.js?v=%d", i, i*7919, i%13),
			"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
			"accept", "*/*", "accept-encoding", "gzip, deflate, br, zstd",
			"referer", fmt.Sprintf("https://www.example.com/page/%d", i/20),
			"cookie", "session=0123456789abcdef; theme=dark", "x-request-id", fmt.Sprintf("%08x", i*2654435761))
		k.sv.block(id, false, ":status", "200", "content-type", "text/javascript", "server", "nginx",
			"content-length", "1024", "cache-control", "public, max-age=31536000", "vary", "accept-encoding",
			"etag", fmt.Sprintf("\"%x\"", i*40503), "date", "Mon, 01 Jan 2024 00:00:00 GMT")
		k.sv.data(id, true, body)
		if i%8 == 7 {
			k.flush()
		}
	}
	return k.flush().pieces
}

func BenchmarkAppend(b *testing.B) {
	const n = 2000
	pieces := benchTalk(b, n)
	size := int64(0)
	for _, p := range pieces {
		size += int64(len(p.Data))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	var out []decode.Message
	for b.Loop() {
		c := New(c2s, decode.Limits{})
		got := 0
		for _, p := range pieces {
			out = c.Append(out[:0], decode.Chunk{Dir: p.Dir, Data: []byte(p.Data)})
			got += len(out)
		}
		if got != 2*n {
			b.Fatalf("%d messages", got)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}
