package http2

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/hpack"
)

const proto = "HTTP/2"

// Conn decodes one connection. It is not safe for concurrent use. Chunks are
// borrowed for the call; messages own their memory.
type Conn struct {
	client  decode.Dir
	lim     decode.Limits
	half    [2]half // by Dir
	reg     registry
	notices map[decode.AnomalyKind]int
	silent  int   // notices not given
	kept    int   // body bytes kept for messages still open
	joined  bool  // frames were missed: a stream may have begun unseen
	swept   int64 // time at which idle streams were last looked for

	trace decode.Trace

	openInside func() Inside // nil: nobody reads what is in tunnels
	insides    int           // how many tunnels are being read
	maxInsides int

	// Valid during one call.
	at     decode.At
	start  int64
	out    []decode.Message
	fields []decode.Field // scratch for one block

	arena   *arena.Arena
	checked [checkedSlots]checkedField
}

// New returns a decoder for a connection whose requests travel in direction
// client. Zero fields of l mean their defaults.
func New(client decode.Dir, l decode.Limits) *Conn {
	c := &Conn{client: client, lim: l.WithDefaults(), notices: make(map[decode.AnomalyKind]int)}
	c.reg.byID = make(map[uint32]*stream)
	for dir := range c.half {
		c.half[dir] = half{
			dir:      decode.Dir(dir),
			fromPeer: decode.Dir(dir) != client,
			hp:       hpack.New(hpack.Options{Fields: c.lim.Fields, List: c.lim.Head}),
			state:    inHeader,
			initial:  defaultWindow,
			widest:   defaultWindow,
		}
	}
	c.half[client].state = inPreface
	return c
}

// SetMidStream says that the capture began inside the connection: no preface is
// expected, frame boundaries are searched, HPACK tables are unknown. It must be
// called before the first Append.
func (c *Conn) SetMidStream() {
	c.joined = true
	for i := range c.half {
		h := &c.half[i]
		h.state, h.midStream = inResync, true
		h.hp.Forget()
	}
}

// SetArena says where to take the memory of messages from: they may then be recycled
// there. Call it before the first Append.
func (c *Conn) SetArena(a *arena.Arena) {
	c.arena = a
	for i := range c.half {
		c.half[i].hp.SetArena(a, uint8(i))
	}
}

// SetTrace says whom to tell which bytes are not content. Positions begin at pos,
// by direction. Call it before the first Append.
func (c *Conn) SetTrace(t decode.Trace, pos [2]uint64) {
	c.trace = t
	for d := range c.half {
		c.half[d].told = pos[d]
	}
}

// BeginAt sets the position of a direction of which nothing has come.
func (c *Conn) BeginAt(d decode.Dir, pos uint64) {
	if h := &c.half[d]; !h.begun {
		h.told = pos
	}
}

// Append decodes a chunk and appends the messages it completes to dst.
func (c *Conn) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	c.begin(dst, ch.At, ch.Start)
	c.sweep()
	h := &c.half[ch.Dir]
	h.begun, h.pos = true, ch.Off
	c.feed(h, ch.Data)
	return c.finish()
}

// Gap tells that bytes of one direction are missing. A gap of known length
// inside one frame is stepped over; any other makes the decoder search the next
// frame boundary and forget that direction's HPACK table.
func (c *Conn) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	c.begin(dst, g.At, g.At.Time)
	c.sweep()
	h := &c.half[g.Dir]
	c.gap(h, g)
	h.begun, h.told = true, h.told+g.Len
	return c.finish()
}

// End gives up what is open and appends it to dst. clean says that the
// connection really ended, rather than the recording.
func (c *Conn) End(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	c.begin(dst, at, at.Time)
	for i := range c.half {
		h := &c.half[i]
		if h.state == inResync {
			c.settle(h)
		}
		if h.block.active {
			c.endBlock(h, decode.AnomalyTruncated, "the stream ends inside a header block")
		}
		if h.state == inPayload {
			c.tellMissing(h)
		}
		if h.nheader > 0 || h.state == inPayload && h.f.typ != frameData {
			c.notice(h.dir, 0, decode.AnomalyTruncated, "the stream ends inside a frame")
		}
	}
	why := "the recording stopped"
	if clean {
		why = "the connection ended"
	}
	for i := range c.half {
		why += c.half[i].farewell()
	}
	// By age, not in map order: output must be the same each time.
	for st := c.reg.oldest; st != nil; st = c.reg.oldest {
		if text := c.refused(st.id); text != "" && !st.slot[slotResponse].started {
			c.abandon(st, 0, AnomalyRefused, text)
			continue
		}
		for slot := range st.slot {
			o := &st.slot[slot]
			switch {
			case !o.started || o.done:
			case o.tunnel && clean:
				c.emitTunnel(st, slot, true) // a tunnel may end with its connection
			default:
				c.mark(o, c.dirOf(slot), decode.AnomalyTruncated, why)
				c.giveUp(st, slot)
			}
		}
		c.remove(st)
	}
	if c.silent > 0 {
		n := c.silent
		c.silent, c.notices[decode.AnomalyLimit] = 0, 0
		c.notice(c.client, 0, decode.AnomalyLimit, "%d more notices were not given", n)
	}
	return c.finish()
}

// begin and finish frame each exported call: what is between them appends to
// c.out, so that no message passes through the returns of every function.
func (c *Conn) begin(dst []decode.Message, at decode.At, start int64) {
	c.out, c.at, c.start = dst, at, start
}

func (c *Conn) finish() []decode.Message {
	out := c.out
	c.out = nil
	return out
}

// dirOf returns the direction in which a slot's frames travel.
func (c *Conn) dirOf(slot int) decode.Dir {
	if slot == slotRequest {
		return c.client
	}
	return c.client.Other()
}

// slotOf is the inverse of dirOf.
func (c *Conn) slotOf(dir decode.Dir) int {
	if dir == c.client {
		return slotRequest
	}
	return slotResponse
}
