package http2

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/hpack"
)

// States of one direction.
const (
	// The client begins inPreface, the server inHeader, and a connection that
	// was joined late inResync on both sides.
	inPreface = iota
	inHeader
	inPayload
	inResync
)

// maxControl is how much is kept of a frame that is neither DATA nor part of a
// header block. SETTINGS of 10,000 entries fit; only GOAWAY could be longer.
const maxControl = 64 << 10

// maxOverhead is what a HEADERS or PUSH_PROMISE frame may hold besides its
// fragment: padding, its length, a stream number, a priority.
const maxOverhead = 1 + 255 + 5

// half is the state of one direction.
type half struct {
	dir       decode.Dir
	fromPeer  bool // travels from server to client
	state     int
	midStream bool // its beginning was not seen

	pos     uint64 // offset in the stream of the next byte to be read
	frameAt uint64 // of the frame in hand: where an anomaly is

	preface int // bytes of the preface matched
	header  [frameHeaderLength]byte
	nheader int
	begin   int64 // when the frame's first byte began to move
	f       frame
	left    int    // payload bytes still to come
	payload []byte // kept so far, unless the frame is DATA
	damaged bool   // payload bytes are missing
	missing int    // how many of them nothing else tells of

	data  dataFrame
	block block
	hp    *hpack.Decoder

	told  uint64 // bytes a Trace was told of, or passed over
	begun bool   // bytes or a gap came

	window    int64 // what updates added to the connection's window for this direction, less DATA
	initial   int64 // window of a new stream in this direction (§6.9.2)
	widest    int64 // the largest initial ever was
	overran   bool  // DATA went beyond the connection's window
	goAway    *goodbye
	settings  bool // the SETTINGS sent in this direction were seen
	frameSize int  // largest frame the receiver announced to accept; 0 unknown
	maxStream uint32
	losses    int // times the frame boundary was lost
	search    search
	flood     flood
}

// block is a header block being joined (RFC 9113 §4.3).
type block struct {
	active    bool
	stream    uint32
	promised  uint32 // for PUSH_PROMISE
	endStream bool
	begin     int64
	frag      []byte
	frames    int            // CONTINUATION frames
	drop      bool           // it belongs to no stream; only HPACK needs it
	cut       bool           // longer than Limits.Head
	damaged   bool           // a frame of it contradicts itself
	lost      bool           // bytes are missing
	missing   int            // how many of them no message tells of
	broken    decode.Anomaly // it lacks its end; Kind says why
}

// feed runs bytes of one direction through its state machine.
func (c *Conn) feed(h *half, p []byte) {
	for len(p) > 0 {
		before := len(p)
		switch h.state {
		case inPreface:
			rest := c.matchPreface(h, p)
			h.pos += uint64(len(p) - len(rest))
			p = rest
		case inHeader:
			if h.nheader == 0 {
				h.frameAt = h.pos
			}
			p = c.frameHeader(h, p)
			c.traced(h, before-len(p))
			h.pos += uint64(before - len(p))
		case inPayload:
			n := min(h.left, len(p))
			if c.keep(h) > 0 {
				c.traced(h, n)
			}
			c.framePayload(h, p[:n])
			p = p[n:]
			h.pos += uint64(n)
		case inResync:
			h.told += uint64(before)
			h.pos += uint64(len(p))
			c.searchFrame(h, p)
			return
		}
		h.told += uint64(before - len(p))
	}
}

// traced tells the trace of the next n bytes.
func (c *Conn) traced(h *half, n int) {
	if c.trace != nil && n > 0 {
		c.trace(h.dir, h.told, uint64(n))
	}
}

// matchPreface compares as bytes come, with no copy of them: what has matched is
// known to be the preface's own text.
func (c *Conn) matchPreface(h *half, p []byte) []byte {
	n := min(len(Preface)-h.preface, len(p))
	if string(p[:n]) == Preface[h.preface:h.preface+n] {
		c.traced(h, n)
		h.preface += n
		if h.preface == len(Preface) {
			h.state = inHeader
		}
		return p[n:]
	}
	// Not a client's beginning: perhaps a connection joined late. What matched
	// so far is data again.
	c.notice(h.dir, 0, AnomalyBadPreface, "the client's bytes do not begin with the preface of HTTP/2")
	h.hp.Forget()
	h.midStream, c.joined = true, true
	h.state = inResync
	if h.preface > 0 {
		h.pos, h.told = h.pos-uint64(h.preface), h.told-uint64(h.preface)
		c.feed(h, []byte(Preface[:h.preface]))
	}
	return p
}

// frameHeader returns what is left of p. Only a header that is cut by the end of
// a chunk is copied.
func (c *Conn) frameHeader(h *half, p []byte) []byte {
	if h.nheader == 0 {
		h.begin = c.start
		if len(p) >= frameHeaderLength {
			h.f = parseFrame(p)
			c.startFrame(h)
			return p[frameHeaderLength:]
		}
	}
	n := copy(h.header[h.nheader:], p)
	h.nheader += n
	if h.nheader == frameHeaderLength {
		h.nheader = 0
		h.f = parseFrame(h.header[:])
		c.startFrame(h)
	}
	return p[n:]
}

// startFrame acts on a header. Nothing is set aside by its length: 16 MiB may be
// announced by a peer that sends nothing.
func (c *Conn) startFrame(h *half) {
	h.left, h.payload, h.damaged, h.missing = h.f.length, h.payload[:0], false, 0
	h.state = inPayload
	// A header block is contiguous (RFC 9113 §4.3): any other frame breaks it.
	// What there is of it is decoded all the same.
	if b := &h.block; b.active && (h.f.typ != frameContinuation || h.f.stream != b.stream) {
		c.endBlock(h, AnomalyContinuation, "another frame follows instead of CONTINUATION")
	}
	if h.frameSize > 0 && h.f.length > h.frameSize {
		c.notice(h.dir, h.f.stream, AnomalyFrameSize, "%d bytes, %d are allowed", h.f.length, h.frameSize)
	}
	h.maxStream = max(h.maxStream, h.f.stream)
	if h.f.typ == frameData {
		c.startData(h)
	}
	if h.left == 0 {
		c.endFrame(h, nil)
	}
}

// framePayload takes the next bytes of the frame in hand, at most h.left.
func (c *Conn) framePayload(h *half, p []byte) {
	h.left -= len(p)
	if h.f.typ == frameData {
		c.data(h, p)
		p = nil
	} else if h.left > 0 || len(h.payload) > 0 || h.damaged {
		if room := c.keep(h) - len(h.payload); !h.damaged && room > 0 {
			h.payload = append(h.payload, p[:min(room, len(p))]...)
		}
		p = h.payload
	}
	if h.left == 0 {
		c.endFrame(h, p)
	}
}

// keep is the most that is kept of the current frame's payload.
func (c *Conn) keep(h *half) int {
	switch h.f.typ {
	case frameHeaders, framePush, frameContinuation:
		return c.lim.Head + maxOverhead
	case frameSettings, frameGoAway, framePriority, frameReset, framePing, frameWindow:
		return maxControl
	}
	return 0
}

// endFrame handles a whole frame. payload is borrowed and, if the frame was
// longer than keep or damaged, only its beginning.
func (c *Conn) endFrame(h *half, payload []byte) {
	h.state = inHeader
	c.countFlood(h)
	switch h.f.typ {
	case frameData:
		c.endData(h)
	case frameHeaders:
		c.headers(h, payload)
	case framePush:
		c.pushPromise(h, payload)
	case frameContinuation:
		c.continuation(h, payload)
	case frameReset:
		c.reset(h, payload)
	default:
		if !h.damaged {
			c.control(h, payload)
		} else if h.f.typ == frameSettings {
			c.settingsLost(h)
		}
	}
	c.tellMissing(h)
	if cap(h.payload) > maxControl {
		h.payload = nil // a rare large frame must not be paid for ever after
	}
}

// tellMissing reports what is missing of the frame in hand and is told nowhere
// else: the payload of a control frame, or what belongs to no message.
func (c *Conn) tellMissing(h *half) {
	if h.missing > 0 {
		c.notice(h.dir, h.f.stream, decode.AnomalyGap, "%d bytes of a %s frame", h.missing, h.f.name())
		h.missing = 0
	}
}

// gap handles missing bytes.
func (c *Conn) gap(h *half, g decode.Gap) {
	if g.Known && g.Len == 0 {
		return
	}
	// The frame's own length says where the next begins, so a hole inside it
	// loses no boundary.
	if h.state == inPayload && g.Known {
		n := min(uint64(h.left), g.Len)
		c.skip(h, int(n))
		if g.Len -= n; g.Len == 0 {
			return
		}
	}
	// What was searched before the hole cannot be joined with what is behind it.
	if h.state == inResync {
		c.settle(h)
	}
	if h.state == inPayload {
		c.skipUnknown(h)
	}
	if h.block.active {
		c.endBlock(h, decode.AnomalyGap, "the end of the header block")
	}
	if g.Known {
		c.notice(h.dir, 0, decode.AnomalyGap, "%d bytes across a frame boundary", g.Len)
	} else {
		c.notice(h.dir, 0, decode.AnomalyGap, "an unknown number of bytes")
	}
	// A header block may have been in the hole. From now on dynamic entries that
	// were not inserted since are unknown, rather than wrong.
	h.hp.Forget()
	c.tunnelsLost(h)
	c.settingsLost(h)
	h.losses++
	h.nheader, c.joined = 0, true
	h.state = inResync
}

// skip steps over n missing bytes inside the frame in hand.
func (c *Conn) skip(h *half, n int) {
	if n == 0 {
		return
	}
	h.left -= n
	h.damaged = true
	switch h.f.typ {
	case frameData:
		h.missing += n - c.dataGap(h, n)
	default:
		h.missing += n
	}
	// payload holds what came before the hole and nothing of what came after.
	if h.left == 0 {
		c.endFrame(h, h.payload)
	}
}

// skipUnknown leaves the frame in hand, whose end was not found.
func (c *Conn) skipUnknown(h *half) {
	h.damaged = true
	c.tellMissing(h)
	switch h.f.typ {
	case frameData:
		c.dataLost(h)
	// What is there of a header block is decoded: its first fields are the
	// pseudo-header fields, which name the message.
	case frameHeaders, framePush, frameContinuation:
		c.endFrame(h, h.payload)
	}
}
