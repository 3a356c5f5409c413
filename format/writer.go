package format

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"
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
	// QueueBytes, with Workers, is how many bytes of events may wait to be
	// compressed and written, about. With it Append never waits: plaintext beyond
	// it is shed, and a DROP event of cause DropWriter says what is missing. With 0
	// Append waits instead.
	QueueBytes int

	// Files, if not nil, says when the session goes on in another file, and where.
	Files Files
	// Member, FileNo and FirstSeq are for a section that is one file of a session
	// in several, and made by itself. With Files the first two are the Writer's.
	Member   bool
	FileNo   uint32
	FirstSeq uint64
	// SessionPayload, if not nil, is the SESSION payload as it is to be written,
	// what this version does not know of it included.
	SessionPayload []byte
	encoders       encoders // made before, by who writes many sections

	// NoSeekTable leaves out the table for other zstd tools. One that is not the
	// only section of its file would lead them astray.
	NoSeekTable bool
	// Block, if not 0, is for a writer below that holds back a block of so many
	// bytes until more follows, as a cipher does. Each chunk is then followed by
	// skippable frames that push it out, about half a block on average.
	Block int
}

const (
	defaultChunk = 1 << 20
	minChunk     = 4 << 10
	maxTarget    = 32 << 20 // leaves room for one event of MaxEvent and its definitions
)

// Writer writes one section of a session file, or one for each of several files.
// It never seeks, so it can write to a pipe. It is not safe for concurrent use but
// for Shed, Busy and Written, and must be closed: with Workers it owns goroutines
// until then.
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

	// Definitions of connections used lately, by the low bits of their ids: a look
	// into the table for each event would cost more than all else but the copy.
	recent [256]struct {
		id  uint32
		def *definition
	}

	wait bool // Append waits for room
	full bool // the open chunk should be handed on, but there is no other
	shed shedding

	shedEvents, shedData, shedBytes atomic.Uint64
}

// NewWriter writes the file header to w and returns a Writer for the events.
// Command lines in s too long for the header are cut, which shows as a last
// element "…"; any other text that is too long gives ErrTooLarge.
//
// Every later write to w is one whole chunk, or the footer. With o.Workers they
// come from another goroutine, one at a time and in order, until Close returns.
func NewWriter(w io.Writer, s Session, o WriterOptions) (*Writer, error) {
	target := o.ChunkBytes
	if target == 0 {
		target = defaultChunk
	}
	target = min(max(target, minChunk), maxTarget)
	payload := o.SessionPayload
	if payload != nil {
		payload = append([]byte{}, payload...)
		s, _ = ParseSession(payload) // what does not parse is kept all the same
	} else {
		var err error
		if payload, err = sessionPayload(s); err != nil {
			return nil, err
		}
	}
	if len(payload) > MaxDefinition {
		return nil, fmt.Errorf("write session header: description %w: %d bytes, at most %d", ErrTooLarge, len(payload), MaxDefinition)
	}
	sect := &sectionWriter{w: w, files: o.Files, target: target, noSeek: o.NoSeekTable, block: int64(o.Block), head: fileHeader{
		member: o.Member || o.Files != nil, fileNo: o.FileNo, firstSeq: o.FirstSeq,
		uuid: s.UUID, wall: s.Wall, mono: s.Mono, session: payload,
	}}
	out, err := newOutput(o, target, sect)
	if err != nil {
		return nil, err
	}
	if err := sect.begin(); err != nil {
		return nil, fmt.Errorf("write session header: %w", err)
	}
	out.start()
	return &Writer{
		out: out, cur: out.take(true), defs: newDefinitions(), target: target, serial: 1,
		session: sect.head.event(), wait: o.Workers <= 0 || o.QueueBytes <= 0,
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
// Append waits while all chunk buffers wait to be written; with QueueBytes it does
// not, see there. Once a write has failed, Append, Flush and Close return that
// error for ever; nothing is written after it. Errors about ev alone (ErrOrder,
// ErrTooLarge) leave the writer usable.
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
	jump := len(w.cur.raw) > 0 && ev.Seq-w.seq > math.MaxInt32
	if jump || w.full {
		if err := w.closeChunk(); err != nil {
			return err
		}
		if w.full && !w.squeeze(ev, jump) {
			w.drop(ev)
			return nil
		}
	}
	w.add(ev)
	return w.closeFull()
}

// add writes ev, whatever room there is.
func (w *Writer) add(ev *Event) {
	w.define(ev)
	w.put(ev)
	if ev.Type != TypeData {
		w.learn(ev)
	}
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
	case TypeConn, TypeProc, TypeProbe, TypeUnwatched:
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
	lately := &w.recent[ev.Conn%uint32(len(w.recent))]
	if lately.id != ev.Conn || lately.def == nil {
		lately.id, lately.def = ev.Conn, w.defs.conns[ev.Conn]
	}
	if c := lately.def; c != nil && c.chunk != w.serial {
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
}

// learn updates the definitions by ev, which is in the open chunk.
func (w *Writer) learn(ev *Event) { w.learnAt(ev, w.serial) }

// learnAt is learn for an event that is in the chunk serial, 0 for none.
func (w *Writer) learnAt(ev *Event, serial uint64) {
	if ev.Type == TypeConn || ev.Type == TypeConnEnd {
		// What it points to is used again, for another connection, or not known any more.
		w.recent[ev.Conn%uint32(len(w.recent))].def = nil
	}
	w.defs.learn(ev, serial)
}

// put encodes ev into the open chunk.
func (w *Writer) put(ev *Event) {
	c := w.cur
	if len(c.raw) == 0 {
		c.head.firstSeq = ev.Seq
	}
	c.raw = appendEvent(c.raw, ev)
	w.seq = ev.Seq
}

func (w *Writer) closeFull() error {
	if len(w.cur.raw) >= w.target && !w.full {
		return w.closeChunk()
	}
	return nil
}

// closeChunk hands the open chunk on and opens the next, if there is one.
func (w *Writer) closeChunk() error {
	if len(w.cur.raw) == 0 {
		return w.out.failure()
	}
	if w.out.workers == 0 {
		// One buffer does, and stays in the processor's cache.
		w.out.submit(w.cur)
		w.cur = w.out.take(true)
	} else {
		next := w.out.take(w.wait)
		if next == nil {
			w.full = true
			return w.out.failure()
		}
		w.out.submit(w.cur)
		w.cur, w.full = next, false
	}
	w.serial++
	w.tell()
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

// Close writes what is open and the footer, waits for all writes and ends the
// goroutines. It does not close the underlying writer, and does not make an END
// event: without one a reader knows that the recording was not closed in order.
func (w *Writer) Close() error {
	if w.closed {
		return w.out.failure()
	}
	w.closed = true
	w.begin()
	if w.out.failure() == nil {
		w.wait = true
		// Twice: what was shed is told in the chunk behind a full one.
		_ = w.closeChunk()
		_ = w.closeChunk()
	}
	return w.out.stop()
}

// Written returns how many bytes have been written, over all files.
func (w *Writer) Written() int64 { return w.out.written.Load() }
