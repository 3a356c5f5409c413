package http1

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// span is a range of the bytes of a section.
type span struct{ lo, hi int }

func (p span) of(s string) string { return s[p.lo:p.hi] }

// startLine is a request-line (method, target, version) or a status-line
// (version, code, reason) as offsets into its section.
type startLine struct {
	part   [3]span
	bareLF bool
	odd    bool // followed, though not what the grammar says
	badVer bool // a version, but none of HTTP/1
	ctl    bool // a control byte inside
	loose  bool // a status-line that looseStatus reads; parts mean nothing
}

// parseRequestLine reads b, a line without its end (RFC 9112 §3). ok is false
// when there are not three parts that could be method, target and version.
func parseRequestLine(b []byte) (startLine, bool) { return lenient(b, requestParts) }

// parseStatusLine reads b, a line without its end (RFC 9112 §4).
func parseStatusLine(b []byte) (startLine, bool) {
	l, ok := lenient(b, statusParts)
	if !ok && claimsHTTP(b) {
		return startLine{loose: true, odd: true, ctl: hasControl(b)}, true
	}
	return l, ok
}

// lenient parses a line, and if that fails once more with every white space
// taken for a space and none in front, as RFC 9112 §3 and §4 allow.
func lenient(b []byte, parse func([]byte) (startLine, bool)) (l startLine, ok bool) {
	if l, ok = parse(b); ok || bytes.IndexAny(b, " \t\v\f\r") < 0 {
		return l, ok
	}
	c := bytes.Clone(b)
	for i, v := range c {
		if v == '\t' || v == '\v' || v == '\f' || v == '\r' {
			c[i] = ' '
		}
	}
	lead := len(c) - len(bytes.TrimLeft(c, " "))
	if l, ok = parse(c[lead:]); !ok {
		return l, false
	}
	for i := range l.part {
		l.part[i].lo += lead
		l.part[i].hi += lead
	}
	l.odd, l.ctl = true, hasControl(b)
	return l, true
}

func requestParts(b []byte) (l startLine, ok bool) {
	n := tokenLen(b)
	if n == 0 || n == len(b) || b[n] != ' ' {
		return l, false
	}
	end := trimRight(b)
	if hi := withoutVersion(b[:end], n); hi > 0 {
		l.part = [3]span{{0, n}, {n + 1, hi}, {hi, hi}}
		l.odd, l.badVer = end != len(b), true
		return l, true
	}
	sp := bytes.LastIndexByte(b[:end], ' ')
	lo, hi := n+1, sp
	for lo < hi && isSpace(b[lo]) {
		lo++
	}
	hi = lo + trimRight(b[lo:max(lo, hi)])
	if lo >= hi {
		// "GET HTTP/1.1": servers answer it, as the request for nothing in particular.
		if sp != n || n+1 >= end {
			return l, false
		}
		if bad, ok := version(b[n+1 : end]); !ok || bad {
			return l, false
		}
		lo, hi = n, n
	}
	l.part = [3]span{{0, n}, {lo, hi}, {sp + 1, end}}
	l.odd = end != len(b) || lo != n+1 || hi != sp || lo == hi || bytes.IndexByte(b[lo:hi], ' ') >= 0
	l.ctl = hasControl(b)
	l.badVer, ok = version(b[sp+1 : end])
	return l, ok
}

// versionless reports a request-line without a version.
func (l *startLine) versionless(sh shape) bool {
	return sh == requestLine && l.part[2].lo == l.part[2].hi
}

// withoutVersion returns the end of a target that nothing follows, behind a method
// of n bytes, or 0. That was HTTP/0.9's request, which only GET had; servers take
// it of other methods too. A target must look like one: other text must not.
func withoutVersion(b []byte, n int) int {
	if n+1 >= len(b) || b[n+1] != '/' || bytes.IndexByte(b[n+1:], ' ') >= 0 {
		return 0
	}
	for _, c := range b[:n] {
		if c < 'A' || c > 'Z' {
			return 0
		}
	}
	return len(b)
}

// statusParts: the space after the code may be missing when there is no reason,
// as it often is.
func statusParts(b []byte) (l startLine, ok bool) {
	sp := bytes.IndexByte(b, ' ')
	if sp < 0 {
		return l, false
	}
	if l.badVer, ok = version(b[:sp]); !ok {
		return l, false
	}
	lo := sp + 1
	for lo < len(b) && isSpace(b[lo]) {
		lo++
	}
	hi := lo + 3
	if hi > len(b) || !isDigit(b[lo]) || !isDigit(b[lo+1]) || !isDigit(b[lo+2]) ||
		hi < len(b) && !isSpace(b[hi]) {
		return l, false
	}
	l.odd = lo != sp+1 || b[lo] == '0'
	reason := span{hi, hi}
	if hi < len(b) {
		reason = span{hi + 1, max(hi+1, trimRight(b))}
	}
	l.part = [3]span{{0, sp}, {lo, hi}, reason}
	l.ctl = hasControl(b)
	return l, true
}

// validTarget reports whether a request-target has one of its four forms
// (RFC 9112 §3.2), and no byte outside ASCII (RFC 3986 §2). Which characters a
// URI may hold beyond that is broken by every browser and harmless.
func validTarget(method, target string) bool {
	for i := range len(target) {
		if target[i] >= 0x80 {
			return false
		}
	}
	switch {
	case target == "":
		return false
	case method == "CONNECT":
		return strings.IndexByte(target, ':') > 0 // authority-form
	case target[0] == '/':
		return true
	case target == "*":
		return method == "OPTIONS"
	}
	colon := strings.IndexByte(target, ':') // absolute-form
	return colon > 0 && isLetter(target[0]) && tokenLen([]byte(target[:colon])) == colon
}

// version says whether b is a protocol name and version, and whether it is
// other than one of HTTP/1.
func version(b []byte) (bad, ok bool) {
	if len(b) == 8 && string(b[:7]) == "HTTP/1." && isDigit(b[7]) {
		return false, true
	}
	slash := bytes.IndexByte(b, '/')
	if slash < 2 || slash > 16 || slash+1 >= len(b) || len(b)-slash > 8 {
		return false, false
	}
	for i, c := range b {
		switch {
		case i == slash:
		case i < slash && !isLetter(c), i > slash && c != '.' && !isDigit(c):
			return false, false
		}
	}
	return true, true
}

// certain reports whether a line found while looking for the next message is
// one beyond reasonable doubt: no leniency here, where a guess is being made.
func certain(sh shape, line []byte) bool {
	b, bare := trimEOL(line)
	if bare {
		return false
	}
	var l startLine
	var ok bool
	ver := 0
	if sh == requestLine {
		l, ok = requestParts(b)
		ver = 2
	} else {
		l, ok = statusParts(b)
	}
	if !ok || l.odd || l.badVer || l.ctl || b[l.part[ver].hi-1] > '1' {
		return false
	}
	if sh == statusLine {
		c := b[l.part[1].lo]
		return c >= '1' && c <= '5'
	}
	for _, c := range b[:l.part[0].hi] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	c := b[l.part[1].lo]
	return c == '/' || c == '*' || c == '[' || isLetter(c) || isDigit(c)
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' }

// trimRight returns the length of b without the white space at its end.
func trimRight(b []byte) int {
	n := len(b)
	for n > 0 && isSpace(b[n-1]) {
		n--
	}
	return n
}

// tokenBytes has a 1 for each byte of a token (RFC 9110 §5.6.2): digits, letters
// and !#$%&'*+-.^_`|~
const tokenBytes = "" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x01\x00\x01\x01\x01\x01\x01\x00\x00\x01\x01\x00\x01\x01\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00" +
	"\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x01\x00\x01\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// tokenLen returns how many bytes at the start of b are of a token.
func tokenLen(b []byte) int {
	for i, c := range b {
		if tokenBytes[c] == 0 {
			return i
		}
	}
	return len(b)
}

// hasControl reports whether b holds a control byte other than HTAB. It looks
// at eight bytes at a time: it sees every byte of every field value.
func hasControl(b []byte) bool {
	if len(b) < 8 {
		return slowControl(b)
	}
	for i := 0; i+8 < len(b); i += 8 {
		if mayControl(binary.LittleEndian.Uint64(b[i:])) && slowControl(b[i:i+8]) {
			return true
		}
	}
	// The last eight overlap those before them.
	last := b[len(b)-8:]
	return mayControl(binary.LittleEndian.Uint64(last)) && slowControl(last)
}

// mayControl is true if one of eight bytes is a control byte; also for HTAB.
func mayControl(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	del := x ^ 0x7f*ones
	return ((x-0x20*ones)&^x|(del-ones)&^del)&high != 0
}

func slowControl(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
