package grpc

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"
)

const (
	// viewDepth is how deep nested messages are followed. Nesting costs two bytes a
	// level, and each level is looked at twice.
	viewDepth = 16
	// viewBytes is the most text a view has before it ends in an ellipsis.
	viewBytes = 64 << 10
	// viewString is the most shown of one string or of bytes.
	viewString = 512
	// fieldMax is the highest field number of protobuf.
	fieldMax = 1<<29 - 1
)

// View writes a protobuf message as text without knowing its schema, a field a
// line, as protoc --decode_raw does:
//
//	1: "a string"
//	2 {
//	  1: 150
//	}
//	3: 0x3ff0000000000000  # 1
//
// Bytes are taken for a string if they are printable UTF-8, else for a message if
// they parse as one to their end, else shown in hex. ok is false if b itself does
// not parse. The text is bounded whatever b is, has no control characters, and
// quotes what was captured.
func View(b []byte) (text []byte, ok bool) {
	if !parses(b, viewDepth) {
		return nil, false
	}
	v := view{}
	v.message(b, 0)
	if v.full {
		v.out = append(v.out, "…\n"...)
	}
	return v.out, true
}

// token is one field: its number, wire type, and value.
type token struct {
	field uint64
	typ   byte
	n     uint64 // varint, fixed64, fixed32
	b     []byte // length-delimited
}

// Wire types (protobuf.dev/programming-guides/encoding). Groups have begin and end
// marks and no length.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeBegin   = 3
	typeEnd     = 4
	typeFixed32 = 5
)

// next reads a field. n is 0 if there is none.
func next(b []byte) (t token, n int) {
	key, k := binary.Uvarint(b)
	if k <= 0 {
		return t, 0
	}
	t.field, t.typ = key>>3, byte(key&7)
	if t.field == 0 || t.field > fieldMax {
		return t, 0
	}
	b = b[k:]
	switch t.typ {
	case typeVarint:
		v, m := binary.Uvarint(b)
		if m <= 0 {
			return t, 0
		}
		t.n = v
		return t, k + m
	case typeFixed64:
		if len(b) < 8 {
			return t, 0
		}
		t.n = binary.LittleEndian.Uint64(b)
		return t, k + 8
	case typeFixed32:
		if len(b) < 4 {
			return t, 0
		}
		t.n = uint64(binary.LittleEndian.Uint32(b))
		return t, k + 4
	case typeBytes:
		size, m := binary.Uvarint(b)
		if m <= 0 || size > uint64(len(b)-m) {
			return t, 0
		}
		t.b = b[m : m+int(size)]
		return t, k + m + int(size)
	case typeBegin, typeEnd:
		return t, k
	}
	return t, 0
}

// parses reports whether b is fields to its end, groups closed in order. Bytes
// inside it are not looked at: they may be anything.
func parses(b []byte, depth int) bool {
	var groups [viewDepth]uint64
	open := 0
	for len(b) > 0 {
		t, n := next(b)
		switch {
		case n == 0:
			return false
		case t.typ == typeBegin:
			if open == depth {
				return false
			}
			groups[open] = t.field
			open++
		case t.typ == typeEnd:
			if open == 0 || groups[open-1] != t.field {
				return false
			}
			open--
		}
		b = b[n:]
	}
	return open == 0
}

// view is a text being written.
type view struct {
	out  []byte
	full bool
}

func (v *view) message(b []byte, depth int) {
	level := depth
	for len(b) > 0 && !v.full {
		if len(v.out) > viewBytes {
			v.full = true
			return
		}
		t, n := next(b)
		b = b[n:]
		if t.typ == typeEnd {
			level--
			v.line(level, "}\n")
			continue
		}
		v.line(level, "")
		v.out = strconv.AppendUint(v.out, t.field, 10)
		if t.typ == typeBegin {
			v.out = append(v.out, " {\n"...)
			level++
			continue
		}
		v.value(&t, level)
	}
}

func (v *view) line(level int, text string) {
	for range level {
		v.out = append(v.out, "  "...)
	}
	v.out = append(v.out, text...)
}

// value writes what follows a field's number.
func (v *view) value(t *token, level int) {
	switch t.typ {
	case typeVarint:
		v.out = strconv.AppendUint(append(v.out, ": "...), t.n, 10)
		if int64(t.n) < 0 { // ten bytes: nearly always a negative number
			v.out = strconv.AppendInt(append(v.out, "  # "...), int64(t.n), 10)
		}
	case typeFixed64:
		v.out = strconv.AppendUint(append(v.out, ": 0x"...), t.n, 16)
		v.float(math.Float64frombits(t.n), 64)
	case typeFixed32:
		v.out = strconv.AppendUint(append(v.out, ": 0x"...), t.n, 16)
		v.float(float64(math.Float32frombits(uint32(t.n))), 32)
	case typeBytes:
		v.bytes(t.b, level)
		return
	}
	v.out = append(v.out, '\n')
}

// float adds what a fixed field is as a floating-point number, if that is a
// number people write.
func (v *view) float(f float64, bits int) {
	if a := math.Abs(f); f == 0 || a >= 1e-6 && a < 1e15 {
		v.out = strconv.AppendFloat(append(v.out, "  # "...), f, 'g', -1, bits)
	}
}

// bytes guesses. A short string is often a message by accident and a message
// seldom a printable string, so strings come first.
func (v *view) bytes(b []byte, level int) {
	switch {
	case printable(b):
		v.out = append(v.out, ": "...)
		cut := len(b) > viewString
		if cut {
			b = b[:viewString]
			for len(b) > 0 && !utf8.Valid(b) {
				b = b[:len(b)-1]
			}
		}
		v.out = strconv.AppendQuote(v.out, string(b))
		if cut {
			v.out = append(v.out, "…"...)
		}
	case level < viewDepth && parses(b, viewDepth-level):
		v.out = append(v.out, " {\n"...)
		v.message(b, level+1)
		v.line(level, "}")
	default:
		v.out = append(v.out, ": "...)
		v.out = strconv.AppendInt(v.out, int64(len(b)), 10)
		v.out = append(v.out, " bytes "...)
		for i, c := range b {
			if i == viewString/8 {
				v.out = append(v.out, "…"...)
				break
			}
			const digits = "0123456789abcdef"
			v.out = append(v.out, digits[c>>4], digits[c&15])
		}
	}
	v.out = append(v.out, '\n')
}

// printable reports whether b is text: UTF-8 without control characters other
// than those of layout. Empty bytes are an empty string.
func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsGraphic(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}
