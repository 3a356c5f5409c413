package sse

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// nameMax is the most kept of an event's name, valueMax of its id or retry.
	nameMax  = 256
	valueMax = 1024
	// fieldRoom is what a line may hold besides its data: "data" and ": ".
	fieldRoom = 6

	bom = "\ufeff"
)

// Reader finds the events of one body. It is not safe for concurrent use. Chunks
// are borrowed for the call; messages own their memory.
type Reader struct {
	of   decode.Message // what all messages of the body share
	keep int            // most bytes kept of an event's data

	line    []byte // the line in hand, at most keep+fieldRoom of it
	size    uint64 // length of the line in hand
	cut     bool   // no more of the line is held
	cr      bool   // the last byte was CR: a LF now belongs to it
	first   bool   // the line in hand is the body's first
	skip    bool   // up to the next blank line, because of a gap
	started bool   // some byte of the event in hand was seen

	msg   decode.Message // the event in hand
	lines int            // of data it has
	count uint64
}

// New returns a reader for the body of m, whose head is complete.
func New(m *decode.Message, l *decode.Limits) *Reader {
	return &Reader{
		of:   decode.Message{Kind: decode.Inner, Dir: m.Dir, Exchange: m.Exchange, Stream: m.Stream, Proto: "sse"},
		keep: max(0, min(l.Inner, l.Body)), first: true,
	}
}

// Append reads the next piece of the body and appends the events it completes.
func (r *Reader) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	for p := ch.Data; len(p) > 0; {
		if r.cr {
			r.cr = false
			if p[0] == '\n' {
				p = p[1:]
				r.msg.Wire++ // of the event in hand, or of the next: it is not begun by it
				continue
			}
		}
		if !r.started {
			wire := r.msg.Wire
			r.msg = r.of
			r.msg.Begin, r.msg.Wire, r.started = ch.Start, wire, true
		}
		end := bytes.IndexAny(p, "\r\n")
		if end < 0 {
			r.hold(p)
			break
		}
		r.hold(p[:end])
		r.msg.Wire++
		r.cr = p[end] == '\r'
		p = p[end+1:]
		dst = r.endLine(dst, ch.At)
	}
	return dst
}

// hold adds to the line in hand what fits.
func (r *Reader) hold(p []byte) {
	r.msg.Wire += uint64(len(p))
	r.size += uint64(len(p))
	room := max(r.keep, valueMax) + fieldRoom - len(r.line)
	if r.cut {
		room = 0
	}
	r.line = append(r.line, p[:min(len(p), room)]...)
}

// endLine acts on a whole line.
func (r *Reader) endLine(dst []decode.Message, at decode.At) []decode.Message {
	line, size := r.line, r.size
	r.line, r.size, r.cut = r.line[:0], 0, false
	if r.first {
		r.first = false
		if rest, ok := bytes.CutPrefix(line, []byte(bom)); ok {
			line, size = rest, size-uint64(len(bom))
		}
	}
	switch {
	case r.skip:
		if size == 0 {
			r.skip, r.started = false, false
		}
		return dst
	case size == 0:
		return r.finish(dst, at)
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	// The value's length, of which line may hold only a part.
	n := size - uint64(len(name))
	if n > 0 {
		n--
	}
	if len(value) > 0 && value[0] == ' ' {
		value, n = value[1:], n-1
	}
	r.field(string(name), value, n)
	return dst
}

// field adds a field to the event in hand. n is the value's whole length.
func (r *Reader) field(name string, value []byte, n uint64) {
	m := &r.msg
	switch name {
	case "data":
		if r.lines++; r.lines > 1 {
			r.add([]byte{'\n'}, 1)
		}
		r.add(value, n)
	case "event":
		m.Type = string(value[:min(len(value), nameMax)])
	case "id", "retry":
		value = value[:min(len(value), valueMax)]
		// As the standard has it, such an id and such a time are no field.
		if name == "id" && bytes.IndexByte(value, 0) >= 0 || name == "retry" && !digits(value) {
			return
		}
		// The last of each counts.
		for i := range m.Header {
			if m.Header[i].Name == name {
				m.Header[i].Value = string(value)
				return
			}
		}
		m.Header = append(m.Header, decode.Field{Name: name, Value: string(value)})
	}
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// add adds to the event's data within the limit. value may be only the first of
// n bytes.
func (r *Reader) add(value []byte, n uint64) {
	b := &r.msg.Body
	b.Size += n
	room := r.keep - len(b.Data)
	if b.Cut {
		room = 0 // what follows a piece left out must not be joined to it
	}
	k := min(len(value), room)
	if uint64(k) < n {
		b.Cut = true
	}
	b.Data = append(b.Data, value[:k]...)
}

// finish hands out the event in hand, if it is one.
func (r *Reader) finish(dst []decode.Message, at decode.At) []decode.Message {
	m, lines := r.msg, r.lines
	r.msg, r.lines, r.started = decode.Message{}, 0, false
	if lines == 0 {
		return dst // only comments, or a new id
	}
	if m.Type == "" {
		m.Type = "message"
	}
	r.count++
	m.Number, m.HeadEnd, m.End = r.count, at, at
	return append(dst, m)
}

// Gap tells of missing bytes. The event in hand is given out as it is, and the
// rest of whatever event the missing bytes end in is passed over.
func (r *Reader) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if g.Known && g.Len == 0 {
		return dst
	}
	dst = r.giveUp(dst, g.At, decode.Gapped)
	r.first, r.cr, r.skip = false, false, true
	return dst
}

// giveUp hands out an event whose end was not seen. Half a line is no field.
func (r *Reader) giveUp(dst []decode.Message, at decode.At, f decode.Flags) []decode.Message {
	r.line, r.size, r.cut = r.line[:0], 0, false
	r.msg.Flags |= decode.Incomplete | f
	return r.finish(dst, at)
}

// End tells that no more of the body of m comes: an event without its blank line
// is given out as incomplete, though a browser would drop it.
func (r *Reader) End(dst []decode.Message, m *decode.Message, at decode.At) ([]decode.Message, []decode.Anomaly) {
	var notes []decode.Anomaly
	if r.lines > 0 && m.Flags&(decode.Gapped|decode.Incomplete) == 0 {
		notes = []decode.Anomaly{{Kind: AnomalyTruncated, Dir: m.Dir, Detail: fmt.Sprintf("event %d has no end", r.count+1)}}
	}
	dst = r.giveUp(dst, at, 0)
	m.Inners = r.count
	return dst, notes
}

// AnomalyTruncated: the body ends inside an event.
const AnomalyTruncated decode.AnomalyKind = "sse-truncated"

// Kept returns how many bytes of the body are held.
func (r *Reader) Kept() int { return cap(r.line) + cap(r.msg.Body.Data) }

// Shed drops what is held of the event in hand, which goes on without.
func (r *Reader) Shed() {
	if b := &r.msg.Body; b.Data != nil {
		b.Data, b.Cut = nil, true
	}
	if cap(r.line) > valueMax {
		r.line = bytes.Clone(r.line[:min(len(r.line), valueMax)])
		r.cut = true
	}
}
