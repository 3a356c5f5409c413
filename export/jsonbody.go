package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
)

// jsonBody has Text or Base64, one of the two, even when it is empty, and both
// where the text is in another character set.
type jsonBody struct {
	Size   int    `json:"size"` // bytes here, decoded
	Coding []wild `json:"coding,omitempty"`
	// Removed are the codings that were, where they are not those of Coding.
	Removed []string `json:"removed,omitempty"`
	// Decoded: the codings were removed, as far as Error allowed.
	Decoded bool   `json:"decoded,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // of the decoded body, when that is whole
	Cut     bool   `json:"cut,omitempty"`
	Error   string `json:"error,omitempty"`
	// Charset: Text was converted from it, and Base64 is there too.
	Charset string    `json:"charset,omitempty"`
	Text    *jsonBulk `json:"text,omitempty"`
	Base64  *jsonBulk `json:"base64,omitempty"`
}

// jsonBodyOf gives the decoded bytes if there are any. Text is chosen by the
// bytes alone: a Content-Type may lie, and base64 always survives.
func jsonBodyOf(m *decode.Message) *jsonBody {
	b := &m.Body
	data := contentOf(b)
	j := &jsonBody{Size: len(data), Coding: wilds(b.Codings), Removed: b.Removed, Decoded: decoded(b), Cut: b.Cut || b.ContentCut, Error: b.ContentErr}
	// Only where the body was hashed as sent: then it is whole, and hashes are wanted.
	if j.Decoded && !j.Cut && j.Error == "" && b.SHA256 != nil {
		sum := sha256.Sum256(data)
		j.SHA256 = hex.EncodeToString(sum[:])
	}
	if utf8.Valid(data) {
		j.Text = &jsonBulk{data: data}
		return j
	}
	j.Base64 = &jsonBulk{data: data, binary: true}
	if text, charset, ok := content.Text(data, header(m, "content-type")); ok && len(data) < bulkMin {
		j.Text, j.Charset = &jsonBulk{data: text}, charset
	}
	return j
}

// bulkMin is the length from which a body is written in pieces. Encoded, a byte
// may take six: a line of two bodies would otherwise be held several times over.
const bulkMin = 1 << 20

// bulkPiece is how much is encoded at a time.
const bulkPiece = 48 << 10 // a multiple of 3, so that base64 has no padding inside

// jsonBulk is a body in JSON: text, which must be UTF-8, or base64. In a line that
// is encoded as a whole a large one is left out, and a number that nothing else
// here is written as stands in its place.
type jsonBulk struct {
	data   []byte
	binary bool
	place  int // from 1: large, and written later
}

// MarshalJSON implements [json.Marshaler].
func (b *jsonBulk) MarshalJSON() ([]byte, error) {
	switch {
	case b.place > 0:
		return fmt.Appendf(nil, "0E+7777%d", b.place), nil
	case b.binary:
		return json.Marshal(b.data)
	}
	return wild(b.data).MarshalJSON()
}

// mark is what stands in the line for b. The quotes make it impossible inside a
// string: there they have a backslash before them.
func (b *jsonBulk) mark() []byte {
	key := "text"
	if b.binary {
		key = "base64"
	}
	return fmt.Appendf(nil, "%q:0E+7777%d", key, b.place)
}

// bulks numbers the large bodies of a line, in the order they stand in it.
func (j *jsonExchange) bulks() (list []*jsonBulk) {
	add := func(body *jsonBody) {
		if body == nil {
			return
		}
		for _, b := range [2]*jsonBulk{body.Text, body.Base64} {
			if b != nil && len(b.data) >= bulkMin {
				list = append(list, b)
				b.place = len(list)
			}
		}
	}
	if j.Req != nil {
		add(j.Req.Body)
	}
	if j.Resp != nil {
		add(j.Resp.Body)
	}
	return list
}

// writeBulks writes a line with the bodies that were left out of it.
func writeBulks(w io.Writer, line []byte, list []*jsonBulk) error {
	for _, b := range list {
		mark := b.mark()
		at := bytes.Index(line, mark)
		if at < 0 {
			return fmt.Errorf("encode body: its place is not in the line")
		}
		end := at + len(mark)
		at = end - len(mark) + bytes.IndexByte(mark, ':') + 1
		if _, err := w.Write(line[:at]); err != nil {
			return err
		}
		if err := b.write(w); err != nil {
			return err
		}
		line = line[end:]
	}
	_, err := w.Write(line)
	return err
}

// write writes b as a JSON string.
func (b *jsonBulk) write(w io.Writer) error {
	quote := []byte{'"'}
	if _, err := w.Write(quote); err != nil {
		return err
	}
	var buf []byte
	for data := b.data; len(data) > 0; {
		n := min(bulkPiece, len(data))
		if b.binary {
			buf = base64.StdEncoding.AppendEncode(buf[:0], data[:n])
		} else {
			for n < len(data) && !utf8.RuneStart(data[n]) {
				n--
			}
			text, err := wild(data[:n]).MarshalJSON()
			if err != nil {
				return err
			}
			buf = inert(text[1 : len(text)-1])
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		data = data[n:]
	}
	_, err := w.Write(quote)
	return err
}

// elapsed leaves out what is not known.
func elapsed(ns int64) *seconds {
	if ns < 0 {
		return nil
	}
	return (*seconds)(&ns)
}
