package format

// maxShedSpans bounds what is known of plaintext that was shed and not yet told.
// Beyond it only the sum is known.
const maxShedSpans = 1 << 14

// overFull is how many bytes a chunk may grow beyond its target when events that
// are not plaintext come and no other chunk is free. They are few, and losing the
// end of a connection would cost more than its 40 bytes.
const overFull = 16 << 20

// shedSpan is a run of plaintext that was shed.
type shedSpan struct {
	conn   uint32
	dir    Dir
	seq    uint64 // of the last event in it
	time   uint64
	offset uint64
	events uint64
	bytes  uint64
}

// shedding is what was shed and not yet told by DROP events, in order of the
// first event of each span.
type shedding struct {
	spans []shedSpan
	open  map[shedKey]int // latest span of a stream
	rest  shedSpan        // what did not fit
}

type shedKey struct {
	conn uint32
	dir  Dir
}

// squeeze reports whether ev goes into the full chunk all the same. jump: its
// number cannot be told there.
func (w *Writer) squeeze(ev *Event, jump bool) bool {
	// A chunk that was flushed before it was full has room left.
	if !jump && len(w.cur.raw) < w.target {
		return true
	}
	if jump || ev.Type == TypeData || len(w.cur.raw)+len(ev.Payload) > w.target+overFull {
		return false
	}
	// What is missing of a connection is told before its next event, all of it
	// before the last event of the section.
	for i := range w.shed.spans {
		if s := &w.shed.spans[i]; s.events > 0 && (s.conn == ev.Conn || ev.Type == TypeEnd) {
			w.tellSpan(s)
		}
	}
	if ev.Type == TypeEnd {
		w.tell()
	}
	return true
}

// drop sheds ev.
func (w *Writer) drop(ev *Event) {
	n := uint64(len(ev.Payload))
	w.shedEvents.Add(1)
	if ev.Type == TypeData {
		w.shedData.Add(1)
	} else {
		// What it defines is repeated where it is needed.
		w.learnAt(ev, 0)
		n = 0
	}
	w.shedBytes.Add(n)
	s := &w.shed
	key := shedKey{ev.Conn, ev.Dir}
	if i, ok := s.open[key]; ok && s.spans[i].events > 0 {
		if p := &s.spans[i]; ev.Type != TypeData || p.offset+p.bytes == ev.Offset || p.bytes == 0 {
			if p.bytes == 0 {
				p.offset = ev.Offset
			}
			p.events, p.bytes, p.seq, p.time = p.events+1, p.bytes+n, ev.Seq, ev.Time
			return
		}
	}
	if len(s.spans) == maxShedSpans {
		s.rest.events, s.rest.bytes, s.rest.seq, s.rest.time = s.rest.events+1, s.rest.bytes+n, ev.Seq, ev.Time
		return
	}
	if s.open == nil {
		s.open = map[shedKey]int{}
	}
	s.open[key] = len(s.spans)
	s.spans = append(s.spans, shedSpan{ev.Conn, ev.Dir, ev.Seq, ev.Time, ev.Offset, 1, n})
}

// tell writes a DROP event for all that was shed.
func (w *Writer) tell() {
	s := &w.shed
	if len(s.spans) == 0 && s.rest.events == 0 {
		return
	}
	for i := range s.spans {
		w.tellSpan(&s.spans[i])
	}
	w.tellSpan(&s.rest)
	s.spans = s.spans[:0]
	clear(s.open)
}

// tellSpan writes the DROP event of one span, unless that was done before.
func (w *Writer) tellSpan(s *shedSpan) {
	if s.events == 0 {
		return
	}
	d := Drop{Cause: DropWriter, Events: s.events, Bytes: s.bytes, Offset: s.offset}
	if s.bytes == 0 {
		d.Offset = 0
	}
	// Events that were not shed may have come between: the order must not go back.
	w.add(&Event{Type: TypeDrop, Conn: s.conn, Dir: s.dir, Seq: max(s.seq, w.seq), Time: s.time, Payload: d.AppendTo(nil)})
	s.events = 0
}

// Shed returns how many events, and how many bytes of plaintext in them, were not
// written because the queue was full. It may be called from any goroutine.
func (w *Writer) Shed() (events, bytes uint64) { return w.shedEvents.Load(), w.shedBytes.Load() }

// ShedData returns how many of them were DATA events. It may be called from any
// goroutine.
func (w *Writer) ShedData() uint64 { return w.shedData.Load() }

// Busy reports whether more than half of the queue waits to be written: a
// producer that can hold events back should. It is for the goroutine that appends.
func (w *Writer) Busy() bool { return w.out.made-len(w.out.free) > w.out.limit/2+1 }
