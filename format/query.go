package format

import "slices"

// Query says which events of a session are wanted. Kinds narrow each other, values
// of one kind widen it; the zero value wants all. Events that belong to no
// connection or process are wanted only if neither Conns nor PIDs are given.
type Query struct {
	From, To int64 // nanoseconds since the Unix epoch, To excluded; 0: no bound
	Conns    []uint32
	PIDs     []uint32 // processes, and with them their connections
	// Recording also wants what is about the recording as a whole: its END event and
	// what it did not watch, whenever that was told, and, whatever connections or processes are asked for, what
	// belongs to none, such as clock readings and losses.
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
	conns      map[uint32]*held
	probes     [256]*held
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
	s.procs, s.conns, s.probes = map[uint32]*held{}, map[uint32]*held{}, [256]*held{}
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
	}
	in := s.inTime(ev)
	switch ev.Type {
	case TypeEnd, TypeUnwatched:
		if s.q.Recording {
			return true
		}
	case TypeProbe:
		p := &held{ev: copied(ev)}
		s.probes[uint8(findWord(ev.Payload, probeID))] = p
		p.given = in && ev.Flags&FlagRepeat == 0 && s.any()
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
			s.define(s.procs[c.pid], ev)
			s.define(s.probes[ev.Probe], ev)
		}
		return c.given
	}
	if !in {
		return false
	}
	return s.wantsOther(ev)
}

// wantsOther is wants for an event that defines nothing.
func (s *selector) wantsOther(ev *Event) bool {
	// What belongs to no connection belongs to none that was asked for.
	if ev.Conn == 0 {
		all := s.any() || s.q.Recording
		if all && ev.Probe != 0 {
			s.define(s.probes[ev.Probe], ev)
		}
		return all
	}
	c := s.conns[ev.Conn]
	switch {
	case c == nil && (len(s.q.PIDs) > 0 || len(s.q.Conns) > 0 && !slices.Contains(s.q.Conns, ev.Conn)), c != nil && !c.want:
		return false
	case c != nil:
		s.defineConn(c, ev)
	}
	s.define(s.probes[ev.Probe], ev)
	return true
}

// any reports whether connections and processes do not matter.
func (s *selector) any() bool { return len(s.q.Conns)+len(s.q.PIDs) == 0 }

// defineConn queues what describes a connection before ev.
func (s *selector) defineConn(c *held, ev *Event) {
	if c.given {
		return
	}
	s.define(s.procs[c.pid], ev)
	s.define(s.probes[c.ev.Probe], ev)
	s.define(c, ev)
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
