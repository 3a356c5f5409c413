package export

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

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
