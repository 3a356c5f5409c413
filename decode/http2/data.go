package http2

import (
	"fmt"
	"slices"

	"github.com/NoFear0411/spliff/decode"
)

// dataFrame is the DATA frame in hand (RFC 9113 §6.1). Its payload goes
// straight into the message, so nothing of it is buffered.
type dataFrame struct {
	st     *stream // nil: nobody wants the bytes
	slot   int
	padded bool // the pad length is still to come
	body   int  // bytes still to come before the padding
}

// startData looks the stream up once a frame, not once a chunk. remove clears it
// when the stream goes in between.
func (c *Conn) startData(h *half) {
	h.data = dataFrame{slot: c.slotOf(h.dir), padded: h.f.has(flagPadded), body: h.f.length}
	h.data.st = c.dataStream(h)
	h.window -= int64(h.f.length)
	if st := h.data.st; st != nil {
		o := &st.slot[h.data.slot]
		o.window -= int64(h.f.length)
		o.placeLoss(h)
	}
	if h.f.length > 0 {
		c.checkWindows(h)
	}
	if h.data.padded && h.f.length == 0 {
		c.badPadding(h)
	}
}

// dataStream finds the stream that a DATA frame belongs to, or says why none.
func (c *Conn) dataStream(h *half) *stream {
	id, slot := h.f.stream, c.slotOf(h.dir)
	if id == 0 {
		c.notice(h.dir, 0, AnomalyBadFrame, "DATA on stream 0")
		return nil
	}
	st := c.reg.byID[id]
	switch {
	case st == nil && c.reg.wasReset(id, h.dir):
		return nil
	case st == nil && !c.joined:
		kind, text := AnomalyBadFrame, "DATA on a stream that was not opened"
		if c.reg.seen(id) {
			kind, text = AnomalyClosed, "DATA on a stream that has ended"
		}
		c.notice(h.dir, id, kind, text)
		return nil
	case st == nil:
		st = c.open(id)
		st.pushed = h.fromPeer && id&1 == 0 // its promise was missed
	}
	o := &st.slot[slot]
	switch {
	case o.done:
		c.notice(h.dir, id, AnomalyClosed, "DATA after END_STREAM")
		return nil
	case o.head || o.tunnel:
		return st
	// Where frames were missed, DATA without a head is our loss; elsewhere it is
	// the sender's fault.
	case c.joined && !o.started:
		c.begun(st, slot, h, h.begin)
		o.m.Flags |= decode.MidStream
		c.mark(o, h.dir, decode.AnomalyMidStream, "its head was not seen")
	default:
		c.begun(st, slot, h, h.begin)
		c.mark(o, h.dir, AnomalyBadFrame, "DATA before the final field section")
	}
	o.head = true
	return st
}

// data takes payload bytes of the DATA frame in hand.
func (c *Conn) data(h *half, p []byte) {
	d := &h.data
	if d.padded && len(p) > 0 {
		c.traced(h, 1)
		d.padded = false
		d.body -= 1 + int(p[0])
		p = p[1:]
		if d.body < 0 {
			c.badPadding(h)
		}
	}
	// What is left of p is padding, which is not looked at: a receiver need not
	// check that it is zero (RFC 9113 §6.1).
	n := min(len(p), d.body)
	if n <= 0 {
		return
	}
	d.body -= n
	if d.st == nil {
		return
	}
	d.st.last = c.at.Time
	o := &d.st.slot[d.slot]
	if o.tunnel {
		c.tunnelled(d.st, d.slot, h, p[:n])
		return
	}
	if o.m.Body.Size == 0 {
		c.openTap(h, o)
	}
	o.m.Body.Size += uint64(n)
	c.keepBody(h, o, p[:n])
	if o.tap != nil {
		c.tapped(h, o, p[:n])
	}
}

// keepBody appends to Body.Data within Limits.Body, which also bounds, twice
// over, what all open messages of the connection keep together: thousands of
// streams must not multiply it.
func (c *Conn) keepBody(h *half, o *open, p []byte) {
	b := &o.m.Body
	limit := max(0, c.lim.Body)
	room := min(limit-len(b.Data), 2*limit-c.kept)
	if b.Cut {
		room = 0 // what follows a piece left out must not be joined to it
	}
	if c.lim.Hash {
		if room < len(p) {
			o.sum.Start(b)
		}
		o.sum.Add(p)
	}
	if room < len(p) {
		b.Cut = true
		p = p[:max(0, room)]
	}
	if b.Cut && room <= 0 || len(p) == 0 {
		return
	}
	// One allocation of the right size for the usual body: END_STREAM is on its
	// only DATA frame, or content-length says how much comes.
	if b.Data == nil {
		size := len(p)
		if whole := h.f.length; h.f.has(flagEndStream) {
			size = max(size, min(whole, limit))
		} else if o.length > int64(size) {
			// Content-Length is a hint, not to be trusted with memory.
			size = int(min(o.length, int64(8*size), int64(limit)))
		}
		b.Data = c.arena.Bytes(size)
	}
	b.Data = append(b.Data, p...)
	o.kept += len(p)
	c.kept += len(p)
}

// endData ends the stream only now: END_STREAM holds after the last payload byte.
func (c *Conn) endData(h *half) {
	if st := h.data.st; st != nil && h.f.has(flagEndStream) {
		c.endSlot(st, h.data.slot)
	}
	h.data.st = nil
}

// badPadding distrusts the rest of the DATA frame in hand.
func (c *Conn) badPadding(h *half) {
	h.data.body, h.data.padded = 0, false
	if st := h.data.st; st != nil {
		o := &st.slot[h.data.slot]
		c.mark(o, h.dir, AnomalyBadPadding, "longer than the DATA frame")
		o.unsized = true
		c.tunnelLost(st, h)
		return
	}
	c.notice(h.dir, h.f.stream, AnomalyBadPadding, "longer than the DATA frame")
}

// dataGap counts n missing payload bytes of the DATA frame in hand, and returns
// for how many a message tells it.
func (c *Conn) dataGap(h *half, n int) int {
	d := &h.data
	if d.padded {
		// The pad length itself is missing: how much of the rest is body?
		d.padded, d.body = false, 0
		c.dataLost(h)
		return 0
	}
	n = min(n, d.body)
	d.body -= n
	if d.st == nil || n == 0 {
		return 0
	}
	o := &d.st.slot[d.slot]
	if g := (decode.Gap{Dir: h.dir, At: c.at, Len: uint64(n), Known: true}); o.tunnel && d.st.ws != nil {
		c.out = d.st.ws.Gap(c.out, g)
		return n
	} else if o.tunnel && d.st.inside != nil {
		c.insideGap(d.st, g)
		return n
	}
	if o.tunnel {
		c.tunnelled(d.st, d.slot, h, nil)
	}
	b := &o.m.Body
	if b.Size == 0 {
		c.openTap(h, o)
	}
	if o.tap != nil {
		c.out = o.tap.Gap(c.out, decode.Gap{Dir: h.dir, At: c.at, Len: uint64(n), Known: true})
	}
	// Holes that touch are one: how a loss was cut into events must not show.
	if k := len(b.Gaps); k > 0 && b.Gaps[k-1].Off+b.Gaps[k-1].Len == b.Size {
		b.Gaps[k-1].Len += uint64(n)
	} else if k < c.lim.Gaps {
		b.Gaps = append(b.Gaps, decode.Span{Off: b.Size, Len: uint64(n)})
	}
	b.Size += uint64(n)
	b.Lost += uint64(n)
	o.m.Flags |= decode.Gapped
	c.mark(o, h.dir, decode.AnomalyGap, "%d bytes of the body", n)
	return n
}

// dataLost marks the message of the DATA frame in hand as missing bytes that
// cannot be counted.
func (c *Conn) dataLost(h *half) {
	if st := h.data.st; st != nil {
		st.slot[h.data.slot].unsized = true
		c.tunnelLost(st, h)
	}
}

// noteLoss flags a message that lived through bytes lost in its direction.
// Whether any were its own cannot be known, so completeness is not claimed.
func (c *Conn) noteLoss(o *open, slot int) bool {
	if !o.unsized && o.losses == c.half[c.dirOf(slot)].losses {
		return false
	}
	o.m.Flags |= decode.Gapped | decode.Incomplete
	c.mark(o, c.dirOf(slot), decode.AnomalyGap, "an unknown part may be missing")
	return true
}

// placeLoss notes where in the body a loss fell that happened since the last
// time: behind what was seen of it by then.
func (o *open) placeLoss(h *half) {
	if o.placed == h.losses {
		return
	}
	if o.placed = h.losses; o.places == 0 || o.lossAt != o.m.Body.Size {
		o.places++
		o.lossAt = o.m.Body.Size
	}
}

// fillLoss adds n bytes to the body that a length says are missing. Where they
// were is known if all that was lost fell in one place.
func (c *Conn) fillLoss(o *open, n uint64) {
	b := &o.m.Body
	b.Lost += n
	b.Size += n
	if n == 0 || o.places != 1 || len(b.Gaps) >= c.lim.Gaps {
		return
	}
	at := 0
	for at < len(b.Gaps) && b.Gaps[at].Off < o.lossAt {
		at++
	}
	for i := at; i < len(b.Gaps); i++ {
		b.Gaps[i].Off += n
	}
	b.Gaps = slices.Insert(b.Gaps, at, decode.Span{Off: o.lossAt, Len: n})
}

// checkLength compares the content-length with what END_STREAM ended
// (RFC 9113 §8.1.1). After a loss it tells how much is missing.
func (c *Conn) checkLength(st *stream, slot int) {
	o := &st.slot[slot]
	b := &o.m.Body
	lossy := c.noteLoss(o, slot)
	o.placeLoss(&c.half[c.dirOf(slot)])
	// RFC 9110 §8.6: these may state the length that another answer would have
	// had. A response whose request was not seen may answer HEAD.
	headOnly := slot == slotResponse && (st.head || o.m.Status == 204 || o.m.Status == 304 ||
		b.Size == 0 && !st.slot[slotRequest].started)
	if headOnly {
		if b.Size > 0 {
			c.mark(o, o.m.Dir, AnomalyLength, "%d bytes where there can be no body", b.Size)
		}
		return
	}
	if o.length == noLength || b.Size == uint64(o.length) && !lossy {
		return
	}
	// content-length and END_STREAM agree on where the body ends, so what is
	// missing between them can be counted although the frames were not seen.
	if want := uint64(o.length); lossy && want >= b.Size {
		// Both the declared end and the real one are known.
		c.fillLoss(o, want-b.Size)
		o.m.Flags &^= decode.Incomplete
		if b.Lost == 0 {
			o.m.Flags &^= decode.Gapped
		}
		return
	}
	c.mark(o, o.m.Dir, AnomalyLength, "content-length %d, %d bytes of DATA", o.length, b.Size)
}

// resetText describes an RST_STREAM.
func resetText(code uint32, lost, fromPeer bool) string {
	who := "client"
	if fromPeer {
		who = "server"
	}
	if lost {
		return "by the " + who + ", its code is missing"
	}
	return fmt.Sprintf("%s (%d) by the %s", errorName(code), code, who)
}
