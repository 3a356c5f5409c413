package http2

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/tap"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// The two messages of a stream.
const (
	slotRequest  = 0
	slotResponse = 1
)

// open is a message being put together.
type open struct {
	m       decode.Message
	started bool // something of it was seen
	head    bool // its final head was seen
	done    bool // its direction of the stream has ended
	tunnel  bool // it was given out; DATA now belongs to a tunnel
	unsized bool // an unknown number of bytes is missing
	losses  int  // half.losses when it began
	placed  int  // half.losses when their place in the body was last noted
	places  int  // how many places there are
	lossAt  uint64
	length  int64 // content-length, or noLength
	more    int   // anomalies over the limit
	window  int64 // what updates added to its flow-control window, less DATA
	overran bool  // DATA went beyond it
	kept    int   // bytes counted in Conn.kept

	sum        content.Sum
	tap        tap.Tap // reads the body as it comes; nearly always nil
	tapLost    int     // half.losses that the tap was told of
	tapUnsized bool    // it was told of unsized
}

// noLength is the length of a message that declares none; 0 is a length.
const noLength = -1

// stream is one open stream. It is freed as soon as both sides have ended it,
// so memory follows the streams that are open, not those that were.
type stream struct {
	id       uint32
	exchange uint32
	last     int64 // time of its last frame
	slot     [2]open
	head     bool   // the request's method is HEAD
	connect  bool   // … is CONNECT
	protocol string // :protocol of an extended CONNECT
	pushed   bool
	ws       *websocket.Conn // reads the tunnel, once it is one
	inside   *inside         // does, where it is a CONNECT's
	early    []decode.Chunk  // what may be for them, until the response tells
	nearly   int             // bytes of it

	prev, next *stream // by age; next also links the free list
}

// registry holds the open streams of a connection.
type registry struct {
	byID           map[uint32]*stream
	oldest, newest *stream
	free           *stream
	exchanges      uint32
	lastClient     uint32 // highest stream opened by a request
	lastPush       uint32 // highest stream promised

	// The streams last reset: frames on them that were already on their way
	// are no violation (RFC 9113 §5.1).
	reset   [64]resetStream
	resetAt int
}

// open makes the state of a stream whose first frame is in hand, and gives up
// the oldest one beyond Limits.Streams.
func (c *Conn) open(id uint32) *stream {
	r := &c.reg
	if len(r.byID) >= c.lim.Streams {
		c.abandon(r.oldest, 0, decode.AnomalyLimit, fmt.Sprintf("more than %d streams open", c.lim.Streams))
		c.joined = true // what still comes on it has no known beginning
	}
	// Streams are reused: a connection may open a billion of them, one after the
	// other, and a stream holds two whole messages.
	st := r.free
	if st == nil {
		st = new(stream)
	} else {
		r.free, st.next = st.next, nil // remove left the rest zero
	}
	r.exchanges++
	st.id, st.exchange, st.last = id, r.exchanges, c.at.Time
	for i := range st.slot {
		st.slot[i].length = noLength
	}
	st.prev = r.newest
	if r.newest != nil {
		r.newest.next = st
	} else {
		r.oldest = st
	}
	r.newest = st
	r.byID[id] = st
	return st
}

// remove frees a stream. st must not be used after it: it may come back as
// another stream. Messages that were emitted own their memory and are not
// touched.
func (c *Conn) remove(st *stream) {
	r := &c.reg
	if st.inside != nil {
		c.endInside(st)
	}
	delete(r.byID, st.id)
	if st.prev != nil {
		st.prev.next = st.next
	} else {
		r.oldest = st.next
	}
	if st.next != nil {
		st.next.prev = st.prev
	} else {
		r.newest = st.prev
	}
	for i := range c.half {
		if d := &c.half[i].data; d.st == st {
			d.st = nil // the frame in hand goes nowhere
		}
	}
	*st = stream{next: r.free}
	r.free = st
}

// begun makes sure that a slot's message exists.
func (c *Conn) begun(st *stream, slot int, h *half, begin int64) *open {
	o := &st.slot[slot]
	if o.started {
		return o
	}
	kind := decode.Request
	if slot == slotResponse {
		kind = decode.Response
	}
	// noteLoss compares losses: was the boundary lost while this was open?
	o.started, o.losses, o.placed = true, h.losses, h.losses
	m := &o.m // zero; a literal would be built elsewhere and copied
	m.Kind, m.Dir, m.Proto = kind, h.dir, proto
	m.Exchange, m.Stream = st.exchange, st.id
	m.Begin, m.HeadEnd = begin, c.at
	if st.pushed {
		o.m.Flags |= decode.Pushed
	}
	return o
}

// endSlot ends one direction of a stream as END_STREAM does.
func (c *Conn) endSlot(st *stream, slot int) {
	o := &st.slot[slot]
	if o.done {
		return
	}
	if o.tunnel {
		c.emitTunnel(st, slot, true)
	} else {
		c.checkLength(st, slot)
		c.emit(o)
	}
	o.done = true
	// Closed in both directions (RFC 9113 §5.1): nothing more may come on it.
	if st.slot[slot^1].done {
		c.remove(st)
		return
	}
	o.m = decode.Message{} // the stream may live on for long, its message not
}

// giveUp emits a slot's message without its end. It does not free the stream.
func (c *Conn) giveUp(st *stream, slot int) {
	o := &st.slot[slot]
	if o.tunnel {
		o.m.Flags |= decode.Incomplete
		c.emitTunnel(st, slot, o.m.Flags&decode.Reset != 0)
	} else {
		o.m.Flags |= decode.Incomplete
		c.noteLoss(o, slot)
		c.emit(o)
	}
	o.done, o.m = true, decode.Message{}
}

// abandon ends a whole stream: by RST_STREAM, or by a limit. A response that
// has not begun is emitted empty, see the package comment.
func (c *Conn) abandon(st *stream, flags decode.Flags, kind decode.AnomalyKind, why string) {
	// Whoever pairs the two by their number would otherwise wait for a response
	// until the connection ends.
	dir := c.half[c.client.Other()].dir
	if !st.slot[slotResponse].started && st.slot[slotRequest].started {
		c.begun(st, slotResponse, &c.half[dir], c.start)
	}
	for slot := range st.slot {
		if o := &st.slot[slot]; o.started && !o.done {
			o.m.Flags |= flags
			c.mark(o, c.dirOf(slot), kind, "%s", why)
			c.giveUp(st, slot)
		}
	}
	c.remove(st)
}

// emit gives a message out. The caller clears o.m if the stream lives on.
func (c *Conn) emit(o *open) {
	c.kept -= o.kept
	o.kept = 0
	if o.tap != nil {
		c.endTap(o)
	}
	// A head without DATA still has Codings to name.
	if o.m.Body.Size > 0 || o.head {
		if c.lim.Hash && !o.tunnel {
			o.sum.Finish(&o.m)
		}
		content.Fill(&o.m, c.lim.Content)
	}
	// The last anomaly kept gives its place to the count, hence the +1: itself
	// is one of those that were not kept.
	if o.more > 0 {
		o.m.Anomalies[len(o.m.Anomalies)-1] = decode.Anomaly{
			Kind: decode.AnomalyLimit, Dir: o.m.Dir,
			Detail: fmt.Sprintf("%d more anomalies were not kept", o.more+1),
		}
	}
	o.m.End = c.at
	c.out = append(c.out, o.m)
}

// resetStream is a stream that was reset, and the direction of the RST_STREAM.
type resetStream struct {
	id uint32
	by decode.Dir
}

// wasReset reports whether a stream was reset not long ago by the receiver of
// frames in direction dir. Whoever reset it itself must not send any more.
func (r *registry) wasReset(id uint32, dir decode.Dir) bool {
	for _, v := range r.reset {
		if v.id == id && v.by != dir {
			return true
		}
	}
	return false
}

// noteReset remembers the last resets only. After more of them a late frame is
// reported that need not be: noise, against memory without a bound.
func (r *registry) noteReset(id uint32, by decode.Dir) {
	r.reset[r.resetAt%len(r.reset)] = resetStream{id, by}
	r.resetAt++
}

// seen reports whether a stream of this number was opened before.
func (r *registry) seen(id uint32) bool {
	if id&1 == 1 {
		return id <= r.lastClient
	}
	return id <= r.lastPush
}
