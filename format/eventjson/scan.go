package eventjson

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads one line of JSON (RFC 8259) token by token. It is stricter than
// encoding/json where that would change a value in silence: a lone surrogate is
// refused instead of replaced, a number is never rounded.
//
// The first fault stops it; what it returned after that means nothing.
type scanner struct {
	line []byte
	pos  int
	err  error
}

// fail notes the first fault.
func (s *scanner) fail(f string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(f, args...)
	}
}

// syntax notes a fault of the JSON itself. Columns count bytes from 1.
func (s *scanner) syntax(want string) {
	s.fail("column %d: %s where %s should be", s.pos+1, s.what(), want)
}

// what names what is at hand, in words: the line may hold anything.
func (s *scanner) what() string {
	if s.pos >= len(s.line) {
		return "the end of the line"
	}
	switch c := s.line[s.pos]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	}
	r, _ := utf8.DecodeRune(s.line[s.pos:])
	return fmt.Sprintf("%q", r)
}

// next passes over space and returns the byte at hand, 0 at the end.
func (s *scanner) next() byte {
	for ; s.pos < len(s.line); s.pos++ {
		switch c := s.line[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take passes over c if it is what comes.
func (s *scanner) take(c byte) bool {
	if s.next() != c || s.pos >= len(s.line) {
		return false
	}
	s.pos++
	return true
}

// object calls member for each key of an object. member reads the value.
func (s *scanner) object(member func(key []byte)) {
	if !s.take('{') {
		s.syntax("an object")
		return
	}
	for first := true; s.err == nil && !s.take('}'); first = false {
		if !first && !s.take(',') {
			s.syntax("',' or '}'")
			return
		}
		if s.next() != '"' {
			s.syntax("the name of a field")
			return
		}
		key := s.text()
		if s.err == nil && !s.take(':') {
			s.syntax("':'")
		}
		if s.err == nil {
			member(key)
		}
	}
}

// list calls item before each value of a list. item reads it.
func (s *scanner) list(item func()) {
	if !s.take('[') {
		s.syntax("a list")
		return
	}
	for first := true; s.err == nil && !s.take(']'); first = false {
		if !first && !s.take(',') {
			s.syntax("',' or ']'")
			return
		}
		item()
	}
}

// end checks that nothing but space follows.
func (s *scanner) end() {
	if s.err == nil && (s.next() != 0 || s.pos < len(s.line)) {
		s.fail("column %d: data after the object", s.pos+1)
	}
}

// text reads a string and returns its value, which lies in the line: no escape
// is shorter than what it stands for, so the value is written over its source.
func (s *scanner) text() []byte {
	if !s.take('"') {
		s.syntax("a string")
		return nil
	}
	start := s.pos
	w := start + s.plain() // the value is line[start:w]
	for s.pos < len(s.line) && s.err == nil {
		switch c := s.line[s.pos]; {
		case c == '"':
			s.pos++
			return s.line[start:w:w]
		case c == '\\':
			w = len(utf8.AppendRune(s.line[:w], s.escape()))
		default:
			from := s.pos
			n := s.plain()
			copy(s.line[w:], s.line[from:from+n])
			w += n
		}
	}
	return nil
}

// plain passes over characters that stand for themselves and returns how many
// bytes they are. Unless it failed, a quote or a backslash comes next.
func (s *scanner) plain() int {
	start := s.pos
	for i, c := range s.line[start:] {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		if s.pos = start + i; c < 0x20 {
			s.fail("column %d: a control character must be escaped", s.pos+1)
			return 0
		}
		return i
	}
	s.pos = len(s.line)
	s.fail("column %d: a string without its end", start)
	return 0
}

// escape reads an escape sequence. Every one has at least as many bytes in the
// line as its character has in UTF-8.
func (s *scanner) escape() rune {
	at := s.pos
	s.pos++
	if s.pos >= len(s.line) {
		s.fail("column %d: a string without its end", at+1)
		return 0
	}
	c := s.line[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		return s.unicode(at)
	}
	s.fail("column %d: an escape JSON does not have", at+1)
	return 0
}

// unicode reads what follows \u, both halves of a surrogate pair.
func (s *scanner) unicode(at int) rune {
	r := s.hex4(at)
	if s.err != nil || !utf16.IsSurrogate(r) {
		return r
	}
	if bytes.HasPrefix(s.line[s.pos:], []byte(`\u`)) {
		s.pos += 2
		r = utf16.DecodeRune(r, s.hex4(at))
		if s.err == nil && r != utf8.RuneError {
			return r
		}
	}
	s.fail("column %d: half a surrogate pair is no character; give such bytes as base64", at+1)
	return 0
}

// hex4 reads four hexadecimal digits.
func (s *scanner) hex4(at int) rune {
	if len(s.line)-s.pos < 4 {
		s.fail("column %d: an escape without its four digits", at+1)
		return 0
	}
	var r rune
	for _, c := range s.line[s.pos : s.pos+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			s.fail("column %d: an escape without its four digits", at+1)
			return 0
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r
}

// number reads a number and returns its text.
func (s *scanner) number() []byte {
	s.next()
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		s.pos = start
		s.syntax("a number")
		return nil
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			s.syntax("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			s.syntax("a digit")
		}
	}
	return s.line[start:s.pos]
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.line) && s.line[s.pos] == c }

// digits passes over digits and reports whether there were any.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.line) && s.line[s.pos] >= '0' && s.line[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// flag reads true or false.
func (s *scanner) flag() bool {
	s.next()
	for _, word := range [2]string{"true", "false"} {
		if rest := s.line[s.pos:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			s.pos += len(word)
			return word == "true"
		}
	}
	s.syntax("true or false")
	return false
}

// skip passes over one value without changing it and returns where it begins.
// It only finds the end: who reads the value later checks it.
func (s *scanner) skip() (start int) {
	s.next()
	start = s.pos
	depth := 0
	for ; s.pos < len(s.line); s.pos++ {
		switch s.line[s.pos] {
		case '"':
			s.skipString()
			if s.err != nil {
				return start
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return start
			}
		case ',':
			if depth == 0 {
				return start
			}
		}
	}
	return start
}

// skipString passes over a string up to its closing quote.
func (s *scanner) skipString() {
	open := s.pos
	for s.pos++; s.pos < len(s.line); s.pos++ {
		switch s.line[s.pos] {
		case '"':
			return
		case '\\':
			s.pos++
		}
	}
	s.fail("column %d: a string without its end", open+1)
}
