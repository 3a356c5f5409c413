package content

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// TestMismatch: codings that are listed and not there, others than those listed, and
// names that are none. What was removed is told, and that it is not what was listed.
func TestMismatch(t *testing.T) {
	want := text(3000)
	gz, zl, raw := coded(t, "gzip", want), coded(t, "deflate", want), coded(t, "raw", want)
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe")
	tests := []struct {
		name    string
		listed  string
		wire    []byte
		out     []byte
		removed string
	}{
		{"plain text", "gzip", want, want, ""},
		{"plain text, deflate", "deflate", want, want, ""},
		{"plain text that begins as deflate might", "deflate", []byte("some text that is no deflate"), []byte("some text that is no deflate"), ""},
		{"plain text, br", "br", want, want, ""},
		{"plain text, zstd", "zstd", want, want, ""},
		{"a picture", "gzip", png, png, ""},
		{"once, listed twice", "gzip,gzip", gz, want, "gzip"},
		{"the inner one only", "gzip,deflate", gz, want, "gzip"},
		{"raw, the inner one only", "deflate,gzip", raw, want, "deflate"},
		{"the outer one only", "gzip,br", coded(t, "br", want), want, "br"},
		{"none of three", "gzip,br,zstd", want, want, ""},
		{"another", "gzip", coded(t, "zstd", want), want, "zstd"},
		{"zlib, not gzip", "gzip", zl, want, "deflate"},
		{"gzip, not deflate", "deflate", gz, want, "gzip"},
		{"gzip, not br", "br", gz, want, "gzip"},
		{"no name", "gzip x", gz, want, "gzip"},
		{"no name, raw", "x-deflate", raw, want, "deflate"},
		{"a byte inside, raw", "def\x00late;", raw, want, "deflate"},
		{"no name, then one", "lalala,gzip", coded(t, "gzip", zl), want, "deflate,gzip"},
		{"damaged behind a wrong name", "x gzip", gz[:len(gz)/2], nil, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := undo(strings.Split(tt.listed, ","), tt.wire, 1<<20)
			kind := ErrMismatch
			if tt.out == nil {
				tt.out, kind = r.out, ErrTruncated
			}
			if !bytes.Equal(r.out, tt.out) || r.cut || r.kind != kind || !bytes.HasPrefix(r.out, tt.out) {
				t.Errorf("%d bytes, cut %v, %q, want %d bytes", len(r.out), r.cut, r.kind, len(tt.out))
			}
			if got := strings.Join(r.removed, ","); got != tt.removed {
				t.Errorf("removed %q, want %q", got, tt.removed)
			}
		})
	}
}

// TestNoGuess: what is under the coding listed, or no one can tell under which, is
// not called another thing.
func TestNoGuess(t *testing.T) {
	want := text(3000)
	gz := coded(t, "gzip", want)
	noise := bytes.Repeat([]byte{0xfe, 0x01, 0x00, 0x9f, 0x80}, 100)
	for name, tt := range map[string]struct {
		listed string
		wire   []byte
		kind   decode.AnomalyKind
	}{
		"a gzip file in gzip":    {"gzip", coded(t, "gzip", gz), ""},
		"noise, gzip":            {"gzip", noise, ErrCorrupt},
		"noise, deflate":         {"deflate", noise, ErrCorrupt},
		"noise, unknown":         {"deflated", noise, ErrUnknown},
		"raw deflate, cut short": {"x-deflate", coded(t, "raw", want)[:200], ErrUnknown},
		"raw deflate of noise":   {"x-deflate", coded(t, "raw", noise), ErrUnknown},
		"text, unknown":          {"none", want, ErrUnknown},
	} {
		if r := undo(strings.Split(tt.listed, ","), tt.wire, 1<<20); r.kind != tt.kind || r.removed != nil {
			t.Errorf("%s: %q, removed %q, want %q", name, r.kind, r.removed, tt.kind)
		}
	}
}

// member returns gzip data whose header has the flags and what they announce.
func member(t *testing.T, flags byte, more string, b []byte) []byte {
	out := append([]byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3}, more...)
	out = append(out, coded(t, "raw", b)...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(b))
	return binary.LittleEndian.AppendUint32(out, uint32(len(b)))
}

// TestGzipHeader: every part of a header is passed over, and a wrong one is told.
func TestGzipHeader(t *testing.T) {
	want := text(9000)
	long := strings.Repeat("n", 20000)
	sum := func(flags byte, more string) string {
		head := append([]byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3}, more...)
		return more + string(binary.LittleEndian.AppendUint16(nil, uint16(crc32.ChecksumIEEE(head))))
	}
	for name, tt := range map[string]struct {
		flags byte
		more  string
		kind  decode.AnomalyKind
	}{
		"none":           {0, "", ""},
		"text":           {1, "", ""},
		"extra":          {4, "\x03\x00abc", ""},
		"empty extra":    {4, "\x00\x00", ""},
		"name":           {8, "file\x00", ""},
		"long name":      {8, long + "\x00", ""},
		"comment":        {16, "some words\x00", ""},
		"all":            {31, sum(31, "\x01\x00a"+long+"\x00c\x00"), ""},
		"checksum":       {2, sum(2, ""), ""},
		"wrong checksum": {2, "\x00\x00", ErrHeader},
		"reserved":       {0x20, "", ErrHeader},
		"reserved, all":  {0xe0 | 8, "a\x00", ErrHeader},
	} {
		wire := member(t, tt.flags, tt.more, want)
		if out, _, kind := Decode([]string{"gzip"}, wire, 1<<20); !bytes.Equal(out, want) || kind != string(tt.kind) {
			t.Errorf("%s: %d bytes, %q", name, len(out), kind)
		}
		head := len(wire) - len(coded(t, "raw", want)) - 8
		for _, at := range []int{10, (10 + head) / 2, head - 1} {
			if at < 10 || at >= head {
				continue
			}
			if out, _, kind := Decode([]string{"gzip"}, wire[:at], 1<<20); len(out) > 0 || kind != string(ErrTruncated) {
				t.Errorf("%s, cut at %d: %d bytes, %q", name, at, len(out), kind)
			}
		}
	}
}

// TestHinted: a header that is no Content-Encoding, and could be taken for one, is
// believed if the data proves it.
func TestHinted(t *testing.T) {
	want := text(3000)
	gz, raw := coded(t, "gzip", want), coded(t, "raw", want)
	odd := []decode.Anomaly{{Kind: "h1-control"}}
	for name, tt := range map[string]struct {
		field   decode.Field
		data    []byte
		removed []string
	}{
		"a control byte":      {decode.Field{Name: "Content-Encoding\v", Value: "gzip"}, gz, []string{"gzip"}},
		"NUL inside, raw":     {decode.Field{Name: "Content\x00-encoding", Value: "deflate"}, raw, []string{"deflate"}},
		"behind a bare CR":    {decode.Field{Name: "A", Value: "b\rContent-Encoding: deflate"}, raw, []string{"deflate"}},
		"without a value":     {decode.Field{Name: "Content-Encoding"}, gz, []string{"gzip"}},
		"not there":           {decode.Field{Name: "Content-Encoding\v", Value: "gzip"}, want, nil},
		"a gzip file as sent": {decode.Field{Name: "A", Value: "b\rContent-Type: gzip"}, gz, nil},
	} {
		for _, told := range []bool{true, false} {
			m := decode.Message{Kind: decode.Response, Proto: "HTTP/1.1", Header: []decode.Field{tt.field}, Body: decode.Body{Data: tt.data}}
			if told {
				m.Anomalies = odd
			}
			removed, out, kind := tt.removed, want, string(ErrMismatch)
			if !told || removed == nil {
				removed, out, kind = nil, tt.data, ""
			}
			Fill(&m, 1<<20)
			if diff := cmp.Diff(removed, m.Body.Codings); diff != "" || !bytes.Equal(m.Body.Content, out) || m.Body.ContentErr != kind {
				t.Errorf("%s, told %v: %d bytes, %q, codings %q", name, told, len(m.Body.Content), m.Body.ContentErr, m.Body.Codings)
			}
		}
	}
}
