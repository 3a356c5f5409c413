package http1

import (
	"bytes"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

const (
	// overLine is the longest line looked at once a section is over its limit:
	// enough for any field that frames a message.
	overLine = 1024
	// overLines is how many such lines are kept.
	overLines = 32
	// scratchKept is the most scratch memory an idle connection holds on to.
	scratchKept = 16 << 10
)

// shape says what a section's first line must be.
type shape uint8

const (
	anyLine shape = iota // trailer section: no start line
	requestLine
	statusLine
)

func (sh shape) String() string {
	if sh == anyLine {
		return "trailer section"
	}
	return "head"
}

// section collects a message head or a trailer section: lines up to an empty
// one. Bytes are looked at once, however they are cut, and copied only when the
// section spans chunks.
//
// Past limit bytes nothing is kept but the lines that frame the message: a
// long head must not hide where the next message begins.
type section struct {
	shape shape
	start startLine
	buf   []byte // earlier chunks' part
	ends  []int  // ends of the lines kept, line feeds included, the empty line not
	begin int64  // when the first byte began to move

	over    bool   // size passed the limit: what follows concerns the rest
	size    uint64 // bytes of the whole section, counted once over
	dropped int    // lines not kept
	kept    int    // lines kept although over
	blank   bool   // an empty line came before the start line
	cut     bool   // the last line in buf is cut, and its end not seen yet
	line    []byte // the current line, at most overLine bytes
	lineLen int

	arena *arena.Arena // nil: lines are not known
	chain arena.Chain
	lines []*arena.Line // of ends, the start line and later chunks' left out; nil: not known
	runs  []runAt       // in lines, in order
	// stretch is the index in lines from which on each one was foretold, -1 if the last
	// was not.
	stretch int
}

// runAt is a run that was found, and where in section.lines.
type runAt struct {
	at  int
	run *arena.Run
}

// worth stands for a line that is to be known from now on.
var worth = new(arena.Line)

// known returns what is known of field line i.
func (s *section) known(i int) *arena.Line {
	if i < len(s.lines) {
		return s.lines[i]
	}
	return nil
}

// foretold returns the length of the field lines that p begins with if they are those
// that were to be expected, or 0. end is where p begins in the section.
func (s *section) foretold(p []byte, end int) int {
	l := s.chain.Foretold()
	if l == nil {
		return 0
	}
	at := len(s.lines)
	if r := l.Run(); r != nil && len(p) >= len(r.Coded) && string(p[:len(r.Coded)]) == r.Coded {
		for _, l := range r.Lines {
			end += len(l.Coded)
			s.ends = append(s.ends, end)
		}
		s.lines = append(s.lines, r.Lines...)
		s.runs = append(s.runs, runAt{at, r})
		s.chain.FollowRun(r)
		s.begins(at)
		return len(r.Coded)
	}
	if len(p) < len(l.Coded) || string(p[:len(l.Coded)]) != l.Coded {
		return 0
	}
	s.ends = append(s.ends, end+len(l.Coded))
	s.lines = append(s.lines, l)
	s.chain.Follow(l)
	s.begins(at)
	return len(l.Coded)
}

// begins says that line at was foretold.
func (s *section) begins(at int) {
	if s.stretch < 0 {
		s.stretch = at
	}
}

// breaks ends a stretch of lines that were foretold.
func (s *section) breaks() {
	if s.stretch >= 0 {
		arena.Stretch(s.lines[s.stretch:])
		s.stretch = -1
	}
}

// look takes note of a field line that was not expected.
func (s *section) look(line []byte) {
	s.breaks()
	l, again := s.arena.Lines.Find(line)
	s.chain.Follow(l)
	if l == nil && again {
		l = worth
	}
	s.lines = append(s.lines, l)
}

// verdict is what section.take found.
type verdict uint8

const (
	wantMore verdict = iota
	complete
	notStart // the first line is no start line
)

// reset makes s ready for a section that begins with a line of the given shape.
func (s *section) reset(sh shape) {
	buf, ends, line := s.buf[:0], s.ends[:0], s.line[:0]
	if cap(buf) > scratchKept {
		buf = nil
	}
	if cap(ends) > scratchKept/8 {
		ends = nil
	}
	*s = section{shape: sh, buf: buf, ends: ends, line: line, arena: s.arena, lines: s.lines[:0], runs: s.runs[:0], stretch: -1}
	if s.arena != nil {
		s.chain = arena.Begin(s.arena.Root(uint8(sh)))
	}
}

// length returns how many bytes of the stream the section has, that take gave
// as whole.
func (s *section) length(whole []byte) uint64 {
	if s.over {
		return s.size
	}
	return uint64(len(whole))
}

// empty reports whether no byte of the section has come yet.
func (s *section) empty() bool { return len(s.buf) == 0 && !s.over }

// take reads p up to the end of the section. It returns how many bytes it used
// and, when complete or notStart, the bytes of the section or of the first
// line; they alias p or s and are valid until the next call.
func (s *section) take(p []byte, start int64, limit int) (whole []byte, n int, v verdict) {
	if s.over {
		return s.takeOver(p)
	}
	if len(s.buf) == 0 {
		s.begin = start
	}
	var (
		base = len(s.buf) // bytes of the section before p
		from = 0          // where the section begins in p, when base is 0
		i    = 0
	)
	for {
		if base == 0 && s.arena != nil && len(s.ends) > 0 && s.shape != anyLine && len(p)-from <= limit {
			if n := s.foretold(p[i:], i-from); n > 0 {
				i += n
				continue
			}
		}
		j := bytes.IndexByte(p[i:], '\n')
		if j < 0 {
			break
		}
		end := base - from + i + j + 1
		if end > limit {
			break
		}
		lineLen := end
		if k := len(s.ends); k > 0 {
			lineLen -= s.ends[k-1]
		}
		i += j + 1
		if lineLen == 1 || lineLen == 2 && s.before(p, i-2) == '\r' {
			if len(s.ends) > 0 || s.shape == anyLine {
				s.breaks()
				return s.join(p[from:i]), n + i, complete
			}
			// RFC 9112 §2.2: an empty line before a start line is nothing.
			s.buf, base, from, s.begin = s.buf[:0], 0, i, start
			s.blank = true
			continue
		}
		if len(s.ends) == 0 && s.shape != anyLine {
			if base > 0 { // the line needs to lie in one piece
				s.buf = append(s.buf, p[:i]...)
				p, n, i, base = p[i:], n+i, 0, len(s.buf)
				if !s.first(s.buf) {
					return s.buf, n, notStart
				}
			} else if !s.first(p[from:i]) {
				return p[from:i], i, notStart
			}
		} else if base == 0 && s.arena != nil && s.shape != anyLine {
			s.look(p[i-j-1 : i])
		}
		s.ends = append(s.ends, end)
	}
	if room := limit - (base - from + len(p)); room < 0 {
		keep := len(p) + room
		s.buf = append(s.buf, p[from:keep]...)
		s.spill()
		whole, i, v = s.takeOver(p[keep:])
		return whole, n + keep + i, v
	}
	s.buf = append(s.buf, p[from:]...)
	return nil, n + len(p), wantMore
}

// before returns the byte at p[i], or the last of the earlier chunks for -1.
func (s *section) before(p []byte, i int) byte {
	if i >= 0 {
		return p[i]
	}
	return s.buf[len(s.buf)-1]
}

// join returns the section whose last part is p.
func (s *section) join(p []byte) []byte {
	if len(s.buf) == 0 {
		return p
	}
	s.buf = append(s.buf, p...)
	return s.buf
}

// first parses the section's first line, line end included.
func (s *section) first(line []byte) (ok bool) {
	line, bare := trimEOL(line)
	if s.shape == requestLine {
		s.start, ok = parseRequestLine(line)
	} else {
		s.start, ok = parseStatusLine(line)
	}
	s.start.bareLF = bare
	return ok
}

// spill begins the part of a section that is over its limit; buf is full. The
// line at its end is taken back if it may yet be one that matters.
func (s *section) spill() {
	s.over, s.size = true, uint64(len(s.buf))
	last := 0
	if k := len(s.ends); k > 0 {
		last = s.ends[k-1]
	}
	part := s.buf[last:]
	s.lineLen = len(part)
	if s.cut = len(part) > overLine || last == 0; s.cut {
		return
	}
	s.line = append(s.line[:0], part...)
	s.buf = s.buf[:last]
}

// takeOver is take past the limit.
func (s *section) takeOver(p []byte) (whole []byte, n int, v verdict) {
	for n < len(p) {
		piece := p[n:]
		j := bytes.IndexByte(piece, '\n')
		if j >= 0 {
			piece = piece[:j+1]
		}
		n += len(piece)
		s.size += uint64(len(piece))
		s.lineLen += len(piece)
		if !s.cut && s.lineLen <= overLine {
			s.line = append(s.line, piece...)
		}
		if j < 0 {
			break
		}
		if s.lineLen == 1 || s.lineLen == 2 && !s.cut && s.line[0] == '\r' {
			return s.buf, n, complete
		}
		if !s.endOverLine() {
			return s.buf, n, notStart
		}
	}
	return nil, n, wantMore
}

// endOverLine ends a line past the limit; false means that it should have been
// a start line and is none.
func (s *section) endOverLine() bool {
	switch {
	case s.cut:
		s.buf = append(s.buf, '\r', '\n')
		s.cut = false
		// What was cut off may have been the version: without one it is no line.
		if len(s.ends) == 0 && s.shape != anyLine && (!s.first(s.buf) || s.start.versionless(s.shape)) {
			return false
		}
		s.ends = append(s.ends, len(s.buf))
	case s.lineLen <= overLine && s.kept < overLines && frames(s.line):
		s.kept++
		s.buf = append(s.buf, s.line...)
		s.ends = append(s.ends, len(s.buf))
	default:
		s.dropped++
	}
	s.line, s.lineLen = s.line[:0], 0
	return true
}

// frames reports whether a field line decides where its message ends, or what
// becomes of the connection.
func frames(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return false
	}
	switch fieldKind(string(bytes.TrimRight(line[:colon], " \t"))) {
	case fieldLength, fieldCoding, fieldUpgrade, fieldConnection, fieldHost:
		return true
	}
	return false
}

// trimEOL removes the line end, and says whether it was a bare LF. A line cut
// off by the end of the stream has none.
func trimEOL(line []byte) (content []byte, bare bool) {
	n := len(line)
	if n == 0 || line[n-1] != '\n' {
		return line, false
	}
	if n > 1 && line[n-2] == '\r' {
		return line[:n-2], false
	}
	return line[:n-1], true
}

// bareEnd reports whether a section's last line ends in a bare LF.
func bareEnd(whole []byte) bool {
	n := len(whole)
	return n == 1 || n > 1 && whole[n-2] != '\r'
}

// startKind returns the shape of the first line of messages of kind k.
func startKind(k decode.Kind) shape {
	if k == decode.Request {
		return requestLine
	}
	return statusLine
}
