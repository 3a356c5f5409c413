package http1

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// FuzzConn plays a conversation whole and cut, with a gap somewhere, under
// small limits, and wants the same messages.
func FuzzConn(f *testing.F) {
	f.Add([]byte(get+get), []byte(ok+none), int64(1), uint16(0), int8(0))
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"), []byte("HTTP/1.0 200 OK\r\n\r\nabc"), int64(2), uint16(50), int8(3))
	f.Add([]byte("CONNECT a:1 HTTP/1.1\r\n\r\n\x16\x03"), []byte("HTTP/1.1 200 OK\r\n\r\n\x16"), int64(3), uint16(30), int8(-1))
	f.Add([]byte("GET / HTTP/1.1\nUpgrade: h2c\n\n"), []byte("HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n"), int64(4), uint16(9), int8(1))
	f.Add([]byte(" junk\r\nGET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n"), []byte("xHTTP/1.1 103 E\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n"+ok), int64(5), uint16(70), int8(9))
	f.Add([]byte(get), []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\nid: 1\ndata: bcdefg\r\n\r\n"), int64(6), uint16(60), int8(3))
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Type: application/grpc-web\r\nContent-Length: 13\r\n\r\n\x00\x00\x00\x00\x03abc\x80\x00\x00\x00\x00"), []byte(ok), int64(7), uint16(9), int8(0))
	// What is read although it breaks the rules.
	f.Add([]byte("GET /\n"), []byte("<html>\n</html>"), int64(8), uint16(3), int8(0))
	f.Add([]byte("GET HTTP/1.1\r\n\r\n"+get), []byte("HTTP/1.1 2xx\rTransfer-Encoding: chunked\r\n\r\n5 x\r\nhello\r\n\r\n0\r\n\r\n"), int64(9), uint16(60), int8(0))
	f.Add([]byte(get), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding\r\n : xchunked\nContent-Encoding\v: gzip\r\n \n5\r\nhello\r\n0\r\n\r\n"), int64(10), uint16(90), int8(0))
	f.Fuzz(func(t *testing.T, c2sBytes, s2cBytes []byte, seed int64, at uint16, gap int8) {
		acts := []decodetest.Step{{Dir: c2s, Data: string(c2sBytes)}}
		k := min(int(at), len(s2cBytes))
		acts = append(acts, decodetest.Step{Dir: s2c, Data: string(s2cBytes[:k])}, decodetest.Step{Dir: s2c, Gap: int(max(gap, decodetest.Unknown))},
			decodetest.Step{Dir: c2s, Data: string(s2cBytes)}, decodetest.Step{Dir: s2c, Data: string(s2cBytes[k:])})
		for _, l := range []decode.Limits{{Content: 1 << 16}, {Head: 60, Fields: 2, Body: 5, Pipeline: 2, Gaps: 1, Anomalies: 2}} {
			want := play(New(c2s, l), acts, decodetest.Whole, true)
			got := play(New(c2s, l), acts, decodetest.Random(uint64(seed), 20), true)
			if diff := cmp.Diff(want, got, sameBytes); diff != "" {
				t.Fatalf("cuts differ (-whole +cut):\n%s", diff)
			}
			for range warm {
				got = play(known(l), acts, decodetest.Random(uint64(seed), 400), true)
				if diff := cmp.Diff(want, got, sameBytes); diff != "" {
					t.Fatalf("with an arena other messages than without (-without +with):\n%s", diff)
				}
			}
			check(t, want, l)
		}
	})
}

// check holds what is true of any output.
func check(t *testing.T, list []decode.Message, l decode.Limits) {
	t.Helper()
	l = l.WithDefaults()
	seen := map[[2]uint32]bool{}
	for _, m := range list {
		b := m.Body
		if m.Kind == decode.Opaque && len(b.Data) <= opaqueHead && uint64(len(b.Data)) <= b.Size {
			continue
		}
		if len(b.Data) > l.Body || uint64(len(b.Data)) > b.Size-b.Lost || b.Lost > b.Size || len(b.Gaps) > l.Gaps {
			t.Errorf("body %d of %d bytes, %d lost", len(b.Data), b.Size, b.Lost)
		}
		if len(m.Header) > l.Fields || len(m.Anomalies) > l.Anomalies+1 {
			t.Errorf("%d fields, %d anomalies", len(m.Header), len(m.Anomalies))
		}
		if m.Kind == decode.Notice || m.Kind == decode.Inner {
			continue
		}
		id := [2]uint32{m.Exchange, uint32(m.Kind)}
		if m.Exchange == 0 || seen[id] {
			t.Errorf("exchange %d has two messages of kind %d, or no number", m.Exchange, m.Kind)
		}
		seen[id] = true
		if m.Flags&decode.Incomplete != 0 && len(m.Anomalies) == 0 {
			t.Errorf("incomplete without a reason: %q", brief(m))
		}
	}
}
