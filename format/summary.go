package format

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Summary tells what is in a section: what one would otherwise have to read all
// its events for. Repeated definitions are not counted.
type Summary struct {
	Counts    map[Type]uint64
	Drops     []DropSum   // by cause, ascending
	Written   uint64      // plaintext bytes of DirWrite
	Read      uint64      // of DirRead
	Procs     uint64      // processes that PROC, PROC_END and CONN events name
	Conns     uint64      // connections that have events
	Probes    []Probe     // by id; those that do not parse are left out
	Known     []Proc      // latest description of processes, by PID; at most [MaxKnown]
	Unwatched []Unwatched // each once; at most [MaxUnwatched]
	First     Clock       // first CLOCK event, zero without one
	Last      Clock       // last CLOCK event
	End       *End        // nil: not closed in order
	Events    uint64
	RawBytes  uint64 // of events, before compression
	MinTime   uint64 // ns of the section's clock
	MaxTime   uint64
	Lost      DropSum // over all causes
	Chunks    uint32
}

// MaxKnown is the most processes that [Summary.Known] holds.
const MaxKnown = 1024

// MaxUnwatched is the most that [Summary.Unwatched] holds.
const MaxUnwatched = 256

// DropSum is the sum of DROP events. Events and Bytes saturate.
type DropSum struct {
	Cause  DropCause
	Drops  uint64 // DROP events
	Events uint64 // events lost
	Bytes  uint64 // plaintext bytes lost
}

func (d *DropSum) add(v Drop) {
	d.Drops++
	d.Events = addSat(d.Events, v.Events)
	d.Bytes = addSat(d.Bytes, v.Bytes)
}

// Element types of the summary frame. FORMAT.md "Footer".
const (
	sumCount = iota + 1
	sumDrop
	sumWritten
	sumRead
	sumProbe
	sumProc
	sumProcs
	sumConns
	sumClocks
	sumEnd
	sumUnwatched
)

// summaryRoom is how many bytes of definitions a summary holds at most; the rest
// of the frame is small.
const summaryRoom = MaxSummary - 64<<10

// tally sums up a section as its chunks go by. Its memory is bounded.
type tally struct {
	counts        [256]uint64
	drops         [256]DropSum
	lost          DropSum
	written, read uint64
	probes        [256][]byte
	procs         map[uint32][]byte
	unwatched     [][]byte
	room          int // bytes of definitions that may still be kept
	conns, pids   idSet
	spare         idSet // memory for the next union
	first, last   Clock
	clocks        bool
	end           []byte
	events        uint64
	raw           uint64
	minTime       uint64
	maxTime       uint64
	chunks        uint32
	lastSeq       uint64
}

func newTally() *tally {
	return &tally{procs: map[uint32][]byte{}, room: summaryRoom, minTime: math.MaxUint64}
}

// chunk takes in a chunk of n bytes of events. a is read, not kept.
func (t *tally) chunk(h *chunkHeader, n int, a *about) {
	t.chunks++
	t.raw += uint64(n)
	// Of a chunk of nothing but repeats both are 0.
	if h.minTime <= h.maxTime && h.maxTime != 0 {
		t.minTime, t.maxTime = min(t.minTime, h.minTime), max(t.maxTime, h.maxTime)
	}
	t.conns, t.spare = bounded(unionOf(t.spare, t.conns, a.conns)), t.conns
	t.pids, t.spare = bounded(unionOf(t.spare, t.pids, a.pids)), t.pids
	for typ, n := range a.counts {
		t.counts[typ] += uint64(n)
		t.events += uint64(n)
	}
	t.written, t.read, t.lastSeq = t.written+a.written, t.read+a.read, a.lastSeq
	for i := range a.told {
		t.add(&a.told[i])
	}
}

// maxRanges bounds the sets of a tally. Ids that are counted up never reach it; ids
// strewn over a hostile file do, and are then counted too high.
const maxRanges = 1 << 16

func bounded(s idSet) idSet {
	if len(s) > maxRanges {
		return s.shorten(maxRanges / 2)
	}
	return s
}

func (t *tally) add(ev *Event) {
	switch ev.Type {
	case TypeDrop:
		if v, err := ParseDrop(ev.Payload); err == nil {
			t.drops[v.Cause].add(v)
			t.lost.add(v)
		}
	case TypeProbe:
		id := uint8(findWord(ev.Payload, probeID))
		t.probes[id] = t.keep(t.probes[id], ev.Payload)
	case TypeProc:
		pid := uint32(findWord(ev.Payload, procPID))
		if old, ok := t.procs[pid]; ok || len(t.procs) < MaxKnown {
			t.procs[pid] = t.keep(old, ev.Payload)
		}
	case TypeUnwatched:
		t.addUnwatched(ev.Payload)
	case TypeClock:
		if v, err := ParseClock(ev.Payload); err == nil {
			if !t.clocks {
				t.first, t.clocks = v, true
			}
			t.last = v
		}
	case TypeEnd:
		if len(ev.Payload) <= MaxDefinition {
			// Not nil, even if the payload is empty: the section was closed in order.
			t.end = append([]byte{}, ev.Payload...)
		}
	}
}

// addUnwatched takes in an UNWATCHED payload that was not there yet.
func (t *tally) addUnwatched(p []byte) {
	same := func(old []byte) bool { return bytes.Equal(old, p) }
	if len(p) == 0 || len(t.unwatched) >= MaxUnwatched || slices.ContainsFunc(t.unwatched, same) {
		return
	}
	if kept := t.keep(nil, p); kept != nil {
		t.unwatched = append(t.unwatched, kept)
	}
}

// keep returns a copy of p in place of old, or old if there is no room.
func (t *tally) keep(old, p []byte) []byte {
	cost := pad8(len(p)) + tlvHeadLen
	if len(old) > 0 {
		cost -= pad8(len(old)) + tlvHeadLen
	}
	if cost > t.room {
		return old
	}
	t.room -= cost
	return append(old[:0], p...)
}

// appendTo encodes the variable part of a summary frame.
func (t *tally) appendTo(dst []byte) []byte {
	for typ, n := range t.counts {
		if n > 0 {
			var b [16]byte
			le.PutUint64(b[:], uint64(typ))
			le.PutUint64(b[8:], n)
			dst = appendTLV(dst, sumCount, b[:])
		}
	}
	for cause, d := range t.drops {
		if d.Drops > 0 {
			var b [32]byte
			le.PutUint64(b[:], uint64(cause))
			le.PutUint64(b[8:], d.Drops)
			le.PutUint64(b[16:], d.Events)
			le.PutUint64(b[24:], d.Bytes)
			dst = appendTLV(dst, sumDrop, b[:])
		}
	}
	dst = appendWord(dst, sumWritten, t.written)
	dst = appendWord(dst, sumRead, t.read)
	for _, p := range t.probes {
		if len(p) > 0 {
			dst = appendTLV(dst, sumProbe, p)
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(t.procs)) {
		if p := t.procs[pid]; len(p) > 0 {
			dst = appendTLV(dst, sumProc, p)
		}
	}
	dst = appendWord(dst, sumProcs, t.pids.count())
	dst = appendWord(dst, sumConns, t.conns.count())
	if t.clocks {
		b := t.last.AppendTo(t.first.AppendTo(nil))
		dst = appendTLV(dst, sumClocks, b)
	}
	if t.end != nil {
		dst = appendTLV(dst, sumEnd, t.end)
	}
	for _, p := range t.unwatched {
		dst = appendTLV(dst, sumUnwatched, p)
	}
	return dst
}

// parseSummary decodes the variable part of a summary frame. The fields that the
// trailer has are not in it.
func parseSummary(b []byte) (*Summary, error) {
	v := &Summary{Counts: map[Type]uint64{}}
	s := scanner{what: "summary", rest: b}
	for s.next() {
		switch s.typ {
		case sumCount:
			if w := s.words(2); w != nil {
				v.Counts[Type(w[0])] = w[1]
			}
		case sumDrop:
			if w := s.words(4); w != nil {
				v.Drops = append(v.Drops, DropSum{DropCause(w[0]), w[1], w[2], w[3]})
			}
		case sumWritten:
			v.Written = s.word()
		case sumRead:
			v.Read = s.word()
		case sumProbe:
			if p, err := ParseProbe(s.value); err == nil {
				v.Probes = append(v.Probes, p)
			}
		case sumProc:
			if p, err := ParseProc(s.value); err == nil && len(v.Known) < MaxKnown {
				v.Known = append(v.Known, p)
			}
		case sumUnwatched:
			if u, err := ParseUnwatched(s.value); err == nil && len(v.Unwatched) < MaxUnwatched {
				v.Unwatched = append(v.Unwatched, u)
			}
		case sumProcs:
			v.Procs = s.word()
		case sumConns:
			v.Conns = s.word()
		case sumClocks:
			if w := s.words(4); w != nil {
				v.First, v.Last = Clock{int64(w[0]), w[1]}, Clock{int64(w[2]), w[3]}
			}
		case sumEnd:
			if end, err := ParseEnd(s.value); err == nil {
				v.End = &end
			}
		default:
			s.unknown()
		}
	}
	if s.err != nil {
		return nil, fmt.Errorf("parse summary: %w", s.err)
	}
	return v, nil
}

// summary returns what was counted, as a reader of the footer would.
func (t *tally) summary() *Summary {
	// By way of the encoding, so that a section with a footer and one without
	// cannot differ.
	v, err := parseSummary(t.appendTo(nil))
	if err != nil {
		v = &Summary{} // cannot be: we wrote it
	}
	tr := t.trailer()
	tr.fill(v)
	return v
}

// addSat adds up to the largest number there is.
func addSat(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
