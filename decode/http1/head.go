package http1

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

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
