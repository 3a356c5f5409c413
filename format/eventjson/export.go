package eventjson

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/NoFear0411/spliff/format"
)

// Source gives events in order, and io.EOF after the last: a [format.Reader].
type Source interface {
	Next(*format.Event) error
}

// Summary is what [Export] saw.
type Summary struct {
	Events uint64 // lines written
	Closed bool   // every section has its END event: each was closed in order
}

// Export writes the events of src to w, one line with one Write each. It returns
// the first error of either but io.EOF; the Summary is valid whatever the error.
//
// Repeats are left out, since a [format.Writer] makes them anew. The first of a
// section that begins in the middle of a recording, as a slice of one does, are
// no repeats to who reads only that: they become events like any other.
func Export(w io.Writer, src Source) (Summary, error) {
	var sum Summary
	var ev format.Event
	var line []byte
	var closing closing
	seen := newOriginals()
	for {
		err := src.Next(&ev)
		if err != nil {
			sum.Closed = closing.closed()
			if errors.Is(err, io.EOF) {
				return sum, nil
			}
			return sum, fmt.Errorf("read event: %w", err)
		}
		closing.take(&ev)
		if !seen.news(&ev) {
			continue
		}
		line = Append(line[:0], &ev)
		if _, err := w.Write(line); err != nil {
			return sum, err
		}
		sum.Events++
		// One large event must not be paid for ever after.
		if cap(line) > maxFields {
			line = nil
		}
	}
}

// closing follows whether sections end with an END event, as the engine does.
type closing struct {
	sections       int
	open, unclosed bool
}

func (c *closing) take(ev *format.Event) {
	switch ev.Type {
	case format.TypeSession:
		c.sections++
		c.unclosed = c.unclosed || c.open
	case format.TypeEnd:
		c.open = false
	default:
		c.open = true
	}
}

func (c *closing) closed() bool { return c.sections > 0 && !c.open && !c.unclosed }

// maxOriginals bounds what is remembered of a section that describes processes
// and connections without end. What is forgotten is at most written twice.
const maxOriginals = 1 << 20

// originals tells repeats that say again what is known in the section from those
// that are news: a chunk before it was lost, or was never there.
type originals struct {
	seed maphash.Seed
	last map[subject]uint64 // hash of what was last said of each
}

// subject is what a definition is about.
type subject struct {
	typ format.Type
	id  uint64 // of the conn, process or probe; of others, and of a malformed payload, its hash
}

func newOriginals() *originals {
	return &originals{seed: maphash.MakeSeed(), last: map[subject]uint64{}}
}

// news reports whether ev is to be written. Of a repeat that is, it takes the flag.
func (o *originals) news(ev *format.Event) bool {
	switch ev.Type {
	case format.TypeSession:
		// Each file of a session stands alone, and so does each section of a text.
		clear(o.last)
		return true
	case format.TypeConnEnd:
		// A process may be repeated after its end, for a conn that outlives it.
		delete(o.last, subject{format.TypeConn, uint64(ev.Conn)})
		return true
	case format.TypeConn, format.TypeProc, format.TypeProbe, format.TypeUnwatched:
	default:
		return true
	}
	known := o.learn(ev)
	if ev.Flags&format.FlagRepeat == 0 {
		return true
	}
	ev.Flags &^= format.FlagRepeat
	return !known
}

// learn takes note of a definition and reports whether it was known before.
func (o *originals) learn(ev *format.Event) bool {
	if len(o.last) >= maxOriginals {
		clear(o.last)
	}
	sum := maphash.Bytes(o.seed, ev.Payload)
	of := subject{ev.Type, sum}
	switch ev.Type {
	case format.TypeConn:
		of.id = uint64(ev.Conn)
	case format.TypeProc:
		if p, err := format.ParseProc(ev.Payload); err == nil {
			of.id = uint64(p.PID)
		}
	case format.TypeProbe:
		if p, err := format.ParseProbe(ev.Payload); err == nil {
			of.id = uint64(p.ID)
		}
	}
	last, ok := o.last[of]
	o.last[of] = sum
	return ok && last == sum
}
