package eventjson

import (
	"errors"
	"fmt"
	"io"

	"github.com/NoFear0411/spliff/format"
)

// importer names the writer of a session that the text does not describe.
const importer = "spliff import"

// Import reads lines from r, plain or packed by gzip, and writes the session they
// make to w, each section of which is written with o. The first line decides
// whether all are events as [Append] writes them or the minimal form; see the
// package's documentation.
//
// A bad line ends it with a [LineError]; what was written by then is of no use.
// Of the text, one line is held at a time.
func Import(w io.Writer, r io.Reader, o format.WriterOptions) error {
	l, err := newLines(r)
	if err != nil {
		return err
	}
	line, err := l.next()
	if errors.Is(err, io.EOF) {
		return errors.New("no line in it")
	}
	if err != nil {
		return err
	}
	out := &sections{w: w, o: o}
	if isMinimal(line) {
		err = importMinimal(out, l, line)
	} else {
		err = importEvents(out, l, line)
	}
	return out.done(err)
}

// importEvents writes the events of the text, of which line is the first.
func importEvents(out *sections, l *lines, line []byte) error {
	var d Decoder
	var ev format.Event
	var last uint64 // seq of the event before, in this section
	for {
		if err := d.Decode(line, &ev); err != nil {
			return l.wrong(err)
		}
		switch {
		case ev.Type == format.TypeSession:
			if err := oddSession(&ev); err != nil {
				return l.wrong(err)
			}
			if err := out.beginWith(&ev); err != nil {
				return err
			}
		case out.cur == nil:
			if err := out.begin(format.Session{Writer: importer}); err != nil {
				return err
			}
		case ev.Seq < last:
			return l.wrong(fmt.Errorf("seq %d comes after %d", ev.Seq, last))
		}
		if ev.Type == format.TypeEnd {
			if end, err := format.ParseEnd(ev.Payload); err == nil {
				out.next = end.Next
			}
		}
		if isRepeat(&ev) {
			return l.wrong(fmt.Errorf("flags: %d marks a repeat; the writer of a session makes those", format.FlagRepeat))
		}
		last = ev.Seq
		if err := out.cur.Append(&ev); err != nil {
			return err
		}
		var err error
		if line, err = l.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// isRepeat reports whether ev is one of those that a writer makes by itself.
func isRepeat(ev *format.Event) bool {
	switch ev.Type {
	case format.TypeConn, format.TypeProc, format.TypeProbe, format.TypeUnwatched:
		return ev.Flags&format.FlagRepeat != 0
	}
	return false
}

// oddSession refuses what the writer, which makes the SESSION event anew, would
// not write.
func oddSession(ev *format.Event) error {
	if ev.Conn != 0 || ev.Dir != 0 || ev.Probe != 0 || ev.Flags&^format.FlagRepeat != 0 {
		return errors.New("a session event has no conn, dir, probe and flags")
	}
	return nil
}

// sections writes one section after another.
type sections struct {
	w   io.Writer
	o   format.WriterOptions
	cur *format.Writer // nil before the first

	file, next uint32 // number of this file of a session, and of the one that its END event names
}

// begin closes the section at hand and starts the next.
func (s *sections) begin(info format.Session) error {
	return s.start(info, s.o)
}

// beginWith does so for a SESSION event. With the repeat flag it is of a later file
// of a session. Which one is in no event: the END event before it may say, else it
// counts as the one after the file before.
func (s *sections) beginWith(ev *format.Event) error {
	o := s.o
	o.SessionPayload, o.FirstSeq = ev.Payload, ev.Seq
	if ev.Flags&format.FlagRepeat != 0 {
		o.Member, o.FileNo = true, max(s.next, s.file+1)
	}
	return s.start(format.Session{}, o)
}

func (s *sections) start(info format.Session, o format.WriterOptions) error {
	if err := s.close(); err != nil {
		return err
	}
	// A seek table behind a second section would leave out the first.
	o.NoSeekTable = o.NoSeekTable || s.cur != nil
	w, err := format.NewWriter(s.w, info, o)
	s.cur, s.file, s.next = w, o.FileNo, 0
	return err
}

func (s *sections) close() error {
	if s.cur == nil {
		return nil
	}
	return s.cur.Close()
}

// done closes the last section, after an error too: its writer owns goroutines
// until then. The first error is the cause of the others.
func (s *sections) done(err error) error {
	if cerr := s.close(); err == nil {
		return cerr
	}
	return err
}
