package eventjson

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/format"
)

const (
	// flagOptions says how an event lies in the file, not what it is: the
	// reader takes it off, and a writer would.
	flagOptions format.Flags = 1 << 1
	// maxFields is the most bytes that a payload written field by field takes.
	// A larger one is written as base64, so that every line stays below MaxLine.
	maxFields = 1 << 20
)

// Append appends ev as one line, its newline included. It keeps nothing of ev
// and allocates nothing for DATA, so it may be called for each event of a stream.
//
// Payload that is no object of named fields, and DATA that is not UTF-8 or has
// more escapes than text, is given as base64: [Decoder.Decode] gives back the
// very bytes in each case.
func Append(dst []byte, ev *format.Event) []byte {
	c := codec{dst: append(dst, '{'), empty: true}
	head := header{Event: *ev}
	head.Flags &^= flagOptions
	if ev.Type != format.TypeData {
		head.Offset, head.Dur = 0, 0
	}
	headerFields(&c, &head)
	c.body(ev)
	return append(c.dst, '}', '\n')
}

// body writes the payload, in the best form that is exact.
func (c *codec) body(ev *format.Event) {
	if len(ev.Payload) == 0 {
		return
	}
	n := len(c.dst)
	if ev.Type == format.TypeData {
		if utf8.Valid(ev.Payload) {
			c.begin("text")
			at := len(c.dst)
			c.dst = appendQuoted(c.dst, ev.Payload)
			// Bytes that happen to be UTF-8 need up to six for one.
			if len(c.dst)-at <= 2*len(ev.Payload)+64 {
				return
			}
		}
	} else {
		c.begin("payload")
		var ok bool
		if c.dst, ok = appendFields(c.dst, ev); ok {
			return
		}
	}
	c.dst, c.empty = c.dst[:n], false
	c.begin("base64")
	c.dst = append(base64.StdEncoding.AppendEncode(append(c.dst, '"'), ev.Payload), '"')
}

// appendFields appends the payload as an object. It reports whether that is the
// payload; if not, what was appended is of no use. It has a codec of its own
// because that one, unlike the caller's, is allocated.
func appendFields(dst []byte, ev *format.Event) ([]byte, bool) {
	n := len(dst)
	c := codec{dst: dst}
	_, ok := c.payload(ev.Type, ev.Payload)
	return c.dst, ok && len(c.dst)-n <= maxFields
}

// header is an event as its line holds it.
type header struct {
	format.Event
	bodies int // reading: forms of the payload that were there
	object int // reading: where in the line the payload object begins, -1
	ends   int // and ends
}

// Bits of the fields that a line must have, by their place in headerFields.
const (
	seqField  = 1 << 0
	typeField = 1 << 2
)

// headerFields goes through all of a line but, writing, the payload. Seq is
// always written: a line without it would be taken for one with 0.
func headerFields(c *codec, h *header) {
	if c.in == nil && h.Seq == 0 {
		c.begin("seq")
		c.dst = append(c.dst, '0')
	} else {
		c.u64("seq", &h.Seq)
	}
	c.u64("time", &h.Time)
	if c.in == nil && h.Type == 0 {
		c.begin("type")
		c.dst = append(c.dst, '0')
	} else {
		word(c, "type", &h.Type, format.Type.Name)
	}
	small(c, "conn", &h.Conn)
	word(c, "dir", &h.Dir, dirName)
	small(c, "tid", &h.TID)
	small(c, "cpu", &h.CPU)
	small(c, "probe", &h.Probe)
	small(c, "flags", &h.Flags)
	c.u64("offset", &h.Offset)
	small(c, "dur", &h.Dur)
}

// Decoder turns lines into events. Its zero value is ready. It is not safe for
// concurrent use.
type Decoder struct {
	buf []byte // payloads that do not lie in the line

	// Of one call. They are here and not on its stack so that nothing is allocated.
	in scanner
	c  codec
	h  header
}

// Decode fills ev from line, which holds one event and no newline, or one at its
// end. It changes line; ev.Payload may lie in it, or in the decoder: it is valid
// until the next call, as long as line is.
//
// A line that is not exactly an event is refused, with a reason of one line:
// nothing is guessed or left out.
func (d *Decoder) Decode(line []byte, ev *format.Event) error {
	if err := d.decode(line); err != nil {
		return err
	}
	*ev = d.h.Event
	return nil
}

func (d *Decoder) decode(line []byte) error {
	if err := checkUTF8(line); err != nil {
		return err
	}
	in := &d.in
	*in = scanner{line: line}
	d.c = codec{in: in}
	d.h = header{object: -1}
	d.c.object(d.fields)
	in.end()
	switch seen := d.c.seen; {
	case in.err != nil:
	case seen&typeField == 0:
		in.fail("no field %q", "type")
	case seen&seqField == 0:
		in.fail("no field %q", "seq")
	case d.h.object >= 0:
		in.pos = d.h.object
		d.object()
	}
	if in.err != nil {
		return in.err
	}
	return check(&d.h)
}

// fields goes through the fields of a line.
func (d *Decoder) fields(c *codec) {
	headerFields(c, &d.h)
	was := c.hit
	if c.wants("text") {
		d.h.Payload = c.in.text()
	}
	if c.wants("base64") {
		d.buf = readBase64(c.in, d.buf[:0])
		d.h.Payload = d.buf
	}
	if c.wants("payload") {
		// What is in it depends on the type, which may come later.
		d.h.object = c.in.skip()
		d.h.ends = c.in.pos
	}
	if c.hit && !was {
		if d.h.bodies++; d.h.bodies > 1 {
			c.in.fail("more than one of text, base64 and payload")
		}
	}
}

// checkUTF8 says where line is not text.
func checkUTF8(line []byte) error {
	if utf8.Valid(line) {
		return nil
	}
	at := 0
	for at < len(line) {
		r, n := utf8.DecodeRune(line[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return fmt.Errorf("column %d: not UTF-8; give such bytes as base64", at+1)
}

// object reads a payload of named fields.
func (d *Decoder) object() {
	in := &d.in
	var ok bool
	if d.buf, ok = d.c.payload(d.h.Type, d.buf[:0]); !ok {
		in.fail("a payload of type %d has no named fields: give it as text or base64", d.h.Type)
	}
	// skip stopped at a comma or bracket; space before that is no fault.
	if in.err == nil {
		if in.next(); in.pos != d.h.ends {
			in.syntax("the end of the payload")
		}
	}
	d.h.Payload = d.buf
}

// check holds what was read against the limits of the format.
func check(h *header) error {
	n := len(h.Payload)
	switch {
	case h.Flags&flagOptions != 0:
		return fmt.Errorf("flags: %d is not for an event: it says how one lies in a file", flagOptions)
	case h.Type != format.TypeData && h.Offset != 0:
		return fmt.Errorf("offset: only a data event has one")
	case h.Type != format.TypeData && h.Dur != 0:
		return fmt.Errorf("dur: only a data event has one")
	case n > format.MaxPayload:
		return fmt.Errorf("payload of %d bytes, at most %d", n, format.MaxPayload)
	}
	switch h.Type {
	case format.TypeConn, format.TypeProc, format.TypeProbe, format.TypeSession, format.TypeUnwatched:
		if n > format.MaxDefinition {
			return fmt.Errorf("payload of %d bytes, at most %d for type %q", n, format.MaxDefinition, h.Type.Name())
		}
	}
	return nil
}
