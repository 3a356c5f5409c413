package replay

import (
	"cmp"
	"slices"

	"github.com/NoFear0411/spliff/format"
)

const (
	// maxPast bounds the memory of ended connections, maxProcs that of
	// processes: both are written by whoever wrote the file.
	maxPast  = 1 << 16
	maxProcs = 1 << 18
)

// flow is what the pushing goroutine knows of a connection. Everything a worker
// touches is in state, which this goroutine only passes along.
type flow struct {
	snap       *Conn     // immutable; replaced when something changes
	next       [2]uint64 // stream offset expected next, by decode.Dir
	guessed    bool      // no CONN event described it
	procs      uint64    // table.changes when its process was looked up
	joined     bool      // it began in a file of the session that is not there
	state      *flowState
	last       int64 // wall time of its last bytes
	isIdle     bool  // its decoder was told
	prev, succ *flow // recency, oldest first
}

// past is what is remembered of a connection that is not followed any more, so
// that a definition repeated later does not bring it back.
type past struct {
	evicted bool
	next    [2]uint64
	snap    *Conn
}

// table holds identity: which connections and processes exist in this section.
type table struct {
	conns map[uint32]*flow
	byPID map[uint32]map[uint32]*flow
	procs map[uint32]*Proc
	// changes counts what was set in procs, from 1.
	changes uint64
	past    map[uint32]past
	pastQ   []uint32 // ids of past, a ring once full
	pastAt  int
	root    flow  // sentinel of the recency list
	awake   *flow // the oldest in it that is not idle; the sentinel if there is none
}

// reset forgets everything: ids are unique within a section only.
func (t *table) reset() {
	*t = table{
		conns: map[uint32]*flow{}, byPID: map[uint32]map[uint32]*flow{},
		procs: map[uint32]*Proc{}, past: map[uint32]past{}, changes: 1,
	}
	t.root.prev, t.root.succ, t.awake = &t.root, &t.root, &t.root
}

func (t *table) insert(f *flow, now int64) {
	f.last = now
	t.conns[f.snap.ID] = f
	t.index(f)
	t.link(f)
}

func (t *table) remove(f *flow) {
	delete(t.conns, f.snap.ID)
	t.unindex(f)
	t.unlink(f)
}

func (t *table) index(f *flow) {
	m := t.byPID[f.snap.PID]
	if m == nil {
		m = map[uint32]*flow{}
		t.byPID[f.snap.PID] = m
	}
	m[f.snap.ID] = f
}

// unindex also drops an empty set: pids are the file's to choose, and a set for
// each that ever was would grow without end.
func (t *table) unindex(f *flow) {
	m := t.byPID[f.snap.PID]
	delete(m, f.snap.ID)
	if len(m) == 0 {
		delete(t.byPID, f.snap.PID)
	}
}

// setPID moves f to another process; the caller replaces the snapshot.
func (t *table) setPID(f *flow, pid uint32) {
	if f.snap.PID == pid {
		return
	}
	t.unindex(f)
	s := *f.snap
	s.PID = pid
	f.snap = &s
	t.index(f)
}

// The recency list is doubly linked through the flows themselves: touching a
// connection, done for each data event, is constant and allocates nothing.
func (t *table) link(f *flow) {
	last := t.root.prev
	f.prev, f.succ = last, &t.root
	last.succ, t.root.prev = f, f
	f.isIdle = false
	if t.awake == &t.root {
		t.awake = f
	}
}

func (t *table) unlink(f *flow) {
	if t.awake == f {
		t.awake = f.succ
	}
	f.prev.succ, f.succ.prev = f.succ, f.prev
	f.prev, f.succ = nil, nil
}

func (t *table) touch(f *flow, now int64) {
	f.last = now
	if t.root.prev != f || f.isIdle {
		t.unlink(f)
		t.link(f)
	}
}

// fresh is the connection that was silent longest of those that are not idle, nil
// if there is none. All before it in the list are idle, none behind it is.
func (t *table) fresh() *flow {
	if t.awake == &t.root {
		return nil
	}
	return t.awake
}

// expired marks the one that fresh returned as idle.
func (t *table) expired(f *flow) { f.isIdle, t.awake = true, f.succ }

// oldest is the connection that was silent longest. The table must not be empty.
func (t *table) oldest() *flow { return t.root.succ }

// all returns the open connections by id: map order must not reach the output.
func (t *table) all() []*flow { return sorted(t.conns) }

func (t *table) ofPID(pid uint32) []*flow { return sorted(t.byPID[pid]) }

func sorted(m map[uint32]*flow) []*flow {
	out := make([]*flow, 0, len(m))
	for _, f := range m {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *flow) int { return cmp.Compare(a.snap.ID, b.snap.ID) })
	return out
}

// remember notes that f is not followed any more, forgetting the one noted
// longest ago when there are too many.
func (t *table) remember(f *flow, evicted bool) {
	id := f.snap.ID
	if _, ok := t.past[id]; !ok {
		if len(t.pastQ) < maxPast {
			t.pastQ = append(t.pastQ, id)
		} else {
			delete(t.past, t.pastQ[t.pastAt])
			t.pastQ[t.pastAt] = id
			t.pastAt = (t.pastAt + 1) % maxPast
		}
	}
	t.past[id] = past{evicted: evicted, next: f.next, snap: f.snap}
}

// forget makes id a new connection. Its place in the ring stays and is reused
// in its turn, which can only forget the id earlier than another.
func (t *table) forget(id uint32) { delete(t.past, id) }

// raise raises what was counted of a past connection, so that its loss
// is counted once however often its end is repeated.
func (t *table) raise(id uint32, n [2]uint64) {
	p := t.past[id]
	for d := range n {
		p.next[d] = max(p.next[d], n[d])
	}
	t.past[id] = p
}

func (t *table) setProc(p *Proc) {
	if len(t.procs) >= maxProcs && t.procs[p.PID] == nil {
		// Connections keep the snapshot they have; only later ones lose a name.
		clear(t.procs)
	}
	t.procs[p.PID] = p
	t.changes++
}

// proc returns what is known of a process. A connection keeps what it had
// (old) when the process is gone from the table.
func (t *table) proc(pid uint32, old *Proc) *Proc {
	if p := t.procs[pid]; p != nil {
		return p
	}
	if old != nil && old.PID == pid {
		return old
	}
	return &Proc{Proc: format.Proc{PID: pid}}
}
