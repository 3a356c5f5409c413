package format

import (
	"fmt"
	"io"
	"math"
)

// WriterOptions chooses how a session is written, never what is in it.
type WriterOptions struct {
	// Level is a compression level as the zstd tool counts them, 1–19; 0 means 1.
	Level int
	// ChunkBytes is how many bytes of events close a chunk; 0 means 1 MiB. It is
	// kept between 4 KiB and 32 MiB.
	ChunkBytes int
	// Workers is how many goroutines compress. With 0 Append compresses and
	// writes in its caller's goroutine and no goroutine is started.
	Workers int
}

const (
	defaultChunk = 1 << 20
	minChunk     = 4 << 10
	maxTarget    = 32 << 20 // leaves room for one event of MaxEvent and its definitions
)

// Writer writes one section of a session file. It never seeks, so it can write
// to a pipe. It is not safe for concurrent use, and must be closed: with
// Workers it owns goroutines until then.
type Writer struct {
	out     *output
	cur     *chunk
	defs    definitions
	target  int
	serial  uint64 // of the chunk being filled, from 1
	seq     uint64 // of the last event
	begun   bool   // the SESSION event is in
	closed  bool
	session Event

	// The definition of the last connection used: most events follow one of
	// the same connection.
	lastConn *definition
	lastID   uint32
}

// NewWriter writes the file header to w and returns a Writer for the events.
// Command lines in s too long for the header are cut, which shows as a last
// element "…"; any other text that is too long gives ErrTooLarge.
//
// Every later write to w is one whole chunk. With o.Workers they come from
// another goroutine, one at a time and in order, until Close returns.
func NewWriter(w io.Writer, s Session, o WriterOptions) (*Writer, error) {
	target := o.ChunkBytes
	if target == 0 {
		target = defaultChunk
	}
	target = min(max(target, minChunk), maxTarget)
	payload, err := sessionPayload(s)
	if err != nil {
		return nil, err
	}
	head := appendFileHeader(nil, &s, payload, target)
	section := le.Uint32(head[len(head)-crcLen:])
	out, err := newOutput(w, o, target, section, len(head))
	if err != nil {
		return nil, err
	}
	if err := writeAll(w, head); err != nil {
		return nil, fmt.Errorf("write session header: %w", err)
	}
	out.start()
	return &Writer{
		out: out, cur: <-out.free, defs: newDefinitions(), target: target, serial: 1,
		session: Event{Type: TypeSession, Time: s.Mono, Payload: payload},
	}, nil
}

// sessionPayload encodes s, its command line cut to what fits.
func sessionPayload(s Session) ([]byte, error) {
	whole := s.Command
	for n := len(whole); ; n /= 2 {
		if n < len(whole) {
			s.Command = append(whole[:n:n], "…")
		}
		p := s.AppendTo(nil)
		if len(p) <= MaxDefinition {
			return p, nil
		}
		if n == 0 {
			return nil, fmt.Errorf("write session header: description %w: %d bytes, at most %d", ErrTooLarge, len(p), MaxDefinition)
		}
	}
}

// Append adds one event. It copies ev.Payload and does not keep ev. The caller
// numbers events: Seq must not decrease (ErrOrder). Definitions that the chunk
// lacks are repeated before the event.
//
// The first event of a section is its SESSION event, with the payload NewWriter
// was given. A SESSION event appended first gives it its Seq and Time;
// otherwise Append makes one with Seq 0, so that events count from 1.
//
// Append blocks while all chunk buffers wait to be written. Once a write has
// failed, Append, Flush and Close return that error for ever; nothing is written
// after it. Errors about ev alone (ErrOrder, ErrTooLarge) leave the writer usable.
func (w *Writer) Append(ev *Event) error {
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.check(ev); err != nil {
		return fmt.Errorf("append event %d: %w", ev.Seq, err)
	}
	if !w.begun {
		first := w.session
		if ev.Type == TypeSession {
			first.Seq, first.Time, first.CPU, first.TID = ev.Seq, ev.Time, ev.CPU, ev.TID
		}
		w.begun = true
		w.put(&first)
		if ev.Type == TypeSession {
			return w.closeFull()
		}
	}
	// Sequence numbers are widened from their low half by the nearest distance.
	if w.cur.head.events > 0 && ev.Seq-w.seq > math.MaxInt32 {
		if err := w.closeChunk(); err != nil {
			return err
		}
	}
	w.define(ev)
	w.put(ev)
	w.learn(ev)
	return w.closeFull()
}

func (w *Writer) usable() error {
	if w.closed {
		return ErrClosed
	}
	return w.out.failure()
}

func (w *Writer) check(ev *Event) error {
	switch {
	case w.begun && ev.Seq < w.seq:
		return fmt.Errorf("%w: the last was %d", ErrOrder, w.seq)
	case w.begun && ev.Type == TypeSession:
		return fmt.Errorf("session event %w: it begins a section", ErrOrder)
	case len(ev.Payload) > MaxPayload:
		return fmt.Errorf("payload %w: %d bytes, at most %d", ErrTooLarge, len(ev.Payload), MaxPayload)
	}
	switch ev.Type {
	case TypeConn, TypeProc, TypeProbe:
		if len(ev.Payload) > MaxDefinition {
			return fmt.Errorf("definition %w: %d bytes, at most %d", ErrTooLarge, len(ev.Payload), MaxDefinition)
		}
	}
	return nil
}

// define repeats what the chunk lacks to understand ev.
func (w *Writer) define(ev *Event) {
	if ev.Probe != 0 && ev.Type != TypeProbe {
		w.repeat(w.defs.probes[ev.Probe], ev.Seq)
	}
	switch ev.Type {
	case TypeConn:
		w.repeat(w.defs.procs[uint32(findWord(ev.Payload, connPID))], ev.Seq)
		return
	case TypeProcEnd:
		w.repeat(w.defs.procs[endedPID(ev)], ev.Seq)
	}
	if ev.Conn == 0 {
		return
	}
	if w.lastConn == nil || w.lastID != ev.Conn {
		w.lastConn, w.lastID = w.defs.conns[ev.Conn], ev.Conn
	}
	if c := w.lastConn; c != nil && c.chunk != w.serial {
		w.repeat(c.proc, ev.Seq)
		if c.ev.Probe != 0 {
			w.repeat(w.defs.probes[c.ev.Probe], ev.Seq)
		}
		w.repeat(c, ev.Seq)
	}
}

// repeat writes d again unless the chunk holds it.
func (w *Writer) repeat(d *definition, seq uint64) {
	if d == nil || !d.known || d.chunk == w.serial {
		return
	}
	d.chunk = w.serial
	again := d.ev
	again.Seq = seq
	again.Flags |= FlagRepeat
	w.put(&again)
	w.count(&again)
}

// learn updates the definitions and the parts of the chunk header that only
// definitions and DROP events change.
func (w *Writer) learn(ev *Event) {
	switch ev.Type {
	case TypeData:
		return
	case TypeConn:
		// An update in the same chunk is not one more connection.
		if c := w.defs.conns[ev.Conn]; c == nil || c.chunk != w.serial {
			w.count(ev)
		}
		w.lastConn = nil
	case TypeConnEnd:
		w.lastConn = nil
	default:
		w.count(ev)
	}
	w.defs.learn(ev, w.serial)
}

// count takes an event that is not DATA into the chunk header.
func (w *Writer) count(ev *Event) {
	h := &w.cur.head
	switch ev.Type {
	case TypeConn:
		h.conns++
		h.addPID(uint32(findWord(ev.Payload, connPID)))
	case TypeProc:
		h.addPID(uint32(findWord(ev.Payload, procPID)))
	case TypeProcEnd:
		h.addPID(endedPID(ev))
	case TypeDrop:
		if d, err := ParseDrop(ev.Payload); err == nil {
			h.lost = uint32(min(uint64(h.lost)+min(d.Events, math.MaxUint32), math.MaxUint32))
		}
	}
}

// put encodes ev into the open chunk.
func (w *Writer) put(ev *Event) {
	c := w.cur
	c.raw = appendEvent(c.raw, ev)
	c.head.add(ev)
	w.seq = ev.Seq
}

func (w *Writer) closeFull() error {
	if len(w.cur.raw) >= w.target {
		return w.closeChunk()
	}
	return nil
}

// closeChunk hands the open chunk on and opens the next.
func (w *Writer) closeChunk() error {
	if w.cur.head.events == 0 {
		return w.out.failure()
	}
	w.cur = w.out.submit(w.cur)
	w.serial++
	return w.out.failure()
}

// Flush closes the open chunk and hands it on, so that a reader of the other end
// of a pipe sees every event appended so far. With Workers it does not wait for
// the write; an error of it is returned later. A chunk costs about 150 bytes and
// some compression, so flush when somebody waits, not after every event.
func (w *Writer) Flush() error {
	if err := w.usable(); err != nil {
		return err
	}
	w.begin()
	return w.closeChunk()
}

// begin makes the SESSION event of a section that has none.
func (w *Writer) begin() {
	if !w.begun {
		w.begun = true
		w.put(&w.session)
	}
}

// Close writes what is open, waits for all writes and ends the goroutines. It
// does not close the underlying writer, and does not make an END event: without
// one a reader knows that the recording was not closed in order.
func (w *Writer) Close() error {
	if w.closed {
		return w.out.failure()
	}
	w.closed = true
	w.begin()
	if w.out.failure() == nil && w.cur.head.events > 0 {
		w.out.submit(w.cur)
	}
	return w.out.stop()
}
