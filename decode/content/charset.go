package content

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// Text returns a body without its codings as UTF-8, if it is text in another
// character set: one that a byte order mark shows (RFC 9110 leaves text to its
// type, and every type of text lets the mark win), else the charset parameter of
// contentType. charset is its name by the WHATWG's Encoding Standard.
//
// ok is false, and b is to be taken as it is, where it is UTF-8 already, no text,
// or in a character set that is not known or does not fit. The result is at most
// three times as long as b.
func Text(b []byte, contentType string) (text []byte, charset string, ok bool) {
	charset = byteOrder(b)
	if charset == "" {
		if !textType(contentType) || ascii(b) && !strings.Contains(contentType, "2022") && !strings.Contains(strings.ToLower(contentType), "utf-16") {
			return nil, "", false
		}
		charset = Charset(contentType)
	}
	if charset == "" || charset == "utf-8" {
		return nil, "", false
	}
	enc, err := htmlindex.Get(charset)
	if err != nil || enc == encoding.Replacement {
		return nil, "", false
	}
	if name, err := htmlindex.Name(enc); err == nil {
		charset = name
	}
	if charset == "utf-8" {
		return nil, "", false
	}
	if byteOrder(b) != "" {
		b = b[2:] // the mark is no character of the text
	}
	// Decoders of single bytes and of old multi-byte sets replace what they cannot
	// read; a set in which much cannot be read is not the right one.
	text, err = enc.NewDecoder().Bytes(b)
	if err != nil || bytes.Count(text, []byte("\ufffd")) > len(text)/64 || !IsText(text, "") {
		return nil, "", false
	}
	return text, charset, true
}

// byteOrder returns the character set that a byte order mark shows. UTF-8's own needs
// no conversion.
func byteOrder(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")) && len(b)%2 == 0:
		return "utf-16le"
	case bytes.HasPrefix(b, []byte("\xfe\xff")) && len(b)%2 == 0:
		return "utf-16be"
	}
	return ""
}

// ascii reports whether b has nothing to convert.
func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Charset returns the charset parameter of a Content-Type in lower case, "" if
// there is none.
func Charset(contentType string) string {
	_, rest, _ := strings.Cut(contentType, ";")
	for more := rest != ""; more; {
		var p string
		p, rest, more = strings.Cut(rest, ";")
		name, value, ok := strings.Cut(p, "=")
		if ok && strings.EqualFold(strings.Trim(name, " \t"), "charset") {
			return strings.ToLower(strings.Trim(value, "\"' \t"))
		}
	}
	return ""
}
