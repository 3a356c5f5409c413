package eventjson

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
)

// maxExact is the largest number that every JSON reader keeps: most take numbers
// for IEEE 754 doubles (RFC 8259 §6).
const maxExact = 1 << 53

// u64 is a number of 64 bits. Beyond maxExact it is a string of digits; both are
// read at any size, and hexadecimal with 0x too.
func (c *codec) u64(name string, v *uint64) {
	if c.in != nil {
		if c.wants(name) {
			*v = c.unsigned(name, math.MaxUint64, true)
		}
		return
	}
	if *v != 0 {
		c.begin(name)
		c.dst = appendUint(c.dst, *v)
	}
}

func appendUint(dst []byte, v uint64) []byte {
	if v <= maxExact {
		return strconv.AppendUint(dst, v, 10)
	}
	return append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
}

// pointer is a u64 that people know in hexadecimal.
func (c *codec) pointer(name string, v *uint64) {
	if c.in != nil || *v == 0 {
		c.u64(name, v)
		return
	}
	c.begin(name)
	c.dst = append(strconv.AppendUint(append(c.dst, `"0x`...), *v, 16), '"')
}

// i64 is u64 with a sign, without hexadecimal.
func (c *codec) i64(name string, v *int64) {
	if c.in != nil {
		if c.wants(name) {
			*v = c.signed(name, 64, true)
		}
		return
	}
	switch {
	case *v == 0:
	case *v >= -maxExact && *v <= maxExact:
		c.begin(name)
		c.dst = strconv.AppendInt(c.dst, *v, 10)
	default:
		c.begin(name)
		c.dst = append(strconv.AppendInt(append(c.dst, '"'), *v, 10), '"')
	}
}

func (c *codec) i32(name string, v *int32) {
	if c.in != nil {
		if c.wants(name) {
			*v = int32(c.signed(name, 32, false))
		}
		return
	}
	if *v != 0 {
		c.begin(name)
		c.dst = strconv.AppendInt(c.dst, int64(*v), 10)
	}
}

// small is a number of at most 32 bits.
func small[T ~uint8 | ~uint16 | ~uint32](c *codec, name string, v *T) {
	if c.in != nil {
		if c.wants(name) {
			*v = T(c.unsigned(name, uint64(^T(0)), false))
		}
		return
	}
	if *v != 0 {
		c.begin(name)
		c.dst = strconv.AppendUint(c.dst, uint64(*v), 10)
	}
}

// word is a number that has names, "" for values that have none. A value can be
// given as a number whether it has a name or not.
func word[T ~uint8](c *codec, name string, v *T, nameOf func(T) string) {
	if c.in == nil {
		if *v == 0 {
			return
		}
		c.begin(name)
		if w := nameOf(*v); w != "" {
			c.dst = appendQuoted(c.dst, w)
		} else {
			c.dst = strconv.AppendUint(c.dst, uint64(*v), 10)
		}
		return
	}
	if !c.wants(name) {
		return
	}
	if c.in.next() != '"' {
		*v = T(c.unsigned(name, math.MaxUint8, false))
		return
	}
	text := c.in.text()
	var names []string
	for n := 1; n <= math.MaxUint8; n++ {
		w := nameOf(T(n))
		switch w {
		case "":
			continue
		case string(text):
			*v = T(n)
			return
		}
		names = append(names, w)
	}
	c.in.fail("%s: no value is called %q (there are %s)", name, clip(text), strings.Join(names, ", "))
}

// unsigned reads a number of at most limit. If wide, it may stand in a string.
func (c *codec) unsigned(name string, limit uint64, wide bool) uint64 {
	text, base := c.digits(name, wide)
	if c.in.err != nil {
		return 0
	}
	if len(text) > 1 && text[0] == '-' && base == 10 {
		c.in.fail("%s: %s is below 0", name, clip(text))
		return 0
	}
	v, err := strconv.ParseUint(string(text), base, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		c.in.fail("%s: %q is not a whole number", name, clip(text))
	case err != nil || v > limit:
		c.in.fail("%s: %s is over %d", name, clip(text), limit)
	}
	return v
}

// signed reads a number of so many bits. If wide, it may stand in a string.
func (c *codec) signed(name string, bits int, wide bool) int64 {
	text, base := c.digits(name, wide)
	if c.in.err != nil {
		return 0
	}
	v, err := strconv.ParseInt(string(text), 10, bits)
	switch {
	case base != 10:
		c.in.fail("%s: a number with a sign is decimal", name)
	case errors.Is(err, strconv.ErrSyntax):
		c.in.fail("%s: %q is not a whole number", name, clip(text))
	case err != nil:
		c.in.fail("%s: %s does not fit in %d bits", name, clip(text), bits)
	}
	return v
}

// digits reads the text of a number and its base. The text of one in a string
// is not checked here.
func (c *codec) digits(name string, wide bool) (text []byte, base int) {
	if !wide || c.in.next() != '"' {
		return c.in.number(), 10
	}
	text = c.in.text()
	if hex, ok := bytes.CutPrefix(text, []byte("0x")); ok {
		return hex, 16
	}
	if len(text) > 0 && text[0] == '+' {
		c.in.fail("%s: %q is not a whole number", name, clip(text))
	}
	return text, 10
}
