package conn

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/websocket"
)

const (
	// wsAlone is the evidence it takes to call a connection a WebSocket by one of its
	// directions; wsBoth that of one, where the other has wsOther and is the other
	// side's. See websocket.Sniff. Bytes that are no frames have wsBoth one time in
	// some ten millions.
	wsAlone = 8
	wsBoth  = 6
	wsOther = 2
)

// sniffWS looks for the frames of a WebSocket whose handshake was not seen.
// One direction alone convinces only when no more is waited for (final).
func (c *Conn) sniffWS(final bool) (client decode.Dir, ok bool) {
	var score [2][2]int // by direction: as a client's, as a server's
	for dir := range c.first {
		score[dir][0], score[dir][1] = websocket.Sniff(c.first[dir].buf)
	}
	for dir := range score {
		asked, answered := score[dir][0], score[dir^1][1]
		switch {
		case asked >= wsBoth && answered >= wsOther, answered >= wsBoth && asked >= wsOther,
			final && asked >= wsAlone && len(c.first[dir^1].buf) == 0,
			final && answered >= wsAlone && len(c.first[dir].buf) == 0:
			return decode.Dir(dir), true
		}
	}
	return client, false
}

// useWS reads the connection as a WebSocket. A response that nobody saw stands for
// its handshake: the messages are inside that exchange.
func (c *Conn) useWS(dst []decode.Message, client decode.Dir) []decode.Message {
	c.role = roleOf(client)
	c.ws = websocket.New(websocket.Options{Client: client, Limits: c.lim, Extensions: websocket.Extensions{Deflate: true}, Exchange: 1})
	c.ws.SetMidStream(client)
	c.ws.SetMidStream(client.Other())
	first := c.held[0].ch
	dir := client.Other()
	dst = append(dst, decode.Message{
		Kind: decode.Response, Dir: dir, Exchange: 1, Proto: "websocket",
		Flags: decode.MidStream | decode.Incomplete | decode.Upgraded | decode.Continued,
		Begin: first.Start, HeadEnd: first.At, End: first.At,
		Anomalies: []decode.Anomaly{
			{Kind: decode.AnomalyNoRequest, Dir: dir, Detail: "the handshake was not seen"},
			{Kind: websocket.AnomalyAssumed, Dir: dir, Detail: "the bytes are frames of a WebSocket; which extensions it has is not known"},
		},
	})
	return c.replay(dst)
}
