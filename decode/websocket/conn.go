package websocket

import "github.com/NoFear0411/spliff/decode"

// proto is the Proto of every message.
const proto = "websocket"

// Options say what is known of a WebSocket connection.
type Options struct {
	Client     decode.Dir    // direction in which the client's frames travel
	Limits     decode.Limits // zero fields mean their defaults
	Extensions Extensions    // as negotiated
	// Exchange and Stream of the handshake: every message gets them.
	Exchange, Stream uint32
}

// Conn decodes one WebSocket connection. It is not safe for concurrent use. Chunks
// are borrowed for the call; messages own their memory.
//
// Of each direction it holds one message as it was sent and one as it decodes, each
// up to Limits.Body or a mebibyte, and with compression up to 40 KiB of the text before
// them. A busy connection with compression holds 50 KiB more to inflate.
type Conn struct {
	o    Options
	half [2]half // by Dir
	inf  inflater
}

// New returns a decoder that begins at the first byte after the handshake.
func New(o Options) *Conn {
	o.Limits = o.Limits.WithDefaults()
	c := &Conn{o: o}
	for dir := range c.half {
		h := &c.half[dir]
		h.conn, h.dir, h.fromClient = c, decode.Dir(dir), decode.Dir(dir) == o.Client
		h.takeover = !o.Extensions.ServerNoTakeover
		if h.fromClient {
			h.takeover = !o.Extensions.ClientNoTakeover
		}
	}
	if bad := o.Extensions.Bad; bad != "" {
		c.half[o.Client.Other()].carryOver(AnomalyDeflate, "negotiation: "+bad)
	}
	return c
}

// SetMidStream says that bytes of a direction went by unseen before the first
// Append: its frame boundaries are searched.
func (c *Conn) SetMidStream(dir decode.Dir) {
	h := &c.half[dir]
	h.carryOver(decode.AnomalyMidStream, "")
	h.lose()
}

// moment is when bytes moved.
type moment struct {
	at    decode.At
	start int64
}

// Append decodes a chunk and appends the messages it completes to dst.
func (c *Conn) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	return c.half[ch.Dir].feed(dst, ch.Data, moment{ch.At, ch.Start})
}

// Gap tells that bytes of one direction are missing, and appends the messages
// that ends.
func (c *Conn) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if g.Known && g.Len == 0 {
		return dst
	}
	return c.half[g.Dir].gap(dst, g)
}

// EndDir tells that nothing more comes in one direction, and appends what is left
// of it. clean says that the connection or stream really ended, rather than the
// recording. A stream that did so without a close frame is told of by a notice with
// decode.Last, which may have no anomaly.
func (c *Conn) EndDir(dst []decode.Message, dir decode.Dir, at decode.At, clean bool) []decode.Message {
	return c.half[dir].end(dst, moment{at, at.Time}, clean)
}

// End is EndDir for both directions.
func (c *Conn) End(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	dst = c.EndDir(dst, c.o.Client, at, clean)
	return c.EndDir(dst, c.o.Client.Other(), at, clean)
}
