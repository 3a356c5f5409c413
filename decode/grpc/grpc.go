package grpc

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// Kinds of anomaly of gRPC's framing. They are marked on the request or response
// whose body it is.
const (
	// AnomalyTruncated: the body ends inside a message. Nothing of HTTP/2 tells,
	// because the stream itself ends in order.
	AnomalyTruncated decode.AnomalyKind = "grpc-truncated"
	// AnomalyFrame: a flag byte that means nothing, or a compressed message of a
	// call that names no compression.
	AnomalyFrame decode.AnomalyKind = "grpc-bad-frame"
)

const (
	prefixLen = 5
	// trailerMax is the most kept of the trailer frame of gRPC-Web.
	trailerMax = 64 << 10
	// trailerFields is the most fields taken from it.
	trailerFields = 256

	flagCompressed = 0x01
	flagTrailer    = 0x80
)

// Form is the framing a content type stands for.
type Form uint8

// Forms.
const (
	None    Form = iota
	Plain        // application/grpc
	Web          // application/grpc-web: a last frame holds the trailers
	WebText      // application/grpc-web-text: the same in base64
)

// FormOf returns the framing of bodies with this content type.
func FormOf(contentType string) Form {
	const base = "application/grpc"
	if len(contentType) < len(base) || !strings.EqualFold(contentType[:len(base)], base) {
		return None
	}
	rest := strings.ToLower(contentType[len(base):])
	ends := func(s string) bool { return s == "" || s[0] == '+' || s[0] == ';' || s[0] == ' ' }
	if ends(rest) {
		return Plain
	}
	rest, ok := strings.CutPrefix(rest, "-web")
	if !ok {
		return None
	}
	if ends(rest) {
		return Web
	}
	if rest, ok = strings.CutPrefix(rest, "-text"); ok && ends(rest) {
		return WebText
	}
	return None
}

// Reader finds the messages of one body. It is not safe for concurrent use.
// Chunks are borrowed for the call; messages own their memory.
type Reader struct {
	of     decode.Message // what all messages of the body share
	form   Form
	coding string // grpc-encoding
	keep   int    // most bytes kept of a message

	text   unarmor
	prefix [prefixLen]byte
	n      int // of prefix
	flag   byte
	left   uint64 // of the message's bytes
	inside bool   // a message is in hand
	msg    decode.Message
	count  uint64
	lost   bool // framing is lost
	search search

	trailer []byte
	odd     map[string]bool // anomalies by text: each is told once
	notes   []decode.Anomaly
}

// New returns a reader for the body of m, whose head is complete.
func New(m *decode.Message, form Form, coding string, l *decode.Limits) *Reader {
	return &Reader{
		of: decode.Message{
			Kind: decode.Inner, Dir: m.Dir, Exchange: m.Exchange, Stream: m.Stream, Proto: "grpc", Type: "message",
		},
		form: form, coding: strings.ToLower(coding), keep: max(0, min(l.Inner, l.Body)),
	}
}

// Append reads the next piece of the body and appends the messages it completes.
func (r *Reader) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	p := ch.Data
	if r.form == WebText && !r.lost {
		var ok bool
		if p, ok = r.text.add(p); !ok {
			dst = r.read(dst, p, ch)
			return r.lose(dst, ch.At, AnomalyFrame, "the body is not base64")
		}
	}
	return r.read(dst, p, ch)
}

func (r *Reader) read(dst []decode.Message, p []byte, ch decode.Chunk) []decode.Message {
	if r.search.on {
		ch.Data = p
		return r.seek(dst, ch, false)
	}
	for len(p) > 0 && !r.lost {
		if !r.inside {
			if r.n == 0 {
				r.msg = r.of
				r.msg.Begin = ch.Start
			}
			n := copy(r.prefix[r.n:], p)
			r.n += n
			p = p[n:]
			if r.n == prefixLen {
				dst = r.begin(dst, ch.At)
			}
			continue
		}
		n := len(p)
		if uint64(n) > r.left {
			n = int(r.left)
		}
		r.take(p[:n])
		r.left -= uint64(n)
		p = p[n:]
		if r.left == 0 {
			dst = r.finish(dst, ch.At)
		}
	}
	return dst
}

// begin acts on a complete prefix. Nothing is set aside by its length.
func (r *Reader) begin(dst []decode.Message, at decode.At) []decode.Message {
	r.flag, r.left = r.prefix[0], uint64(binary.BigEndian.Uint32(r.prefix[1:]))
	r.inside, r.n = true, 0
	r.msg.HeadEnd = at
	valid := byte(flagCompressed)
	if r.form != Plain {
		valid |= flagTrailer
	}
	if r.flag&^valid != 0 {
		r.note(AnomalyFrame, fmt.Sprintf("flag byte %#02x", r.flag))
	}
	if r.flag&flagCompressed != 0 {
		r.msg.Body.Codings = []string{r.coding}
		if r.coding == "" || r.coding == "identity" {
			r.msg.Body.Codings = nil
			r.note(AnomalyFrame, "a compressed message without grpc-encoding")
		}
	}
	if r.left == 0 {
		return r.finish(dst, at)
	}
	return dst
}

// trailing reports whether the frame in hand holds trailers.
func (r *Reader) trailing() bool { return r.form != Plain && r.flag&flagTrailer != 0 }

// take adds bytes to what is in hand.
func (r *Reader) take(p []byte) {
	if r.trailing() {
		r.trailer = append(r.trailer, p[:min(len(p), trailerMax-len(r.trailer))]...)
		return
	}
	b := &r.msg.Body
	b.Size += uint64(len(p))
	if room := r.keep - len(b.Data); b.Cut || len(p) > room {
		if b.Cut {
			room = 0 // what follows a piece left out must not be joined to it
		}
		b.Cut = true
		p = p[:max(0, room)]
	}
	if len(p) == 0 {
		return
	}
	if b.Data == nil {
		// All of it when little was promised or it is here.
		b.Data = make([]byte, 0, max(len(p), min(int(min(r.left, 64<<10)), r.keep)))
	}
	b.Data = append(b.Data, p...)
}

// finish hands a complete message out.
func (r *Reader) finish(dst []decode.Message, at decode.At) []decode.Message {
	r.inside = false
	if r.trailing() {
		return dst
	}
	r.count++
	m := r.msg
	r.msg = decode.Message{}
	m.Number, m.End = r.count, at
	m.Wire = prefixLen + m.Body.Size
	return append(dst, m)
}

// Gap tells of missing bytes. Those inside a message are counted; behind any others
// the next message is searched, for nothing marks where it begins.
func (r *Reader) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	switch {
	case r.lost:
		return dst
	case r.inside && !r.trailing() && r.form != WebText && g.Known && g.Len <= r.left:
		r.msg.Flags |= decode.Gapped
		b := &r.msg.Body
		b.Size, b.Lost = b.Size+g.Len, b.Lost+g.Len
		if k := len(b.Gaps); k > 0 && b.Gaps[k-1].Off+b.Gaps[k-1].Len == b.Size-g.Len {
			b.Gaps[k-1].Len += g.Len
		} else if k < 16 {
			b.Gaps = append(b.Gaps, decode.Span{Off: b.Size - g.Len, Len: g.Len})
		}
		if r.left -= g.Len; r.left == 0 {
			dst = r.finish(dst, g.At)
		}
		return dst
	}
	r.msg.Flags |= decode.Gapped
	r.trailer = nil // half a field would mislead
	if r.form == WebText {
		return r.lose(dst, g.At, decode.AnomalyGap, "gRPC messages behind it are not told apart")
	}
	r.note(decode.AnomalyGap, "gRPC messages may be missing")
	dst = r.giveUp(dst, g.At)
	r.n = 0
	// What was searched before cannot be joined with what comes.
	r.search = search{on: true}
	return dst
}

// lose gives up the framing.
func (r *Reader) lose(dst []decode.Message, at decode.At, kind decode.AnomalyKind, why string) []decode.Message {
	r.note(kind, why)
	dst = r.giveUp(dst, at)
	r.lost = true
	return dst
}

// giveUp hands out a message whose end was not seen.
func (r *Reader) giveUp(dst []decode.Message, at decode.At) []decode.Message {
	if !r.inside || r.trailing() {
		return dst
	}
	r.msg.Flags |= decode.Incomplete
	return r.finish(dst, at)
}

// End tells that no more of the body of m comes. It appends what is left, fills
// in Inners and the trailer fields of gRPC-Web, and returns what was wrong.
func (r *Reader) End(dst []decode.Message, m *decode.Message, at decode.At) ([]decode.Message, []decode.Anomaly) {
	if r.search.on {
		dst = r.seek(dst, decode.Chunk{Dir: r.of.Dir, At: at}, true)
		r.search = search{}
	}
	if r.inside && m.Flags&(decode.Gapped|decode.Incomplete) == 0 {
		r.note(AnomalyTruncated, fmt.Sprintf("%d bytes are missing", r.left))
	}
	dst = r.giveUp(dst, at)
	r.lost, r.inside = true, false
	m.Inners = r.count
	m.Trailer = appendTrailer(m.Trailer, r.trailer)
	return dst, r.notes
}

// Kept returns how many bytes of the body are held.
func (r *Reader) Kept() int { return cap(r.msg.Body.Data) + cap(r.trailer) + cap(r.search.buf) }

// Shed drops what is held of the message in hand, which goes on without.
func (r *Reader) Shed() {
	if b := &r.msg.Body; b.Data != nil {
		b.Data, b.Cut = nil, true
	}
	if r.search.on {
		r.search, r.lost = search{}, true
	}
}

// note tells each anomaly once: a body holds any number of frames.
func (r *Reader) note(kind decode.AnomalyKind, text string) {
	if r.odd[text] || len(r.odd) >= 8 {
		return
	}
	if r.odd == nil {
		r.odd = map[string]bool{}
	}
	r.odd[text] = true
	r.notes = append(r.notes, decode.Anomaly{Kind: kind, Dir: r.of.Dir, Detail: text})
}

// appendTrailer appends the fields of a trailer frame, which has the form of an
// HTTP/1 header section without its last line.
func appendTrailer(dst []decode.Field, b []byte) []decode.Field {
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok && len(dst) < trailerFields {
			dst = append(dst, decode.Field{Name: name, Value: strings.Trim(value, " \t")})
		}
	}
	return dst
}

// Message is one length-prefixed message of a body that is kept.
type Message struct {
	Compressed bool
	Trailer    bool   // the trailer frame of gRPC-Web
	Size       uint64 // as announced
	Data       []byte // aliases the body; shorter than Size if the body was cut
}

// Split returns the messages at the beginning of a body, at most max of them, and
// whether that is all of it. A body in base64 must have been decoded before.
func Split(b []byte, form Form, most int) (list []Message, all bool) {
	for len(b) >= prefixLen && len(list) < most {
		m := Message{
			Compressed: b[0]&flagCompressed != 0, Trailer: form != Plain && b[0]&flagTrailer != 0,
			Size: uint64(binary.BigEndian.Uint32(b[1:])),
		}
		b = b[prefixLen:]
		n := min(m.Size, uint64(len(b)))
		m.Data, b = b[:n], b[n:]
		list = append(list, m)
	}
	return list, len(b) == 0
}
