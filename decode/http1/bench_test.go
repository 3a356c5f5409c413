package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// benchBytes returns n exchanges with heads as browsers and servers send them
// and a body of the given size, in each direction's bytes.
func benchBytes(n, size int) (c2sBytes, s2cBytes []byte) {
	var c, s bytes.Buffer
	body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
	for i := range n {
		fmt.Fprintf(&c, "GET /api/v1/items/%d?page=2 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n"+
			"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"+
			"Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n", i)
		fmt.Fprintf(&s, "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\nConnection: keep-alive\r\nCache-Control: no-store\r\nX-Request-Id: %08x\r\n\r\n%s", size, i, body)
	}
	return c.Bytes(), s.Bytes()
}

const benchExchanges = 1000

func BenchmarkConn(b *testing.B) {
	for _, size := range []int{100, 1500, 20000} {
		c2sBytes, s2cBytes := benchBytes(benchExchanges, size)
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(c2sBytes) + len(s2cBytes)))
			b.ReportAllocs()
			var out []decode.Message
			for b.Loop() {
				c := New(c2s, decode.Limits{})
				n := 0
				// As records arrive: at most 16 KiB at a time, a batch of requests first.
				for _, half := range []decode.Chunk{{Dir: c2s, Data: c2sBytes}, {Dir: s2c, Data: s2cBytes}} {
					for p := half.Data; len(p) > 0; {
						k := min(len(p), 16<<10)
						out = c.Append(out[:0], decode.Chunk{Dir: half.Dir, Data: p[:k]})
						n += len(out)
						p = p[k:]
					}
				}
				if n != 2*benchExchanges {
					b.Fatalf("%d messages", n)
				}
			}
			b.ReportMetric(float64(b.N)*benchExchanges/b.Elapsed().Seconds(), "exchanges/s")
		})
	}
}

// BenchmarkNetHTTP reads the same bytes with the standard library.
func BenchmarkNetHTTP(b *testing.B) {
	c2sBytes, s2cBytes := benchBytes(benchExchanges, 1500)
	b.SetBytes(int64(len(c2sBytes) + len(s2cBytes)))
	b.ReportAllocs()
	for b.Loop() {
		cr, sr := bufio.NewReader(bytes.NewReader(c2sBytes)), bufio.NewReader(bytes.NewReader(s2cBytes))
		for range benchExchanges {
			r, err := http.ReadRequest(cr)
			if err != nil {
				b.Fatal(err)
			}
			resp, err := http.ReadResponse(sr, r)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*benchExchanges/b.Elapsed().Seconds(), "exchanges/s")
}
