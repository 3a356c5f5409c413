package http2

import (
	"bytes"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// maxTunnelHead is how much of a tunnel's bytes its Opaque message shows.
const maxTunnelHead = 64

// maxEarly is how much of a tunnel's bytes is held until there is a response.
const maxEarly = 64 << 10

// openTunnel finds a reader for what follows the response m on its stream: WebSocket
// (RFC 8441) has one, and what a CONNECT without a protocol leads to.
func (c *Conn) openTunnel(st *stream, m *decode.Message) {
	if st.protocol == "" {
		c.beginInside(st)
		return
	}
	if !strings.EqualFold(st.protocol, "websocket") {
		return
	}
	m.Flags |= decode.Continued
	st.ws = websocket.New(websocket.Options{
		Client: c.client, Limits: c.lim, Extensions: websocket.Negotiated(m.Header), Exchange: st.exchange, Stream: st.id,
	})
	if st.slot[slotRequest].m.Kind != 0 {
		st.ws.SetMidStream(c.client) // more was sent before than is held
	}
	for _, ch := range st.early {
		c.out = st.ws.Append(c.out, ch)
	}
	st.early = nil
}

// holdEarly keeps bytes that a client sends before it has an answer. Directions
// are recorded apart: the answer may only seem to be later.
func (c *Conn) holdEarly(st *stream, h *half, p []byte) bool {
	o := &st.slot[slotRequest]
	reads := strings.EqualFold(st.protocol, "websocket") || st.protocol == "" && c.openInside != nil
	if h.fromPeer || !reads || st.slot[slotResponse].head || o.m.Kind != 0 {
		return false
	}
	if st.nearly += len(p); st.nearly > maxEarly {
		c.releaseEarly(st)
		return false
	}
	st.early = append(st.early, decode.Chunk{Dir: h.dir, At: c.at, Start: c.start, Data: bytes.Clone(p)})
	return true
}

// releaseEarly describes bytes that nothing will read.
func (c *Conn) releaseEarly(st *stream) {
	list := st.early
	st.early, st.nearly = nil, maxEarly
	for _, ch := range list {
		c.tunnelled(st, slotRequest, &c.half[c.client], ch.Data)
	}
}

// tunnelLost tells the reader of a tunnel that bytes are missing which cannot be
// counted.
func (c *Conn) tunnelLost(st *stream, h *half) {
	switch g := (decode.Gap{Dir: h.dir, At: c.at}); {
	case st.ws != nil:
		c.out = st.ws.Gap(c.out, g)
	case st.inside != nil:
		c.insideGap(st, g)
	}
}

// tunnelsLost does so for all tunnels: frames of any of them may have gone by unseen.
func (c *Conn) tunnelsLost(h *half) {
	for st := c.reg.oldest; st != nil; st = st.next {
		c.tunnelLost(st, h)
	}
}

// tunnelled counts bytes of a CONNECT stream.
func (c *Conn) tunnelled(st *stream, slot int, h *half, p []byte) {
	o := &st.slot[slot]
	if st.ws != nil {
		c.out = st.ws.Append(c.out, decode.Chunk{Dir: h.dir, At: c.at, Start: c.start, Data: p})
		return
	}
	if st.inside != nil {
		c.insideAppend(st, h, p)
		return
	}
	if c.holdEarly(st, h, p) {
		return
	}
	c.opaque(st, o, h.dir, h.begin)
	b := &o.m.Body
	// The head ends at the first hole: bytes behind it are not the head.
	if k := min(maxTunnelHead-len(b.Data), len(p)); k > 0 && b.Lost == 0 {
		b.Data = append(b.Data, p[:k]...)
	}
	b.Size += uint64(len(p))
	b.Cut = b.Size-b.Lost > uint64(len(b.Data))
}

// opaque makes the message that describes what passed one way through a tunnel.
func (c *Conn) opaque(st *stream, o *open, dir decode.Dir, begin int64) {
	if o.m.Kind != 0 {
		return
	}
	o.m = decode.Message{
		Kind: decode.Opaque, Dir: dir, Stream: st.id, Proto: "tunnel", Flags: o.m.Flags, Anomalies: o.m.Anomalies,
		Begin: begin, HeadEnd: c.at,
	}
	if st.protocol != "" {
		o.m.Proto = st.protocol
	}
}

// endWebSocket ends one direction. What befell the stream goes with the notice that
// nothing more comes.
func (c *Conn) endWebSocket(st *stream, slot int, clean bool) {
	from := len(c.out)
	c.out = st.ws.EndDir(c.out, c.dirOf(slot), c.at, clean)
	o := &st.slot[slot]
	if last := len(c.out) - 1; last >= from && c.out[last].Kind == decode.Notice && o.m.Kind == 0 {
		m := &c.out[last]
		m.Flags |= o.m.Flags & decode.Reset
		m.Anomalies = append(m.Anomalies, o.m.Anomalies...)
	}
}

// emitTunnel gives out what passed one way through a CONNECT stream. clean says that
// the stream really ended.
func (c *Conn) emitTunnel(st *stream, slot int, clean bool) {
	o := &st.slot[slot]
	if slot == slotRequest && len(st.early) > 0 {
		c.releaseEarly(st)
	}
	if st.ws != nil {
		c.endWebSocket(st, slot, clean)
	}
	if st.inside != nil && !clean {
		st.inside.unclean = true
	}
	if o.m.Kind == 0 {
		return
	}
	c.noteLoss(o, slot)
	o.head = false // no content to decode
	c.emit(o)
	if st.inside != nil {
		o.m = decode.Message{} // what is inside may have more to say at its end
	}
}
