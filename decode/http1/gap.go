package http1

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// gap steps over missing bytes where framing says what they were, and else
// gives the message up.
func (s *stream) gap(dst []decode.Message, g decode.Gap) []decode.Message {
	// In a hold it is looked at when that ends, in a tunnel by whoever reads it.
	if s.step != stepHold && (s.step != stepTunnel || !s.conn.handsOver()) {
		defer func() { s.pos, s.told = s.pos+g.Len, s.told+g.Len }()
	}
	m := moment{at: g.At, start: g.At.Time}
	detail := "an unknown number of bytes missing"
	if g.Known {
		detail = fmt.Sprintf("%d bytes missing", g.Len)
	}
	s.at = s.pos
	switch s.step {
	case stepHold:
		return s.hold(dst, held{gap: &g, m: m})
	case stepTunnel:
		if s.conn.handsOver() {
			s.conn.rest = append(s.conn.rest, Rest{Gap: &g})
			return s.noticeCarry(dst, m)
		}
		return append(dst, decode.Message{
			Kind: decode.Opaque, Dir: s.dir, Flags: decode.Gapped, Proto: s.conn.upgraded,
			Body:  decode.Body{Size: g.Len, Lost: g.Len},
			Begin: m.start, HeadEnd: m.at, End: m.at,
			Anomalies: s.noteTo(s.takeCarry(), decode.AnomalyGap, detail),
		})
	case stepSkip:
		s.gapInSkip(g, detail)
		return dst
	case stepHead:
		return s.gapInHead(dst, m, detail)
	}
	s.note(decode.AnomalyGap, detail)
	if s.tap != nil {
		dst = s.tap.Gap(dst, g)
	}
	switch {
	case s.step == stepClose:
		s.lost(g.Len)
		return dst
	case (s.step == stepLength || s.step == stepChunkData) && g.Known && g.Len <= s.left:
		s.lost(g.Len)
		if s.left -= g.Len; s.left == 0 {
			dst = s.endCounted(dst, m)
		}
		return dst
	case s.step == stepLength:
		s.lost(s.left) // the length says how much there was
	}
	s.msg.Flags |= decode.Gapped
	s.chunk.reset()
	return s.giveUp(dst, m)
}

// gapInSkip notes a gap in bytes that are being passed over. What follows it
// may be the beginning of a message.
func (s *stream) gapInSkip(g decode.Gap, detail string) {
	s.carryOver(decode.AnomalyGap, detail)
	s.skip.count(s.skip.line, uint64(len(s.skip.line)))
	s.skip.line, s.skip.at, s.skip.sure = s.skip.line[:0], true, false
	s.conn.doubt(s)
}

// gapInHead gives up a head that has begun. Between messages there is none, and
// whole messages may be missing.
func (s *stream) gapInHead(dst []decode.Message, m moment, detail string) []decode.Message {
	if s.sec.empty() {
		s.carryOver(decode.AnomalyGap, detail)
		s.lose(m, m.start)
		return dst
	}
	dst = s.endPartHead(dst, m, decode.AnomalyGap, detail)
	s.lose(m, m.start)
	return dst
}

// endPartHead reports a head of which only the beginning was seen. Without a
// whole start line there is nothing to call it by.
func (s *stream) endPartHead(dst []decode.Message, m moment, why decode.AnomalyKind, detail string) []decode.Message {
	part := s.sec.buf
	of := s.part
	s.part = 0
	if len(s.sec.ends) == 0 {
		s.carryOver(why, detail)
		s.skip = skip{begin: s.sec.begin}
		s.skip.count(part, uint64(len(part)))
		s.sec.reset(startKind(s.kind))
		return s.endSkip(dst, m)
	}
	s.traced(of, 0)
	// The cut line at the end is no field: half a name or value would mislead.
	whole := part[:s.sec.ends[len(s.sec.ends)-1]]
	var f facts
	at := s.at
	s.at -= s.sec.length(part)
	s.parseHead(whole, &f, m)
	s.at = at
	s.note(why, detail)
	if s.kind == decode.Request {
		s.conn.ask(&s.msg, &f)
	} else if s.msg.Status/100 == 1 && s.msg.Status != 101 {
		s.keepInterim(m)
		return dst
	} else {
		s.conn.answer(&s.msg)
		s.msg.Interim, s.interim, s.interims = s.interim, nil, 0
	}
	s.msg.Flags |= decode.Incomplete
	if why == decode.AnomalyGap {
		s.msg.Flags |= decode.Gapped
	}
	return s.emit(dst, m)
}

// end reports what the end of the stream leaves unfinished.
func (s *stream) end(dst []decode.Message, m moment, clean bool) []decode.Message {
	why := "the recording ended"
	if clean {
		why = "the connection ended"
	}
	s.at = s.pos
	s.noteBlank()
	switch s.step {
	case stepTunnel, stepHold:
		return dst
	case stepSkip:
		s.skip.count(s.skip.line, uint64(len(s.skip.line)))
		s.skip.line = s.skip.line[:0]
		dst = s.endSkip(dst, m)
	case stepHead:
		if !s.sec.empty() {
			if len(s.sec.ends) == 0 && !s.sec.over && s.answersSimple() {
				s.simple(s.sec.buf, m, s.sec.begin)
				s.part = 0
				return s.end(dst, m, clean)
			}
			var ok bool
			if dst, ok = s.endAtBlank(dst, m); ok {
				return s.end(dst, m, clean)
			}
			dst = s.endPartHead(dst, m, decode.AnomalyTruncated, why)
		}
	case stepClose:
		if !clean {
			s.note(decode.AnomalyTruncated, why)
			s.msg.Flags |= decode.Incomplete
		}
		dst = s.emit(dst, m)
	default:
		s.endUnframed()
		s.note(decode.AnomalyTruncated, why)
		s.msg.Flags |= decode.Incomplete
		s.chunk.reset()
		dst = s.emit(dst, m)
	}
	s.step = stepHead
	s.sec.reset(startKind(s.kind))
	return s.endCarry(dst, m, why)
}

// endCarry reports anomalies whose message never came.
func (s *stream) endCarry(dst []decode.Message, m moment, why string) []decode.Message {
	if s.interims > 0 {
		s.carryOver(decode.AnomalyTruncated, fmt.Sprintf("%s after %d informational responses", why, s.interims))
		s.interim, s.interims = nil, 0
	}
	return s.noticeCarry(dst, m)
}

// noticeCarry gives out anomalies that wait for a message none of which will come.
func (s *stream) noticeCarry(dst []decode.Message, m moment) []decode.Message {
	if len(s.carry) == 0 {
		return dst
	}
	return append(dst, decode.Message{
		Kind: decode.Notice, Dir: s.dir, Begin: m.start, HeadEnd: m.at, End: m.at,
		Anomalies: s.takeCarry(),
	})
}
