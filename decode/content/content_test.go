package content

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/decode"
)

// coded applies a coding.
func coded(t testing.TB, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, _ = flate.NewWriter(&out, 6)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		t.Fatalf("no coding %q", coding)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// text returns n bytes that compress as text does.
func text(n int) []byte {
	r := rand.New(rand.NewSource(1))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString([]string{"one ", "two ", "three ", "and ", "more\n"}[r.Intn(5)])
	}
	return b.Bytes()[:n]
}

func TestDecode(t *testing.T) {
	const limit = 1 << 20
	want := text(50000)
	gz := coded(t, "gzip", want)
	junk := []byte("\x00\x9f\x01\xff no coding's and no text\x00\x02")
	bad := bytes.Clone(gz)
	bad[len(bad)-6] ^= 1 // the checksum
	tests := []struct {
		name    string
		codings []string
		wire    []byte
		out     []byte
		kind    decode.AnomalyKind
	}{
		{"none", nil, want, want, ""},
		{"identity", []string{"identity"}, want, want, ""},
		{"gzip", []string{"gzip"}, gz, want, ""},
		{"any case", []string{"GZip"}, gz, want, ""},
		{"x-gzip in two members", []string{"x-gzip"}, append(coded(t, "gzip", want[:7]), coded(t, "gzip", want[7:])...), want, ""},
		{"empty member", []string{"gzip"}, append(coded(t, "gzip", nil), gz...), want, ""},
		{"deflate", []string{"deflate"}, coded(t, "deflate", want), want, ""},
		{"raw deflate", []string{"deflate"}, coded(t, "raw", want), want, ""},
		{"br", []string{"br"}, coded(t, "br", want), want, ""},
		{"zstd", []string{"zstd"}, coded(t, "zstd", want), want, ""},
		{"zstd in two frames", []string{"zstd"}, append(coded(t, "zstd", want[:7]), coded(t, "zstd", want[7:])...), want, ""},
		{"chain", []string{"gzip", "br", "identity", "zstd"}, coded(t, "zstd", coded(t, "br", gz)), want, ""},
		{"unknown", []string{"aws"}, junk, junk, ErrUnknown},
		{"unknown inside", []string{"aws", "gzip"}, gz, want, ErrUnknown},
		{"unknown outside", []string{"gzip", "aws"}, junk, junk, ErrUnknown},
		{"unknown, of text", []string{"utf-8"}, want, want, ErrUnknown},
		{"too many", []string{"gzip", "gzip", "gzip", "gzip", "gzip"}, gz, nil, ErrTooMany},
		{"empty", []string{"gzip"}, nil, []byte{}, ""},
		{"wrong checksum", []string{"gzip"}, bad, want, ErrCorrupt},
		{"not gzip", []string{"gzip"}, junk, []byte{}, ErrCorrupt},
		{"not zstd", []string{"zstd"}, junk, []byte{}, ErrCorrupt},
		{"one byte", []string{"gzip"}, gz[:1], []byte{}, ErrTruncated},
		{"trailing", []string{"gzip"}, append(bytes.Clone(gz), "junk"...), want, ErrTrailing},
		{"trailing, raw", []string{"deflate"}, append(coded(t, "raw", want), "junk"...), want, ErrTrailing},
		{"window", []string{"zstd"}, []byte("\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"), []byte{}, ErrWindow},
		{"broken within", []string{"gzip", "br"}, coded(t, "br", junk), []byte{}, ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, cut, kind := Decode(tt.codings, tt.wire, limit)
			if !bytes.Equal(out, tt.out) || cut || kind != string(tt.kind) {
				t.Errorf("got %d bytes, cut %v, %q, want %d bytes, %q", len(out), cut, kind, len(tt.out), tt.kind)
			}
		})
	}
}

// TestTruncated: whatever is cut off, what comes out is a beginning, most of
// it, and never called whole.
func TestTruncated(t *testing.T) {
	want := text(200000)
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		wire := coded(t, coding, want)
		name := strings.Replace(coding, "raw", "deflate", 1)
		for _, at := range []int{1, 2, 5, 10, 11, len(wire) / 2, len(wire) * 6 / 10, len(wire) - 9, len(wire) - 1} {
			out, cut, kind := Decode([]string{name}, wire[:at], 1<<20)
			if cut || kind != string(ErrTruncated) || !bytes.HasPrefix(want, out) {
				t.Errorf("%s cut at %d of %d: %d bytes, cut %v, %q", coding, at, len(wire), len(out), cut, kind)
			}
			if coding != "zstd" && at > len(wire)/2 && len(out) < len(want)/4 {
				t.Errorf("%s cut at %d of %d: only %d bytes", coding, at, len(wire), len(out))
			}
		}
	}
}

func TestLimit(t *testing.T) {
	big := make([]byte, 8<<20)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		wire := coded(t, coding, big)
		for _, limit := range []int{1, 4095, 1 << 16, len(big) - 1} {
			out, cut, kind := Decode([]string{coding}, wire, limit)
			if len(out) != limit || cap(out) > limit || !cut || kind != "" {
				t.Errorf("%s: %d bytes of room for %d, cut %v, %q, want %d", coding, cap(out), len(out), cut, kind, limit)
			}
		}
		if out, cut, kind := Decode([]string{coding}, wire, len(big)); len(out) != len(big) || cut || kind != "" {
			t.Errorf("%s: at the limit exactly: %d bytes, cut %v, %q", coding, len(out), cut, kind)
		}
		// The outer layer alone would grow beyond any limit, the inner yields nothing of it.
		if out, cut, _ := Decode([]string{"gzip", coding}, wire, 1000); len(out) != 0 || cut {
			t.Errorf("%s in gzip: %d bytes, cut %v", coding, len(out), cut)
		}
	}
	if out, cut, kind := Decode([]string{"gzip"}, coded(t, "gzip", big), -5); len(out) != 0 || !cut || kind != "" {
		t.Errorf("negative limit: %d bytes, cut %v, %q", len(out), cut, kind)
	}
}

func TestCodings(t *testing.T) {
	header := []decode.Field{
		{Name: "Content-Type", Value: "gzip"},
		{Name: "content-ENCODING", Value: " GZIP ,, br"},
		{Name: "Content-Encoding", Value: "secret", Unknown: true},
		{Name: "Content-Encoding", Value: "zstd"},
	}
	if diff := cmp.Diff([]string{"GZIP", "br", "zstd"}, Codings(header)); diff != "" {
		t.Errorf("codings (-want +got):\n%s", diff)
	}
	many := []decode.Field{{Name: "Content-Encoding", Value: strings.Repeat("gzip,", 100000)}}
	if n := len(Codings(many)); n != listMax {
		t.Errorf("%d codings listed, want %d", n, listMax)
	}
}

func TestFill(t *testing.T) {
	want := text(5000)
	gz := coded(t, "gzip", want)
	ce := []decode.Field{{Name: "Content-Encoding", Value: "gzip"}}
	te := func(v string) []decode.Field { return []decode.Field{{Name: "Transfer-Encoding", Value: v}} }
	tests := []struct {
		name    string
		m       decode.Message
		limit   int
		codings []string
		content []byte
		err     string
	}{
		{"off", decode.Message{Kind: decode.Response, Header: ce, Body: decode.Body{Data: gz}}, 0, nil, nil, ""},
		{"no message", decode.Message{Kind: decode.Opaque, Header: ce, Body: decode.Body{Data: gz}}, 9000, nil, nil, ""},
		{"no coding", decode.Message{Kind: decode.Request, Body: decode.Body{Data: want}}, 10, nil, want, ""},
		{"gzip", decode.Message{Kind: decode.Response, Header: ce, Body: decode.Body{Data: gz}}, 9000, []string{"gzip"}, want, ""},
		{"to HEAD", decode.Message{Kind: decode.Response, Header: ce}, 9000, []string{"gzip"}, nil, ""},
		{"transfer coding", decode.Message{Kind: decode.Response, Proto: "HTTP/1.1", Header: te("gzip, Chunked"), Body: decode.Body{Data: gz}}, 9000, []string{"gzip"}, want, ""},
		{"chunked only", decode.Message{Kind: decode.Response, Proto: "HTTP/1.1", Header: te("chunked"), Body: decode.Body{Data: want}}, 9000, nil, want, ""},
		{"transfer coding in HTTP/2", decode.Message{Kind: decode.Response, Proto: "HTTP/2", Header: te("gzip"), Body: decode.Body{Data: want}}, 9000, nil, want, ""},
		{"gap first", decode.Message{Kind: decode.Response, Header: ce, Body: decode.Body{Data: gz[9:], Gaps: []decode.Span{{Len: 9}}}}, 9000, []string{"gzip"}, nil, "gap"},
		{"cut before it could start", decode.Message{Kind: decode.Response, Header: ce, Body: decode.Body{Data: nil, Cut: true}}, 9000, []string{"gzip"}, nil, "limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			Fill(&tt.m, tt.limit)
			b := tt.m.Body
			if diff := cmp.Diff(tt.codings, b.Codings); diff != "" || !bytes.Equal(b.Content, tt.content) || b.ContentErr != tt.err {
				t.Errorf("codings %v, %d bytes, %q", b.Codings, len(b.Content), b.ContentErr)
			}
		})
	}
	for name, b := range map[string]decode.Body{
		"gap":   {Data: append(bytes.Clone(gz[:300]), gz[310:]...), Gaps: []decode.Span{{Off: 300, Len: 10}}},
		"limit": {Data: gz[:300], Cut: true},
	} {
		m := decode.Message{Kind: decode.Response, Header: ce, Body: b}
		Fill(&m, 9000)
		if got := m.Body; got.ContentErr != name || len(got.Content) < 50 || !bytes.HasPrefix(want, got.Content) {
			t.Errorf("%s: %d bytes, %q", name, len(got.Content), got.ContentErr)
		}
	}
}

// FuzzDecode wants no panic, nothing beyond the limit, and the same answer twice.
func FuzzDecode(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		f.Add(coding, coded(f, coding, text(300)), uint16(1000))
	}
	f.Add("gzip,br", coded(f, "br", coded(f, "gzip", text(300))), uint16(100))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"), uint16(9))
	f.Fuzz(func(t *testing.T, codings string, wire []byte, limit uint16) {
		list := Codings([]decode.Field{{Name: "Content-Encoding", Value: codings}})
		out, cut, kind := Decode(list, wire, int(limit))
		if len(out) > int(limit) || cut && kind == "" && len(out) > int(limit) {
			t.Errorf("%d bytes, limit %d", len(out), limit)
		}
		again, cut2, kind2 := Decode(list, wire, int(limit))
		if !bytes.Equal(out, again) || cut != cut2 || kind != kind2 {
			t.Errorf("%d bytes, %v, %q, then %d bytes, %v, %q", len(out), cut, kind, len(again), cut2, kind2)
		}
	})
}

// BenchmarkDecode shows what a small and a large body cost.
func BenchmarkDecode(b *testing.B) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		for _, size := range []int{1000, 100000} {
			wire := coded(b, coding, text(size))
			b.Run(coding, func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if out, _, kind := Decode([]string{coding}, wire, 1<<20); len(out) != size || kind != "" {
						b.Fatal(kind)
					}
				}
			})
		}
	}
}

// TestDamaged flips bits all over coded data: never a panic, never more than
// the limit, and what is not noticed is not changed.
func TestDamaged(t *testing.T) {
	want := text(3000)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		wire := coded(t, coding, want)
		silent := 0
		for at := range wire {
			bad := bytes.Clone(wire)
			bad[at] ^= 1 << (at % 8)
			out, _, kind := Decode([]string{coding}, bad, 4000)
			if len(out) > 4000 {
				t.Errorf("%s damaged at %d: %d bytes", coding, at, len(out))
			}
			if kind == "" && !bytes.Equal(out, want) {
				silent++
			}
		}
		// brotli has no checksum; the others do.
		if coding != "br" && silent > 0 {
			t.Errorf("%s: damage went unnoticed at %d of %d places", coding, silent, len(wire))
		}
	}
}

// TestInnerLimit: a layer that feeds another is held to the limit too.
func TestInnerLimit(t *testing.T) {
	const limit = 1 << 20
	inner := coded(t, "gzip", nil) // an empty member yields nothing, however many there are
	flood := bytes.Repeat(inner, (innerLimit(limit)+1<<20)/len(inner))
	out, cut, kind := Decode([]string{"gzip", "gzip"}, coded(t, "gzip", flood), limit)
	if len(out) != 0 || !cut && kind == "" {
		t.Errorf("%d bytes, cut %v, %q: a flood of empty members is called whole", len(out), cut, kind)
	}
	for _, limit := range []int{0, 1, 1 << 30, 1<<63 - 1} {
		if got := innerLimit(limit); got < limit {
			t.Errorf("inner limit %d for %d", got, limit)
		}
	}
}

func TestZlibHeader(t *testing.T) {
	for _, level := range []int{0, 1, 6, 9} {
		var b bytes.Buffer
		w, err := zlib.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text(100)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !zlibHeader(b.Bytes()) {
			t.Errorf("zlib at level %d is taken for raw deflate", level)
		}
		var raw bytes.Buffer
		fw, err := flate.NewWriter(&raw, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fw.Write(text(100)); err != nil {
			t.Fatal(err)
		}
		if err := fw.Close(); err != nil {
			t.Fatal(err)
		}
		if zlibHeader(raw.Bytes()) {
			t.Errorf("raw deflate at level %d is taken for zlib", level)
		}
	}
}

// TestMembersInPieces: gzip members of many sizes, some empty, are one body.
func TestMembersInPieces(t *testing.T) {
	want := text(20000)
	var wire []byte
	for from, n := 0, 0; from < len(want); from, n = from+n, n*2+1 {
		wire = append(wire, coded(t, "gzip", want[from:min(len(want), from+n)])...)
	}
	out, cut, kind := Decode([]string{"gzip"}, wire, 1<<20)
	if !bytes.Equal(out, want) || cut || kind != "" {
		t.Errorf("%d bytes of %d, cut %v, %q", len(out), len(want), cut, kind)
	}
}
