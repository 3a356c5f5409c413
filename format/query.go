package format

import "slices"

// Query says which events of a session are wanted. Kinds narrow each other, values
// of one kind widen it; the zero value wants all.
type Query struct {
	From, To int64 // nanoseconds since the Unix epoch, To excluded; 0: no bound
	Conns    []uint32
	PIDs     []uint32 // processes, and with them their connections
	// Recording also wants what is about the recording as a whole: its END event,
	// whenever it was, and what belongs to no connection, such as clock readings and
	// losses, in the time asked for. Without it a query gets of these what happens to
	// be in the chunks that it reads.
	Recording bool
}

// all reports whether q wants every event.
func (q *Query) all() bool {
	return q.From == 0 && q.To == 0 && len(q.Conns) == 0 && len(q.PIDs) == 0
}

// Filter makes r deliver only the events that q wants, and the definitions they
// need. It is for sources that cannot seek, and reads all; see [File.Select]. It
// must be called before the first Next.
func (r *Reader) Filter(q Query) {
	if !q.all() {
		r.sel = newSelector(q)
	}
}

// selector picks the events of a query. What it holds is forgotten with each
// chunk, because a chunk defines all that it needs.
type selector struct {
	q          Query
	wall, mono int64
	chunk      int64 // where the chunk is
	procs      map[uint32]*held
	probes     [256]*held
	conns      map[uint32]*held
	queue      []*held // to be delivered before the event last
	last       Event
	pending    bool
}

// held is a definition that may be needed.
type held struct {
	ev    Event
	pid   uint32 // CONN
	want  bool   // CONN: an event of it is wanted
	given bool
}

// maxHeldDefs bounds the definitions held of a log without chunks.
const maxHeldDefs = 1 << 16

func newSelector(q Query) *selector {
	s := &selector{q: q, chunk: -1}
	s.forget()
	return s
}

func (s *selector) forget() {
	s.procs, s.conns = map[uint32]*held{}, map[uint32]*held{}
	s.probes = [256]*held{}
}

// next is Next for a reader that selects.
func (s *selector) next(r *Reader, ev *Event) error {
	for {
		if len(s.queue) > 0 {
			*ev = s.queue[0].ev
			s.queue = s.queue[1:]
			return nil
		}
		if s.pending {
			s.pending = false
			*ev = s.last
			return nil
		}
		if err := r.next(&s.last); err != nil {
			return err
		}
		if r.start != s.chunk || len(s.procs)+len(s.conns) > maxHeldDefs {
			s.chunk = r.start
			s.forget()
		}
		s.pending = s.wants(&s.last)
	}
}

// wants reports whether ev is to be delivered, and queues what must come before.
func (s *selector) wants(ev *Event) bool {
	switch ev.Type {
	case TypeSession:
		if v, err := ParseSession(ev.Payload); err == nil {
			s.wall, s.mono = v.Wall, int64(v.Mono)
		}
		s.forget()
		return true
	case TypeEnd:
		if s.q.Recording {
			return true
		}
	}
	in := s.inTime(ev)
	switch ev.Type {
	case TypeProbe:
		// Given when an event needs it: which others are in the chunks that are read
		// depends on how the session was cut.
		p := &held{ev: copied(ev)}
		if id := uint8(findWord(ev.Payload, probeID)); id != 0 {
			s.probes[id] = p
		}
		p.given = in && ev.Flags&FlagRepeat == 0 && len(s.q.Conns)+len(s.q.PIDs) == 0
		return p.given
	case TypeProc:
		pid := namedPID(ev)
		p := &held{ev: copied(ev)}
		s.procs[pid] = p
		p.given = in && ev.Flags&FlagRepeat == 0 && s.wantsPID(pid) && len(s.q.Conns) == 0
		return p.given
	case TypeProcEnd:
		pid := namedPID(ev)
		return in && s.wantsPID(pid) && len(s.q.Conns) == 0
	case TypeConn:
		c := &held{ev: copied(ev), pid: namedPID(ev)}
		c.want = s.wantsPID(c.pid) && (len(s.q.Conns) == 0 || slices.Contains(s.q.Conns, ev.Conn))
		s.conns[ev.Conn] = c
		c.given = in && c.want && ev.Flags&FlagRepeat == 0
		if c.given {
			s.define(s.probes[ev.Probe], ev)
			s.define(s.procs[c.pid], ev)
		}
		return c.given
	}
	if !in {
		return false
	}
	if ev.Conn == 0 {
		// What belongs to no connection is about the recording as a whole.
		return s.q.Recording || ev.Type < TypeHandshake || len(s.q.Conns)+len(s.q.PIDs) == 0
	}
	c := s.conns[ev.Conn]
	if c == nil {
		s.define(s.probes[ev.Probe], ev)
		return len(s.q.PIDs) == 0 && (len(s.q.Conns) == 0 || slices.Contains(s.q.Conns, ev.Conn))
	}
	if !c.want {
		return false
	}
	s.define(s.probes[ev.Probe], ev)
	s.define(s.probes[c.ev.Probe], ev)
	s.define(s.procs[c.pid], ev)
	s.define(c, ev)
	return true
}

// define queues a definition before ev, once a chunk.
func (s *selector) define(h *held, ev *Event) {
	if h == nil || h.given {
		return
	}
	h.given = true
	h.ev.Seq = ev.Seq
	h.ev.Flags |= FlagRepeat
	s.queue = append(s.queue, h)
}

func (s *selector) wantsPID(pid uint32) bool {
	return len(s.q.PIDs) == 0 || slices.Contains(s.q.PIDs, pid)
}

func (s *selector) inTime(ev *Event) bool {
	t := s.wall + int64(ev.Time) - s.mono
	return (s.q.From == 0 || t >= s.q.From) && (s.q.To == 0 || t < s.q.To)
}

func copied(ev *Event) Event {
	e := *ev
	e.Payload = append([]byte(nil), ev.Payload...)
	return e
}
