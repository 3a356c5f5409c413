package replay

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// pushConn takes the definition of a connection. It may come after bytes of it,
// when the recorder learned late what they belong to: then the guess that they
// led to is corrected, and the decoder is told.
func (e *Engine) pushConn(ev *format.Event) error {
	c, err := format.ParseConn(ev.Payload)
	if err != nil || ev.Conn == 0 {
		return fmt.Errorf("parse conn: %w", err)
	}
	f := e.table.conns[ev.Conn]
	if ev.Flags&format.FlagRepeat != 0 {
		p, seen := e.table.past[ev.Conn]
		if f != nil && !f.guessed || seen && !p.evicted {
			return nil
		}
	}
	if f == nil {
		e.open(ev, c)
		return nil
	}
	f.guessed = false
	e.table.setPID(f, c.PID)
	// Items already given point to the old snapshot, so it stays as it is.
	s := *f.snap
	s.Conn, s.Role = c, roleOf(c.Role)
	s.Proc = e.table.proc(c.PID, nil)
	f.snap = &s
	e.refresh(f, ev.Probe)
	e.add(op{kind: opHint, flow: f.state, conn: f.snap}, nil)
	return nil
}

// late tells of bytes that came after the end of their connection.
func (e *Engine) late(c *Conn, dir decode.Dir, off, n uint64) {
	at := decode.At{Seq: e.seq, Time: e.now}
	m := &decode.Message{
		Kind: decode.Notice, Dir: dir, Begin: e.now, HeadEnd: at, End: at,
		Anomalies: []decode.Anomaly{{
			Kind: decode.AnomalyLate, Dir: dir, Offset: off,
			Detail: fmt.Sprintf("%d bytes came after the end of the connection and were not decoded", n),
		}},
	}
	e.add(op{kind: opNote, conn: c, item: &Item{Kind: ItemMessage, Dir: dir, Message: m}}, nil)
}

// open begins to follow a connection, giving up the most silent one when there
// are too many.
func (e *Engine) open(ev *format.Event, c format.Conn) *flow {
	for len(e.table.conns) >= e.maxConns {
		old := e.table.oldest()
		e.sum.Evicted++
		e.end(old, &format.ConnEnd{Written: old.next[decode.Write], Read: old.next[decode.Read]}, false)
		e.table.remember(old, true)
	}
	e.sum.Conns++
	snap := &Conn{Conn: c, ID: ev.Conn, Proc: e.table.proc(c.PID, nil), Role: roleOf(c.Role), First: e.now}
	e.opened++
	// A connection that is only repeated began in a file that is not there.
	joined := e.joined && (ev.Type != format.TypeConn || ev.Flags&format.FlagRepeat != 0)
	if joined {
		snap.MidStream = true
	}
	f := &flow{snap: snap, guessed: ev.Type != format.TypeConn, joined: joined, state: &flowState{shard: int(ev.Conn), serial: e.opened}}
	if p, ok := e.table.past[ev.Conn]; ok {
		if p.evicted {
			f.next = p.next
			f.state.start = p.next
			e.sum.Conns-- // the same connection again
		}
		e.table.forget(ev.Conn)
	}
	e.table.insert(f, e.now)
	e.refresh(f, ev.Probe)
	e.add(op{kind: opHint, flow: f.state, conn: f.snap}, nil)
	return f
}

// refresh makes a new snapshot of a connection when its library or process
// became known since the last one.
func (e *Engine) refresh(f *flow, probe uint8) {
	lib := f.snap.Lib
	if lib == "" && probe != 0 {
		lib = e.libs[probe]
	}
	// This runs for each event: the table of processes changes seldom.
	if f.procs == e.table.changes && lib == f.snap.Lib {
		return
	}
	f.procs = e.table.changes
	p := e.table.proc(f.snap.PID, f.snap.Proc)
	if lib == f.snap.Lib && p == f.snap.Proc {
		return
	}
	s := *f.snap
	s.Lib, s.Proc = lib, p
	f.snap = &s
}

// pushConnEnd ends a connection. The totals it states are compared with what
// was seen: bytes lost at the very end of a stream leave no later offset that
// would show their absence.
func (e *Engine) pushConnEnd(ev *format.Event) error {
	end, err := format.ParseConnEnd(ev.Payload)
	if err != nil || ev.Conn == 0 {
		return fmt.Errorf("parse conn end: %w", err)
	}
	count := [2]uint64{decode.Write: end.Written, decode.Read: end.Read}
	f := e.table.conns[ev.Conn]
	if f == nil {
		// The process's end came first. Its decoder is gone, the loss is not.
		if p, ok := e.table.past[ev.Conn]; ok && !p.evicted {
			for d, n := range count {
				if n > p.next[d] {
					e.sum.Gaps++
					e.sum.LostBytes = addSat(e.sum.LostBytes, n-p.next[d])
				}
			}
			e.table.raise(ev.Conn, count)
		}
		return nil
	}
	e.refresh(f, ev.Probe)
	// In a fixed order, and before the end: a gap may complete a message.
	for _, d := range [2]decode.Dir{decode.Write, decode.Read} {
		if n := count[d]; n > f.next[d] && (f.next[d] > 0 || !f.joined) {
			e.gap(f, d, n-f.next[d])
			f.next[d] = n
		}
	}
	e.end(f, &end, cleanEnd(end))
	e.table.remember(f, false)
	return nil
}

// cleanEnd reports whether the connection's own end was seen, so that a body
// delimited by it is complete. After EndReuse bytes may have gone by unseen.
func cleanEnd(end format.ConnEnd) bool {
	// A process may exit in the middle of a body: only its own close says it was whole.
	return end.Reason == format.EndFree || end.Shutdown
}

// end stops following f. Its state is freed by its worker, after the last op.
func (e *Engine) end(f *flow, end *format.ConnEnd, clean bool) {
	e.table.remove(f)
	e.add(op{kind: opEnd, flow: f.state, conn: f.snap, clean: clean, item: &Item{Kind: ItemConnEnd, End: end}}, nil)
}

// endAll ends what is open because the section does: the recording stopped,
// the connections did not.
func (e *Engine) endAll() {
	for _, f := range e.table.all() {
		e.end(f, &format.ConnEnd{Written: f.next[decode.Write], Read: f.next[decode.Read]}, false)
		e.table.remember(f, false)
	}
}
