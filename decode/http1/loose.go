package http1

import (
	"bytes"
	"strings"
)

// What follows reads what the grammar has no reading for, as clients do that go on
// all the same. Each use of it is told by an anomaly.

// claimsHTTP reports whether a line where a status-line must be begins like one,
// control bytes left out.
func claimsHTTP(line []byte) bool {
	c := printed(line)
	return len(c) > 5 && string(c[:5]) == "HTTP/" && isDigit(c[5])
}

// printed returns at most the first 64 bytes of line without control bytes and the
// white space in front.
func printed(line []byte) []byte {
	out := make([]byte, 0, 64)
	for _, c := range line {
		if c < 0x20 || c == 0x7f || c == ' ' && len(out) == 0 {
			continue
		}
		if out = append(out, c); len(out) == cap(out) {
			break
		}
	}
	return out
}

// looseStatus reads a status-line that is none by the grammar: with control bytes,
// of which those inside a word are left out and others taken for spaces, or without
// a status code of three digits. Then code is 0: clients assume one, and not all the
// same.
func looseStatus(line string) (proto string, code int, reason string) {
	for _, with := range [2]string{" ", ""} {
		b := []byte(strings.NewReplacer("\x00", with, "\t", " ", "\v", " ", "\f", " ", "\r", " ").Replace(line))
		b = bytes.TrimLeft(b, " ")
		if l, ok := statusParts(b); ok {
			p := l.part[1].of(string(b))
			return l.part[0].of(string(b)), digits3(p), l.part[2].of(string(b))
		}
	}
	text := strings.TrimLeft(line, " \t\x00\r")
	end := len("HTTP/")
	for end < len(text) && end < 16 && (isDigit(text[end]) || text[end] == '.') {
		end++
	}
	if end > len(text) || !strings.HasPrefix(text, "HTTP/") {
		return "", 0, text
	}
	return text[:end], 0, strings.TrimLeft(text[end:], " \t")
}

// digits3 is the number that three digits are.
func digits3(s string) int { return int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0') }

// looseDigits is the most digits believed of a chunk-size that other bytes are
// around: enough for any chunk that is really sent.
const looseDigits = 7

// looseSize reads a chunk-size line that chunkSize does not: white space and control
// bytes in front of the digits, anything behind them. What may be meant as another
// number is not read: a sign, a 0 that more follows, "0x10".
func looseSize(line []byte) (n uint64, ok bool) {
	for len(line) > 0 && (line[0] <= ' ' || line[0] == 0x7f) {
		line = line[1:]
	}
	size, digits, _ := chunkSize(line)
	if digits == 0 || digits > looseDigits {
		return 0, false
	}
	return size, size > 0 || blankLine(line[digits:])
}

// blankLine reports whether a line holds nothing but white space and control bytes.
func blankLine(line []byte) bool {
	for _, c := range line {
		if c > ' ' && c != 0x7f {
			return false
		}
	}
	return true
}

// unchunk joins the chunks that all of b is, from the first size to the empty line at
// the end; in place. It is false if b is anything else: b is then as it was.
func unchunk(b []byte) (joined []byte, chunks int, ok bool) {
	type piece struct{ lo, hi int }
	var list []piece
	for at := 0; ; {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			return nil, 0, false
		}
		line, _ := trimEOL(b[at : at+end+1])
		at += end + 1
		if blankLine(line) {
			continue
		}
		size, _, exact := chunkSize(line)
		if !exact {
			if size, exact = looseSize(line); !exact {
				return nil, 0, false
			}
		}
		if size == 0 {
			rest := b[at:]
			if last := string(rest); last != "\r\n" && last != "\n" {
				return nil, 0, false // or a trailer section, that nobody has said is one
			}
			break
		}
		if size > uint64(len(b)-at) {
			return nil, 0, false
		}
		list = append(list, piece{at, at + int(size)})
		at += int(size)
		if at < len(b) && b[at] == '\r' {
			at++
		}
		if at == len(b) || b[at] != '\n' {
			return nil, 0, false
		}
		at++
	}
	out := b[:0]
	for _, p := range list {
		out = append(out, b[p.lo:p.hi]...)
	}
	return out, len(list), true
}

// mentionsChunked reports whether a head holds the words of "Transfer-Encoding:
// chunked", in whatever place and with whatever control bytes in them. line ends and
// case do not matter.
func mentionsChunked(head []byte) bool {
	squeezed := make([]byte, 0, len(head))
	for _, c := range head {
		if c > ' ' && c < 0x7f {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			squeezed = append(squeezed, c)
		}
	}
	at := bytes.Index(squeezed, []byte("transfer-encoding:"))
	return at >= 0 && bytes.Contains(squeezed[at:], []byte("chunked"))
}
