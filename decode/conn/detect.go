package conn

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/http1"
	"github.com/NoFear0411/spliff/decode/http2"
)

// hold keeps a chunk back and decides if it can. Verdicts stand whatever
// follows, so they may be asked for at any time; sniffing is not like that, and
// is done when the number of bytes held reaches fixed marks. The chunk is cut
// there, which makes the outcome independent of how bytes were cut before.
func (c *Conn) hold(dst []decode.Message, ch decode.Chunk) []decode.Message {
	part := ch
	part.Data = nil
	c.held = append(c.held, piece{ch: part})
	for len(ch.Data) > 0 {
		n := min(len(ch.Data), nextMark(c.bytes)-c.bytes)
		more := ch.Data[:n]
		ch.Data, ch.Off = ch.Data[n:], ch.Off+uint64(n)
		last := &c.held[len(c.held)-1].ch
		last.Data = append(last.Data, more...)
		c.bytes += n

		o := &c.first[ch.Dir]
		o.buf = append(o.buf, more...)
		if o.v == undecided {
			o.v, o.scanned = judge(o.buf, o.scanned)
		}
		dst = c.decide(dst, false)
		if c.decided() || c.opaque {
			return c.Append(dst, ch) // the rest, if any
		}
	}
	return dst
}

// nextMark returns the next number of held bytes at which to sniff.
func nextMark(n int) int {
	if n < 1024 {
		return n + 32 - n%32
	}
	m := 2048
	for m <= n {
		m *= 2
	}
	return min(m, max(maxHeld, n+1))
}

// decide chooses a decoder if the bytes held allow, or if final, and gives it
// what was held.
func (c *Conn) decide(dst []decode.Message, final bool) []decode.Message {
	for dir := range c.first {
		switch d := decode.Dir(dir); c.first[dir].v {
		case h2Client:
			return c.useH2(dst, d, false)
		case h2Server:
			return c.useH2(dst, d.Other(), false)
		case h1Request:
			return c.useH1(dst, d)
		case h1Response:
			return c.useH1(dst, d.Other())
		}
	}
	final = final || c.bytes >= maxHeld
	if c.bytes == 0 && len(c.held) == 0 {
		return dst
	}
	late := c.hint.ALPN == "h2" || c.hint.MidStream || c.gapped()
	if c.hint.ALPN == "h2" && c.hint.Role != decode.RoleUnknown && c.strange() {
		return c.useH2(dst, c.hintDir(), true)
	}
	if late && (final || c.bytes == nextMark(c.bytes-1)) {
		if client, ok := c.sniff(final); ok {
			return c.useH2(dst, client, true)
		}
	}
	if late && c.hint.ALPN != "h2" && (final || c.bytes == nextMark(c.bytes-1)) {
		if client, ok := c.sniffWS(final); ok {
			return c.useWS(dst, client)
		}
	}
	switch {
	case !final && (late || c.first[0].v != neither || c.first[1].v != neither):
		return dst
	case c.hint.ALPN == "h2":
		return c.useH2(dst, c.hintDir(), true)
	case c.hint.ALPN == "http/1.1" && c.hint.Role != decode.RoleUnknown:
		return c.useH1(dst, c.hintDir())
	}
	c.opaque = true
	return c.release(dst)
}

// gapped reports whether bytes are missing from an opening.
func (c *Conn) gapped() bool { return c.first[0].intact >= 0 || c.first[1].intact >= 0 }

// strange reports whether some direction begins with neither protocol.
func (c *Conn) strange() bool { return c.first[0].v == neither || c.first[1].v == neither }

// hintDir is the direction of requests by the hint alone.
func (c *Conn) hintDir() decode.Dir {
	if c.hint.Role == decode.RoleServer {
		return decode.Read
	}
	return decode.Write
}

// sniff looks for HTTP/2 frames in both directions. Unless final, the side must
// be certain.
func (c *Conn) sniff(final bool) (client decode.Dir, ok bool) {
	frames := false
	for dir := range c.first {
		found, side := http2.Sniff(c.first[dir].buf)
		frames = frames || found
		switch side {
		case http2.SideClient:
			return decode.Dir(dir), true
		case http2.SideServer:
			return decode.Dir(dir).Other(), true
		}
	}
	if frames && (final || c.hint.Role != decode.RoleUnknown) {
		return c.hintDir(), true
	}
	return client, false
}

func (c *Conn) useH2(dst []decode.Message, client decode.Dir, late bool) []decode.Message {
	c.role = roleOf(client)
	c.h2 = http2.New(client, c.lim)
	if late {
		c.h2.SetMidStream()
	}
	c.h2.SetTrace(c.trace, c.gone)
	c.readTunnels(c.h2)
	c.h2.SetArena(c.arena)
	return c.replay(dst)
}

func (c *Conn) useH1(dst []decode.Message, client decode.Dir) []decode.Message {
	c.role = roleOf(client)
	c.h1 = http1.New(client, c.lim)
	if protos := []string{"h2c", "websocket", "tunnel"}; c.depth < maxDepth {
		c.h1.HandOver(protos...)
	} else {
		c.h1.HandOver(protos[:2]...)
	}
	if c.hint.MidStream || c.strange() {
		c.h1.SetMidStream()
	}
	c.h1.SetTrace(c.trace, c.gone)
	c.h1.SetArena(c.arena)
	return c.replay(dst)
}

// replay gives the decoder in charge what was held, in order of arrival.
func (c *Conn) replay(dst []decode.Message) []decode.Message {
	held := c.held
	c.forget()
	for _, p := range held {
		if p.gap != nil {
			dst = c.passGap(dst, *p.gap)
		} else {
			dst = c.pass(dst, p.ch)
		}
	}
	return dst
}

// release describes what was held as opaque.
func (c *Conn) release(dst []decode.Message) []decode.Message {
	for _, p := range c.held {
		if p.gap != nil {
			dst = append(dst, opaqueGap(*p.gap, p.ch.Off))
			c.last = int(p.gap.Dir)
			c.gone[p.gap.Dir] += p.gap.Len
		} else {
			dst = append(dst, opaqueChunk(p.ch))
			c.last = int(p.ch.Dir)
			c.gone[p.ch.Dir] += uint64(len(p.ch.Data))
		}
	}
	c.forget()
	return dst
}

func (c *Conn) forget() {
	c.held, c.bytes = nil, 0
	c.first = [2]opening{}
}

// watch describes a chunk of an opaque connection, unless it comes when the
// direction turns and begins a message of a protocol that is known. While that
// is open the chunks are held.
func (c *Conn) watch(dst []decode.Message, ch decode.Chunk) []decode.Message {
	turned := c.last != int(ch.Dir)
	if len(c.held) > 0 && c.held[0].ch.Dir != ch.Dir {
		dst = c.release(dst) // its line never ended
		turned = true
	}
	if len(c.held) == 0 && !turned {
		c.gone[ch.Dir] += uint64(len(ch.Data))
		return append(dst, opaqueChunk(ch))
	}
	ch.Data = append([]byte(nil), ch.Data...)
	c.held = append(c.held, piece{ch: ch})
	o := &c.first[ch.Dir]
	o.buf = append(o.buf, ch.Data...)
	switch late(o.buf) {
	case undecided:
		return dst
	case h2Client:
		c.opaque = false
		return c.useH2(dst, ch.Dir, false)
	case h1Request:
		c.opaque = false
		return c.useH1(dst, ch.Dir)
	case h1Response:
		c.opaque = false
		return c.useH1(dst, ch.Dir.Other())
	}
	return c.release(dst)
}

// opaqueChunk describes bytes of an unknown protocol.
func opaqueChunk(ch decode.Chunk) decode.Message {
	n := min(len(ch.Data), maxOpaqueHead)
	return decode.Message{
		Kind: decode.Opaque, Dir: ch.Dir, Proto: "unknown",
		Body: decode.Body{
			Data: append([]byte(nil), ch.Data[:n]...), Size: uint64(len(ch.Data)), Cut: n < len(ch.Data),
		},
		Begin: ch.Start, HeadEnd: ch.At, End: ch.At,
	}
}

// opaqueGap describes missing bytes of an unknown protocol.
func opaqueGap(g decode.Gap, off uint64) decode.Message {
	detail := "an unknown number of bytes"
	if g.Known {
		detail = "bytes are missing"
	}
	return decode.Message{
		Kind: decode.Opaque, Dir: g.Dir, Proto: "unknown", Flags: decode.Gapped,
		Body:  decode.Body{Size: g.Len, Lost: g.Len},
		Begin: g.At.Time, HeadEnd: g.At, End: g.At,
		Anomalies: []decode.Anomaly{{Kind: decode.AnomalyGap, Dir: g.Dir, Offset: off, Detail: detail}},
	}
}
