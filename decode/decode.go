package decode

// Dir says which way bytes went, seen from the recorded process.
type Dir uint8

// Directions.
const (
	Write Dir = iota // the process wrote them
	Read             // the process read them
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// Role is the side of the connection that a process plays.
type Role uint8

// Roles. A decoder that is told RoleUnknown finds the role in the bytes.
const (
	RoleUnknown Role = iota
	RoleClient
	RoleServer
)

// At says when something happened: data, never compared with a clock.
type At struct {
	Seq  uint64 // number of the event in the session's total order
	Time int64  // event time, nanoseconds; the unit and origin are the session's
}

// Chunk is one piece of one direction of a connection, in stream order.
type Chunk struct {
	Dir   Dir
	At    At
	Start int64  // time the bytes began to move: call entry of a write, At.Time of a read
	Off   uint64 // offset in its direction's stream, holes counted where their length is known
	Data  []byte // borrowed: valid only during the call it is passed to
}

// Gap is a hole in one direction of a connection.
type Gap struct {
	Dir   Dir
	At    At     // of the event that revealed it
	Len   uint64 // bytes missing, when Known
	Known bool
}

// Trace is told which bytes of a connection are not content: message heads and
// trailers, chunk sizes, and all of HTTP/2 but what DATA frames carry. Offsets count
// the bytes of a direction from the first one given to the decoder, lost ones
// included. Of one direction they ascend and do not overlap. With n 0 it is told of
// a place where the content of one message ends.
type Trace func(d Dir, off, n uint64)

// Hint is what is known of a connection from outside its bytes. A decoder must
// cope with every field being absent, and prefers the bytes when they disagree.
type Hint struct {
	ALPN      string // "h2", "http/1.1", "" if not seen
	Role      Role   // of the recorded process
	MidStream bool   // the capture began after the connection did
}

// Kind says what a [Message] is.
type Kind uint8

// Kinds of message.
const (
	Request  Kind = iota + 1
	Response      // the final response; interim ones are in Message.Interim
	Opaque        // bytes that are not HTTP: a tunnel, an upgraded or unknown protocol
	Notice        // nothing but Anomalies, about the connection rather than one message
	Inner         // one message inside an exchange that goes on: of WebSocket, gRPC, or an event stream
)

// Flags of a [Message].
type Flags uint16

const (
	// Incomplete: the message's end was not seen (connection ended early, recording
	// stopped, resynchronised after a gap). Completeness must not be claimed.
	Incomplete Flags = 1 << iota
	// Gapped: bytes of the message are missing inside it.
	Gapped
	// MidStream: the message's beginning was not seen.
	MidStream
	// UntilClose: the body was delimited by the end of the connection (RFC 9112 §6.3).
	UntilClose
	// Upgraded: this 101 response, or 2xx to CONNECT, turned the connection or stream into a tunnel.
	Upgraded
	// Pushed: the exchange was begun by a server's PUSH_PROMISE (RFC 9113 §8.4).
	Pushed
	// Reset: the HTTP/2 stream ended with RST_STREAM.
	Reset
	// Continued: this response is complete, its exchange is not. Messages of Kind
	// Inner follow until one with Last came in each direction, or the connection ends.
	Continued
	// Last: nothing more of its exchange comes in its direction. It is set on an
	// Inner message, or on a Notice or Opaque that has the number of an exchange.
	Last
)

// Field is one header or trailer field: name and value as sent, order and repeats kept.
type Field struct {
	Name, Value string
	// Unknown: HPACK state was lost, so name or value could not be known and is
	// replaced by a visible mark. See package hpack.
	Unknown bool
	// NeverIndexed: the sender forbade compression of this field (RFC 7541 §7.1.3),
	// a hint that its value is a secret.
	NeverIndexed bool
}

// Interim is an informational (1xx) response that preceded the final one.
type Interim struct {
	Status int
	Header []Field
	At     At
}

// Span is a range of a body.
type Span struct{ Off, Len uint64 }

// Body is a message body after transfer decoding (chunked removed, DATA frames joined).
// Its slices belong to the message.
type Body struct {
	Data []byte // what was kept of the body as sent, lost bytes left out
	Size uint64 // length on the wire, lost bytes included
	Lost uint64 // bytes of Size that were never seen
	Gaps []Span // where they were, bounded by Limits.Gaps
	Cut  bool   // Data ends at Limits.Body although more was seen

	// SHA256 is the hash of the body as sent, of what is not kept too. It is nil
	// unless Limits.Hash is set, and where bytes are missing.
	SHA256 []byte

	// Content decoding (RFC 9110 §8.4), filled only when Limits.Content > 0.
	Codings    []string // as listed in Content-Encoding, outermost last; nil if none
	Content    []byte   // Data with the codings removed; aliases Data when there are none
	ContentCut bool     // Content ends at Limits.Content although there was more
	// ContentErr is an anomaly kind that says why decoding stopped early, or what was
	// overlooked so that it could go on; "" if nothing is wrong.
	ContentErr string
	// Removed are the codings that were removed, outermost last, where they are not
	// those listed; nil otherwise.
	Removed []string
}

// Message is one request or response, complete unless its Flags say otherwise.
// It owns everything it points to and may be kept and shared freely once returned.
type Message struct {
	Kind     Kind
	Dir      Dir
	Flags    Flags
	Exchange uint32 // number within the connection from 1; a request and its response share it; 0 where it belongs to none
	Stream   uint32 // HTTP/2 stream, 0 otherwise
	Proto    string // "HTTP/1.0", "HTTP/1.1", "HTTP/2"; for Opaque "websocket", "tunnel", "unknown" …

	// Request. Scheme and Authority are "" when the message does not have them;
	// Target is the request-target as sent (HTTP/1) or :path (HTTP/2).
	Method, Scheme, Authority, Target string

	// Inner. Proto says of what it is: "websocket", "grpc", "sse". Body is its payload.
	Type   string // "text", "binary", "ping", "pong", "close"; "message" of gRPC; the event's name of SSE
	Number uint64 // within its exchange and direction, from 1
	Wire   uint64 // bytes it took in its stream, framing included

	// Response. A WebSocket close has its code and what that means here.
	Status int
	Reason string // HTTP/1 only

	Header  []Field // pseudo-header fields are not repeated here
	Trailer []Field
	Interim []Interim
	// Inners is how many Inner messages the body of this request or response held.
	Inners uint64

	Body Body // Opaque: Size is the number of bytes, Data a short head of them

	Begin     int64 // time its first byte began to move
	HeadEnd   At    // its head was complete
	End       At    // it was complete, or given up
	Anomalies []Anomaly
}

// Limits bound what a decoder keeps for one connection. The zero value of a
// field means its default; see [Limits.WithDefaults].
type Limits struct {
	// Body is the most body bytes kept of one message; the rest is counted, not
	// kept. Negative keeps none. Without it one endless response exhausts memory.
	Body int
	// Content is the most bytes one body may decode to. 0 turns content decoding
	// off. It is what stops a decompression bomb.
	Content int
	// Inner is the most bytes kept of one message inside an exchange, never more
	// than Body. Negative makes no such messages at all. A length prefix may promise
	// 4 GiB. An HTTP/2 connection may hold this much of each open stream; Shed of
	// its decoder drops it.
	Inner int
	// Idle is for how long, in nanoseconds of event time, a stream may wait for its
	// next byte before it is given up. Negative is for ever. Requests that nobody
	// ever answers are the attack.
	Idle int64
	// Hash asks for Body.SHA256.
	Hash bool
	// Head is the most bytes of one message head, or of one HPACK block
	// (CONTINUATION flood, RFC 9113 §10.5.1). More is read past and counted.
	Head int
	// Fields is the most header fields kept of one message.
	Fields int
	// Streams is the most HTTP/2 streams open at once in one connection; the
	// oldest is given up beyond it. Rapid reset (CVE-2023-44487) is the attack.
	Streams int
	// Pipeline is the most unanswered HTTP/1 requests remembered.
	Pipeline int
	// Gaps is the most gap spans kept of one body.
	Gaps int
	// Anomalies is the most anomalies kept of one message; the count goes on.
	Anomalies int
}

// DefaultIdle is 30 minutes: longer than what servers and proxies leave open.
const DefaultIdle = int64(30 * 60 * 1e9)

// WithDefaults returns l with every zero field but Content and Hash set to its default.
func (l Limits) WithDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Body, 32<<20)
	def(&l.Head, 1<<20)
	def(&l.Fields, 4096)
	def(&l.Streams, 4096)
	def(&l.Pipeline, 16384)
	def(&l.Gaps, 256)
	def(&l.Anomalies, 64)
	def(&l.Inner, 4<<20) // what gRPC itself accepts by default
	if l.Idle == 0 {
		l.Idle = DefaultIdle
	}
	return l
}
