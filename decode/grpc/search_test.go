package grpc

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestSearch: behind missing bytes the next messages are found, however bytes are
// cut, and it is said how much was passed over.
func TestSearch(t *testing.T) {
	one, two, three := "\x0a\x05hello\x10\x96\x01", "\x0a\x08a string", "\x08\x01\x12\x04text"
	half := "x\x00\x00"
	for _, tt := range []struct {
		name   string
		form   Form
		coding string
		first  string
		gap    int
		rest   string
		want   string
	}{
		{"two", Plain, "", frame(0, one) + "\x00\x00", decodetest.Unknown, half + frame(0, two) + frame(0, three), "1:10/10 2:10/10 3:8/8 (gap)(resync)"},
		{"a known gap over a boundary", Plain, "", frame(0, one)[:8], 20, half + frame(0, two) + frame(0, three), "1:3/3+gap+incomplete 2:10/10 3:8/8 (gap)(resync)"},
		{"at a boundary", Plain, "", "", decodetest.Unknown, frame(0, two) + frame(0, three), "1:10/10 2:8/8 (gap)"},
		{"one that the body ends with", Plain, "", "", decodetest.Unknown, half + frame(0, two), "1:10/10 (gap)(resync)"},
		{"one, and not at its end", Plain, "", "", decodetest.Unknown, half + frame(0, two) + "\x00", "(gap)"},
		{"an empty one between", Plain, "", "", decodetest.Unknown, half + frame(0, two) + frame(0, "") + frame(0, three), "1:10/10 2:0/0 3:8/8 (gap)(resync)"},
		{"compressed", Plain, "gzip", "", decodetest.Unknown, half + frame(1, "\x1f\x8b"+strings.Repeat("z", 30)) + frame(1, "\x1f\x8b"+strings.Repeat("z", 40)),
			"1:32/32+gzip 2:42/42+gzip (gap)(resync)"},
		{"not compressed, says the head", Plain, "", "", decodetest.Unknown, half + frame(1, "\x1f\x8b"+strings.Repeat("z", 30)) + frame(1, "\x1f\x8b"+strings.Repeat("z", 40)), "(gap)"},
		{"with trailers", Web, "", "", decodetest.Unknown, half + frame(0, two) + frame(0x80, "grpc-status: 0\r\n"), "1:10/10 (gap)(resync)"},
		{"base64", WebText, "", "", decodetest.Unknown, "AAAAAAVoZWxsbw==", "(gap)"},
		{"zeros", Plain, "", "", decodetest.Unknown, strings.Repeat("\x00", 300_000), "(gap)"},
		{"a text", Plain, "", "", decodetest.Unknown, strings.Repeat("some words ", 3000), "(gap)"},
	} {
		steps := []decodetest.Step{{Data: tt.first}, {Gap: tt.gap}, {Data: tt.rest}}
		if tt.first == "" {
			steps = steps[1:]
		}
		want, _, odd := play(steps, tt.form, tt.coding, decode.Limits{}, decode.Gapped, decodetest.Whole)
		if got := brief(want, odd); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
		for n := range uint64(4) {
			got, _, odd2 := play(steps, tt.form, tt.coding, decode.Limits{}, decode.Gapped, decodetest.NumberedCut(n+1))
			if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(odd, odd2) {
				t.Errorf("%s, cut %d: (-whole +cut)\n%s", tt.name, n+1, cmp.Diff(want, got))
			}
		}
	}
}

// TestSearchBounds: bytes each of which could begin a message take no more time and
// memory than others.
func TestSearchBounds(t *testing.T) {
	l := decode.Limits{}.WithDefaults()
	m := decode.Message{Kind: decode.Response}
	for name, text := range map[string]string{
		"short messages": strings.Repeat("\x00\x00\x00\x00\x01", 200_000),
		"long ones":      strings.Repeat("\x00\x00\x00\x7f\xff", 200_000),
		"nested":         strings.Repeat("\x00\x00\x00\x40\x0a\x02\x08", 200_000),
	} {
		r := New(&m, Plain, "", &l)
		r.Gap(nil, decode.Gap{})
		began, most := time.Now(), 0
		for at := 0; at < len(text); at += 100 {
			r.Append(nil, decode.Chunk{Data: []byte(text[at:min(at+100, len(text))])})
			most = max(most, r.Kept())
		}
		r.End(nil, &m, decode.At{})
		if took := time.Since(began); took > 5*time.Second || most > 1<<20 {
			t.Errorf("%s: %v, %d bytes held", name, took, most)
		}
	}
}

// TestSearchTimes: messages that were found carry the times their bytes came at.
func TestSearchTimes(t *testing.T) {
	l := decode.Limits{}.WithDefaults()
	m := decode.Message{Kind: decode.Response}
	r := New(&m, Plain, "", &l)
	r.Gap(nil, decode.Gap{})
	var out []decode.Message
	for i := range 3 {
		out = r.Append(out, decode.Chunk{Start: int64(10 + i), At: decode.At{Seq: uint64(i), Time: int64(100 + i)}, Data: []byte(frame(0, "\x0a\x08a string"))})
	}
	if len(out) != 3 {
		t.Fatalf("%d messages", len(out))
	}
	for i, m := range out {
		if m.Begin != int64(10+i) || m.End.Time != int64(100+i) || m.HeadEnd.Seq != uint64(i) {
			t.Errorf("message %d: %d %+v", i, m.Begin, m.End)
		}
	}
}
