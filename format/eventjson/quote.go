package eventjson

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendQuoted appends text, which is valid UTF-8, as a JSON string. What a
// terminal would act on, or an eye not see, is escaped: a line can be looked at.
func appendQuoted[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0 // text[from:i] stands for itself
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			dst = append(dst, text[from:i]...)
			dst = appendControl(dst, c)
			i++
			from = i
			continue
		}
		r, n := decodeRune(text[i:])
		if !visible(r) {
			dst = append(dst, text[from:i]...)
			dst = appendEscaped(dst, r)
			from = i + n
		}
		i += n
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

func decodeRune[T string | []byte](text T) (rune, int) {
	var b [utf8.UTFMax]byte
	return utf8.DecodeRune(b[:copy(b[:], text)])
}

// appendControl appends an ASCII character that must not stand for itself.
func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendEscaped appends r as one \u escape, or two (RFC 8259 §7).
func appendEscaped(dst []byte, r rune) []byte {
	if r > 0xffff {
		hi, lo := utf16.EncodeRune(r)
		return appendEscaped(appendEscaped(dst, hi), lo)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// visible reports that r is seen as itself. IsPrint leaves out C1, separators of
// lines, all spaces but U+0020 and all of Cf, bidi controls among it; the others
// count as graphic although nothing is seen of them.
func visible(r rune) bool {
	return unicode.IsPrint(r) && r != '\u2800' &&
		!unicode.Is(unicode.Variation_Selector, r) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}
