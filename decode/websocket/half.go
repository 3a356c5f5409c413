package websocket

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// States of one direction.
const (
	inHeader = iota
	inPayload
	inSearch
)

// half reads one direction.
type half struct {
	conn       *Conn
	dir        decode.Dir
	fromClient bool
	takeover   bool // its window outlives a message

	state   int
	header  [headerMax]byte
	nheader int
	begin   int64 // when the header's first byte began to move
	f       frame
	pos     uint64 // payload bytes of the frame in hand that are behind

	data, ctl message // of data frames, which control frames may interrupt (§5.4)
	number    uint64  // messages given out
	carry     []decode.Anomaly
	joined    bool // frames were missed: what continues may have begun unseen
	closed    bool // a close frame was seen
	ended     bool
	search    search
	window    []byte // the end of what was inflated, if takeover
	forgot    bool   // text is missing from the window
}

// feed runs bytes through the state machine.
func (h *half) feed(dst []decode.Message, p []byte, m moment) []decode.Message {
	for len(p) > 0 {
		switch h.state {
		case inHeader:
			var n int
			dst, n = h.feedHeader(dst, p, m)
			p = p[n:]
		case inPayload:
			n := len(p)
			if left := h.f.length - h.pos; uint64(n) > left {
				n = int(left)
			}
			h.message().keep(h, p[:n])
			p = p[n:]
			dst = h.advance(dst, uint64(n), m)
		case inSearch:
			return h.feedSearch(dst, p, m)
		}
	}
	return dst
}

// feedHeader takes header bytes, and acts on a header that is whole.
func (h *half) feedHeader(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	if h.nheader == 0 {
		h.begin = m.start
	}
	n := 0
	for {
		f, ok := parseFrame(h.header[:h.nheader])
		if ok {
			h.nheader, h.f, h.pos = 0, f, 0
			return h.startFrame(dst, m), n
		}
		k := copy(h.header[h.nheader:f.size], p[n:])
		if k == 0 {
			return dst, n
		}
		h.nheader += k
		n += k
	}
}

// message is what the frame in hand belongs to. A frame of a reserved opcode is
// like a control frame a message of its own, and interrupts nothing.
func (h *half) message() *message {
	if h.f.control() || h.f.reserved() {
		return &h.ctl
	}
	return &h.data
}

// startFrame acts on a header. Nothing is set aside by its length.
func (h *half) startFrame(dst []decode.Message, m moment) []decode.Message {
	f, msg := &h.f, h.message()
	switch {
	case msg == &h.ctl:
		h.open(msg, m)
	case f.op != opContinuation && h.data.open:
		h.mark(msg, AnomalyFragment, "another message begins before its end")
		dst = h.giveUp(dst, msg, m)
		h.open(msg, m)
	case f.op != opContinuation:
		h.open(msg, m)
	case !h.data.open:
		h.open(msg, m)
		if h.joined {
			msg.Flags |= decode.MidStream
			h.mark(msg, decode.AnomalyMidStream, "its first frame was not seen")
			// Whether it is compressed was said by its first frame.
			msg.doubtful = h.conn.o.Extensions.Deflate
		} else {
			h.mark(msg, AnomalyFragment, "a continuation of nothing")
		}
	}
	if msg == &h.data {
		h.joined = false
	}
	h.check(msg)
	msg.Wire = addSat(msg.Wire, uint64(f.size))
	h.state = inPayload
	return h.advance(dst, 0, m)
}

// check marks what is wrong with the header in hand.
func (h *half) check(msg *message) {
	f, ext := &h.f, &h.conn.o.Extensions
	bits := f.rsv
	if ext.Deflate && (f.op == opText || f.op == opBinary) {
		bits &^= rsv1 // it says that the message is compressed (RFC 7692 §6)
	}
	if bits != 0 && ext.Other == "" {
		h.mark(msg, AnomalyReserved, fmt.Sprintf("%#02x on a frame of %s", bits, opcodeName(f.op)))
	}
	if f.reserved() {
		h.mark(msg, AnomalyOpcode, opcodeName(f.op))
	}
	if f.long {
		h.mark(msg, AnomalyLength, fmt.Sprintf("%d, in %d bytes", f.length, f.size))
	}
	if f.control() && (!f.fin || f.length > controlMax) {
		why := fmt.Sprintf("a %s of %d bytes", opcodeName(f.op), f.length)
		if !f.fin {
			why = "a fragment of a " + opcodeName(f.op)
		}
		h.mark(msg, AnomalyControl, why)
	}
	switch {
	case h.fromClient && !f.masked:
		h.mark(msg, AnomalyMask, "the client's frame is not masked")
	case !h.fromClient && f.masked:
		h.mark(msg, AnomalyMask, "the server's frame is masked")
	}
	if h.closed {
		h.mark(msg, AnomalyAfterClose, "")
	}
}

// advance counts n payload bytes, and ends the frame after the last one.
func (h *half) advance(dst []decode.Message, n uint64, m moment) []decode.Message {
	msg := h.message()
	h.pos += n
	msg.Wire = addSat(msg.Wire, n)
	if h.pos < h.f.length {
		return dst
	}
	h.state = inHeader
	if msg == &h.data && !h.f.fin {
		return dst
	}
	return h.finish(dst, msg, m)
}

// gap handles missing bytes.
func (h *half) gap(dst []decode.Message, g decode.Gap) []decode.Message {
	m := moment{g.At, g.At.Time}
	detail := "an unknown number of bytes missing"
	if g.Known {
		detail = fmt.Sprintf("%d bytes missing", g.Len)
	}
	// What was searched before the hole cannot be joined with what is behind it.
	if h.state == inSearch {
		dst = h.settle(dst, m)
	}
	// The frame's own length says where the next begins, so a hole inside it loses
	// no boundary.
	if h.state == inPayload && g.Known {
		msg, n := h.message(), min(h.f.length-h.pos, g.Len)
		h.mark(msg, decode.AnomalyGap, detail)
		msg.lost(n, h.conn.o.Limits.Gaps)
		dst = h.advance(dst, n, m)
		if g.Len -= n; g.Len == 0 {
			return dst
		}
	}
	for _, msg := range [2]*message{&h.ctl, &h.data} {
		if msg.open {
			h.mark(msg, decode.AnomalyGap, detail)
			msg.Flags |= decode.Gapped
			dst = h.giveUp(dst, msg, m)
		}
	}
	if h.nheader > 0 {
		h.search.pass(h.header[:h.nheader], h.begin)
		h.nheader = 0
		dst = h.endSearch(dst, m)
	}
	h.carryOver(decode.AnomalyGap, detail)
	h.lose()
	return dst
}

// lose gives the frame boundary up. Messages may have gone by unseen, and with
// them text that later ones refer to.
func (h *half) lose() {
	h.state, h.joined = inSearch, true
	h.forget()
}

// end reports what the end of the direction leaves unfinished.
func (h *half) end(dst []decode.Message, m moment, clean bool) []decode.Message {
	if h.ended {
		return dst
	}
	h.ended = true
	why := "the recording ended"
	if clean {
		why = "the connection ended"
	}
	if h.state == inSearch {
		dst = h.settle(dst, m)
	}
	if h.nheader > 0 {
		h.carryOver(decode.AnomalyTruncated, why+" inside a frame header")
		h.search.pass(h.header[:h.nheader], h.begin)
		h.nheader = 0
		dst = h.endSearch(dst, m)
	}
	for _, msg := range [2]*message{&h.ctl, &h.data} {
		if msg.open {
			h.mark(msg, decode.AnomalyTruncated, why)
			dst = h.giveUp(dst, msg, m)
		}
	}
	h.state = inHeader
	note := decode.Message{Kind: decode.Notice, Dir: h.dir, Proto: proto, Exchange: h.conn.o.Exchange, Stream: h.conn.o.Stream,
		Begin: m.start, HeadEnd: m.at, End: m.at, Anomalies: h.takeCarry()}
	// A connection tells its end itself. That there was no close frame is no
	// anomaly: browsers leave like that (§7.1.5).
	if clean && !h.closed && h.conn.o.Stream != 0 {
		note.Flags |= decode.Last
	}
	if len(note.Anomalies) == 0 && note.Flags == 0 {
		return dst
	}
	return append(dst, note)
}

// addSat adds without wrapping: lengths are the sender's to choose.
func addSat(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}
