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
	seed   maphash.Seed
	conns  map[uint32]uint64   // hash of what was last said of each
	others map[uint64]struct{} // hashes of all PROC and PROBE payloads
}

func newOriginals() *originals {
	o := &originals{seed: maphash.MakeSeed()}
	o.reset()
	return o
}

func (o *originals) reset() {
	o.conns, o.others = map[uint32]uint64{}, map[uint64]struct{}{}
}

// news reports whether ev is to be written. Of a repeat that is, it takes the flag.
func (o *originals) news(ev *format.Event) bool {
	switch ev.Type {
	case format.TypeSession:
		// Each file of a session stands alone, and so does each section of a text.
		o.reset()
		return true
	case format.TypeConnEnd:
		delete(o.conns, ev.Conn)
		return true
	case format.TypeConn, format.TypeProc, format.TypeProbe:
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
	if len(o.conns)+len(o.others) >= maxOriginals {
		o.reset()
	}
	var h maphash.Hash
	h.SetSeed(o.seed)
	h.WriteByte(byte(ev.Type))
	h.Write(ev.Payload)
	sum := h.Sum64()
	if ev.Type == format.TypeConn {
		last, ok := o.conns[ev.Conn]
		o.conns[ev.Conn] = sum
		return ok && last == sum
	}
	_, ok := o.others[sum]
	o.others[sum] = struct{}{}
	return ok
}
