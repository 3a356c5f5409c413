package http2

import (
	"encoding/binary"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/hpack"
)

// headers handles a HEADERS frame (RFC 9113 §6.2).
func (c *Conn) headers(h *half, p []byte) {
	skip := 0
	if h.f.has(flagPriority) {
		skip = 5
	}
	frag, off, ok := c.fragment(h, p, skip)
	if ok && skip > 0 && len(p) >= off && priority(p[off-5:]) == h.f.stream {
		c.notice(h.dir, h.f.stream, AnomalyBadFrame, "a stream that depends on itself")
	}
	c.startBlock(h, frag, ok, 0)
}

// pushPromise handles PUSH_PROMISE (§6.6).
func (c *Conn) pushPromise(h *half, p []byte) {
	frag, off, ok := c.fragment(h, p, 4)
	promised := uint32(0)
	if len(p) >= off && off >= 4 {
		promised = binary.BigEndian.Uint32(p[off-4:]) & (1<<31 - 1)
	}
	switch {
	case !h.fromPeer:
		c.notice(h.dir, h.f.stream, AnomalyBadFrame, "PUSH_PROMISE from the client")
		promised = 0
	case ok && (promised == 0 || promised&1 == 1):
		c.notice(h.dir, h.f.stream, AnomalyStreamID, "PUSH_PROMISE of stream %d", promised)
		promised = 0
	}
	c.startBlock(h, frag, ok, promised)
}

// fragment cuts padding and skip bytes off a frame that begins a header block.
// off is where the fragment begins in p; ok is false if the frame's own lengths
// contradict each other, and then nothing in it can be trusted.
func (c *Conn) fragment(h *half, p []byte, skip int) (frag []byte, off int, ok bool) {
	off = skip
	pad := 0
	if h.f.has(flagPadded) {
		off++
		if len(p) > 0 {
			pad = int(p[0])
		}
	}
	// Padding that reaches into the fixed fields is an error (§6.2); a pad length
	// equal to what is left is not, the fragment is empty then.
	end := h.f.length - pad
	if off > end {
		kind, why := AnomalyBadPadding, "longer than the frame"
		if pad == 0 {
			kind, why = AnomalyBadFrame, "shorter than its fixed fields"
		}
		c.notice(h.dir, h.f.stream, kind, why)
		return nil, off, false
	}
	// p is shorter than the frame if bytes are missing or were not kept.
	end = min(end, len(p))
	return p[min(off, end):end], off, true
}

// startBlock begins a header block with a frame's fragment. The frame in hand
// is whole unless h.damaged or Limits.Head cut it.
func (c *Conn) startBlock(h *half, frag []byte, ok bool, promised uint32) {
	b := &h.block
	// frag keeps its memory from block to block.
	*b = block{
		active: true, stream: h.f.stream, promised: promised,
		drop:      h.f.typ == framePush && promised == 0,
		endStream: h.f.typ == frameHeaders && h.f.has(flagEndStream),
		begin:     h.begin, frag: b.frag[:0],
		damaged: !ok, lost: h.damaged, missing: h.missing,
	}
	h.missing = 0
	if b.stream == 0 {
		// The block must pass HPACK all the same.
		c.notice(h.dir, 0, AnomalyBadFrame, "a header block on stream 0")
		b.drop = true
	}
	if h.f.has(flagEndHeaders) && len(frag) <= c.lim.Head {
		// The usual case: the block is one frame and need not be copied.
		c.decodeBlock(h, frag)
		return
	}
	c.joinBlock(h, frag)
}

// continuation handles CONTINUATION (§6.10).
func (c *Conn) continuation(h *half, p []byte) {
	b := &h.block
	if !b.active {
		c.notice(h.dir, h.f.stream, AnomalyContinuation, "CONTINUATION of nothing")
		h.hp.Forget() // whatever it inserted was not seen in its place
		return
	}
	b.frames++
	b.lost = b.lost || h.damaged
	b.missing += h.missing
	h.missing = 0
	c.joinBlock(h, p)
}

// joinBlock adds a fragment within Limits.Head. Frames beyond it are still
// counted, so that a flood of them is told of however little is kept.
func (c *Conn) joinBlock(h *half, frag []byte) {
	b := &h.block
	if room := c.lim.Head - len(b.frag); len(frag) > room {
		b.cut = true
		frag = frag[:room]
	}
	if !b.cut || len(frag) > 0 {
		b.frag = append(b.frag, frag...)
	}
	if h.f.has(flagEndHeaders) {
		c.endBlock(h, "", "")
	}
}

// endBlock decodes the block in hand. If it lacks its end, kind and why say
// what came instead.
func (c *Conn) endBlock(h *half, kind decode.AnomalyKind, why string) {
	h.block.broken = decode.Anomaly{Kind: kind, Detail: why}
	c.decodeBlock(h, h.block.frag)
	if cap(h.block.frag) > maxControl {
		h.block.frag = nil
	}
}

// partial reports whether the block may have inserted table entries that were
// not seen.
func (b *block) partial() bool { return b.damaged || b.lost || b.cut || b.broken.Kind != "" }

// section is one decoded header block.
type section struct {
	*block
	fields []decode.Field // valid until the next block is decoded
	res    hpack.Result
}

// decodeBlock runs HPACK over a block, also over one that belongs to no stream:
// the table is the connection's, and skipping a block would spoil all after it
// (RFC 9113 §4.3).
func (c *Conn) decodeBlock(h *half, frag []byte) {
	b := &h.block
	b.active = false
	fields, res := h.hp.Decode(c.fields[:0], frag)
	if b.partial() {
		h.hp.Forget()
		if res.Fault == hpack.FaultTruncated {
			res.Fault = "" // it is truncated because we cut it
		}
	}
	s := section{block: b, fields: fields, res: res}
	// A block that is dropped may still say what was wrong with it.
	switch {
	case b.drop:
		c.explain(h, nil, &s)
	case b.promised != 0:
		c.promise(h, &s)
	default:
		c.section(h, &s)
	}
	if b.missing > 0 {
		c.notice(h.dir, b.stream, decode.AnomalyGap, "%d bytes of a header block", b.missing)
	}
	// sort copies the fields that are kept, so the scratch can be used again.
	if c.fields = fields[:0]; cap(fields) > 1024 {
		c.fields = nil
	}
}

// whole reports whether every field of the block is there and known, so that
// the absence of one means something.
func (s *section) whole() bool { return !s.partial() && s.res == hpack.Result{} }

// explain marks what was wrong with a block as a block, on o or as notices.
func (c *Conn) explain(h *half, o *open, s *section) {
	tell := func(kind decode.AnomalyKind, format string, args ...any) {
		if o == nil {
			c.notice(h.dir, s.stream, kind, format, args...)
			return
		}
		c.mark(o, h.dir, kind, format, args...)
	}
	if s.frames > floodJoins {
		tell(AnomalyContFlood, "%d CONTINUATION frames", s.frames)
	}
	switch {
	case s.cut:
		tell(decode.AnomalyLimit, "header block longer than %d bytes", c.lim.Head)
	case s.broken.Kind != "":
		tell(s.broken.Kind, "%s", s.broken.Detail)
	case s.lost:
		tell(decode.AnomalyGap, "bytes of the header block")
		s.missing = 0
	}
	if s.res.Fault != "" {
		tell(AnomalyHPACK, string(s.res.Fault))
	}
	if s.res.Dropped > 0 {
		tell(decode.AnomalyLimit, "%d fields were not kept", s.res.Dropped)
	}
	if s.res.Unknown > 0 {
		tell(AnomalyHPACKUnknown, "%d fields", s.res.Unknown)
	}
	if o != nil && (s.partial() || s.res.Fault != "") {
		o.m.Flags |= decode.Incomplete
	}
	if o != nil && (s.lost || s.broken.Kind == decode.AnomalyGap) {
		o.m.Flags |= decode.Gapped
	}
}

// promise opens the stream that a PUSH_PROMISE block promises.
func (c *Conn) promise(h *half, s *section) {
	// The promised number is the server's to choose, but must grow (§5.1.1).
	id := s.promised
	if c.reg.byID[id] != nil || id <= c.reg.lastPush {
		c.notice(h.dir, s.stream, AnomalyStreamID, "PUSH_PROMISE of stream %d again", id)
		return
	}
	c.reg.lastPush = id
	st := c.open(id)
	st.pushed = true
	o := c.begun(st, slotRequest, h, s.begin)
	c.explain(h, o, s)
	c.requestHead(h, st, o, s)
	// A promised request has no body (§8.4): it is complete now.
	o.head = true
	c.emit(o)
	o.done, o.m = true, decode.Message{}
}

// section gives a decoded block to its stream.
func (c *Conn) section(h *half, s *section) {
	slot := c.slotOf(h.dir)
	st, odd := c.headStream(h, s)
	if st == nil {
		return
	}
	st.last = c.at.Time
	o := &st.slot[slot]
	switch {
	case o.done:
		c.notice(h.dir, st.id, AnomalyClosed, "a field section after END_STREAM")
		return
	case o.tunnel:
		c.notice(h.dir, st.id, AnomalyTrailers, "a field section inside a tunnel")
	case o.head && !c.wasInterim(o, s):
		c.explain(h, o, s)
		c.trailers(h, o, s)
	default:
		c.begun(st, slot, h, s.begin)
		if odd.Kind != "" {
			c.mark(o, h.dir, odd.Kind, "%s", odd.Detail)
		}
		c.explain(h, o, s)
		if slot == slotRequest {
			c.requestHead(h, st, o, s)
		} else {
			c.responseHead(h, st, o, s)
		}
	}
	// END_STREAM is on the HEADERS frame, but holds after its CONTINUATIONs.
	if s.endStream {
		c.endSlot(st, slot)
	}
}

// wasInterim sets a head aside that turns out to have been an interim response:
// its :status was unknown, and what comes now cannot be trailers.
func (c *Conn) wasInterim(o *open, s *section) bool {
	m := &o.m
	if m.Kind != decode.Response || m.Status != 0 || m.Body.Size > 0 || len(m.Interim) >= maxInterim || m.Flags&decode.MidStream != 0 ||
		s.endStream && !has(s.fields, ":status") {
		return false
	}
	m.Interim = append(m.Interim, decode.Interim{Header: m.Header, At: m.HeadEnd})
	m.Header, o.head, o.length = nil, false, noLength
	return true
}

// headStream finds or opens the stream of a field section. odd is what is wrong
// with opening it. It returns nil for a section that belongs to no message.
func (c *Conn) headStream(h *half, s *section) (st *stream, odd decode.Anomaly) {
	r, id := &c.reg, s.stream
	st = r.byID[id]
	request := !h.fromPeer
	if st != nil {
		if request && id > r.lastClient && id&1 == 1 {
			r.lastClient = id // its response came first
		}
		return st, odd
	}
	// Streams that were missed (joined) may have any number and no beginning:
	// then only what is impossible all the same is reported.
	seen := r.seen(id)
	switch {
	case r.wasReset(id, h.dir):
		return nil, odd // it was under way when the stream was reset
	case request && id&1 == 0:
		odd = decode.Anomaly{Kind: AnomalyStreamID, Detail: "an even stream opened by the client"}
	case request && seen && !c.joined:
		if !has(s.fields, ":method") {
			c.notice(h.dir, id, AnomalyClosed, "a field section on a stream that has ended")
			return nil, odd
		}
		odd = decode.Anomaly{Kind: AnomalyStreamID, Detail: "opened after a higher one"}
	case !request && id&1 == 0 && !c.joined:
		odd = decode.Anomaly{Kind: AnomalyStreamID, Detail: "a stream that was not promised"}
	case !request && seen && !c.joined:
		c.notice(h.dir, id, AnomalyClosed, "a field section on a stream that has ended")
		return nil, odd
	case !request && seen:
		odd = decode.Anomaly{Kind: decode.AnomalyNoRequest}
	}
	if request && id&1 == 1 {
		r.lastClient = max(r.lastClient, id)
	}
	st = c.open(id)
	st.pushed = c.joined && !request && id&1 == 0 // its promise was missed
	return st, odd
}

// has reports whether a field of that name, which HTTP/2 has in lower case, is
// among fields.
func has(fields []decode.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}
