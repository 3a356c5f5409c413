package replay

import (
	"slices"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
	"github.com/NoFear0411/spliff/format"
)

// maxHeld bytes of a connection, in at most maxHeldItems pieces, wait for its
// role to be found; then the role is guessed.
const (
	maxHeld      = 256 << 10
	maxHeldItems = 4096
)

// flowConfig is what all flows share. It is not changed once the pool runs, so
// workers read it without a lock.
type flowConfig struct {
	limits decode.Limits
	data   bool
	// transient: what was given out is used again.
	transient bool
	whole     bool // requests and responses come in their exchanges only
	render    func() func([]byte, *Item) []byte
	make      func(decode.Limits) decoder
	trace     func(flow uint64, dir decode.Dir, off, n uint64) // nil: nobody asks
}

// flowState is the decoding state of one connection. Only who works on its
// lane touches it, and ops reach it in event order.
type flowState struct {
	shard  int
	serial uint64    // number of the flow
	start  [2]uint64 // stream offsets at which it begins

	dec   decoder
	msgs  []decode.Message // scratch
	pairs pairs

	base, shown *Conn // last snapshot given, and what items say of it

	held      []*Item // ItemData waiting for the role
	heldBytes int
	decided   bool
	client    decode.Dir // direction in which the client's bytes travel
	sawData   bool
	firstDir  decode.Dir
}

// run does one op and appends the items it leads to, in output order.
func (f *flowState) run(cfg *flowConfig, mem *memory, o *op, data []byte, out []*Item) []*Item {
	// Made here and not when the connection is opened: the pusher is the one
	// goroutine that all others wait for.
	if f.dec == nil {
		f.dec = cfg.make(cfg.limits)
		if d, ok := f.dec.(*conn.Conn); ok && mem.arena != nil {
			d.SetArena(mem.arena)
		}
		if d, ok := f.dec.(*conn.Conn); ok && cfg.trace != nil {
			d.SetTrace(func(d decode.Dir, off, n uint64) { cfg.trace(f.serial, d, f.start[d]+off, n) })
		}
	}
	at := decode.At{Seq: o.seq, Time: o.time}
	f.msgs = f.msgs[:0]
	switch o.kind {
	case opHint:
		c := &o.conn.Conn
		f.dec.Hint(decode.Hint{ALPN: c.ALPN, Role: roleOf(c.Role), MidStream: c.MidStream})
		return out
	// A note goes round the decoder but not round the queue: its Conn must have
	// the role that the bytes before it gave, for any number of workers.
	case opNote:
		o.conn = f.known(o.conn)
		return append(out, o.stamp())
	case opShed:
		f.dec.Shed()
		f.pairs.shed()
		return out
	case opExpire:
		f.msgs = f.dec.Expire(f.msgs, at)
	case opGap:
		f.msgs = f.dec.Gap(f.msgs, decode.Gap{Dir: o.dir, At: at, Len: o.off, Known: true})
	case opData:
		f.msgs = f.dec.Append(f.msgs, decode.Chunk{Dir: o.dir, At: at, Start: o.start, Off: o.off, Data: data})
		if cfg.data {
			out = f.hold(o, data, out)
		}
	case opEnd:
		f.msgs = f.dec.End(f.msgs, at, o.clean)
		out = f.release(f.known(o.conn), true, out)
	}
	// After decoding: these bytes may be the ones that gave the role.
	conn := f.known(o.conn)
	out = f.emit(cfg, mem, conn, o, out)
	if o.kind == opEnd {
		for _, ex := range f.pairs.rest() {
			it := mem.exchange(o, conn, &ex)
			end := o.item.End
			it.Exchange.Pending = ex.resp == nil && end.Reason == format.EndUnknown && !end.Shutdown
			out = append(out, it)
		}
		o.conn = conn
		out = append(out, o.stamp())
		*f = flowState{} // the decoder's memory goes now, not with the batch
	}
	return out
}

// kept is how many bytes of bodies are held. The pusher asks while no op of the
// flow is under way.
func (f *flowState) kept() int {
	if f.dec == nil {
		return 0
	}
	return f.dec.Kept() + f.pairs.body
}

// emit makes items of the decoder's messages: each one, and after it the
// exchange it completed.
func (f *flowState) emit(cfg *flowConfig, mem *memory, conn *Conn, o *op, out []*Item) []*Item {
	if len(f.msgs) == 0 {
		return out
	}
	f.pairs.client = decode.Write
	if conn.Role == decode.RoleServer {
		f.pairs.client = decode.Read
	}
	own := mem.messages(f.msgs)
	for i := range f.msgs {
		m := own.at(i)
		if cfg.whole && isHalf(m) {
			mem.hidden++
		} else {
			it := mem.item()
			it.Kind, it.Seq, it.Time, it.Conn, it.Dir, it.Message = ItemMessage, o.seq, o.time, conn, m.Dir, m
			if m.Kind == decode.Inner || m.Flags&decode.Continued != 0 {
				it.Request = f.pairs.open[m.Exchange].req
			}
			out = append(out, it)
		}
		done := f.pairs.add(m, cfg.limits.Pipeline)
		for k := range done {
			out = append(out, mem.exchange(o, conn, &done[k]))
		}
	}
	clear(f.msgs)
	return out
}

// known returns the snapshot c with the role the decoder found, the same
// pointer as long as neither changed.
func (f *flowState) known(c *Conn) *Conn {
	role := c.Role
	if r := f.dec.Role(); r != decode.RoleUnknown {
		role = r
	}
	if f.base == c && f.shown.Role == role {
		return f.shown
	}
	f.base, f.shown = c, c
	if role != c.Role {
		s := *c
		s.Role = role
		f.shown = &s
	}
	return f.shown
}

// hold makes an ItemData and passes it on as soon as it is known which side is
// the client's.
func (f *flowState) hold(o *op, data []byte, out []*Item) []*Item {
	if !f.sawData {
		f.sawData, f.firstDir = true, o.dir
	}
	d := &Data{Off: o.off, Bytes: slices.Clone(data), Time: o.time}
	f.held = append(f.held, &Item{Kind: ItemData, Seq: o.seq, Time: o.time, Dir: o.dir, Data: d})
	f.heldBytes += len(data)
	full := f.heldBytes > maxHeld || len(f.held) > maxHeldItems
	return f.release(f.known(o.conn), full, out)
}

// release passes on what was held once the role is known, or guessed if force
// is set. The ItemData of one connection keep the order of their events.
func (f *flowState) release(conn *Conn, force bool, out []*Item) []*Item {
	if len(f.held) == 0 {
		return out
	}
	if !f.decided {
		if r := f.dec.Role(); r != decode.RoleUnknown {
			f.decide(r)
		} else if force {
			f.decide(guessRole(conn, f.firstDir))
		} else {
			return out
		}
	}
	for _, it := range f.held {
		it.Conn = conn
		it.Data.FromClient = it.Dir == f.client
		out = append(out, it)
	}
	clear(f.held)
	f.held, f.heldBytes = f.held[:0], 0
	return out
}

// decide is final: a stream whose sides swap half way would be no stream.
func (f *flowState) decide(r decode.Role) {
	f.decided = true
	f.client = decode.Write
	if r == decode.RoleServer {
		f.client = decode.Read
	}
}

// guessRole says which side the process plays when the bytes do not: by the
// handshake, else by ports (servers have the lower one), else the side that
// speaks first is taken for the client.
func guessRole(c *Conn, first decode.Dir) decode.Role {
	switch {
	case c.Role != decode.RoleUnknown:
		return c.Role
	case c.Local.IsValid() && c.Remote.IsValid() && c.Local.Port() != c.Remote.Port():
		if c.Remote.Port() < c.Local.Port() {
			return decode.RoleClient
		}
		return decode.RoleServer
	case first == decode.Read:
		return decode.RoleServer
	}
	return decode.RoleClient
}
