package http1

import (
	"fmt"

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

// feedHead reads up to the end of a head, and acts on it.
func (s *stream) feedHead(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	whole, n, v := s.sec.take(p, m.start, s.limits.Head)
	s.part += uint64(n)
	if v == wantMore {
		return dst, n
	}
	s.at = s.pos + uint64(n) - s.sec.length(whole)
	s.noteBlank()
	switch v {
	case notStart:
		s.part = 0
		dst = s.endBadStart(dst, whole, m)
	case complete:
		s.traced(s.part, uint64(n))
		s.part = 0
		dst = s.endHead(dst, whole, m)
	}
	return dst, n
}

// noteBlank reports an empty line in front of a status-line. In front of a
// request-line it is nothing (RFC 9112 §2.2).
func (s *stream) noteBlank() {
	if s.sec.blank && s.kind == decode.Response {
		s.carryOver(AnomalyBadStartLine, "an empty line before the status-line")
	}
	s.sec.blank = false
}

// endBadStart passes over a first line that is no start line, or over what
// precedes the start line at its end.
func (s *stream) endBadStart(dst []decode.Message, line []byte, m moment) []decode.Message {
	over, size, begin := s.sec.over, s.sec.size, s.sec.begin
	if !over && s.answersSimple() {
		s.simple(line, m, begin)
		return dst
	}
	if over {
		line, _ = trimEOL(line) // the section's own, in place of what was cut
	}
	s.carryOver(AnomalyBadStartLine, quote(line))
	s.sec.reset(startKind(s.kind))
	s.lose(m, begin)
	if over {
		s.skip.count(line, size)
		s.skip.sure = true
		return dst
	}
	s.skip.lineB, s.skip.sure = begin, true
	if at := s.startIn(line); at > 0 {
		s.skip.count(line[:at], uint64(at))
		s.at += uint64(at)
		return s.resync(dst, line[at:], m)
	}
	s.skip.count(line, uint64(len(line)))
	return dst
}

// endHead parses a complete head and decides what follows it.
func (s *stream) endHead(dst []decode.Message, whole []byte, m moment) []decode.Message {
	var f facts
	s.parseHead(whole, &f, m)
	if s.kind == decode.Request {
		s.conn.ask(&s.msg, &f)
		return s.enter(dst, s.frame(&f), m)
	}
	return s.endResponseHead(dst, &f, m)
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

// parseHead fills msg from the bytes of a head, start line included.
func (s *stream) parseHead(whole []byte, f *facts, m moment) {
	// The start line's own text. Without an arena all of the head shares it.
	text := s.fieldText(whole)
	start := text
	if s.sec.arena != nil {
		start = s.sec.arena.Word(whole[:s.sec.ends[0]])
	}
	l := &s.sec.start
	s.msg = decode.Message{
		Kind: s.kind, Dir: s.dir,
		Begin: s.sec.begin, HeadEnd: m.at,
		Anomalies: s.carry,
	}
	s.carry = nil
	if s.closing {
		s.note(AnomalyAfterClose, "the message before it ended the connection")
	}
	if s.kind == decode.Request {
		s.msg.Method, s.msg.Target, s.msg.Proto = l.part[0].of(start), l.part[1].of(start), l.part[2].of(start)
		if s.msg.Proto == "" {
			s.msg.Proto = versionNone
		}
	} else {
		s.setStatus(start)
	}
	s.noteStart(whole)
	if s.cutMethod {
		s.cutMethod = false
		s.msg.Flags |= decode.MidStream
		s.note(decode.AnomalyMidStream, "bytes before it are missing; its method may have lost its beginning")
	}
	s.msg.Header = s.parseFields(whole, text, s.sec.ends[0], s.sec.ends[1:], f)
	if s.kind == decode.Response && len(s.msg.Anomalies) > 0 {
		f.hinted = mentionsChunked(whole)
	}
	if bareEnd(whole) {
		s.note(AnomalyBareLF, "a line ends in LF without CR")
	}
	switch {
	case f.hosts > 1:
		s.note(AnomalyRepeatedHost, fmt.Sprintf("%d Host fields", f.hosts))
	case f.hosts == 0 && s.kind == decode.Request && s.msg.Proto == "HTTP/1.1":
		s.note(AnomalyNoHost, "a request of HTTP/1.1 without a Host field")
	}
	if s.kind == decode.Request && !validTarget(s.msg.Method, s.msg.Target) {
		s.note(AnomalyBadTarget, quote(s.msg.Target)+" is no request-target")
	}
	// RFC 9112 §9.3: HTTP/1.0 closes unless both sides agree to keep on.
	s.closing = f.connClose || s.msg.Proto == "HTTP/1.0" && !f.connKeep
	if s.kind == decode.Request {
		s.msg.Scheme, s.msg.Authority = authority(s.msg.Method, s.msg.Target, f.host)
	}
	s.sec.reset(startKind(s.kind))
}

// fieldText returns the text of a section that its fields share, "" if each line of it
// that is not known has its own.
func (s *stream) fieldText(whole []byte) string {
	if s.sec.arena != nil {
		return ""
	}
	return string(whole)
}

// noteStart reports what is wrong with a start line that could be followed.
func (s *stream) noteStart(whole []byte) {
	l := &s.sec.start
	if !l.bareLF && !l.odd && !l.badVer && !l.ctl {
		return
	}
	line, _ := trimEOL(whole[:s.sec.ends[0]])
	if l.bareLF {
		s.note(AnomalyBareLF, "a line ends in LF without CR")
	}
	if l.odd {
		s.note(AnomalyBadStartLine, quote(line))
	}
	switch {
	case s.msg.Proto == versionNone:
		s.note(AnomalyBadVersion, "the request-line has none")
	case l.badVer:
		s.note(AnomalyBadVersion, quote(s.msg.Proto))
	}
	if l.ctl {
		s.noteControl(line)
	}
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
