package content

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// textLook is how much of a body decides whether it is text.
const textLook = 4 << 10

// IsText reports whether b, the beginning of a body without its codings, can
// be shown as text: UTF-8 without control bytes. contentType is the value of
// Content-Type; when it names a type of text in another ASCII-based character
// set, bytes beyond ASCII are let pass. An empty body is text.
func IsText(b []byte, contentType string) bool {
	cut := len(b) > textLook
	if cut {
		b = b[:textLook]
	}
	// The mark of UTF-8 files is no character of the text.
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	foreign := textType(contentType) && foreignCharset(contentType)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			// The last character may be cut in two by the look's end.
			if cut && !utf8.FullRune(b) {
				return true
			}
			if !foreign {
				return false
			}
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b, r == 0x7f:
			return false
		}
		b = b[n:]
	}
	return true
}

// textType reports whether a media type is one of text.
func textType(contentType string) bool {
	t, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	t = strings.TrimSpace(t)
	switch t {
	case "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded",
		"application/x-javascript", "application/graphql", "application/sql", "application/yaml":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}

// foreignCharset reports whether a character set other than UTF-8 is named.
func foreignCharset(contentType string) bool {
	set := Charset(contentType)
	return set != "" && set != "utf-8" && set != "utf8"
}
