package arena

import "github.com/NoFear0411/spliff/decode"

const (
	// runLines and runBytes are the most a run holds, and so what a line may keep alive.
	runLines = 32
	runBytes = 4 << 10
	// ripe is how often in a row the same lines must follow a line to become a run. A
	// value that changes, such as a length, may well be the same twice.
	ripe = 4
)

// Run is lines that follow each other again and again: what they mean can be copied in
// one piece once their bytes were compared in one piece. It is not changed once it is
// made.
type Run struct {
	Coded  string // all lines
	Lines  []*Line
	Fields []decode.Field
	Tagged []int // which lines have a Tag other than 0
}

// candidate is a run in the making.
type candidate struct {
	last        *Line
	lines, seen int
}

// Run returns the run that l is likely to begin, or nil.
func (l *Line) Run() *Run { return l.run }

// FollowRun says that r followed, whose first line was foretold.
func (c *Chain) FollowRun(r *Run) { c.last, c.unknown = r.Lines[len(r.Lines)-1], 0 }

// Stretch says that lines came one after the other, each one as foretold, and that
// the next was not, or that there is none. Lines are borrowed for the call.
func Stretch(lines []*Line) {
	n := len(lines)
	if n < 2 {
		return
	}
	first, last := lines[0], lines[n-1]
	if r := first.run; r != nil && len(r.Lines) == n && r.Lines[n-1] == last {
		first.maybe.seen = 0
		return
	}
	m := &first.maybe
	if m.last != last || m.lines != n {
		*m = candidate{last: last, lines: n}
	}
	if m.seen++; m.seen < ripe {
		return
	}
	m.seen = 0
	first.run = newRun(lines)
}

// newRun makes a run of as many of the lines as are allowed.
func newRun(lines []*Line) *Run {
	size, n := 0, 0
	for n < min(len(lines), runLines) && size+len(lines[n].Coded) <= runBytes {
		size += len(lines[n].Coded)
		n++
	}
	r := &Run{Lines: append([]*Line(nil), lines[:n]...), Fields: make([]decode.Field, n)}
	coded := make([]byte, 0, size)
	for i, l := range r.Lines {
		coded = append(coded, l.Coded...)
		r.Fields[i] = l.Field
		if l.Tag != 0 {
			r.Tagged = append(r.Tagged, i)
		}
	}
	r.Coded = string(coded)
	return r
}
