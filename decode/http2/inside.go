package http2

import "github.com/NoFear0411/spliff/decode"

// Inside decodes what is in a tunnel, a connection of its own. Package conn does so,
// which cannot be named here: it is made of this one.
type Inside interface {
	Append(dst []decode.Message, ch decode.Chunk) []decode.Message
	Gap(dst []decode.Message, g decode.Gap) []decode.Message
	End(dst []decode.Message, at decode.At, clean bool) []decode.Message
	Kept() int
	Shed()
}

// SetInside says how to get a decoder for what is in the tunnel of a CONNECT (RFC 9113
// §8.5), and how many tunnels are read at once: each holds up to 64 KiB until its
// protocol is known, and a CONNECT is a few bytes. What is in others is opaque. Messages inside get numbers of this connection's exchanges. Bytes inside that
// no decoder knows are summed up, as those of a tunnel that is not read: one message
// each way. A Trace takes all of a tunnel for content. Call it before the first Append.
func (c *Conn) SetInside(most int, open func() Inside) { c.openInside, c.maxInsides = open, most }

// inside is a tunnel that is read.
type inside struct {
	conn    Inside
	off     [2]uint64 // by direction, in the tunnel
	numbers map[uint32]number
	unclean bool // the stream did not end in order
}

// number is what an exchange inside is called outside, as long as something of it may
// come.
type number struct {
	out       uint32
	req, resp bool
}

// beginInside begins to read the tunnel of a stream whose response has come.
func (c *Conn) beginInside(st *stream) {
	if c.openInside != nil && c.insides < c.maxInsides {
		if in := c.openInside(); in != nil {
			st.inside = &inside{conn: in, numbers: map[uint32]number{}}
			c.insides++
		}
	}
	early := st.early
	st.early = nil
	h := &c.half[c.client]
	at, start := c.at, c.start
	for _, ch := range early {
		c.at, c.start = ch.At, ch.Start
		c.tunnelled(st, slotRequest, h, ch.Data)
	}
	c.at, c.start = at, start
}

func (c *Conn) insideAppend(st *stream, h *half, p []byte) {
	in, from := st.inside, len(c.out)
	c.out = in.conn.Append(c.out, decode.Chunk{Dir: h.dir, At: c.at, Start: c.start, Off: in.off[h.dir], Data: p})
	in.off[h.dir] += uint64(len(p))
	c.adopt(st, from)
}

func (c *Conn) insideGap(st *stream, g decode.Gap) {
	from := len(c.out)
	c.out = st.inside.conn.Gap(c.out, g)
	st.inside.off[g.Dir] += g.Len
	c.adopt(st, from)
}

// endInside ends the reading of a tunnel with its stream.
func (c *Conn) endInside(st *stream) {
	from := len(c.out)
	c.out = st.inside.conn.End(c.out, c.at, !st.inside.unclean)
	c.adopt(st, from)
	st.inside = nil
	c.insides--
	for slot := range st.slot {
		if o := &st.slot[slot]; o.m.Kind == decode.Opaque {
			o.head = false // no content to decode
			c.emit(o)
			o.m = decode.Message{}
		}
	}
}

// adopt gives messages that came out of a tunnel, c.out[from:], the numbers they have
// here, and sums up those that describe bytes of no known protocol.
func (c *Conn) adopt(st *stream, from int) {
	keep := from
	for i := from; i < len(c.out); i++ {
		m := &c.out[i]
		if m.Kind == decode.Opaque && m.Exchange == 0 && m.Proto == "unknown" {
			c.sumUp(st, m)
			continue
		}
		if m.Exchange > 0 {
			m.Exchange = c.numbered(st.inside, m)
		}
		if keep != i {
			c.out[keep] = *m
		}
		keep++
	}
	c.out = c.out[:keep]
}

// numbered returns the number of m's exchange, a new one if need be.
func (c *Conn) numbered(in *inside, m *decode.Message) uint32 {
	n, ok := in.numbers[m.Exchange]
	if !ok {
		c.reg.exchanges++
		n.out = c.reg.exchanges
	}
	n.req = n.req || m.Kind == decode.Request
	n.resp = n.resp || m.Kind == decode.Response && m.Flags&decode.Continued == 0
	if n.req && n.resp {
		delete(in.numbers, m.Exchange) // memory follows what is open
	} else {
		in.numbers[m.Exchange] = n
	}
	return n.out
}

// sumUp adds a message about unknown bytes to the one of its direction.
func (c *Conn) sumUp(st *stream, m *decode.Message) {
	o := &st.slot[c.slotOf(m.Dir)]
	c.opaque(st, o, m.Dir, m.Begin)
	b := &o.m.Body
	if k := min(maxTunnelHead-len(b.Data), len(m.Body.Data)); k > 0 && b.Lost == 0 {
		b.Data = append(b.Data, m.Body.Data[:k]...)
	}
	b.Size += m.Body.Size
	b.Lost += m.Body.Lost
	b.Cut = b.Size-b.Lost > uint64(len(b.Data))
	o.m.Flags |= m.Flags & (decode.Gapped | decode.MidStream)
	for _, a := range m.Anomalies {
		c.mark(o, m.Dir, a.Kind, "%s", a.Detail)
	}
}
