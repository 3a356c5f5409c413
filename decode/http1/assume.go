package http1

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// Readings that a response is given where the RFC has it end with the connection or
// has no reading at all. Each waits for the end of the connection, so that what is
// assumed can be held against all of the bytes.

// joinChunks replaces a body that was read until the connection closed, and is
// chunked from its first to its last byte, by what is in the chunks. It does so only
// where the head says something like it: a body that merely looks so is a body.
func (s *stream) joinChunks() {
	b := &s.msg.Body
	if !s.maybeChunked || s.msg.Flags&decode.UntilClose == 0 || b.Cut || b.Lost > 0 || s.msg.Flags&decode.Gapped != 0 {
		return
	}
	out, n, ok := unchunk(b.Data)
	if !ok {
		return
	}
	s.note(AnomalyAssumedChunked, fmt.Sprintf("read until the connection closed it is %d bytes; all of it is chunked, and the %d chunks were joined", b.Size, n))
	b.Data, b.Size = out, uint64(len(out))
}

// endSimple ends a request that is one line without a version, with no empty line
// behind it, as HTTP/0.9's is (RFC 1945 §5): it is answered by what ch begins.
func (c *Conn) endSimple(dst []decode.Message, ch decode.Chunk) []decode.Message {
	s := &c.req
	last := s.sec.ends[0] == len(s.sec.buf)
	if len(ch.Data) == 0 || s.step != stepHead || s.sec.over || !last || !s.sec.start.versionless(requestLine) ||
		c.resp.step != stepHead || !c.resp.sec.empty() {
		return dst
	}
	s.at = s.pos - min(s.pos, uint64(len(s.sec.buf)))
	s.traced(s.part, 0)
	s.part = 0
	return s.endHead(dst, s.sec.buf, moment{ch.At, ch.Start})
}

// simple begins the response to a request that names no version: HTTP/0.9's, which is
// nothing but a body (RFC 1945 §6). part is the beginning of it, and borrowed.
func (s *stream) simple(part []byte, m moment, begin int64) {
	s.msg = decode.Message{
		Kind: decode.Response, Dir: s.dir, Proto: versionNone,
		Begin: begin, HeadEnd: m.at, Anomalies: s.takeCarry(),
	}
	s.conn.answer(&s.msg)
	s.closing = true
	s.step = stepClose
	s.msg.Flags |= decode.UntilClose
	s.keep(part)
	s.sec.reset(startKind(s.kind))
}

// answersSimple reports whether what comes answers a request that names no version.
func (s *stream) answersSimple() bool {
	q := &s.conn.queue
	return s.kind == decode.Response && s.interims == 0 && q.len() > 0 && q.list[q.first].simple
}

// endAtBlank reads a response whose head never ended, as clients do that take a line
// of white space for the empty one: the head ends at the first such line, and what
// follows is the body. It is false if there is none.
func (s *stream) endAtBlank(dst []decode.Message, m moment) ([]decode.Message, bool) {
	if s.kind != decode.Response || s.sec.over || s.guessed {
		return dst, false
	}
	ends := s.sec.ends
	for i := 1; i < len(ends); i++ {
		line := s.sec.buf[ends[i-1]:ends[i]]
		if !blankLine(line) {
			continue
		}
		part := bytes.Clone(s.sec.buf)
		head, rest := part[:ends[i-1]], part[ends[i]:]
		s.sec.ends, s.guessed = ends[:i], true
		s.told -= min(s.told, uint64(len(rest)))
		s.pos -= min(s.pos, uint64(len(rest)))
		s.at = s.pos - min(s.pos, uint64(ends[i]))
		s.traced(uint64(ends[i]), 0)
		s.part = 0
		s.carryOver(AnomalyBadField, "the head has no end; "+quote(line)+" was taken for it")
		dst = s.endHead(dst, head, m)
		return s.feed(dst, rest, m), true
	}
	return dst, false
}
