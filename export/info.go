package export

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// SessionInfo is what there is to say of one session file.
type SessionInfo struct {
	Name     string
	Size     int64 // bytes of the file
	Sections []format.Section
	More     int // sections beyond those listed
	Damage   []format.Damage
	Bare     bool // the log alone, see format.Report
	// All: the file was read to its end, and what Damage does not name is intact.
	// Otherwise its footers were believed.
	All bool
	// Encrypted: Size and offsets are those of the session inside. Faults are what
	// of the encrypted file does not authenticate, in words.
	Encrypted bool
	Faults    []string
}

// InfoOptions say how a session file is described.
type InfoOptions struct {
	Verbose bool // every process, probe site, unwatched library and damaged place
	Color   bool
	ASCII   bool
}

const (
	// infoNames is how many processes, and unwatched libraries, are named without Verbose.
	infoNames = 8
	// infoDamage is how many damaged places are.
	infoDamage = 20
)

// info writes the description of one file.
type info struct {
	s    screen
	o    InfoOptions
	hurt bool // the file is damaged
}

// Info describes a session file for people.
func Info(w io.Writer, f *SessionInfo, o InfoOptions) error {
	d := &info{s: screen{color: o.Color, ascii: o.ASCII}, o: o, hurt: f.Damaged()}
	d.s.style(bold, func() { d.s.captured(f.Name) })
	d.s.own("\n")
	d.file(f)
	for i := range f.Sections {
		s := &f.Sections[i]
		if len(f.Sections) > 1 {
			d.s.style(bold, func() {
				d.s.own("  section ")
				d.s.grouped(uint64(i + 1))
			})
			d.s.own(" at byte ")
			d.s.grouped(uint64(s.Offset))
			d.s.own("\n")
		}
		var before *format.Section
		if i > 0 {
			before = &f.Sections[i-1]
		}
		d.section(s, before)
	}
	return d.s.flush(w)
}

// label begins a line; names have at most eleven letters.
func (d *info) label(name literal) {
	d.s.own("    ")
	d.s.style(dim, func() { d.s.own(name) })
	d.s.own(literal(strings.Repeat(" ", 13-len(name))))
}

// file writes what is about the file as a whole.
func (d *info) file(f *SessionInfo) {
	s := &d.s
	d.label("size")
	s.size(uint64(f.Size))
	if f.Size >= 1<<10 {
		s.own(" (")
		s.grouped(uint64(f.Size))
		s.own(" bytes)")
	}
	s.own("\n")
	if f.Encrypted {
		d.label("encryption")
		s.own("age; what is said here is of the session inside\n")
	}
	d.label("format")
	switch {
	case f.Bare:
		s.own("the log alone, as zstd -dc gives it, compressed again: no headers, no index")
	default:
		var chunks uint64
		var foot [4]int
		for i := range f.Sections {
			sec := &f.Sections[i]
			chunks += chunksOf(sec)
			for k, has := range [4]bool{sec.Footer.Index, sec.Footer.Summary, sec.Footer.Trailer, sec.Footer.SeekTable} {
				if has {
					foot[k]++
				}
			}
		}
		s.own("1.")
		s.number(minor(f.Sections))
		s.own(", ")
		s.counted(uint64(len(f.Sections)+f.More), "section")
		s.own(", ")
		s.counted(chunks, "chunk")
		if d.footers(foot, len(f.Sections)); foot == [4]int{} && f.All {
			s.own(": read to its end")
		}
	}
	s.own("\n")
	if f.More > 0 {
		d.label("")
		s.counted(uint64(f.More), "section")
		s.own(" more than are listed here\n")
	}
	d.damage(f)
}

// footers names the parts of the footers, of n sections.
func (d *info) footers(has [4]int, n int) {
	none := true
	for k, name := range [4]literal{"index", "summary", "trailer", "seek table"} {
		if has[k] == 0 {
			continue
		}
		none = false
		d.s.own(", ")
		d.s.own(name)
		if has[k] < n && k != 3 { // only a single section can have a seek table
			d.s.own(" of ")
			d.s.number(uint64(has[k]))
		}
	}
	if none {
		d.s.own(", no footer")
	}
}

// chunksOf returns how many chunks a section has.
func chunksOf(s *format.Section) uint64 {
	if s.Summary != nil {
		return uint64(s.Summary.Chunks)
	}
	return uint64(len(s.Chunks))
}

// minor returns the greatest minor version of the sections.
func minor(list []format.Section) (m uint64) {
	for i := range list {
		m = max(m, uint64(list[i].Minor))
	}
	return m
}

// section writes what is about one section. What it says of itself is left out if
// the one before said the same.
func (d *info) section(s, before *format.Section) {
	if before == nil || !sameOrigin(&before.Header, &s.Header) {
		d.origin(s)
	} else if s.Member {
		d.label("session")
		d.s.own("the same")
		d.member(s)
		d.s.own("\n")
	}
	if s.Headless {
		d.label("")
		d.s.style(yellow, func() { d.s.own("its file header is lost") })
		d.s.own("\n")
	}
	if s.Summary == nil {
		return
	}
	d.times(s)
	d.contents(s.Summary, s)
	d.libraries(s.Summary)
	d.unwatched(s.Summary)
	d.lost(s.Summary)
}

// sameOrigin reports whether two sections tell the same of their recording.
func sameOrigin(a, b *format.Session) bool {
	return a.UUID == b.UUID && a.Writer == b.Writer && a.Host == b.Host && a.Kernel == b.Kernel &&
		a.Filter == b.Filter && a.Wall == b.Wall && slices.Equal(a.Command, b.Command)
}

// origin tells by whom and where a section was recorded.
func (d *info) origin(sec *format.Section) {
	s, h := &d.s, &sec.Header
	if h.UUID != [16]byte{} || sec.Member {
		d.label("session")
		s.uuid(h.UUID)
		d.member(sec)
		s.own("\n")
	}
	d.line("writer", h.Writer)
	if len(h.Command) > 0 {
		d.label("command")
		s.words(h.Command)
		s.own("\n")
	}
	d.line("filter", h.Filter)
	if h.Host != "" || h.Kernel != "" || h.Arch != "" {
		d.label("host")
		for i, v := range [3]string{h.Host, h.Kernel, h.Arch} {
			if v != "" {
				s.own([3]literal{"", "  kernel ", "  "}[i])
				s.captured(v)
			}
		}
		s.own("\n")
	}
}

// member says which file of its session a section is.
func (d *info) member(s *format.Section) {
	if s.Member {
		d.s.own(", file ")
		if s.Headless {
			d.s.own("?")
		} else {
			d.s.number(uint64(s.FileNo))
		}
		d.s.own(" of several")
	}
}

// line writes a line with one captured value, or none if it is empty.
func (d *info) line(name literal, value string) {
	if value != "" {
		d.label(name)
		d.s.captured(value)
		d.s.own("\n")
	}
}

// times tells when a section was recorded, by the recording host's clock, and how
// well that is known.
func (d *info) times(sec *format.Section) {
	s, sum := &d.s, sec.Summary
	where := zone(sec.Header.UTCOffset)
	if sum.Events > 0 {
		d.label("begin")
		s.moment(sec.Wall(sum.MinTime), where)
		s.own("\n")
		d.label("end")
		s.moment(sec.Wall(sum.MaxTime), where)
		s.own("  ")
		s.duration(int64(sum.MaxTime - sum.MinTime))
		s.own("\n")
	}
	d.label("closed")
	switch end := sum.End; {
	case end == nil:
		s.style(yellow, func() { s.own("not in order: it still runs, was killed, or the file is cut") })
	case end.Next != 0:
		s.captured(end.Reason)
		s.own(", goes on in file ")
		s.number(uint64(end.Next))
	case end.Reason == "":
		s.own("in order")
	default:
		s.captured(end.Reason)
	}
	s.own("\n")
	if n := sum.Counts[format.TypeClock]; n > 1 {
		d.label("clock")
		s.counted(n, "reading")
		drift := (sum.Last.Wall - sum.First.Wall) - int64(sum.Last.Mono-sum.First.Mono)
		s.own(": the host's wall clock ")
		if drift < 0 {
			s.own("fell back ")
			drift = -drift
		} else {
			s.own("gained ")
		}
		s.duration(drift)
		s.own(" in ")
		s.duration(int64(sum.Last.Mono - sum.First.Mono))
		s.own("\n")
	}
}

// moment writes a time with its zone.
func (s *screen) moment(ns int64, where *time.Location) {
	s.buf = time.Unix(0, ns).In(where).AppendFormat(s.buf, "2006-01-02 15:04:05.000000 -07:00")
}

// uuid writes 16 bytes as RFC 9562 does.
func (s *screen) uuid(b [16]byte) {
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			s.own("-")
		}
		s.hex("", uint64(c), 2)
	}
}

// words writes a command line; no quoting is pretended.
func (s *screen) words(list []string) {
	for i, a := range list {
		if i > 0 {
			s.own(" ")
		}
		s.captured(a)
	}
}

// grouped writes a number with a comma at each thousand.
func (s *screen) grouped(n uint64) {
	if n >= 1000 {
		s.grouped(n / 1000)
		s.own(",")
		n %= 1000
		s.own([]literal{"", "0", "00"}[leading(n)])
	}
	s.number(n)
}

// leading is how many zeros n lacks to have three digits.
func leading(n uint64) int {
	switch {
	case n < 10:
		return 2
	case n < 100:
		return 1
	}
	return 0
}

// counted writes n things.
func (s *screen) counted(n uint64, thing literal) {
	s.grouped(n)
	s.own(" ")
	s.own(thing)
	if n == 1 {
		return
	}
	if strings.HasSuffix(string(thing), "s") {
		s.own("e")
	}
	s.own("s")
}
