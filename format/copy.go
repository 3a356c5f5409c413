package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// CopyOptions chooses how a session is written again.
type CopyOptions struct {
	// Level, ChunkBytes and Workers are those of [WriterOptions].
	Level, ChunkBytes, Workers int
	// Edited says that events are left out, or changed, on purpose. The totals of END
	// events are then those of what is written, and a section that has nothing to
	// show, because its query wants nothing of it, is left out.
	Edited bool
	// NoArguments leaves out the command lines of processes and of the recorder:
	// what was sent may stand in them.
	NoArguments bool
	// Map, if not nil, gets each event and puts what is to stand in its place. It is
	// shown SESSION and END events too, but those stay whatever it does: then put does
	// nothing. Payloads are as those of Reader.Next.
	Map func(ev *Event, put func(*Event) error) error
}

// Copier writes the sections of readers, one after the other, as sections of one
// file. Sections stay sections: each keeps the description, the place in its
// session and the numbers of its events; repeated definitions, chunks and footers
// are made anew. Where a file of a longer session is left out between two others,
// those behind it get its number and so on, so that nothing looks lost. It is not safe for concurrent use.
type Copier struct {
	w   io.Writer
	o   CopyOptions
	out *Writer // of the open section, nil if there is none
	// done is the writer of the section before, whose footer is still to come.
	done *Writer
	on   *Event   // END of it that says where it goes on, if that is not known yet
	enc  encoders // of all sections
	sum  CopySummary

	before fileHeader       // of the section before
	first  Section          // what begins the next section
	open   bool             // a section was begun by a reader
	held   []Event          // of a section that has nothing to show yet, SESSION first
	no     int              // of the open section, over all readers
	next   uint32           // number of the file in which the section before goes on
	gone   uint32           // files left out behind the first of this session that was not
	cut    bool             // one was left out since the last that was not
	number uint32           // of the last file of this session that was not left out
	shown  bool             // there is one
	made   bool             // its SESSION event was not in the file
	closed bool             // the open section has an END event
	met    map[uint32]uint8 // connections of a slice, see lead
	total  End              // of the open section
	last   uint64           // greatest time of it
	put    func(*Event) error
}

// CopySummary counts what a Copier wrote.
type CopySummary struct {
	Sections int
	LeftOut  int      // sections that had nothing to show
	Unclosed int      // sections without an END event
	Events   uint64   // repeats not counted, nor a SESSION event made for one that was lost
	Bytes    uint64   // of plaintext
	Missing  []string // files of sessions that belong between two that are there
	// Refused are events that a session may not hold: too large, or out of order.
	Refused uint64
	// Unnumbered are files of a longer session whose number was lost with their
	// file header; they are given one.
	Unnumbered int
}

// maxMissing bounds a list that a hostile file can make long.
const maxMissing = 100

// maxHeldCopies is how many events are kept of a section that has nothing to show
// yet; then it is written.
const maxHeldCopies = 1 << 12

// NewCopier returns a Copier that writes to w. Nothing is written before the first
// section begins.
func NewCopier(w io.Writer, o CopyOptions) *Copier {
	c := &Copier{w: w, o: o, no: -1}
	c.put = c.append
	return c
}

// Add copies all sections of r. It fails with the error of r's source, of the
// writer, or of ctx; what r says is damaged is not there, and no error.
func (c *Copier) Add(ctx context.Context, r *Reader) error {
	var ev Event
	for n := 0; ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := r.Next(&ev)
		switch {
		case errors.Is(err, io.EOF):
			return c.end()
		case err != nil:
			return fmt.Errorf("read event: %w", err)
		case ev.Type == TypeSession:
			c.made = r.made
			if err = c.show(&ev); err == nil {
				err = c.begin(r.Section(), &ev)
			}
		case !c.open: // a log that begins otherwise is not one
			c.sum.Refused++
		case ev.Type == TypeEnd:
			if err = c.show(&ev); err == nil {
				err = c.ended(r, &ev)
			}
		default:
			err = c.copy(r, &ev)
		}
		if err != nil {
			return err
		}
	}
}

// copy copies an event that may be left out or changed.
func (c *Copier) copy(r *Reader, ev *Event) error {
	if r.sel != nil && r.sel.q.From != 0 && ev.Conn != 0 {
		if err := c.lead(ev); err != nil {
			return err
		}
	}
	if c.o.Map != nil {
		return c.o.Map(ev, c.put)
	}
	return c.append(ev)
}

// show shows Map an event that it does not decide about.
func (c *Copier) show(ev *Event) error {
	if c.o.Map == nil {
		return nil
	}
	return c.o.Map(ev, func(*Event) error { return nil })
}

// begin begins a section with its SESSION event.
func (c *Copier) begin(s Section, ev *Event) error {
	if err := c.end(); err != nil {
		return err
	}
	c.open, c.first, c.total, c.last = true, s, End{}, ev.Time
	c.no++
	if repeat := ev.Flags&FlagRepeat != 0; s.Headless && repeat {
		// It goes on from another file, so it has a number that is not 0.
		c.first.Member, c.first.FileNo = true, max(c.next, 1)
		if c.next == 0 {
			c.sum.Unnumbered++
		}
	}
	if !c.first.Member || !s.Headless && (!c.before.member || c.before.uuid != s.file.uuid) {
		if err := c.goOn(false); err != nil {
			return err
		}
		c.gone, c.cut, c.shown = 0, false, false
	}
	c.first.FileNo -= min(c.gone, c.first.FileNo)
	if s.Headless {
		c.first.FirstSeq = ev.Seq
	} else {
		if what := filesBetween(&c.before, &s.file); c.no > 0 && what != "" && len(c.sum.Missing) < maxMissing {
			c.sum.Missing = append(c.sum.Missing, what)
		}
		c.before = s.file
	}
	c.next, c.closed = 0, false
	if ev.Flags&FlagRepeat == 0 || c.met == nil {
		c.met = map[uint32]uint8{}
	}
	if c.o.NoArguments {
		ev = unargued(ev)
	}
	c.held = append(c.held[:0], copied(ev))
	if c.o.Edited {
		return nil // until there is something to show
	}
	return c.start()
}

// start makes the writer of the section and writes what was held.
func (c *Copier) start() error {
	// What is not well-formed would be damage of the copy too.
	if v, err := ParseSession(c.held[0].Payload); err != nil || len(c.held[0].Payload) > MaxDefinition {
		c.sum.Refused++
		if c.held[0].Payload, err = sessionPayload(v); err != nil {
			c.held[0].Payload = nil
		}
	}
	if c.done != nil {
		c.done.out.noSeek = true
		if err := errors.Join(c.goOn(c.first.Member && c.shown), c.done.Close()); err != nil {
			return err
		}
		c.done = nil
	}
	c.shown, c.cut, c.number = true, false, c.first.FileNo
	s := &c.first
	o := WriterOptions{
		Level: c.o.Level, ChunkBytes: c.o.ChunkBytes, Workers: c.o.Workers,
		Member: s.Member, FileNo: s.FileNo, FirstSeq: s.FirstSeq,
		SessionPayload: append([]byte{}, c.held[0].Payload...), NoSeekTable: c.sum.Sections > 0,
	}
	var err error
	if c.enc.narrow == nil {
		if c.enc, err = newEncoders(o); err != nil {
			return err
		}
	}
	o.encoders = c.enc
	out, err := NewWriter(c.w, Session{}, o)
	if err != nil {
		return err
	}
	c.out = out
	c.sum.Sections++
	held := c.held
	c.held = nil
	for i := range held {
		if err := c.write(&held[i]); err != nil {
			return err
		}
	}
	return nil
}

// append copies one event.
func (c *Copier) append(ev *Event) error {
	if c.o.NoArguments {
		ev = unargued(ev)
	}
	if c.out == nil {
		if !shows(ev) && len(c.held) < maxHeldCopies {
			c.held = append(c.held, copied(ev))
			return nil
		}
		if err := c.start(); err != nil {
			return err
		}
	}
	return c.write(ev)
}

// shows reports whether ev is of what was recorded, rather than about the recording.
func shows(ev *Event) bool {
	switch ev.Type {
	case TypeProbe, TypeClock, TypeEnd, TypeAttach, TypeTick, TypeUnwatched:
		return false
	case TypeDrop:
		return ev.Conn != 0
	}
	return ev.Flags&FlagRepeat == 0 // else it is of what comes later, or before
}

// write appends ev to the section, unless it is a repeat that the writer will make
// where one is needed.
func (c *Copier) write(ev *Event) error {
	if ev.Flags&FlagRepeat != 0 && c.out.knows(ev) {
		return nil
	}
	err := c.out.Append(ev)
	if errors.Is(err, ErrOrder) || errors.Is(err, ErrTooLarge) {
		c.sum.Refused++
		return nil
	}
	if err != nil {
		return err
	}
	c.last = max(c.last, ev.Time)
	if ev.Flags&FlagRepeat == 0 {
		c.total.Events++
		if ev.Type != TypeSession || !c.made {
			c.sum.Events++
		}
	}
	switch ev.Type {
	case TypeData:
		c.sum.Bytes += uint64(len(ev.Payload))
		c.total.Bytes += uint64(len(ev.Payload))
	case TypeDrop:
		if v, err := ParseDrop(ev.Payload); err == nil {
			c.total.LostEvents = addSat(c.total.LostEvents, v.Events)
			c.total.LostBytes = addSat(c.total.LostBytes, v.Bytes)
		}
	}
	return nil
}

// ended copies an END event, with new totals if the section is edited.
func (c *Copier) ended(r *Reader, ev *Event) error {
	end, err := ParseEnd(ev.Payload)
	c.next, c.closed = end.Next, true
	switch {
	case err != nil || !c.o.Edited:
		return c.append(ev)
	case c.out == nil:
		return nil // nothing to end
	}
	own := *ev
	if r.sel != nil && !r.sel.inTime(ev) {
		// The section ends where it was cut, not where the recording did.
		end.Reason, own.Time = "edited", c.last
	}
	total := c.total
	total.Reason, total.Next = end.Reason, end.Next
	own.Payload = total.AppendTo(nil)
	if total.Next != 0 {
		c.on = &own // it may be that nothing is left of the next
		return nil
	}
	return c.append(&own)
}

// goOn writes the END event of the section that waits, if where the session goes
// on was not known before. here says that it does in the next section.
func (c *Copier) goOn(here bool) error {
	ev := c.on
	if ev == nil {
		return nil
	}
	c.on = nil
	end, err := ParseEnd(ev.Payload)
	switch {
	case err != nil:
	case here:
		end.Next = c.number + 1
	case c.cut:
		end.Reason, end.Next = "edited", 0
	}
	ev.Payload = end.AppendTo(nil)
	c.sum.Events++
	return c.done.Append(ev)
}

// end ends the open section, if there is one.
func (c *Copier) end() error {
	if !c.open {
		return nil
	}
	c.open = false
	if c.out == nil {
		c.sum.LeftOut++
		if c.first.Member && c.shown {
			c.gone++
			c.cut = true
		}
		return nil
	}
	if !c.closed {
		c.sum.Unclosed++
	}
	// Its footer waits: only the last section of all may have a seek table, and only
	// if it is the first.
	c.done, c.out = c.out, nil
	return nil
}

// Close ends the file and returns what was written. It must be called, once, after
// all readers or after an error.
func (c *Copier) Close() (CopySummary, error) {
	err := c.end()
	if c.done != nil {
		err = errors.Join(c.goOn(false), c.done.Close())
	}
	return c.sum, err
}

// knows reports whether ev repeats a definition that w has as it is.
func (w *Writer) knows(ev *Event) bool {
	var d *definition
	switch ev.Type {
	case TypeConn:
		d = w.defs.conns[ev.Conn]
	case TypeProc:
		d = w.defs.procs[uint32(findWord(ev.Payload, procPID))]
	case TypeProbe:
		d = w.defs.probes[uint8(findWord(ev.Payload, probeID))]
	}
	return d != nil && d.known && bytes.Equal(d.ev.Payload, ev.Payload)
}
