package http1

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

// facts is what a head says about framing and routing, all fields counted
// though only Limits.Fields of them are kept.
type facts struct {
	length    uint64
	lengths   int // Content-Length values
	badLength bool
	coding    string // Transfer-Encoding, the first maxJoined fields joined
	codings   int
	host      string
	hosts     int
	upgrade   string
	connClose bool
	connKeep  bool
	hinted    bool // some would read that the body is chunked
}

// maxJoined bounds how many Transfer-Encoding fields are joined: each joining
// copies what came before.
const maxJoined = 8

// Fields that matter here.
const (
	fieldOther = iota
	fieldHost
	fieldUpgrade
	fieldConnection
	fieldLength
	fieldCoding
)

// fieldKind tells the fields that matter by length first: most names differ there.
func fieldKind(name string) int {
	switch len(name) {
	case 4:
		if strings.EqualFold(name, "host") {
			return fieldHost
		}
	case 7:
		if strings.EqualFold(name, "upgrade") {
			return fieldUpgrade
		}
	case 10:
		if strings.EqualFold(name, "connection") {
			return fieldConnection
		}
	case 14:
		if strings.EqualFold(name, "content-length") {
			return fieldLength
		}
	case 17:
		if strings.EqualFold(name, "transfer-encoding") {
			return fieldCoding
		}
	}
	return fieldOther
}

// parseFields parses the field lines of a section, whole[from:] in bytes and
// text[from:] as the string that names and values are slices of; "" makes one of each
// line that is not known. ends are the ends of the lines.
func (s *stream) parseFields(whole []byte, text string, from int, ends []int, f *facts) []decode.Field {
	if len(ends) == 0 && !s.sec.over {
		return nil
	}
	list := s.sec.arena.Fields(min(len(ends), s.limits.Fields))
	count, begin, runs := 0, s.at, s.sec.runs
	for i := 0; i < len(ends); i++ {
		s.at = begin + uint64(from)
		if len(runs) > 0 && runs[0].at == i {
			r := runs[0].run
			runs = runs[1:]
			n := len(r.Lines)
			end := ends[i+n-1]
			// A line behind it may continue its last one.
			if len(list)+n <= s.limits.Fields && !(i+n < len(ends) && isSpace(whole[end])) {
				list = append(list, r.Fields...)
				s.learnRun(f, r, begin+uint64(from))
				count, i, from = count+n, i+n-1, end
				continue
			}
		}
		end := ends[i]
		l := s.sec.known(i)
		folds := i+1 < len(ends) && isSpace(whole[end])
		if l != nil && l != worth && !folds {
			from = end
			if count++; len(list) < s.limits.Fields {
				list = append(list, l.Field)
			}
			if l.Tag != fieldOther {
				s.learn(f, int(l.Tag), l.Field.Value)
			}
			continue
		}
		line, bare := trimEOL(whole[from:end])
		if bare {
			s.note(AnomalyBareLF, "a line ends in LF without CR")
		}
		if isSpace(whole[from]) {
			s.note(AnomalySpaceBeforeField, quote(line))
			from = end
			continue
		}
		sent := s.lineText(text, line, from)
		name, rest, ok := s.splitField(line, sent)
		coded := whole[from:end]
		from = end
		var value string
		if folds {
			var folded int
			if !ok {
				rest = sent
			}
			value, folded = s.unfold(whole, rest, ends[i:])
			if !ok { // the colon may be on a line behind
				name, value, ok = cutField(value)
			}
			i += folded
			from = ends[i]
		} else {
			value = s.value(line[len(line)-len(rest):], rest)
		}
		if !ok {
			continue
		}
		if count++; len(list) < s.limits.Fields {
			list = append(list, decode.Field{Name: name, Value: value})
		}
		if !strings.HasPrefix(sent, "\r") {
			if kind := fieldKind(name); kind != fieldOther {
				s.learn(f, kind, blanked(value))
			}
		}
		if l == worth && !folds && len(s.msg.Anomalies) == 0 && s.limits.Anomalies > 0 {
			s.remember(coded, len(name), value)
		}
	}
	s.at = begin
	s.noteLimits(count+s.sec.dropped, len(list))
	return list
}

// lineText returns the text of the line at from.
func (s *stream) lineText(text string, line []byte, from int) string {
	if s.sec.arena != nil {
		return s.sec.arena.String(line)
	}
	return text[from : from+len(line)]
}

// remember keeps a field line with which nothing is wrong: then nothing is wrong with
// it the next time, wherever it stands.
func (s *stream) remember(coded []byte, name int, value string) {
	l := &arena.Line{Coded: string(coded)}
	at := strings.LastIndex(l.Coded, value)
	if at <= name || l.Coded[name] != ':' {
		return
	}
	l.Field = decode.Field{Name: l.Coded[:name], Value: l.Coded[at : at+len(value)]}
	l.Tag = uint8(fieldKind(l.Field.Name))
	s.sec.arena.Lines.Keep(l)
}

// noteLimits reports that a section was longer, or had more fields, than is kept.
func (s *stream) noteLimits(fields, kept int) {
	switch {
	case s.sec.over:
		s.note(decode.AnomalyLimit, fmt.Sprintf("%s of %d bytes, %d kept; %d fields, %d kept",
			s.sec.shape, s.sec.size, len(s.sec.buf), fields, kept))
	case fields > kept:
		s.note(decode.AnomalyLimit, fmt.Sprintf("%d fields, %d kept", fields, kept))
	}
}

// cutField cuts a field at its colon, its lines joined (RFC 9112 §5.2 has them joined
// before anything else is read in them).
func cutField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	return strings.TrimRight(name, " \t"), strings.Trim(value, " \t"), ok && name != ""
}

// splitField cuts a field line at its colon. rest is what follows it; ok is
// false when there is no colon. A CR in front, which some take for the end of a line
// and some do not, is no part of the name.
func (s *stream) splitField(line []byte, text string) (name, rest string, ok bool) {
	n := tokenLen(line)
	if n > 0 && n < len(line) && line[n] == ':' {
		return text[:n], text[n+1:], true
	}
	if n == 0 && len(line) > 0 && line[0] == '\r' {
		s.note(AnomalyBareCR, quote(line))
		lead := len(line) - len(bytes.TrimLeft(line, "\r \t"))
		line, text = line[lead:], text[lead:]
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		s.note(AnomalyBadField, "no colon: "+quote(line))
		return "", "", false
	}
	n = trimRight(line[:colon])
	if n < colon {
		s.note(AnomalySpaceBeforeColon, quote(line))
	}
	if n == 0 || tokenLen(line[:n]) != n {
		s.note(AnomalyBadField, "name is no token: "+quote(line))
	}
	return text[:n], text[colon+1:], true
}

// value returns a field value without the white space around it (RFC 9112 §5).
// raw is the same bytes as text.
func (s *stream) value(raw []byte, text string) string {
	if hasControl(raw) {
		s.noteControl(raw)
	}
	lo := 0
	for lo < len(raw) && isSpace(raw[lo]) {
		lo++
	}
	return text[lo : lo+trimRight(raw[lo:])]
}

// noteControl says which control bytes are in b.
func (s *stream) noteControl(b []byte) {
	for _, c := range b {
		switch {
		case c == '\r':
			s.note(AnomalyBareCR, quote(b))
		case c < 0x20 && c != '\t' || c == 0x7f:
			s.note(AnomalyControl, quote(b))
		}
	}
}

// unfold joins a field value and the lines that continue it, each line end and
// the white space around it becoming one space (RFC 9112 §5.2). ends[0] is the
// end of the field's first line. It returns how many lines were joined.
func (s *stream) unfold(whole []byte, first string, ends []int) (value string, lines int) {
	joined := []byte(s.value([]byte(first), first))
	for lines+1 < len(ends) && isSpace(whole[ends[lines]]) {
		line, bare := trimEOL(whole[ends[lines]:ends[lines+1]])
		if bare {
			s.note(AnomalyBareLF, "a line ends in LF without CR")
		}
		if hasControl(line) {
			s.noteControl(line)
		}
		if part := bytes.Trim(line, " \t"); len(part) > 0 {
			if len(joined) > 0 {
				joined = append(joined, ' ')
			}
			joined = append(joined, part...)
		}
		lines++
	}
	s.note(AnomalyObsFold, fmt.Sprintf("%d lines", lines))
	return string(joined), lines
}

// learnRun is learn for the lines of a run that begins at the offset at.
func (s *stream) learnRun(f *facts, r *arena.Run, at uint64) {
	i := 0
	for _, k := range r.Tagged {
		for ; i < k; i++ {
			at += uint64(len(r.Lines[i].Coded))
		}
		s.at = at
		s.learn(f, int(r.Lines[k].Tag), r.Lines[k].Field.Value)
	}
}

// learn takes note of a field that frames or routes the message: what kind it is, and
// its value without bytes that blanked replaces.
func (s *stream) learn(f *facts, kind int, value string) {
	switch kind {
	case fieldHost:
		if f.hosts++; f.hosts == 1 {
			f.host = value
		}
	case fieldUpgrade:
		if f.upgrade == "" {
			f.upgrade = value
		}
	case fieldConnection:
		if value == "keep-alive" { // the rule, and not worth a search
			f.connKeep = true
			return
		}
		f.connClose = f.connClose || hasElement(value, "close")
		f.connKeep = f.connKeep || hasElement(value, "keep-alive")
	case fieldLength:
		s.learnLength(f, value)
	case fieldCoding:
		switch f.codings++; {
		case f.codings == 1:
			f.coding = value
		case f.codings <= maxJoined:
			f.coding += ", " + value
		default:
			s.note(AnomalyBadCoding, "too many fields")
		}
	}
}

// blanked replaces CR, LF and NUL by spaces before a value is interpreted (RFC
// 9110 §5.5). What is shown of the field stays as it was sent.
func blanked(value string) string {
	if strings.IndexByte(value, '\r') < 0 && strings.IndexByte(value, 0) < 0 {
		return value // LF ends a line
	}
	return strings.Trim(strings.NewReplacer("\r", " ", "\x00", " ").Replace(value), " \t")
}

// learnLength reads a Content-Length value: a number, or equal numbers in a
// list (RFC 9110 §8.6). Signs, white space inside, other bases and numbers
// beyond 63 bits are no length.
func (s *stream) learnLength(f *facts, value string) {
	if n, ok := decimal(value); ok && f.lengths == 0 { // the rule
		f.lengths, f.length = 1, n
		return
	}
	empty := strings.Trim(value, ", \t") == ""
	for more := true; more; {
		var v string
		v, value, more = strings.Cut(value, ",")
		if v = strings.Trim(v, " \t"); v == "" && !empty {
			s.note(AnomalyBadLength, "an empty element") // RFC 9110 §5.6.1.2
			continue
		}
		n, ok := decimal(v)
		f.lengths++
		switch {
		case !ok:
			f.badLength = true
			s.note(AnomalyBadLength, quote(v))
		case f.lengths == 1:
			f.length = n
		case f.length != n:
			f.badLength = true
			s.note(AnomalyBadLength, fmt.Sprintf("%d and %d", f.length, n))
		default:
			s.note(AnomalyRepeatedLength, fmt.Sprint(n))
		}
	}
}

// decimal parses 1*DIGIT of at most 63 bits.
func decimal(v string) (n uint64, ok bool) {
	if v == "" {
		return 0, false
	}
	for i := range len(v) {
		d := uint64(v[i] - '0')
		if d > 9 || n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// hasElement reports whether a comma-separated list has an element, in any case.
func hasElement(list, want string) bool {
	for more := true; more; {
		var v string
		v, list, more = strings.Cut(list, ",")
		if strings.EqualFold(strings.Trim(v, " \t"), want) {
			return true
		}
	}
	return false
}
