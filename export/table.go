package export

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// TableOptions say how the list of exchanges looks.
type TableOptions struct {
	// Terminal: aligned columns for people. Otherwise tab-separated columns for
	// programs: times in UTC, sizes in bytes, durations in milliseconds.
	Terminal bool
	Width    int  // columns of the terminal, 0 means do not cut
	Header   bool // print the names of the columns first
	Color    bool
	ASCII    bool // the reader's locale is not UTF-8
}

// Widths of the columns before the URL. They are fixed because rows are printed
// as they come.
const (
	widthID, widthTime, widthProc, widthMethod   = 4, 12, 14, 6
	widthStatus, widthType, widthSize, widthTook = 6, 9, 7, 7
	widthURLMin                                  = 20
	widthFixed                                   = widthID + widthTime + widthProc + widthMethod + widthStatus + widthType + widthSize + widthTook + 8*2
)

// table writes a row as soon as an exchange is over, so a pipe can follow a
// recording; no row ever changes the width of another.
type table struct {
	w      io.Writer
	o      TableOptions
	s      screen
	cell   screen // one cell, before it is cut and padded
	zone   *time.Location
	headed bool
	err    error
}

// NewTable returns the sink that lists exchanges, a row each.
func NewTable(w io.Writer, o TableOptions) Sink {
	return &table{w: w, o: o, s: screen{color: o.Color && o.Terminal, ascii: o.ASCII}, cell: screen{ascii: o.ASCII}, zone: time.UTC}
}

// Item implements [Sink].
func (t *table) Item(it *replay.Item) error {
	if t.err != nil {
		return t.err
	}
	switch it.Kind {
	case replay.ItemSession:
		t.zone = zone(it.Session.UTCOffset)
	case replay.ItemExchange:
		t.header()
		if t.o.Terminal {
			t.row(it.Exchange)
		} else {
			t.line(it.Exchange)
		}
	}
	t.err = t.s.flush(t.w)
	return t.err
}

// Close implements [Sink].
func (t *table) Close() error {
	if t.err == nil && !t.o.Terminal {
		t.header() // a program that asked for a header wants one over no rows too
		t.err = t.s.flush(t.w)
	}
	return t.err
}

// header writes the columns' names once, before the first row: a session that
// cannot be read leaves no header behind.
func (t *table) header() {
	if t.headed || !t.o.Header {
		return
	}
	t.headed = true
	if !t.o.Terminal {
		t.s.own("ID\tTIME\tPROCESS\tMETHOD\tSTATUS\tTYPE\tSIZE\tMS\tURL\tFLAGS\n")
		return
	}
	t.s.style(dim, func() {
		t.s.buf = fmt.Appendf(t.s.buf, "%*s  %-*s  %-*s  %-*s  %-*s  %-*s  %*s  %*s  URL", widthID, "#", widthTime, "TIME",
			widthProc, "PROCESS", widthMethod, "METHOD", widthStatus, "STATUS", widthType, "TYPE", widthSize, "SIZE", widthTook, "TIME")
	})
	t.s.own("\n")
}

// row writes an exchange for people: times in the zone of the recording, units
// that are easy to read, each column cut to its width but the last.
func (t *table) row(x *replay.Exchange) {
	tm := timingOf(x)
	t.s.buf = fmt.Appendf(t.s.buf, "%*d  ", widthID, x.ID)
	t.column(widthTime, false, func(c *screen) { c.clock(tm.begin, t.zone) })
	t.process(x.Conn)
	t.column(widthMethod, false, func(c *screen) { c.captured(methodOf(x)) })
	t.status(x)
	t.column(widthType, false, func(c *screen) { c.captured(typeOf(x)) })
	t.column(widthSize, true, func(c *screen) {
		if x.Response == nil {
			c.own("-")
			return
		}
		c.size(sizeOf(x))
	})
	t.column(widthTook, true, func(c *screen) {
		switch {
		case x.Response == nil && x.Pending:
			c.own("pending")
		case tm.total < 0:
			c.own("-")
		default:
			c.duration(tm.total)
		}
	})
	t.url(x)
	t.s.own("\n")
}

// process writes comm/pid; a long name gives way, the pid never does.
func (t *table) process(p *replay.Conn) {
	pid := fmt.Sprintf("/%d", p.PID)
	c := &t.cell
	c.buf = c.buf[:0]
	c.captured(p.Proc.Comm)
	c.buf = append(cut(c.buf, widthProc-len(pid), c.ellipsis()), pid...)
	t.put(widthProc, false)
}

// status writes the status, with the gRPC status behind it because that is the
// one that says whether a call worked.
func (t *table) status(x *replay.Exchange) {
	c := &t.cell
	c.buf = c.buf[:0]
	// The colour repeats what the digits say; it is never the only sign.
	color := green
	switch {
	case x.Response == nil && x.Pending:
		c.own("…")
		color = yellow
	case x.Response == nil:
		c.own("-")
		color = yellow
	case x.Response.Status <= 0:
		c.own(noStatus(x.Response))
		color = yellow
	default:
		c.number(uint64(x.Response.Status))
		if g := grpcStatus(x.Response); g != "" {
			c.own("/")
			c.captured(g)
		}
		if x.Response.Status >= 400 {
			color = red
		} else if x.Response.Status >= 300 {
			color = yellow
		}
	}
	t.s.style(color, func() { t.put(widthStatus, false) })
}

// url writes the URL, cut in the middle to what is left of the line, and after
// it what is amiss.
func (t *table) url(x *replay.Exchange) {
	c := &t.cell
	c.buf = c.buf[:0]
	for i, m := range marksOf(x) {
		if m == "pending" || m == "upgraded" && x.Response != nil && x.Response.Flags&decode.Continued != 0 {
			continue // the columns say so
		}
		if i == 0 || len(c.buf) == 0 {
			c.own("  ⚠ ")
		} else {
			c.own(", ")
		}
		c.own(m)
	}
	// Copies: the URL is built in the same cell.
	marks := string(c.buf)
	c.buf = c.buf[:0]
	if x.Inner != nil {
		c.own("  ⇅ ")
		c.tally(x.Inner)
	}
	tally := string(c.buf)
	c.buf = c.buf[:0]
	if x.Request != nil {
		c.captured(urlOf(x.Request, x.Conn))
	} else {
		c.own("?")
	}
	// Tally and marks keep their room: a URL can be had elsewhere, and a loss that was
	// cut off would not be known of. Below widthURLMin the row may wrap.
	text := c.buf
	if t.o.Width > 0 {
		text = cutMiddle(text, max(t.o.Width-widthFixed-cells([]byte(tally+marks)), widthURLMin), c.ellipsis())
	}
	t.s.buf = append(append(t.s.buf, text...), tally...)
	t.s.style(yellow, func() { t.s.buf = append(t.s.buf, marks...) })
}

// column builds a cell, cuts and pads it. fill must write to the screen it is
// given: the row itself is not sanitized again.
func (t *table) column(width int, right bool, fill func(*screen)) {
	t.cell.buf = t.cell.buf[:0]
	fill(&t.cell)
	t.put(width, right)
}

// put moves the cell, sanitized when it was built, to the row.
func (t *table) put(width int, right bool) {
	text := cut(t.cell.buf, width, t.cell.ellipsis())
	pad := strings.Repeat(" ", max(width-cells(text), 0))
	if right {
		t.s.buf = append(t.s.buf, pad...)
	}
	t.s.buf = append(t.s.buf, text...)
	if !right {
		t.s.buf = append(t.s.buf, pad...)
	}
	t.s.buf = append(t.s.buf, "  "...)
}

// ellipsis takes one cell in either kind of locale.
func (s *screen) ellipsis() string {
	if s.ascii {
		return "~"
	}
	return "…"
}

// cut shortens text to width cells, its last one the ellipsis.
func cut(text []byte, width int, ellipsis string) []byte {
	if cells(text) <= width {
		return text
	}
	return append(prefix(text, width-1), ellipsis...)
}

// prefix returns the beginning of text that fits in width cells. Its capacity is
// its length, so that what is appended does not overwrite the rest of text.
func prefix(text []byte, width int) []byte {
	n := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if n += cellsOf(r); n > width {
			return text[:i:i]
		}
		i += size
	}
	return text[:len(text):len(text)]
}

// cutMiddle shortens text to width cells and keeps both of its ends.
func cutMiddle(text []byte, width int, ellipsis string) []byte {
	if cells(text) <= width {
		return text
	}
	// Half of what the ellipsis leaves, rounded up for the head: the host is
	// there. A wide character that does not fit may leave a cell empty.
	head := prefix(text, (width-1+1)/2)
	tail, room := len(text), width-1-cells(head)
	for tail > 0 {
		r, size := utf8.DecodeLastRune(text[:tail])
		if room -= cellsOf(r); room < 0 {
			break
		}
		tail -= size
	}
	return append(append(head, ellipsis...), text[tail:]...)
}

// line writes an exchange for programs: units fixed, nothing cut, "-" where
// there is nothing, so that the number of columns is always the same.
func (t *table) line(x *replay.Exchange) {
	// Captured text has no tab and no newline (see escape), so columns hold.
	s, tm := &t.s, timingOf(x)
	s.number(x.ID)
	s.own("\t")
	s.buf = time.Unix(0, tm.begin).UTC().AppendFormat(s.buf, timeFormat)
	s.own("\t")
	s.captured(x.Conn.Proc.Comm)
	s.own("/")
	s.number(uint64(x.Conn.PID))
	s.own("\t")
	s.captured(methodOf(x))
	s.own("\t")
	if r := x.Response; r != nil {
		if r.Status > 0 {
			s.number(uint64(r.Status))
		} else {
			s.own(noStatus(r))
		}
		if g := grpcStatus(r); g != "" {
			s.own("/")
			s.captured(g)
		}
		s.own("\t")
		s.captured(typeOf(x))
		s.own("\t")
		s.number(sizeOf(x))
	} else {
		s.own("-\t-\t-")
	}
	s.own("\t")
	if tm.total >= 0 {
		s.buf = fmt.Appendf(s.buf, "%d.%03d", tm.total/1e6, tm.total/1e3%1e3)
	} else {
		s.own("-")
	}
	s.own("\t")
	if x.Request != nil {
		s.captured(urlOf(x.Request, x.Conn))
	} else {
		s.own("-")
	}
	s.own("\t")
	for i, m := range marksOf(x) {
		if i > 0 {
			s.own(",")
		}
		s.own(m)
	}
	s.own("\n")
}

// sizeOf is how much the server answered: after an upgrade that is in its messages.
func sizeOf(x *replay.Exchange) uint64 {
	if x.Response.Flags&decode.Continued != 0 && x.Inner != nil {
		return x.Inner.Server.Size
	}
	return x.Response.Body.Size
}

// methodOf is "-" for a response whose request was not seen: an empty column
// would shift what programs cut at white space.
func methodOf(x *replay.Exchange) string {
	if x.Request == nil || x.Request.Method == "" {
		return "-"
	}
	return x.Request.Method
}

// shortTypes are names people use for media types that are longer.
var shortTypes = strings.NewReplacer("octet-stream", "binary", "javascript", "js", "x-www-form-urlencoded", "form", "svg+xml", "svg", "event-stream", "sse")

// typeOf names the kind of content of the response in a word.
func typeOf(x *replay.Exchange) string {
	m := x.Response
	switch {
	case m == nil:
		return "-"
	case m.Flags&decode.Upgraded != 0 && header(m, "upgrade") != "":
		return strings.ToLower(header(m, "upgrade"))
	case m.Flags&decode.Continued != 0 && x.Request != nil && header(x.Request, ":protocol") != "":
		return header(x.Request, ":protocol") // RFC 8441
	case isGRPC(m):
		return "grpc"
	}
	// As declared, not as sniffed: the list must not need the body.
	mime, _, _ := strings.Cut(header(m, "content-type"), ";")
	top, sub, _ := strings.Cut(strings.ToLower(strings.TrimSpace(mime)), "/")
	switch {
	case top == "":
		return "-"
	case sub == "" || sub == "plain":
		return top
	}
	// Short names before the structured suffix (RFC 6838 §4.2.8): svg+xml is an
	// image to people, and only what is left over is its syntax.
	sub = shortTypes.Replace(sub)
	if i := strings.LastIndexByte(sub, '+'); i >= 0 {
		sub = sub[i+1:]
	}
	return strings.TrimPrefix(sub, "x-")
}
