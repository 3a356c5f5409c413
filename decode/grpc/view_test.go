package grpc

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestView(t *testing.T) {
	tests := []struct {
		name, in, want string
		ok             bool
	}{
		{"nothing", "", "", true},
		{"varint", "\x08\x96\x01", "1: 150\n", true},
		{"negative", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "1: 18446744073709551615  # -1\n", true},
		{"string", "\x12\x07testing", "2: \"testing\"\n", true},
		{"empty string", "\x12\x00", "2: \"\"\n", true},
		{"string with quotes", "\x12\x04a\"\nb", "2: \"a\\\"\\nb\"\n", true},
		{"nested", "\x1a\x03\x08\x96\x01", "3 {\n  1: 150\n}\n", true},
		{"nested twice", "\x1a\x05\x1a\x03\x08\x96\x01", "3 {\n  3 {\n    1: 150\n  }\n}\n", true},
		{"bytes", "\x1a\x03\xff\x00\x01", "3: 3 bytes ff0001\n", true},
		{"double", "\x21\x00\x00\x00\x00\x00\x00\xf8\x3f", "4: 0x3ff8000000000000  # 1.5\n", true},
		{"fixed64 that is no number", "\x21\x01\x02\x03\x04\x05\x06\x07\xff", "4: 0xff07060504030201\n", true},
		{"float", "\x2d\x00\x00\x80\x3f", "5: 0x3f800000  # 1\n", true},
		{"group", "\x33\x08\x01\x34", "6 {\n  1: 1\n}\n", true},
		{"group that is not closed", "\x33\x08\x01", "", false},
		{"group closed by another", "\x33\x08\x01\x3c", "", false},
		{"end without a beginning", "\x34", "", false},
		{"field 0", "\x00\x01", "", false},
		{"field too high", "\x80\x80\x80\x80\x10\x01", "", false},
		{"cut varint", "\x08\x96", "", false},
		{"varint that is too long", "\x08" + strings.Repeat("\xff", 11), "", false},
		{"cut bytes", "\x12\x07test", "", false},
		{"length that wraps", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "", false},
		{"wire type 6", "\x0e", "", false},
		{"text", "hello", "", false},
	}
	for _, tt := range tests {
		got, ok := View([]byte(tt.in))
		if string(got) != tt.want || ok != tt.ok {
			t.Errorf("%s: %q %v, want %q %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// TestViewBounds: depth and length, whatever the message.
func TestViewBounds(t *testing.T) {
	deep := []byte{0x08, 0x01}
	for range 60 {
		deep = append([]byte{0x0a, byte(len(deep))}, deep...)
	}
	for name, in := range map[string][]byte{
		"deep":        deep,
		"groups":      bytes.Repeat([]byte{0x0b}, 1<<20),
		"many":        bytes.Repeat([]byte{0x08, 0x01}, 1<<20),
		"long string": append([]byte{0x0a, 0x80, 0x80, 0x40}, bytes.Repeat([]byte("é"), 1<<19)...),
		"long bytes":  append([]byte{0x0a, 0x80, 0x80, 0x40}, bytes.Repeat([]byte{0xff}, 1<<20)...),
	} {
		got, _ := View(in)
		if len(got) > viewBytes+4*viewString+viewDepth*viewDepth*4 {
			t.Errorf("%s: %d bytes of text", name, len(got))
		}
	}
}

func FuzzView(f *testing.F) {
	f.Add([]byte("\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x33\x08\x01\x34"))
	f.Add([]byte("\x21\x00\x00\x00\x00\x00\x00\xf8\x3f\x2d\x00\x00\x80\x3f\x1a\x03\xff\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := View(b)
		if !ok && text != nil || len(text) > viewBytes+4*viewString+viewDepth*viewDepth*4 {
			t.Errorf("%d bytes of text, ok %v", len(text), ok)
		}
		if !utf8.Valid(text) || strings.ContainsFunc(string(text), func(r rune) bool { return r < ' ' && r != '\n' }) {
			t.Errorf("text has control bytes: %q", text)
		}
	})
}
