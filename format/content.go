package format

import (
	"errors"
	"math"
)

// walk calls f with each event of a chunk's raw bytes, in order, and returns how
// many there were and the error that stopped it short. f may keep the event's
// payload as long as raw stays as it is.
func walk(raw []byte, firstSeq uint64, f func(ev *Event)) (n uint32, err error) {
	seq := firstSeq
	var ev Event
	for len(raw) > 0 {
		k, lo, err := firstEvent(raw, &ev)
		if err != nil && !errors.Is(err, ErrVersion) {
			return n, err
		}
		seq = widen(seq, lo)
		ev.Seq = seq
		// Of an event that needs a newer reader all is known but its options.
		f(&ev)
		raw = raw[k:]
		n++
	}
	return n, nil
}

// namedPID returns the process that an event names, 0 if none: FORMAT.md "Chunk
// header", min_pid.
func namedPID(ev *Event) uint32 {
	switch ev.Type {
	case TypeConn:
		return uint32(findWord(ev.Payload, connPID))
	case TypeProc:
		return uint32(findWord(ev.Payload, procPID))
	case TypeProcEnd:
		return endedPID(ev)
	}
	return 0
}

// describer finds out what a chunk is about. Its buffers are reused, so it
// belongs to one goroutine at a time.
type describer struct {
	conns, pids     []uint32
	last            uint32 // conn of the event before
	connSet, pidSet idSet
	sets            []byte
}

// describe fills in the fields of h that tell what is in raw; firstSeq is set. It
// returns the sets as they were before they were made short. Those and the sets
// of h are valid until the next call.
func (d *describer) describe(h *chunkHeader, raw []byte) (conns, pids idSet, err error) {
	d.conns, d.pids, d.last = d.conns[:0], d.pids[:0], 0
	h.minTime, h.maxTime = math.MaxUint64, 0
	h.types, h.lost = 0, 0
	h.events, err = walk(raw, h.firstSeq, func(ev *Event) { d.add(h, ev) })
	if h.minTime > h.maxTime {
		h.minTime = 0 // nothing but repeats
	}
	d.connSet, d.pidSet = rangesOf(d.connSet, d.conns), rangesOf(d.pidSet, d.pids)
	conns, pids = d.connSet, d.pidSet
	h.conns = uint32(min(conns.count(), math.MaxUint32))
	h.minPID, h.maxPID = 0, 0
	if len(pids) > 0 {
		h.minPID, h.maxPID = pids[0].lo, pids[len(pids)-1].hi
	}
	h.filter = filterSet
	d.sets = conns.appendTo(d.sets[:0], maxConnSet)
	n := len(d.sets)
	d.sets = pids.appendTo(d.sets, maxPIDSet)
	h.connSet, h.pidSet = d.sets[:n:n], d.sets[n:]
	return conns, pids, err
}

func (d *describer) add(h *chunkHeader, ev *Event) {
	if ev.Type < 64 {
		h.types |= 1 << ev.Type
	}
	// A repeat is as old as what it repeats and would widen the range for nothing.
	if ev.Flags&FlagRepeat == 0 {
		h.minTime, h.maxTime = min(h.minTime, ev.Time), max(h.maxTime, ev.Time)
	}
	// Sorting makes this a set; an event often has the conn of the one before.
	if ev.Conn != 0 && ev.Conn != d.last {
		d.last = ev.Conn
		d.conns = append(d.conns, ev.Conn)
	}
	if ev.Type == TypeData {
		return
	}
	if pid := namedPID(ev); pid != 0 {
		d.pids = append(d.pids, pid)
	}
	if ev.Type == TypeDrop {
		if v, err := ParseDrop(ev.Payload); err == nil {
			h.lost = uint32(min(uint64(h.lost)+min(v.Events, math.MaxUint32), math.MaxUint32))
		}
	}
}
