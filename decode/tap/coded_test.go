package tap_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// events returns what a server sends that compresses each event by itself, and the
// end of it.
func events(t testing.TB, coding string, texts ...string) []string {
	t.Helper()
	var out bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Flush() error
		Close() error
	}
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	}
	var list []string
	for _, text := range texts {
		fmt.Fprintf(w, "data: %s\n\n", text)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		list = append(list, out.String())
		out.Reset()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(list, out.String())
}

// TestCodedOpen: an event under a coding is there as soon as it has come.
func TestCodedOpen(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		wire := events(t, coding, "one", "two", strings.Repeat("three ", 5000))
		c := conn.New(decode.Limits{})
		c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte(get)})
		head := []byte(stream + "Content-Encoding: " + coding + "\r\n\r\n")
		c.Append(nil, decode.Chunk{Dir: s2c, Data: head})
		off := uint64(len(head))
		for i, w := range wire[:3] {
			at := decode.At{Seq: uint64(10 + i), Time: int64(100 + i)}
			got := c.Append(nil, decode.Chunk{Dir: s2c, At: at, Off: off, Data: []byte(w)})
			if off += uint64(len(w)); len(got) != 1 || got[0].Number != uint64(i+1) || got[0].End != at {
				t.Fatalf("%s: event %d: %s", coding, i+1, brief(got))
			}
		}
		c.Append(nil, decode.Chunk{Dir: s2c, Off: off, Data: []byte(wire[3])})
		end := c.End(nil, decode.At{}, true)
		if len(end) != 1 || end[0].Inners != 3 || len(end[0].Anomalies) != 0 {
			t.Errorf("%s: %s", coding, brief(end))
		}
	}
}

// TestCoded: what cannot be decoded is told; what was before it is given.
func TestCoded(t *testing.T) {
	wire := events(t, "gzip", "a", "b", "c")
	whole := strings.Join(wire, "")
	req := decodetest.Step{Dir: c2s, Data: get}
	resp := func(s string) decodetest.Step { return decodetest.Step{Dir: s2c, Data: s} }
	head := resp(stream + "Content-Encoding: gzip\r\n\r\n")
	three := `sse/1.1:message="a" sse/1.2:message="b" sse/1.3:message="c" `
	for name, tt := range map[string]struct {
		steps []decodetest.Step
		want  string
	}{
		"whole":    {[]decodetest.Step{req, head, resp(whole)}, three + `response(3)`},
		"a gap":    {[]decodetest.Step{req, head, resp(wire[0] + wire[1][:2]), {Dir: s2c, Gap: 3}, resp(wire[1][5:] + wire[2])}, `sse/1.1:message="a" response(1)+gap(gap)(inner-coded)`},
		"cut":      {[]decodetest.Step{req, head, resp(wire[0] + wire[1])}, `sse/1.1:message="a" sse/1.2:message="b" response(2)(inner-coded)`},
		"damaged":  {[]decodetest.Step{req, head, resp(wire[0] + "\xff\xff" + wire[1])}, `sse/1.1:message="a" response(1)(inner-coded)`},
		"transfer": {[]decodetest.Step{req, resp(stream + "Transfer-Encoding: gzip\r\n\r\n"), resp(whole)}, three + `response(3)`},
		"unknown":  {[]decodetest.Step{req, resp(stream + "Content-Encoding: aws\r\n\r\n"), resp(whole)}, `response(0)(inner-coded)`},
		"identity": {[]decodetest.Step{req, resp(stream + "Content-Encoding: identity\r\n\r\ndata: a\n\n")}, `sse/1.1:message="a" response(1)`},
	} {
		if got := strings.TrimPrefix(brief(run(t, tt.steps, decode.Limits{})), "request(0) "); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tt.want)
		}
	}
}

// TestCodedShed: what a decoder holds is counted, and given up when it is too much.
func TestCodedShed(t *testing.T) {
	wire := events(t, "gzip", "a", "b")
	c := conn.New(decode.Limits{Body: 10})
	c.Append(nil, decode.Chunk{Dir: c2s, Data: []byte(get)})
	head := stream + "Content-Encoding: gzip\r\n\r\n"
	c.Append(nil, decode.Chunk{Dir: s2c, Data: []byte(head + wire[0])})
	if c.Kept() < 32<<10 {
		t.Errorf("%d bytes kept with a window open", c.Kept())
	}
	c.Shed()
	if c.Kept() > 1<<10 {
		t.Errorf("%d bytes kept", c.Kept())
	}
	c.Append(nil, decode.Chunk{Dir: s2c, Off: uint64(len(head + wire[0])), Data: []byte(wire[1])})
	end := c.End(nil, decode.At{}, true)
	if got := brief(end); !strings.Contains(got, "inner-coded") || !strings.Contains(got, "response(1)") {
		t.Errorf("got %s", got)
	}
}
