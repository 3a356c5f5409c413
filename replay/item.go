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
	ItemMessage   Kind = iota + 1 // Message is set: a request, response, opaque bytes or a notice
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

	Message   *decode.Message
	Exchange  *Exchange
	Data      *Data
	Handshake *format.Handshake
	Drop      *format.Drop
	End       *format.ConnEnd
	Session   *format.Session
	Totals    *format.End
}

// Exchange is a request and its response. One of them may be missing.
type Exchange struct {
	// ID numbers the exchanges of a session from 1 in the order they were
	// completed (or given up); it is a function of the session alone.
	ID       uint64
	Conn     *Conn // as known at its end
	Request  *decode.Message
	Response *decode.Message
	// Pending: there is no response because the recording ended before the
	// connection did, not because none was sent.
	Pending bool
}

// Data is a piece of a plaintext stream whose client and server sides are known
// or will never be. Bytes belong to the item.
type Data struct {
	FromClient bool
	Off        uint64 // stream offset; a jump is a gap
	Bytes      []byte
	Time       int64 // wall time, nanoseconds
}
