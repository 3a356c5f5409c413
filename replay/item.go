package replay

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// Proc is a process as known when an item was made. Immutable once shared.
type Proc struct{ format.Proc }

// Conn is a connection as known when an item was made. A change of what is
// known makes a new Conn, so an Item's Conn never changes under its reader.
type Conn struct {
	format.Conn
	ID    uint32
	Proc  *Proc       // never nil; a process of which only the PID is known has an empty Comm
	Role  decode.Role // as found in the bytes, else as the handshake said
	Lib   string      // "openssl", "" if unknown
	First int64       // wall time of its first event, nanoseconds
}

// Kind says what an [Item] is.
type Kind uint8

// Kinds of item.
const (
	ItemMessage   Kind = iota + 1 // Message is set: of any kind
	ItemExchange                  // Exchange is set: both halves are complete, or will never be
	ItemData                      // Data is set; only with Options.Data
	ItemHandshake                 // Handshake is set
	ItemDrop                      // Drop is set
	ItemConnEnd                   // End is set: nothing more comes of Conn
	ItemSession                   // Session is set: a section of the session begins
	ItemEnd                       // Totals is set: a section was closed in order
)

// Item is one thing the engine has to say. Items come in the order of the
// events that made them, whatever the number of workers.
type Item struct {
	Kind Kind
	Seq  uint64 // of the event that made it
	Time int64  // wall time of that event, nanoseconds since the Unix epoch
	Conn *Conn  // nil for ItemSession, ItemEnd and an ItemDrop that concerns no connection
	Dir  decode.Dir

	Message *decode.Message
	// Request, with a Message of Kind Inner or that is Continued, is the request of
	// its exchange; nil if that was not seen, or is still being sent.
	Request   *decode.Message
	Exchange  *Exchange
	Data      *Data
	Handshake *format.Handshake
	Drop      *format.Drop
	End       *format.ConnEnd
	Session   *format.Session
	Totals    *format.End

	// Rendered is what Options.Render made of an exchange, nil if nothing. It is valid
	// during the call.
	Rendered []byte
}

// Exchange is a request and its response. One of them may be missing.
type Exchange struct {
	// ID numbers the exchanges of a session from 1 in the order they were
	// completed (or given up); it is a function of the session alone.
	ID       uint64
	Conn     *Conn // as known at its end
	Request  *decode.Message
	Response *decode.Message
	Inner    *Inner // nil if the exchange had no messages of Kind Inner
	// Pending: there is no response because the recording ended before the
	// connection did, not because none was sent.
	Pending bool

	noResponse bool // Response is nil, and not because it was used again
}

// Inner is what happened inside an exchange: the messages of a WebSocket, of a
// gRPC call, of an event stream.
type Inner struct {
	Proto          string            // of the first message
	Client, Server Tally             // by who sent them
	End            int64             // when the last one ended, in event time
	List           []*decode.Message // in order; empty unless somebody collected them
	Cut            bool              // List or a body in it is not all there was
}

// Tally counts messages.
type Tally struct {
	Count uint64
	Size  uint64 // of payloads, decoded
	Wire  uint64 // with framing, as sent
}

// count adds a message.
func (in *Inner) count(m *decode.Message, client bool) {
	t := &in.Server
	if client {
		t = &in.Client
	}
	t.Count++
	t.Size, t.Wire = addSat(t.Size, m.Body.Size), addSat(t.Wire, m.Wire)
	in.End = max(in.End, m.End.Time)
}

// Data is a piece of a plaintext stream whose client and server sides are known
// or will never be. Bytes belong to the item.
type Data struct {
	FromClient bool
	Off        uint64 // stream offset; a jump is a gap
	Bytes      []byte
	Time       int64 // wall time, nanoseconds
}
