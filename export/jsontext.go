package export

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// captured text: bytes, or a string of them.
type captured interface{ ~string | ~[]byte }

// jsonEscape says what becomes of each byte in a JSON string: 0 stands as it is,
// the letter stands behind a backslash, 'u' becomes an escape of four digits. '*'
// begins more than one byte, or what a terminal would act on. HTML's own are
// escaped so that a line may stand in a page.
var jsonEscape = func() (t [256]byte) {
	for c := range 0x20 {
		t[c] = 'u'
	}
	for c := 0x7f; c < 0x100; c++ {
		t[c] = '*'
	}
	t['\b'], t['\f'], t['\n'], t['\r'], t['\t'] = 'b', 'f', 'n', 'r', 't'
	t['"'], t['\\'], t['<'], t['>'], t['&'] = '"', '\\', 'u', 'u', 'u'
	return t
}()

const hexDigits = "0123456789abcdef"

// appendText appends what stands between the quotes of a JSON string of s, which
// must be UTF-8. What a terminal would act on, or not show, is escaped too: the
// line stays the same value, and safe to look at.
func appendText[T captured](b []byte, s T) []byte {
	const (
		block = 64
		most  = len(`\u0000`) // that a byte becomes
	)
	for len(s) > 0 {
		// Room for a block is made once, so that a byte costs no more than its move.
		b = slices.Grow(b, most*block)
		out, o := b[len(b):cap(b)], 0
		i, n := 0, min(len(s), block)
		for ; i < n; i++ {
			c := s[i]
			switch e := jsonEscape[c]; e {
			case 0:
				out[o] = c
				o++
			case '*':
				n = i // leaves the loop, and is dealt with below
				i--
			case 'u':
				o += copy(out[o:], `\u00`)
				out[o], out[o+1] = hexDigits[c>>4], hexDigits[c&15]
				o += 2
			default:
				out[o], out[o+1] = '\\', e
				o += 2
			}
		}
		b, s = b[:len(b)+o], s[i:]
		if len(s) > 0 && jsonEscape[s[0]] == '*' {
			var size int
			b, size = appendRune(b, string(s[:min(len(s), utf8.UTFMax)]))
			s = s[size:]
		}
	}
	return b
}

// appendRune appends the first character of s, or its escape.
func appendRune(b []byte, s string) ([]byte, int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return append(b, `\ufffd`...), n // as encoding/json has it
	case !odd(r):
		return append(b, s[:n]...), n
	case r > 0xffff:
		hi, lo := utf16.EncodeRune(r)
		return fmt.Appendf(b, `\u%04x\u%04x`, hi, lo), n
	}
	return fmt.Appendf(b, `\u%04x`, r), n
}

// odd reports whether r must not stand in a line as itself.
func odd(r rune) bool { return r >= 0x7f && !visible(r) }

// appendWild appends captured text as a JSON value: a string, or an object with
// its bytes when it is not UTF-8.
func appendWild[T captured](b []byte, s T) []byte {
	if plain(s) { // most of a head is
		b = append(append(b, '"'), s...)
		return append(b, '"')
	}
	if !validUTF8(s) {
		b = append(b, `{"base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(s))
		return append(b, `"}`...)
	}
	b = append(b, '"')
	return append(appendText(b, s), '"')
}

// plain reports whether each byte of s stands as it is, by jsonEscape.
func plain[T captured](s T) bool {
	const word = 8
	if len(s) < word {
		for i := range len(s) {
			if jsonEscape[s[i]] != 0 {
				return false
			}
		}
		return true
	}
	for i := 0; i < len(s)-word; i += word {
		if !plainWord(wordAt(s, i)) {
			return false
		}
	}
	return plainWord(wordAt(s, len(s)-word))
}

// wordAt returns the eight bytes of s from i on. The compiler makes one load of it.
func wordAt[T captured](s T, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// plainWord is plain of eight bytes at once. A byte that is not gets its high bit set; a
// borrow or carry sets that of another only if there is such a byte.
func plainWord(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote := (x | ('"'^'&')*ones) ^ ('"'|'&')*ones // 0 where it is one of two that differ in one bit
	angle := (x | ('<'^'>')*ones) ^ ('<'|'>')*ones
	slash := x ^ '\\'*ones
	zero := (quote-ones)&^quote | (angle-ones)&^angle | (slash-ones)&^slash
	wide := x | (x - ' '*ones) | (x + ones) // 0x80 and more, controls, 0x7f
	return (zero|wide)&highs == 0
}

// validUTF8 is utf8.Valid of either type. Nearly all text is ASCII and short.
func validUTF8[T captured](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(string(s[i:]))
		}
	}
	return true
}

// wild is captured text in what encoding/json writes: see [appendWild].
type wild string

// MarshalJSON implements [json.Marshaler].
func (t wild) MarshalJSON() ([]byte, error) { return appendWild(nil, t), nil }

var _ json.Marshaler = wild("")

// wilds converts a list; nil stays out of the output through omitempty.
func wilds(in []string) []wild {
	out := make([]wild, len(in))
	for i := range in {
		out[i] = wild(in[i])
	}
	return out
}

// inert escapes what a terminal would act on in a line of JSON that is complete.
// encoding/json has dealt with C0 and invalid UTF-8; all other text is inside
// strings.
func inert(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for len(line) > 0 {
		if line[0] < 0x7f {
			out, line = append(out, line[0]), line[1:]
			continue
		}
		var n int
		out, n = appendRune(out, string(line[:min(len(line), utf8.UTFMax)]))
		line = line[n:]
	}
	return out
}

// appendSeconds appends a number of nanoseconds, not negative, as seconds, exactly.
func appendSeconds(b []byte, ns int64) []byte {
	b = strconv.AppendInt(b, ns/1e9, 10)
	frac := ns % 1e9
	if frac == 0 {
		return b
	}
	b = appendNano(append(b, '.'), frac)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// appendNano appends nine digits.
func appendNano(b []byte, n int64) []byte {
	var d [9]byte
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, d[:]...)
}

// clock writes wall times in UTC, as timeFormat has them. All but the fraction of
// a second is the same for many in a row.
type clock struct {
	second int64
	text   []byte // of second, nil if there is none yet
}

// append appends a time.
func (c *clock) append(b []byte, at int64) []byte {
	sec, frac := at/1e9, at%1e9
	if frac < 0 {
		sec, frac = sec-1, frac+1e9
	}
	if sec != c.second || c.text == nil {
		c.second = sec
		c.text = time.Unix(sec, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
	}
	return append(appendNano(append(b, c.text...), frac), 'Z')
}
