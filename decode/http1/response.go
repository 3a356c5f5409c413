package http1

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// endResponseHead decides what follows the head of a response, which is in msg
// (RFC 9112 §6.3, rules 1 and 2).
func (s *stream) endResponseHead(dst []decode.Message, f *facts, m moment) []decode.Message {
	status := s.msg.Status
	if status/100 == 1 && status != 101 {
		s.keepInterim(m)
		return dst
	}
	asked := s.conn.answer(&s.msg)
	s.msg.Interim, s.interim = s.interim, nil
	if s.interims > len(s.msg.Interim) {
		s.note(decode.AnomalyLimit, fmt.Sprintf("%d informational responses, %d kept", s.interims, len(s.msg.Interim)))
	}
	s.interims = 0
	tunnel := asked.connect && status/100 == 2
	switch {
	case status == 101:
		if asked.upgrade == "" || f.upgrade == "" {
			s.note(AnomalyBadUpgrade, "a 101 that nobody asked for, or that names no protocol")
		}
		return s.switchTo(dst, protocol(f.upgrade, asked.upgrade), m)
	case tunnel:
		// A length here means nothing (RFC 9110 §9.3.6).
		return s.switchTo(dst, "tunnel", m)
	}
	if asked.connect || asked.upgrade != "" {
		dst = s.conn.req.release(dst, true)
	}
	if asked.head || status == 204 || status == 304 {
		return s.complete(dst, m)
	}
	return s.enter(dst, s.frame(f), m)
}

// setStatus fills msg with the parts of a status-line, at the front of text.
func (s *stream) setStatus(text string) {
	l := &s.sec.start
	if l.loose {
		line, _ := trimEOL([]byte(text[:s.sec.ends[0]]))
		s.msg.Proto, s.msg.Status, s.msg.Reason = looseStatus(string(line))
		if s.msg.Status == 0 {
			s.note(AnomalyBadStartLine, "no status code: "+quote(line))
		}
		return
	}
	s.msg.Proto, s.msg.Reason = l.part[0].of(text), l.part[2].of(text)
	s.msg.Status = digits3(l.part[1].of(text))
}

// keepInterim sets an informational response aside for the final one
// (RFC 9110 §15.2).
func (s *stream) keepInterim(m moment) {
	if s.interims++; len(s.interim) < interimKept {
		s.interim = append(s.interim, decode.Interim{Status: s.msg.Status, Header: s.msg.Header, At: m.at})
	}
	s.carry = s.msg.Anomalies
	s.msg = decode.Message{}
}

// switchTo ends HTTP on the connection with the response in msg.
func (s *stream) switchTo(dst []decode.Message, proto string, m moment) []decode.Message {
	s.conn.upgraded = proto
	s.msg.Flags |= decode.Upgraded
	s.tunnel = true
	dst = s.complete(dst, m)

	req := &s.conn.req
	switch {
	case req.step == stepHold:
		return req.release(dst, false)
	case req.msg.Kind == decode.Request: // it is still being sent
		req.tunnel = true
	case req.step == stepHead && !req.sec.empty():
		part := req.sec.buf
		begin := req.sec.begin
		req.step = stepTunnel
		req.told, req.part = req.told-min(req.part, req.told), 0
		req.pos -= uint64(len(part))
		dst = req.feed(dst, part, moment{m.at, begin})
		req.sec.reset(requestLine)
	default:
		if req.step == stepSkip {
			req.skip.count(req.skip.line, uint64(len(req.skip.line)))
			dst = req.endSkip(dst, m)
		}
		req.step = stepTunnel
	}
	return dst
}

// feedTunnel describes bytes of a tunnel, or keeps them for whoever reads it.
func (s *stream) feedTunnel(dst []decode.Message, p []byte, m moment) []decode.Message {
	off := s.pos
	s.pos += uint64(len(p))
	if c := s.conn; c.handsOver() {
		c.rest = append(c.rest, Rest{Chunk: decode.Chunk{Dir: s.dir, At: m.at, Start: m.start, Off: off, Data: p}})
		return s.noticeCarry(dst, m)
	}
	return append(dst, decode.Message{
		Kind: decode.Opaque, Dir: s.dir, Proto: s.conn.upgraded,
		Body:  decode.Body{Data: bytes.Clone(p[:min(len(p), opaqueHead)]), Size: uint64(len(p))},
		Begin: m.start, HeadEnd: m.at, End: m.at,
		Anomalies: s.takeCarry(),
	})
}

// held is a piece of the request stream that waits for a response: bytes, or a gap.
type held struct {
	data []byte
	off  uint64 // in the stream, of its first byte
	m    moment
	gap  *decode.Gap
}

// hold keeps a piece until a response says what it is. If that takes too long,
// its looks decide.
func (s *stream) hold(dst []decode.Message, h held) []decode.Message {
	h.off = s.pos
	s.pos += uint64(len(h.data))
	if h.gap != nil {
		s.pos += h.gap.Len
	}
	if last := len(s.held) - 1; last+1 >= holdPieces && h.gap == nil && s.held[last].gap == nil {
		s.held[last].data = append(s.held[last].data, h.data...)
	} else {
		if !s.releasing { // else it is a part of what was copied before
			h.data = append([]byte(nil), h.data...)
		}
		s.held = append(s.held, h)
	}
	s.heldLen += len(h.data)
	if s.heldLen > holdMax || len(s.held) > 2*holdPieces {
		return s.release(dst, s.looksHTTP())
	}
	return dst
}

// looksHTTP reports whether held bytes begin like a request, or are none.
func (s *stream) looksHTTP() bool {
	var head []byte
	for _, h := range s.held {
		if len(head) >= requestLineMax {
			break
		}
		head = append(head, h.data...)
	}
	for len(head) > 0 && (head[0] == '\r' || head[0] == '\n') {
		head = head[1:]
	}
	for i, c := range head {
		if c == '\n' {
			return certain(requestLine, head[:i+1])
		}
	}
	return tokenLen(head) == len(head)
}

// release reads what was held, as HTTP or as a tunnel's bytes.
func (s *stream) release(dst []decode.Message, http bool) []decode.Message {
	if s.step != stepHold {
		return dst
	}
	s.step = stepHead
	if !http {
		s.step = stepTunnel
		if s.conn.upgraded == "" {
			s.conn.upgraded = "unknown"
		}
	}
	list := s.held
	s.held, s.heldLen, s.releasing = nil, 0, true
	defer func() { s.releasing = false }()
	for _, h := range list {
		s.pos = h.off
		if h.gap != nil {
			dst = s.gap(dst, *h.gap)
		} else {
			dst = s.feed(dst, h.data, h.m)
		}
	}
	return dst
}
