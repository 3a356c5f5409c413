package format

import (
	"errors"
	"math"
)

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

// about is what is in a chunk, as its header and the footer tell it.
type about struct {
	conns, pids   idSet // not made short
	counts        [256]uint32
	written, read uint64
	lastSeq       uint64
	// The events that a summary is made of besides their number. Payloads alias the
	// chunk.
	told []Event
}

// describer finds out what a chunk is about. Its buffers are reused, so it
// belongs to one goroutine at a time.
type describer struct {
	about
	ids, named []uint32    // with some twice
	lately     [256]uint32 // conns met, by their low bits
	sets       []byte
	kept       []byte // see keep
}

// describe fills in the fields of h that tell what is in raw; firstSeq is set. The
// sets of h and d.about are valid until the next call.
func (d *describer) describe(h *chunkHeader, raw []byte) (err error) {
	d.begin(h)
	h.events, err = d.walk(h, raw)
	d.end(h)
	return err
}

func (d *describer) begin(h *chunkHeader) {
	d.ids, d.named, d.told = d.ids[:0], d.named[:0], d.told[:0]
	d.lately, d.counts = [256]uint32{}, [256]uint32{}
	d.written, d.read, d.lastSeq = 0, 0, h.firstSeq
	h.minTime, h.maxTime = math.MaxUint64, 0
	h.types, h.lost = 0, 0
}

func (d *describer) end(h *chunkHeader) {
	if h.minTime > h.maxTime {
		h.minTime = 0 // nothing but repeats
	}
	d.conns, d.pids = rangesOf(d.conns, d.ids), rangesOf(d.pids, d.named)
	h.conns = uint32(min(d.conns.count(), math.MaxUint32))
	h.minPID, h.maxPID = 0, 0
	if n := len(d.pids); n > 0 {
		h.minPID, h.maxPID = d.pids[0].lo, d.pids[n-1].hi
	}
	h.filter = filterSet
	d.sets = d.conns.appendTo(d.sets[:0], maxConnSet)
	n := len(d.sets)
	d.sets = d.pids.appendTo(d.sets, maxPIDSet)
	h.connSet, h.pidSet = d.sets[:n:n], d.sets[n:]
}

// keep copies what d.about has of the chunk, whose buffer is used for something else.
func (d *describer) keep() {
	d.kept = d.kept[:0]
	for i := range d.told {
		d.kept = append(d.kept, d.told[i].Payload...)
	}
	rest := d.kept
	for i := range d.told {
		n := len(d.told[i].Payload)
		d.told[i].Payload, rest = rest[:n:n], rest[n:]
	}
}

// walk looks at each event of a chunk, and returns how many there were and the
// error that stopped it short.
func (d *describer) walk(h *chunkHeader, raw []byte) (n uint32, err error) {
	var ev Event
	for ; len(raw) > 0; n++ {
		if k := d.data(h, raw); k > 0 {
			raw = raw[k:]
			continue
		}
		k, lo, err := firstEvent(raw, &ev)
		// Of an event that needs a newer reader all is known but its options.
		if err != nil && !errors.Is(err, ErrVersion) {
			return n, err
		}
		d.lastSeq = widen(d.lastSeq, lo)
		ev.Seq = d.lastSeq
		d.add(h, &ev)
		raw = raw[k:]
	}
	return n, nil
}

// data takes in the event that starts raw if it is a plain DATA event, and returns
// its padded length. Nearly all events are, and parsing them would be most of the
// work. It returns 0 for any other, and for what is not an event.
func (d *describer) data(h *chunkHeader, raw []byte) int {
	if len(raw) < dataHeadLen || Type(raw[4]) != TypeData || Flags(le.Uint16(raw[6:]))&(flagOptions|FlagRepeat) != 0 {
		return 0
	}
	n, head := int(le.Uint32(raw)), int(raw[5])*4
	if n > MaxEvent || n > len(raw) || head < dataHeadLen || head > n || head%8 != 0 || pad8(n) > len(raw) {
		return 0
	}
	t := le.Uint64(raw[8:])
	h.types |= 1 << TypeData
	h.minTime, h.maxTime = min(h.minTime, t), max(h.maxTime, t)
	d.conn(le.Uint32(raw[16:]))
	d.lastSeq = widen(d.lastSeq, le.Uint32(raw[24:]))
	d.counts[TypeData]++
	switch Dir(raw[30]) {
	case DirWrite:
		d.written += uint64(n - head)
	case DirRead:
		d.read += uint64(n - head)
	}
	return pad8(n)
}

// conn notes a connection. Sorting makes a set of them; most are met often.
func (d *describer) conn(id uint32) {
	if slot := &d.lately[id%uint32(len(d.lately))]; id != 0 && *slot != id {
		*slot = id
		d.ids = append(d.ids, id)
	}
}

func (d *describer) add(h *chunkHeader, ev *Event) {
	if ev.Type < 64 {
		h.types |= 1 << ev.Type
	}
	// A repeat is as old as what it repeats and would widen the range for nothing.
	if ev.Flags&FlagRepeat == 0 {
		h.minTime, h.maxTime = min(h.minTime, ev.Time), max(h.maxTime, ev.Time)
		d.counts[ev.Type]++
	}
	d.conn(ev.Conn)
	if pid := namedPID(ev); pid != 0 {
		d.named = append(d.named, pid)
	}
	switch ev.Type {
	case TypeData:
		switch ev.Dir {
		case DirWrite:
			d.written += uint64(len(ev.Payload))
		case DirRead:
			d.read += uint64(len(ev.Payload))
		}
	case TypeDrop:
		if v, err := ParseDrop(ev.Payload); err == nil {
			h.lost = uint32(min(uint64(h.lost)+min(v.Events, math.MaxUint32), math.MaxUint32))
		}
		d.told = append(d.told, *ev)
	case TypeProbe, TypeProc, TypeClock, TypeEnd, TypeUnwatched:
		d.told = append(d.told, *ev)
	}
}
