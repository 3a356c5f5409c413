package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
)

// dumpBytes is how much of a binary body is shown.
const dumpBytes = 512

// hexdump writes the first dumpBytes of b, 16 a line, and how many are left out.
func (s *screen) hexdump(b []byte) {
	head := b[:min(len(b), dumpBytes)]
	// hexdump -C's form: every tool and every reader knows it.
	for off := 0; off < len(head); off += 16 {
		line := head[off:min(off+16, len(head))]
		s.hex("", uint64(off), 8)
		for i := range 16 {
			if i%8 == 0 {
				s.own(" ")
			}
			if i >= len(line) {
				s.own("   ")
				continue
			}
			s.hex(" ", uint64(line[i]), 2)
		}
		s.own("  |")
		for _, c := range line {
			if c < 0x20 || c > 0x7e {
				c = '.'
			}
			s.buf = append(s.buf, c)
		}
		s.own("|\n")
	}
	if rest := len(b) - len(head); rest > 0 {
		s.own("... (")
		s.number(uint64(rest))
		s.own(" more bytes)\n")
	}
}

// textPiece is how much of a body is made text at a time.
const textPiece = 64 << 10

// text writes a body as text and sees to it that a line ends there. Large ones are
// handed on as they are written: an escape takes several times the place.
func (s *screen) text(b []byte) {
	last := byte('\n')
	if len(b) > 0 {
		last = b[len(b)-1]
	}
	for len(b) > 0 {
		n := pieceEnd(b, textPiece)
		s.capturedBody(string(b[:n]))
		s.spill()
		b = b[n:]
	}
	if last != '\n' {
		s.own("\n")
	}
}

// pieceEnd returns where the first most bytes of b may be cut: not inside a
// character, and not between CR and LF.
func pieceEnd(b []byte, most int) int {
	if len(b) <= most {
		return len(b)
	}
	n := most
	for n > most-utf8.UTFMax && (!utf8.RuneStart(b[n]) || b[n] == '\n') {
		n--
	}
	return n
}

// content writes the decoded body of m in the form that suits it.
func (s *screen) content(m *decode.Message, b []byte, o *TextOptions) {
	ctype := header(m, "content-type")
	if o.Hex {
		s.hexdump(b)
		return
	}
	if s.grpcBody(m, b) {
		return
	}
	if text, _, ok := content.Text(b, ctype); ok {
		b = text
	} else if !content.IsText(b, ctype) {
		s.hexdump(b)
		return
	}
	// What a reader may copy from a file or pipe stays as it was sent.
	if o.Pretty {
		if pretty, ok := prettyJSON(b); ok {
			b = pretty
		}
	}
	s.text(b)
}

const (
	// prettyMax and prettyDepth bound what is laid out anew: indentation can make
	// a square of it.
	prettyMax   = 1 << 20
	prettyDepth = 32
)

// prettyJSON lays a JSON object or array out for people. ok is false if b is none,
// or too large or deep.
func prettyJSON(b []byte) (pretty []byte, ok bool) {
	trim := bytes.TrimLeft(b, " \t\r\n")
	if len(b) > prettyMax || len(trim) == 0 || trim[0] != '{' && trim[0] != '[' {
		return nil, false
	}
	depth, quoted := 0, false
	for i := 0; i < len(trim); i++ {
		switch c := trim[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > prettyDepth {
				return nil, false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, trim, "", "  "); err != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// rule closes a body.
func (s *screen) rule() { s.own("────────────\n") }

// body writes a message's body with its frame, or nothing if none was kept.
func (s *screen) body(m *decode.Message, o *TextOptions) {
	hex := o.Hex
	b := contentOf(&m.Body)
	if len(b) == 0 {
		return
	}
	ctype := header(m, "content-type")
	s.own("─── Body ")
	switch {
	case hex:
		s.own("│ ")
		s.signature(b, ctype, !m.Body.Cut && !m.Body.ContentCut && m.Flags&(decode.Incomplete|decode.Gapped) == 0)
		s.own(" (")
		s.number(uint64(len(b)))
		s.own(" bytes) ")
	// The seed gave no size here for HTTP/2, and its text is kept to the byte.
	case m.Proto != "HTTP/2":
		s.own("(")
		s.number(uint64(len(b)))
		s.own(" bytes) ")
	}
	s.own("───\n")
	s.content(m, b, o)
	s.rule()
}

// signature writes what b is by its magic bytes, else what it was said to be.
func (s *screen) signature(b []byte, ctype string, whole bool) {
	// Magic bytes before Content-Type: a type may be a lie, and that is worth
	// seeing. Names of signatures may come from a library, hence captured.
	sig := content.Sniff(b)
	switch {
	case sig.Name != "":
		s.captured(sig.Name)
		s.own(" [")
		s.captured(string(sig.Class))
		s.own("]")
		if whole && !trailerOK(sig.Name, b) {
			s.own(" (trailer mismatch)")
		}
	case ctype != "":
		s.captured(ctype)
	default:
		s.own("unknown")
	}
}

// trailerOK reports whether a whole body ends the way its format ends. Only for
// formats whose end is fixed; a PDF may have line ends and padding after it.
func trailerOK(name string, b []byte) bool {
	has := func(p string) bool { return bytes.HasPrefix([]byte(name), []byte(p)) }
	switch {
	case has("PNG"):
		return bytes.HasSuffix(b, []byte("IEND\xaeB`\x82"))
	case has("GIF"):
		return bytes.HasSuffix(b, []byte("\x00;"))
	case has("JPEG image"):
		return bytes.HasSuffix(b, []byte("\xff\xd9"))
	case has("PDF"):
		return bytes.Contains(b[max(0, len(b)-1024):], []byte("%%EOF"))
	}
	return true
}

// warnings returns what must be said of a message, each in a few words that may
// quote captured bytes. bodies tells whether its body is shown.
func warnings(m *decode.Message, bodies bool) []string {
	var out []string
	b := &m.Body
	add := func(on bool, format string, args ...any) {
		if on {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(b.Lost > 0, "%d bytes missing", b.Lost)
	// Lost is 0 when nobody knows how much, or when no body byte is missing.
	add(m.Flags&decode.Gapped != 0 && b.Lost == 0, "bytes missing")
	add(m.Flags&decode.MidStream != 0, "its beginning was not seen")
	add(m.Flags&decode.Incomplete != 0 && m.Flags&decode.Reset == 0, "incomplete: its end was not seen")
	add(m.Flags&decode.Reset != 0, "the stream was reset")
	add(bodies && b.Cut && b.Data != nil, "body cut: %d of %d bytes kept", len(b.Data), b.Size)
	add(bodies && b.Cut && b.Data == nil, "body not kept: %d bytes", b.Size)
	add(bodies && b.ContentCut, "decoded body cut at %d bytes", len(b.Content))
	add(bodies && b.ContentErr != "" && len(b.Removed) == 0, "content coding: %s", b.ContentErr)
	add(bodies && len(b.Removed) > 0, "content coding: %s; removed: %s", b.ContentErr, strings.Join(b.Removed, ", "))
	for _, a := range m.Anomalies {
		switch {
		case a.Kind == decode.AnomalyNoRequest || a.Detail == "":
			add(true, "%s", a.Kind)
		case m.Kind == decode.Inner: // its place in the stream is not known
			add(true, "%s: %s", a.Kind, a.Detail)
		default:
			add(true, "%s at byte %d: %s", a.Kind, a.Offset, a.Detail)
		}
	}
	return out
}
