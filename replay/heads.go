package replay

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// Heads knows which plaintext of a session is message heads and framing. The rest
// is content: bodies, tunnels, and what no decoder understands.
//
// A session goes through twice: first to [Heads.Push], all of it, then, the same
// events in the same order, to [Heads.Strip]. It is not safe for concurrent use.
type Heads struct {
	engine *Engine
	flows  map[uint64]*[2]spans // by serial number of the flow
	room   int                  // bytes that may still be spent on them
	strip  bool
}

// maxHeads bounds the memory for places of heads. What is found beyond it is
// taken for content: a session of tiny HTTP/2 frames is the attack.
const maxHeads = 256 << 20

// NewHeads returns a Heads that has seen nothing.
func NewHeads() *Heads {
	h := &Heads{flows: map[uint64]*[2]spans{}, room: maxHeads}
	h.engine = newEngine(h.options(), ignore, newConnDecoder, batchOps, batchBytes)
	h.engine.pool.cfg.trace = h.found
	return h
}

func ignore(*Item) error { return nil }

// options decodes in the goroutine that pushes, so that found needs no lock. Nothing
// is given up for being idle: what comes late is content all the same.
func (h *Heads) options() Options {
	return Options{Limits: decode.Limits{Body: -1, Inner: -1, Idle: -1}}
}

// found takes note of bytes that are no content.
func (h *Heads) found(flow uint64, dir decode.Dir, off, n uint64) {
	f := h.flows[flow]
	if f == nil {
		f = &[2]spans{}
		h.flows[flow] = f
		h.room -= flowCost
	}
	h.room -= f[dir].add(off, n, h.room)
}

// flowCost is about what an entry of the table takes.
const flowCost = 200

// Push looks at an event.
func (h *Heads) Push(ev *format.Event) error { return h.engine.Push(ev) }

// PushAll looks at all events of src, unless ctx ends.
func (h *Heads) PushAll(ctx context.Context, src Source) error {
	var ev format.Event
	for n := 0; ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := src.Next(&ev); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := h.Push(&ev); err != nil {
			return err
		}
	}
}

// Strip puts what is left of an event when content is taken out. DATA is cut to
// the heads in it; a DROP event of cause DropEdited says, for each piece in
// between, where it was and how long. Events that are put are valid during the
// call.
func (h *Heads) Strip(ev *format.Event, put func(*format.Event) error) error {
	if !h.strip {
		if err := h.again(); err != nil {
			return err
		}
	}
	// The same engine finds the same flows, and decodes nothing.
	if err := h.engine.Push(ev); err != nil {
		return err
	}
	dir, ok := dirOf(ev.Dir)
	if ev.Type != format.TypeData || len(ev.Payload) == 0 {
		return put(ev)
	}
	var list *spans
	if f := h.engine.table.conns[ev.Conn]; f != nil && ok {
		if s := h.flows[f.state.serial]; s != nil {
			list = &s[dir]
		}
	}
	end := ev.Offset + uint64(len(ev.Payload))
	for at := ev.Offset; at < end; {
		from, to := list.next(at, end)
		if from > at {
			if err := put(edited(ev, at, from-at)); err != nil {
				return err
			}
		}
		if to > from {
			part := *ev
			part.Offset, part.Payload = from, ev.Payload[from-ev.Offset:to-ev.Offset]
			if err := put(&part); err != nil {
				return err
			}
		}
		at = to
	}
	return nil
}

// again begins the second turn.
func (h *Heads) again() error {
	h.strip = true
	if _, err := h.engine.Close(); err != nil {
		return err
	}
	for _, f := range h.flows {
		f[0].rewind()
		f[1].rewind()
	}
	h.engine = newEngine(h.options(), ignore, func(decode.Limits) decoder { return deaf{} }, batchOps, batchBytes)
	return nil
}

// Close frees what the Heads holds.
func (h *Heads) Close() {
	h.engine.abandon()
	h.flows = nil
}

// edited is the DROP event for n bytes of a DATA event that were left out.
func edited(ev *format.Event, off, n uint64) *format.Event {
	d := format.Drop{Cause: format.DropEdited, Events: 0, Bytes: n, Offset: off}
	return &format.Event{Type: format.TypeDrop, Dir: ev.Dir, Probe: ev.Probe, CPU: ev.CPU, TID: ev.TID, Conn: ev.Conn,
		Seq: ev.Seq, Time: ev.Time, Payload: d.AppendTo(nil)}
}

// spans is an ascending list of ranges, as pairs of varints: the distance from the
// range before, and the length. An empty range parts what is between two others.
type spans struct {
	buf      []byte
	last     uint64 // end of the last range in buf; when read, of the one before
	from, to uint64 // the range behind those in buf; when read, the range in hand
	held     bool   // there is such a range
	pos      int    // in buf, when read
}

// add adds a range and returns how many bytes that took, at most room.
func (s *spans) add(off, n uint64, room int) int {
	switch {
	case s.held && off == s.to && (n == 0 || s.to > s.from):
		s.to += n
		return 0
	case off < s.to || off+n < off:
		return 0 // cannot be
	}
	used := s.flush(room)
	s.from, s.to, s.held = off, off+n, true
	return used
}

// flush moves the range in hand to buf, or forgets it if there is no room.
func (s *spans) flush(room int) int {
	if !s.held || room < 2*binary.MaxVarintLen64 {
		return 0
	}
	n := len(s.buf)
	s.buf = binary.AppendUvarint(s.buf, s.from-s.last)
	s.buf = binary.AppendUvarint(s.buf, s.to-s.from)
	s.last = s.to
	return len(s.buf) - n
}

// rewind ends adding and begins reading.
func (s *spans) rewind() {
	s.flush(2 * binary.MaxVarintLen64)
	s.from, s.to, s.last, s.pos = 0, 0, 0, 0
}

// next returns the first part of a range at or behind at and before end; both are
// end if there is none. A nil list has none.
func (s *spans) next(at, end uint64) (from, to uint64) {
	if s == nil {
		return end, end
	}
	if at < s.last { // bytes that came before come again
		s.from, s.to, s.last, s.pos = 0, 0, 0, 0
	}
	for s.to <= at && s.pos < len(s.buf) {
		d, n := binary.Uvarint(s.buf[s.pos:])
		l, m := binary.Uvarint(s.buf[s.pos+n:])
		s.pos += n + m
		s.last, s.from = s.to, s.to+d
		s.to = s.from + l
	}
	if s.to <= at || s.from >= end {
		return end, end
	}
	return max(at, s.from), min(end, s.to)
}

// deaf is a decoder that decodes nothing.
type deaf struct{}

func (deaf) Hint(decode.Hint)                                             {}
func (deaf) Append(m []decode.Message, _ decode.Chunk) []decode.Message   { return m }
func (deaf) Gap(m []decode.Message, _ decode.Gap) []decode.Message        { return m }
func (deaf) End(m []decode.Message, _ decode.At, _ bool) []decode.Message { return m }
func (deaf) Expire(m []decode.Message, _ decode.At) []decode.Message      { return m }
func (deaf) Role() decode.Role                                            { return decode.RoleUnknown }
func (deaf) Kept() int                                                    { return 0 }
func (deaf) Shed()                                                        {}
