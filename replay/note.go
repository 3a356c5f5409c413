package replay

import (
	"errors"
	"fmt"
	"math"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// pushProc takes what is known of a process. A repeated definition changes
// nothing: items would otherwise depend on where the file's chunks begin.
func (e *Engine) pushProc(ev *format.Event) error {
	p, err := format.ParseProc(ev.Payload)
	if err != nil {
		return fmt.Errorf("parse proc: %w", err)
	}
	if old := e.table.procs[p.PID]; old != nil && ev.Flags&format.FlagRepeat != 0 {
		return nil
	}
	e.table.setProc(&Proc{Proc: p})
	return nil
}

// pushProcEnd ends the process's connections in the order of their ids. Nothing
// more can come of them, so the end is a clean one.
func (e *Engine) pushProcEnd(ev *format.Event) error {
	p, err := format.ParseProcEnd(ev.Payload)
	if err != nil {
		return fmt.Errorf("parse proc end: %w", err)
	}
	// Connections whose process is not known have pid 0; it must not end them.
	if p.PID == 0 {
		return errors.New("proc end without a pid")
	}
	for _, f := range e.table.ofPID(p.PID) {
		e.refresh(f, 0)
		e.end(f, &format.ConnEnd{
			Reason: format.EndExit, Written: f.next[decode.Write], Read: f.next[decode.Read],
		}, true)
		e.table.remember(f, false)
	}
	delete(e.table.procs, p.PID)
	return nil
}

// pushSession begins a section: ids, processes and probes of the one before
// mean nothing in it.
func (e *Engine) pushSession(ev *format.Event) error {
	s, err := format.ParseSession(ev.Payload)
	if err != nil {
		return fmt.Errorf("parse session: %w", err)
	}
	if e.openSec {
		e.unclosed = true
	}
	e.openSec, e.sum.Next = true, 0
	// The next file of the same session: everything goes on.
	if ev.Flags&format.FlagRepeat != 0 && e.sum.Sections > 0 && s.UUID == e.uuid {
		return nil
	}
	e.uuid, e.joined = s.UUID, ev.Flags&format.FlagRepeat != 0
	// Connections of the section before end at its last event, not in this one's clock.
	now := e.now
	e.now = e.last
	e.endAll()
	e.now = now
	e.sum.Sections++
	e.table.reset()
	e.libs = [256]string{}
	e.wallBase, e.mono = s.Wall, s.Mono
	e.now = e.wall(ev.Time)
	e.last = e.now
	e.add(op{kind: opNote, item: &Item{Kind: ItemSession, Session: &s}}, nil)
	return nil
}

// pushProbe names a library. Connections opened before it get the name with
// their next event, see refresh.
func (e *Engine) pushProbe(ev *format.Event) error {
	p, err := format.ParseProbe(ev.Payload)
	if err != nil {
		return fmt.Errorf("parse probe: %w", err)
	}
	e.libs[p.ID] = p.Library
	return nil
}

// pushNote passes an event on. One that belongs to a connection goes through
// its worker, so that the item's Conn has the role found in the bytes before it.
func (e *Engine) pushNote(ev *format.Event) error {
	it := &Item{}
	if d, ok := dirOf(ev.Dir); ok {
		it.Dir = d
	}
	switch ev.Type {
	case format.TypeHandshake:
		h, err := format.ParseHandshake(ev.Payload)
		if err != nil {
			return fmt.Errorf("parse handshake: %w", err)
		}
		it.Kind, it.Handshake = ItemHandshake, &h
	case format.TypeDrop:
		d, err := format.ParseDrop(ev.Payload)
		if err != nil {
			return fmt.Errorf("parse drop: %w", err)
		}
		if d.Cause == format.DropEdited {
			e.pushEdited(ev, &d)
			return nil
		}
		it.Kind, it.Drop = ItemDrop, &d
		e.sum.Drops++
	case format.TypeEnd:
		t, err := format.ParseEnd(ev.Payload)
		if err != nil {
			return fmt.Errorf("parse end: %w", err)
		}
		e.openSec, e.sum.Next = false, t.Next
		if t.Next != 0 {
			return nil // the end of a file, not of the session
		}
		e.endAll()
		it.Kind, it.Totals = ItemEnd, &t
		e.add(op{kind: opNote, item: it}, nil)
		return nil
	}
	o := op{kind: opNote, item: it}
	if f := e.table.conns[ev.Conn]; f != nil {
		e.refresh(f, ev.Probe)
		o.flow, o.conn = f.state, f.snap
	} else if it.Kind == ItemHandshake {
		return errors.New("handshake of an unknown connection")
	}
	e.add(o, nil)
	return nil
}

// pushEdited takes bytes out of their stream that were recorded and left out
// later. It is known where they were, and when, so the gap is not held against the
// bytes behind it, and what they ended ends in time.
func (e *Engine) pushEdited(ev *format.Event, d *format.Drop) {
	e.sum.Edited = addSat(e.sum.Edited, d.Bytes)
	dir, ok := dirOf(ev.Dir)
	if !ok || ev.Conn == 0 || d.Bytes > math.MaxUint64-d.Offset {
		return
	}
	f := e.table.conns[ev.Conn]
	if f == nil {
		if p, ok := e.table.past[ev.Conn]; ok && !p.evicted {
			return
		}
		f = e.open(ev, format.Conn{MidStream: true})
	}
	e.table.touch(f, e.now)
	e.refresh(f, ev.Probe)
	end := d.Offset + d.Bytes
	if f.joined && f.next[dir] == 0 {
		f.next[dir], f.state.start[dir] = d.Offset, d.Offset
	}
	if d.Offset > f.next[dir] {
		e.gap(f, dir, d.Offset-f.next[dir])
		f.next[dir] = d.Offset
	}
	if n := end - min(f.next[dir], end); n > 0 {
		f.next[dir] = end
		e.add(op{kind: opGap, flow: f.state, conn: f.snap, dir: dir, off: n}, nil)
	}
}

// add stamps an op with the event being pushed and hands it to the pool.
func (e *Engine) add(o op, data []byte) {
	if e.err != nil {
		return
	}
	o.seq, o.time = e.seq, e.now
	e.last = max(e.last, e.now)
	e.err = e.pool.add(o, data)
}

// emit gives one item to the sink: the only place that does, in output order.
func (e *Engine) emit(it *Item) error {
	switch it.Kind {
	case ItemMessage:
		e.sum.Messages++
		if it.Message.Kind == decode.Opaque {
			e.sum.OpaqueBytes = addSat(e.sum.OpaqueBytes, it.Message.Body.Size)
		}
	case ItemExchange:
		e.nextID++
		it.Exchange.ID = e.nextID
		e.sum.Exchanges++
		if it.Exchange.noResponse {
			e.sum.NoResponse++
		}
	}
	return e.sink(it)
}

// Flush returns when everything pushed so far has reached the sink.
func (e *Engine) Flush() error {
	if e.err == nil && e.closed {
		return ErrClosed
	}
	if e.err == nil {
		e.err = e.pool.flush()
	}
	return e.err
}

// Close ends the connections still open, as cut short by the end of the
// recording, in the order of their ids, hands on the items left, and stops the
// workers. It may be called again and then returns the same.
func (e *Engine) Close() (Summary, error) {
	if !e.closed {
		e.closed = true
		e.now = e.last
		e.endAll()
		if e.err == nil {
			e.err = e.pool.flush()
		}
		e.pool.stop()
		e.sum.Closed = e.sum.Sections > 0 && !e.openSec && !e.unclosed
	}
	return e.summary(), e.err
}

// abandon stops the workers without ending anything.
func (e *Engine) abandon() Summary {
	e.closed = true
	e.pool.stop()
	return e.summary()
}

func (e *Engine) summary() Summary {
	s := e.sum
	s.Messages += uint64(e.pool.hidden)
	return s
}
