package tap_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/tap"
)

// FuzzTap reads a body of every kind there is a tap for, under any codings, whole and
// cut, with a gap somewhere, and wants the same messages within the limit.
func FuzzTap(f *testing.F) {
	f.Add("text/event-stream", "", []byte("data: a\n\nevent: b\ndata: c\n\n"), uint16(9), int8(2), uint64(3))
	for _, coding := range []string{"gzip", "br", "zstd"} {
		f.Add("text/event-stream", coding, []byte(strings.Join(events(f, coding, "one", "two"), "")), uint16(30), int8(0), uint64(4))
	}
	f.Add("application/grpc", "", []byte("\x00\x00\x00\x00\x02\x08\x01\x00\x00\x00\x00\x04\x0a\x02hi"), uint16(3), int8(-1), uint64(5))
	f.Add("application/grpc-web-text", "identity", []byte("AAAAAAVoZWxsbw=="), uint16(4), int8(0), uint64(6))
	f.Fuzz(func(t *testing.T, kind, codings string, body []byte, at uint16, gap int8, seed uint64) {
		l := decode.Limits{Inner: 50}.WithDefaults()
		m := decode.Message{Kind: decode.Response, Dir: s2c, Exchange: 1, Proto: "HTTP/1.1", Header: []decode.Field{
			{Name: "Content-Type", Value: kind}, {Name: "Content-Encoding", Value: codings}}}
		k := min(int(at), len(body))
		steps := []decodetest.Step{{Dir: s2c, Data: string(body[:k])}, {Dir: s2c, Gap: int(max(gap, decodetest.Unknown))}, {Dir: s2c, Data: string(body[k:])}}
		play := func(cut decodetest.Cut) ([]decode.Message, []decode.Anomaly) {
			m := m
			tp := tap.Open(&m, &l)
			if tp == nil {
				return nil, nil
			}
			return tp.End(decodetest.Feed(tp, steps, cut), &m, decode.At{})
		}
		want, odd := play(decodetest.Whole)
		for _, cut := range []decodetest.Cut{decodetest.Single, decodetest.Random(seed, 20)} {
			if got, odd2 := play(cut); !reflect.DeepEqual(want, got) || !reflect.DeepEqual(odd, odd2) {
				t.Fatalf("cuts differ (-whole +cut):\n%s%s", cmp.Diff(want, got), cmp.Diff(odd, odd2))
			}
		}
		for _, m := range want {
			if m.Kind != decode.Inner || m.Exchange != 1 || len(m.Body.Data) > 50 {
				t.Errorf("%+v", m)
			}
		}
	})
}
