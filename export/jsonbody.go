package export

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
)

// body appends the decoded bytes of a body if there are any, else those as sent, as
// text or base64: one of the two, even when it is empty, and both where the text is
// in another character set, "charset". Text is chosen by the bytes alone: a
// Content-Type may lie, and base64 always survives.
//
// Size counts the bytes here. "decoded" says that the codings were removed, as far
// as "error" allowed; sha256 is of the decoded body, when that is whole.
func (l *jsonLine) body(m *decode.Message) {
	b := &m.Body
	data := contentOf(b)
	l.own(`,"body":{"size":`)
	l.b = strconv.AppendInt(l.b, int64(len(data)), 10)
	l.texts(`,"coding":[`, b.Codings)
	l.texts(`,"removed":[`, b.Removed) // where they are not those of "coding"
	cut := b.Cut || b.ContentCut
	if decoded(b) {
		l.own(`,"decoded":true`)
		// Only where the body was hashed as sent: then it is whole, and hashes are wanted.
		if !cut && b.ContentErr == "" && b.SHA256 != nil {
			sum := sha256.Sum256(data)
			l.own(`,"sha256":"`)
			l.b = append(hex.AppendEncode(l.b, sum[:]), '"')
		}
	}
	if cut {
		l.own(`,"cut":true`)
	}
	if b.ContentErr != "" {
		l.own(`,"error":"`)
		l.b = append(appendText(l.b, b.ContentErr), '"')
	}
	if utf8.Valid(data) {
		l.bulk(`,"text":"`, data, false)
	} else {
		if text, charset, ok := content.Text(data, header(m, "content-type")); ok && len(data) < bulkMin {
			if charset != "" {
				l.own(`,"charset":"`)
				l.b = append(appendText(l.b, charset), '"')
			}
			l.own(`,"text":`)
			l.b = appendWild(l.b, text)
		}
		l.bulk(`,"base64":"`, data, true)
	}
	l.own("}")
}

// bulkMin is the length from which a body is written in pieces. Encoded, a byte
// may take six: a line of two bodies would otherwise be held several times over.
const bulkMin = 1 << 20

// bulkPiece is how much is encoded at a time.
const bulkPiece = 48 << 10 // a multiple of 3, so that base64 has no padding inside

// bulk appends a body behind key, which ends in the quote that begins it. A large
// one is written at once, with what stands before it, and not held.
func (l *jsonLine) bulk(key literal, data []byte, binary bool) {
	l.own(key)
	large := len(data) >= bulkMin
	for len(data) > 0 {
		n := len(data)
		if large {
			n = min(bulkPiece, n)
		}
		if binary {
			l.b = base64.StdEncoding.AppendEncode(l.b, data[:n])
		} else {
			for n < len(data) && !utf8.RuneStart(data[n]) {
				n--
			}
			l.b = appendText(l.b, data[:n])
		}
		data = data[n:]
		if large {
			l.flush()
		}
	}
	l.own(`"`)
}
