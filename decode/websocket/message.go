package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
)

// message is a message being put together.
type message struct {
	decode.Message
	open       bool
	compressed bool   // its first frame said so
	doubtful   bool   // its first frame, which may have said so, was not seen
	shed       bool   // what there was of it was dropped: nothing more is kept
	comp       []byte // of a compressed message, what was kept as sent; reused
}

// open begins a message with the frame in hand.
func (h *half) open(msg *message, m moment) {
	o := &h.conn.o
	*msg = message{open: true, comp: msg.comp[:0]}
	msg.compressed = o.Extensions.Deflate && h.f.rsv&rsv1 != 0 && (h.f.op == opText || h.f.op == opBinary)
	msg.Message = decode.Message{
		Kind: decode.Inner, Dir: h.dir, Proto: proto, Type: opcodeName(h.f.op), Exchange: o.Exchange, Stream: o.Stream,
		Begin: h.begin, HeadEnd: m.at, Anomalies: h.takeCarry(),
	}
	if o.Extensions.Other != "" && h.f.rsv != 0 {
		// It may be compressed or whatever else: what is given is what was sent.
		msg.Body.Codings = []string{o.Extensions.Other}
		msg.Body.ContentErr = string(AnomalyReserved)
	}
}

// keep adds payload bytes of the frame in hand, unmasked.
func (msg *message) keep(h *half, p []byte) {
	b := &msg.Body
	b.Size = addSat(b.Size, uint64(len(p)))
	to, limit, room := &b.Data, h.conn.o.Limits.Body, 0
	switch {
	case msg.compressed:
		to, limit, room = &msg.comp, h.conn.compMax(), len(tail)
	case h.f.op == opClose:
		limit = max(0, limit) + 2 // the code is not part of what is kept
	}
	if msg.shed {
		return
	}
	p = p[:min(len(p), max(0, limit-len(*to)))]
	if *to == nil && h.f.fin && h.f.length <= 64<<10 && len(p) > 0 {
		// The usual message is one frame.
		*to = make([]byte, 0, min(int(h.f.length), limit)+room)
	}
	at := len(*to)
	*to = append(*to, p...)
	if h.f.masked {
		unmask((*to)[at:], h.f.key, h.pos)
	}
}

// lost adds n payload bytes that were never seen.
func (msg *message) lost(n uint64, most int) {
	if n == 0 {
		return
	}
	b := &msg.Body
	msg.Flags |= decode.Gapped
	// Holes that touch are one: how a loss was cut into events must not show.
	if k := len(b.Gaps); k > 0 && addSat(b.Gaps[k-1].Off, b.Gaps[k-1].Len) == b.Size {
		b.Gaps[k-1].Len = addSat(b.Gaps[k-1].Len, n)
	} else if k < most {
		b.Gaps = append(b.Gaps, decode.Span{Off: b.Size, Len: n})
	}
	b.Size, b.Lost = addSat(b.Size, n), addSat(b.Lost, n)
}

// giveUp gives a message out whose end will not be seen; the caller said why.
func (h *half) giveUp(dst []decode.Message, msg *message, m moment) []decode.Message {
	msg.Flags |= decode.Incomplete
	return h.finish(dst, msg, m)
}

// finish gives a message out.
func (h *half) finish(dst []decode.Message, msg *message, m moment) []decode.Message {
	b := &msg.Body
	switch {
	case msg.compressed:
		h.inflate(msg)
		h.conn.inf.rest(m.at.Time)
	case msg.doubtful:
		h.forget()
	}
	if !msg.compressed {
		b.Cut = b.Size-b.Lost > uint64(len(b.Data))
	}
	if msg.Type == opcodeName(opClose) {
		h.endClose(msg)
		if limit := max(0, h.conn.o.Limits.Body); len(b.Data) > limit {
			b.Data, b.Cut = b.Data[:limit], true
		}
	}
	whole := !b.Cut && b.Codings == nil && msg.Flags&(decode.Gapped|decode.Incomplete|decode.MidStream) == 0
	if whole && (msg.Type == "text" || msg.Type == "close") && !utf8.Valid(b.Data) {
		h.mark(msg, AnomalyUTF8, "")
	}
	h.number++
	msg.Number, msg.End = h.number, m.at
	dst = append(dst, msg.Message)
	comp := msg.comp[:0]
	if cap(comp) > compKept {
		comp = nil // a rare large message must not be paid for ever after
	}
	*msg = message{comp: comp}
	return dst
}

// endClose takes the code out of the payload of a close frame (RFC 6455 §5.5.1),
// which leaves the reason as its body.
func (h *half) endClose(msg *message) {
	b := &msg.Body
	if !h.closed {
		msg.Flags |= decode.Last
	}
	h.closed = true
	switch {
	case b.Size == 0:
		return // no code is no fault
	case b.Lost > 0 && (len(b.Gaps) == 0 || b.Gaps[0].Off < 2) || b.Size < 2 && msg.Flags&decode.Incomplete != 0:
		return
	case b.Size < 2:
		h.mark(msg, AnomalyClose, "one byte where there should be a code")
		return
	}
	msg.Status = int(binary.BigEndian.Uint16(b.Data))
	msg.Reason = CloseName(msg.Status)
	if !sendable(msg.Status) {
		h.mark(msg, AnomalyClose, fmt.Sprintf("code %d", msg.Status))
	}
	b.Data, b.Size = b.Data[2:], b.Size-2
	for i := range b.Gaps {
		b.Gaps[i].Off -= 2
	}
}
