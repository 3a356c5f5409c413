package export

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// literal is text of our own. An untyped constant becomes one by itself, a
// string that holds captured text does not: the compiler keeps them apart.
type literal string

// screen builds text for people out of our own words and captured text, and is
// the only way in this package to a writer that may be a terminal. Captured
// text enters through the methods named captured*, and each of them sanitizes.
type screen struct {
	buf   []byte
	color bool
	ascii bool // the reader's locale is not UTF-8: write nothing but ASCII

	w   io.Writer // where spill writes; nil: it does not
	err error     // of w, until flush
}

// Colours: the 8 basic ones, so that the reader's theme decides what they look like.
const (
	red    literal = "31"
	green  literal = "32"
	yellow literal = "33"
	cyan   literal = "36"
	dim    literal = "2"
	bold   literal = "1"
)

// own appends our own words.
func (s *screen) own(text literal) {
	if !s.ascii {
		s.buf = append(s.buf, text...)
		return
	}
	for _, r := range string(text) {
		s.glyph(r)
	}
}

// glyph writes one character of our own for a reader without UTF-8.
func (s *screen) glyph(r rune) {
	switch r {
	case '→':
		s.buf = append(s.buf, "->"...)
	case '←':
		s.buf = append(s.buf, "<-"...)
	case '─':
		s.buf = append(s.buf, '-')
	case '│', '⇅':
		s.buf = append(s.buf, '|')
	case '⚠':
		s.buf = append(s.buf, '!')
	case '🔒':
		s.buf = append(s.buf, '*')
	case '…':
		s.buf = append(s.buf, "..."...)
	case 'µ':
		s.buf = append(s.buf, 'u')
	default:
		if r < utf8.RuneSelf {
			s.buf = append(s.buf, byte(r))
		} else {
			s.buf = append(s.buf, '#')
		}
	}
}

// style writes with, in a colour when there are colours.
func (s *screen) style(color literal, with func()) {
	if s.color {
		s.buf = append(s.buf, "\x1b["+string(color)+"m"...)
	}
	with()
	if s.color {
		s.buf = append(s.buf, "\x1b[0m"...)
	}
}

// number appends digits, which is all a number can be.
func (s *screen) number(n uint64) { s.buf = strconv.AppendUint(s.buf, n, 10) }

// captured appends text that a traced program, its peer or the writer of the
// session chose. Newlines and tabs become escapes too: it stays on its line.
func (s *screen) captured(text string) { s.escape(text, false) }

// capturedBody appends a text body, in which newline, tab and the carriage
// return of a CRLF keep their meaning.
func (s *screen) capturedBody(text string) { s.escape(text, true) }

// escape is the sanitizer. A backslash in the text stays one: the escapes are
// for eyes, and a doubled backslash would spoil every path and regular
// expression. What must be reversible goes through JSON.
func (s *screen) escape(text string, multiline bool) {
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < 0x7f {
			s.buf = append(s.buf, c)
			i++
			continue
		}
		if multiline {
			if n := layout(text[i:]); n > 0 {
				s.buf = append(s.buf, text[i+n-1]) // "\r\n" is written as "\n"
				i += n
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			s.hex("\\x", uint64(c), 2)
		case visible(r) && !s.ascii:
			s.buf = append(s.buf, text[i:i+n]...)
		case r < 0x80:
			s.hex("\\x", uint64(r), 2)
		case r <= 0xffff:
			s.hex("\\u", uint64(r), 4)
		default:
			s.hex("\\U", uint64(r), 8)
		}
		i += n
	}
}

// Escape returns captured text as it may be shown on one line anywhere: what is
// not printable Unicode becomes a visible escape. It is for text that leaves by
// another way than this package's sinks, such as an error message.
func Escape(text string) string {
	var s screen
	s.captured(text)
	return string(s.buf)
}

// layout returns the length of the line break or tab at the start of text, 0 if
// there is none. A lone CR is none: it would overwrite its line.
func layout(text string) int {
	switch {
	case text[0] == '\n' || text[0] == '\t':
		return 1
	case strings.HasPrefix(text, "\r\n"):
		return 2
	}
	return 0
}

// hex appends v in lower-case digits after prefix, which is ours.
func (s *screen) hex(prefix string, v uint64, digits int) {
	s.buf = append(s.buf, prefix...)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		s.buf = append(s.buf, "0123456789abcdef"[v>>shift&15])
	}
}

// blank are characters Unicode counts as graphic although nothing is seen of
// them: fillers, joiners, variation selectors. A name could hide in them.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x115f, Hi: 0x1160, Stride: 1},
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, {Lo: 0x180b, Hi: 0x180f, Stride: 1},
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, {Lo: 0x3164, Hi: 0x3164, Stride: 1},
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}},
}

// visible reports whether a terminal shows r as itself. IsPrint leaves out C0,
// DEL, C1, all of Cf (bidi controls, zero-width), line separators and every
// space but U+0020.
func visible(r rune) bool { return unicode.IsPrint(r) && !unicode.Is(blank, r) }

// cells returns how many columns text takes that has been through escape.
func cells(text []byte) int {
	n := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		n += cellsOf(r)
		text = text[size:]
	}
	return n
}

// cellsOf follows the widths most terminals use (Unicode TR 11, wide and
// fullwidth blocks), not each font's.
func cellsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 ||
		r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3ffff):
		return 2
	}
	return 1
}

// spillMin is how much is built before it is handed on half-way.
const spillMin = 1 << 20

// spill hands on what was built when that is much.
func (s *screen) spill() {
	if s.w == nil || len(s.buf) < spillMin {
		return
	}
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

// flush writes what was built in one call and begins anew.
func (s *screen) flush(w io.Writer) error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf) == 0 {
		return nil
	}
	_, err := w.Write(s.buf)
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
	s.buf = s.buf[:0]
	return err
}
