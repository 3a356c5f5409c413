package conn

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
	"github.com/NoFear0411/spliff/decode/http1"
	"github.com/NoFear0411/spliff/decode/http2"
	"github.com/NoFear0411/spliff/decode/websocket"
)

// maxHeld is how many bytes of both directions together are held back while
// the protocol is not known.
const maxHeld = 64 << 10

// maxOpeningGaps is how many gaps are held back while the protocol is not known. A
// connection of nothing but gaps would be looked at anew for each.
const maxOpeningGaps = 64

// maxOpaqueHead is how much of a chunk an Opaque message shows.
const maxOpaqueHead = 64

// Conn decodes one connection. It is not safe for concurrent use. Chunks are
// borrowed for the call; messages own their memory.
type Conn struct {
	lim  decode.Limits
	hint decode.Hint

	h1     *http1.Conn
	h2     *http2.Conn
	ws     *websocket.Conn // joined after its handshake; else see after
	after  after           // what h1 became
	depth  int             // tunnels around this connection
	opaque bool
	role   decode.Role

	first [2]opening // by Dir, until decided
	gaps  int        // while undecided
	held  []piece    // in order of arrival, until decided
	bytes int        // in held
	next  [2]uint64  // offset behind the last chunk, by Dir
	last  int        // direction of the last bytes of an opaque connection, -1 none

	trace decode.Trace
	gone  [2]uint64 // bytes of each direction that no decoder was given

	arena     *arena.Arena
	exchanges uint32 // highest number given by h1
	asked     asked  // the last request seen by h1
}

// opening is the beginning of one direction.
type opening struct {
	buf     []byte
	intact  int // bytes before the first gap; -1 while there was none
	scanned int // see judge
	v       verdict
}

// piece is a chunk or a gap held back.
type piece struct {
	ch  decode.Chunk // Data is a copy; of a gap only Off
	gap *decode.Gap
}

// New returns a decoder for a connection of which nothing is known yet.
// Zero fields of l mean their defaults.
func New(l decode.Limits) *Conn {
	c := &Conn{lim: l.WithDefaults(), last: -1}
	c.first[0].intact, c.first[1].intact = -1, -1
	return c
}

// Hint tells what is known from outside. Fields that are set replace what was
// told before; once the protocol is decided nothing changes any more.
func (c *Conn) Hint(h decode.Hint) {
	if h.ALPN != "" {
		c.hint.ALPN = h.ALPN
	}
	if h.Role != decode.RoleUnknown {
		c.hint.Role = h.Role
	}
	c.hint.MidStream = c.hint.MidStream || h.MidStream
}

// SetArena says where to take the memory of messages from: whoever gets them may
// recycle them there, when nobody looks at them any more. It must be called before the
// first Append, and the arena be used by nobody else during a call.
func (c *Conn) SetArena(a *arena.Arena) { c.arena = a }

// SetTrace says whom to tell which bytes are not content. What is read as opaque is.
// It must be called before the first Append.
func (c *Conn) SetTrace(t decode.Trace) { c.trace = t }

// Role returns the recorded process's side: as found in the bytes, else as
// hinted, else [decode.RoleUnknown].
func (c *Conn) Role() decode.Role {
	if c.role != decode.RoleUnknown {
		return c.role
	}
	return c.hint.Role
}

// Proto returns what the connection speaks now: "http/1", "h2", "unknown",
// "websocket" where its handshake was not seen, or "" while that is not decided. What runs inside a tunnel does not count.
func (c *Conn) Proto() string {
	switch {
	case c.h2 != nil:
		return "h2"
	case c.h1 != nil:
		return "http/1"
	case c.ws != nil:
		return "websocket"
	case c.opaque:
		return "unknown"
	}
	return ""
}

// Append decodes a chunk and appends the messages it completes to dst.
func (c *Conn) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	c.next[ch.Dir] = ch.Off + uint64(len(ch.Data))
	switch {
	case len(ch.Data) == 0:
	case c.decided():
		dst = c.pass(dst, ch)
	case c.opaque:
		dst = c.watch(dst, ch)
	default:
		dst = c.hold(dst, ch)
	}
	return dst
}

// Gap tells that bytes of one direction are missing, and appends the messages
// that ends.
func (c *Conn) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if g.Known && g.Len == 0 {
		return dst
	}
	switch {
	case c.decided():
		return c.passGap(dst, g)
	case c.opaque:
		dst = c.release(dst)
		c.last = int(g.Dir)
		c.gone[g.Dir] += g.Len
		return append(dst, opaqueGap(g, c.next[g.Dir]))
	}
	o := &c.first[g.Dir]
	if o.intact < 0 {
		o.intact = len(o.buf)
		if o.v == undecided {
			o.v = neither
		}
	}
	c.held = append(c.held, piece{gap: &g, ch: decode.Chunk{Off: c.next[g.Dir]}})
	c.gaps++
	return c.decide(dst, c.gaps > maxOpeningGaps)
}

// End gives up what is open and appends it to dst. clean says that the
// connection really ended, rather than the recording.
func (c *Conn) End(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	if !c.decided() && !c.opaque {
		dst = c.decide(dst, true)
	}
	if c.opaque {
		dst = c.release(dst)
	}
	if c.h1 != nil {
		from := len(dst)
		dst = c.h1.End(dst, at, clean)
		dst = c.handOver(dst, from)
		dst = c.after.end(dst, at, clean)
	}
	if c.h2 != nil {
		dst = c.h2.End(dst, at, clean)
	}
	if c.ws != nil {
		dst = c.ws.End(dst, at, clean)
	}
	return dst
}

func (c *Conn) decided() bool { return c.h1 != nil || c.h2 != nil || c.ws != nil }

// pass gives a chunk to the decoder in charge. After an upgrade that is still
// HTTP/1's: it knows where its own bytes end.
func (c *Conn) pass(dst []decode.Message, ch decode.Chunk) []decode.Message {
	switch {
	case c.ws != nil:
		return c.ws.Append(dst, ch)
	case c.h1 == nil:
		return c.h2.Append(dst, ch)
	}
	from := len(dst)
	return c.handOver(c.h1.Append(dst, ch), from)
}

func (c *Conn) passGap(dst []decode.Message, g decode.Gap) []decode.Message {
	switch {
	case c.ws != nil:
		return c.ws.Gap(dst, g)
	case c.h1 == nil:
		return c.h2.Gap(dst, g)
	}
	from := len(dst)
	return c.handOver(c.h1.Gap(dst, g), from)
}

// clientDir is the direction of requests, once the role is known.
func (c *Conn) clientDir() decode.Dir {
	if c.role == decode.RoleServer {
		return decode.Read
	}
	return decode.Write
}

// roleOf returns the recorded process's role if requests travel in dir.
func roleOf(dir decode.Dir) decode.Role {
	if dir == decode.Write {
		return decode.RoleClient
	}
	return decode.RoleServer
}
