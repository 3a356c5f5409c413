package http1

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// opaqueHead is how much is kept of bytes that are not HTTP.
	opaqueHead = 64
	// requestLineMax and statusLineMax are the longest lines believed to be
	// start lines while looking for one.
	requestLineMax = 16 << 10
	statusLineMax  = 1024
)

// skip is what is known of bytes being passed over.
//
// The next message begins where a line is a start line beyond doubt. A request
// must begin at a line start. A response may begin in the middle of a line,
// because the body before it rarely ends in a line end; its line must then end
// in CRLF, which text that merely quotes HTTP seldom has.
type skip struct {
	size  uint64
	head  []byte
	begin int64
	line  []byte // of the present line, what may be part of a start line
	lineB int64  // when it began to move
	at    bool   // line is whole: it began at a line start
	sure  bool   // at is seen and not assumed
	mid   bool   // the recording began here
}

// count adds bytes to those passed over; p may be only the first of size.
func (k *skip) count(p []byte, size uint64) {
	if room := opaqueHead - len(k.head); room > 0 {
		k.head = append(k.head, p[:min(room, len(p))]...)
	}
	k.size = addSat(k.size, size)
}

// lose begins to look for the next message. begin is when the first byte to be
// passed over began to move.
func (s *stream) lose(m moment, begin int64) {
	s.step = stepSkip
	s.skip = skip{begin: begin, line: s.skip.line[:0], at: true}
	s.conn.doubt(s)
}

// boundary says that the request stream's next byte is likely to begin a
// message: what is held of a line is its own line, unless it begins as a
// request would.
func (s *stream) boundary() {
	k := &s.skip
	if s.step != stepSkip || len(k.line) > 0 && 'A' <= k.line[0] && k.line[0] <= 'Z' {
		return
	}
	k.count(k.line, uint64(len(k.line)))
	k.line, k.at, k.sure = k.line[:0], true, false
}

// feedSkip looks for the start line of the next message, line by line.
func (s *stream) feedSkip(dst []decode.Message, p []byte, m moment) ([]decode.Message, int) {
	k := &s.skip
	for n := 0; n < len(p); {
		piece := p[n:]
		j := bytes.IndexByte(piece, '\n')
		if j >= 0 {
			piece = piece[:j+1]
		}
		n += len(piece)
		if len(k.line) == 0 {
			k.lineB = m.start
		}
		if j < 0 {
			s.holdLine(piece)
			break
		}
		line, direct := piece, len(k.line) == 0
		if !direct {
			k.line = append(k.line, piece...)
			line = k.line
		}
		if at := s.startIn(line); at >= 0 {
			s.noteCutMethod(line)
			k.count(line[:at], uint64(at))
			s.at = s.pos + uint64(n) - uint64(len(line)-at)
			return s.resync(dst, line[at:], m), n
		}
		k.count(line, uint64(len(line)))
		k.line, k.at, k.sure = k.line[:0], true, true
		if s.kind == decode.Request {
			s.conn.queue.lostAt = s.conn.resp.pos
		}
	}
	return dst, len(p)
}

// noteCutMethod doubts a request whose first byte is only assumed to begin a
// line: the method may be the end of a longer one, unless it is none's.
func (s *stream) noteCutMethod(line []byte) {
	if s.kind != decode.Request || s.skip.sure {
		return
	}
	switch method, _, _ := bytes.Cut(line, []byte(" ")); string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PROPFIND", "REPORT":
	default:
		s.cutMethod = true
	}
}

// holdLine keeps of an unfinished line what may be part of a start line.
func (s *stream) holdLine(piece []byte) {
	k := &s.skip
	k.line = append(k.line, piece...)
	switch {
	case s.kind == decode.Response && len(k.line) > 4*statusLineMax:
		drop := len(k.line) - statusLineMax
		k.count(k.line, uint64(drop))
		k.line = append(k.line[:0], k.line[drop:]...)
		k.at = false
	case s.kind == decode.Request && (!k.at || len(k.line) > requestLineMax):
		k.count(k.line, uint64(len(k.line)))
		k.line, k.at, k.sure = k.line[:0], false, false
	}
}

// startIn returns where in a line a start line begins, or -1. It depends on
// the line alone, not on how much of it is still held.
func (s *stream) startIn(line []byte) int {
	if s.kind == decode.Request {
		if s.skip.at && len(line) <= min(requestLineMax, s.limits.Head) && certain(requestLine, line) {
			return 0
		}
		return -1
	}
	from := max(0, len(line)-min(statusLineMax, s.limits.Head))
	at := bytes.LastIndex(line[from:], []byte("HTTP/1."))
	if at < 0 || !certain(statusLine, line[from+at:]) {
		return -1
	}
	return from + at
}

// resync begins a message with line, and reports what was passed over.
func (s *stream) resync(dst []decode.Message, line []byte, m moment) []decode.Message {
	begin, size := s.skip.lineB, s.skip.size
	s.sec.reset(startKind(s.kind))
	s.sec.take(line, begin, s.limits.Head)
	s.step, s.part = stepHead, uint64(len(line))
	dst = s.endSkip(dst, m)
	if size > 0 {
		s.carryOver(decode.AnomalyResync, fmt.Sprintf("%d bytes passed over", size))
	}
	return dst
}

// endSkip reports bytes passed over, if there are any. Anomalies that are
// waiting go with them, else with the next message.
func (s *stream) endSkip(dst []decode.Message, m moment) []decode.Message {
	k := &s.skip
	if k.size > 0 {
		msg := decode.Message{
			Kind: decode.Opaque, Dir: s.dir, Proto: "unknown",
			Body:  decode.Body{Data: bytes.Clone(k.head), Size: k.size},
			Begin: k.begin, HeadEnd: m.at, End: m.at,
			Anomalies: s.takeCarry(),
		}
		if k.mid {
			msg.Flags |= decode.MidStream
			msg.Anomalies = s.noteTo(msg.Anomalies, decode.AnomalyMidStream, "")
		}
		if len(msg.Anomalies) == 0 {
			msg.Anomalies = s.noteTo(nil, decode.AnomalyResync, "looking for the next message")
		}
		dst = append(dst, msg)
	}
	*k = skip{line: k.line[:0]}
	return dst
}
