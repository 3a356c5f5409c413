package http1

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/tap"
)

// step is what a stream waits for.
type step uint8

const (
	stepHead      step = iota // a message head, perhaps some of it seen
	stepLength                // left bytes of a body
	stepChunkLine             // a chunk-size line
	stepChunkData             // left bytes of a chunk
	stepChunkEnd              // the line end after chunk data
	stepTrailer               // the trailer section
	stepClose                 // body bytes, until the connection ends
	stepSkip                  // framing is lost: looking for a start line
	stepHold                  // requests: the next bytes' meaning hangs on a response
	stepTunnel                // no longer HTTP
)

// versionNone is the version of a request that names none.
const versionNone = "HTTP/0.9"

// moment is when a chunk's bytes moved.
type moment struct {
	at    decode.At
	start int64
}

// stream reads one direction. All state of a message being read is in msg; it
// is copied out when the message ends.
type stream struct {
	conn   *Conn
	limits *decode.Limits
	dir    decode.Dir
	kind   decode.Kind // Request or Response

	pos uint64 // offset in the stream of the next byte to be read
	at  uint64 // of what is being looked at: where an anomaly is

	step    step
	sec     section
	msg     decode.Message
	carry   []decode.Anomaly // for the message that comes next
	left    uint64           // stepLength, stepChunkData
	sum     content.Sum
	tap     tap.Tap // reads the body of msg as it comes; nearly always nil
	chunk   lineBuf
	skip    skip
	held    []held
	heldLen int
	// releasing: what is fed is what was held, and ours to keep.
	releasing bool
	tunnel    bool // becomes a tunnel when the message being read ends
	closing   bool // the last message said "Connection: close"
	cutMethod bool // the request in sec may have lost the beginning of its method
	// maybeChunked: the body in msg is read until the connection closes, and may be
	// chunked.
	maybeChunked bool
	guessed      bool // where the last head ends is a guess

	// For a Trace: how many bytes it has been told of or passed over, and how many of
	// them are of the head or trailer section being read.
	told uint64
	part uint64

	interim  []decode.Interim // responses: before the final one
	interims int              // how many there were
}

func newStream(c *Conn, dir decode.Dir, kind decode.Kind) stream {
	s := stream{conn: c, limits: &c.limits, dir: dir, kind: kind}
	s.sec.reset(startKind(kind))
	return s
}

// feed reads p to its end. Each step takes at least one byte or changes step.
func (s *stream) feed(dst []decode.Message, p []byte, m moment) []decode.Message {
	for len(p) > 0 {
		var n int
		switch s.step {
		case stepHead:
			dst, n = s.feedHead(dst, p, m)
		case stepLength, stepChunkData:
			dst, n = s.feedCounted(dst, p, m)
		case stepChunkLine:
			dst, n = s.feedChunkLine(dst, p, m)
		case stepChunkEnd:
			dst, n = s.feedChunkEnd(dst, p, m)
		case stepTrailer:
			dst, n = s.feedTrailer(dst, p, m)
		case stepClose:
			s.keep(p)
			if n = len(p); s.tap != nil {
				dst = s.tap.Append(dst, decode.Chunk{Dir: s.dir, At: m.at, Start: m.start, Data: p})
			}
		case stepSkip:
			dst, n = s.feedSkip(dst, p, m)
		case stepHold:
			return s.hold(dst, held{data: p, m: m})
		case stepTunnel:
			return s.feedTunnel(dst, p, m)
		}
		s.told += uint64(n)
		p = p[n:]
		s.pos += uint64(n)
	}
	return dst
}

// traced tells the trace of the n bytes that end more bytes from here.
func (s *stream) traced(n, more uint64) {
	if s.conn.trace != nil {
		s.conn.trace(s.dir, s.told+more-n, n)
	}
}

// enter begins the body that follows a head.
func (s *stream) enter(dst []decode.Message, next body, m moment) []decode.Message {
	switch next.kind {
	case bodyNone:
		return s.complete(dst, m)
	case bodyLength:
		s.step, s.left = stepLength, next.length
	case bodyChunked:
		s.step = stepChunkLine
	case bodyClose:
		s.step = stepClose
		s.msg.Flags |= decode.UntilClose
		s.maybeChunked = next.hinted
	case bodyUnknown:
		if s.lastOne() {
			s.untilClose(nil)
			return dst
		}
		return s.giveUp(dst, m)
	}
	s.tap = tap.Open(&s.msg, s.limits)
	return dst
}

// lastOne reports whether the message being read is a response after which the
// connection closes: what follows can be nothing but its body.
func (s *stream) lastOne() bool { return s.kind == decode.Response && s.closing && !s.tunnel }

// untilClose reads the rest of the connection as the body, because the framing
// is broken. read was taken for framing. The end that comes is not the one the
// message meant, so completeness is not claimed.
func (s *stream) untilClose(read []byte) {
	s.step = stepClose
	s.msg.Flags |= decode.UntilClose | decode.Incomplete
	s.keep(read)
}

// complete ends a message whose end was seen.
func (s *stream) complete(dst []decode.Message, m moment) []decode.Message {
	exchange := s.msg.Exchange
	dst = s.emit(dst, m)
	s.step = stepHead
	switch {
	case s.tunnel:
		s.step, s.tunnel = stepTunnel, false
	case s.kind == decode.Request:
		if s.conn.undecided(exchange) {
			s.step = stepHold
		}
	default:
		// The client's next bytes are likely to begin a request.
		s.conn.req.boundary()
	}
	return dst
}

// giveUp ends a message whose end will not be known; the caller has noted why.
func (s *stream) giveUp(dst []decode.Message, m moment) []decode.Message {
	s.msg.Flags |= decode.Incomplete
	dst = s.emit(dst, m)
	s.sec.reset(startKind(s.kind))
	s.lose(m, m.start)
	if s.tunnel {
		s.step, s.tunnel = stepTunnel, false
	}
	return dst
}

// emit hands msg out.
func (s *stream) emit(dst []decode.Message, m moment) []decode.Message {
	s.msg.End = m.at
	if s.tap != nil {
		dst = s.endTap(dst, m)
	}
	s.joinChunks()
	if s.limits.Hash {
		s.sum.Finish(&s.msg)
	}
	content.Fill(&s.msg, s.limits.Content)
	if s.guessed {
		s.msg.Flags |= decode.Incomplete
	}
	dst = append(dst, s.msg)
	s.msg, s.maybeChunked = decode.Message{}, false
	return dst
}

// endTap ends the reading of what is inside the body.
func (s *stream) endTap(dst []decode.Message, m moment) []decode.Message {
	dst, odd := s.tap.End(dst, &s.msg, m.at)
	s.tap = nil
	for _, a := range odd {
		s.note(a.Kind, a.Detail)
	}
	return dst
}

// feedTrailer reads the trailer section (RFC 9112 §7.1.2).
func (s *stream) feedTrailer(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	whole, n, v := s.sec.take(p, m.start, s.limits.Head)
	s.part += uint64(n)
	if v == wantMore {
		return dst, n
	}
	s.traced(s.part, uint64(n))
	s.part = 0
	s.at = s.pos + uint64(n) - s.sec.length(whole)
	if bareEnd(whole) {
		s.note(AnomalyBareLF, "in the trailer section")
	}
	if len(s.sec.ends) > 0 {
		var f facts
		s.msg.Trailer = s.parseFields(whole, s.fieldText(whole), 0, s.sec.ends, &f)
		if f.lengths+f.codings+f.hosts > 0 {
			s.note(AnomalyBadTrailer, "framing or routing field in the trailer section")
		}
	}
	s.sec.reset(startKind(s.kind))
	return s.complete(dst, m), n
}

func (s *stream) takeCarry() []decode.Anomaly {
	list := s.carry
	s.carry = nil
	return list
}
