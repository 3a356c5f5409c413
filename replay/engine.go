package replay

import (
	"errors"
	"math"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/conn"
	"github.com/NoFear0411/spliff/format"
)

// DefaultMaxConns is the number of connections followed at once when
// [Options.MaxConns] is 0.
const DefaultMaxConns = 1 << 16

// DefaultBudget is the budget of bodies when [Options.Budget] is 0.
const DefaultBudget = 128 << 20

// ErrClosed is returned by a call on an [Engine] that was closed.
var ErrClosed = errors.New("engine is closed")

// Options are the knobs of an [Engine]. None of them but Limits, Data and
// MaxConns may change what the sink sees.
type Options struct {
	// Workers is the number of goroutines that decode, that which calls Push among them.
	// 0 and 1 decode each event when it is pushed: to put it off for one alone would only
	// cost time.
	Workers int
	// Limits bound the decoder of each connection.
	Limits decode.Limits
	// Transient: an item of a message or exchange, and what it points to but Conn, is
	// the sink's only during the call; then it is used again. A sink that keeps any of
	// it must clone. Strings may be kept, and what the slices of an Inner message hold.
	// It saves most of the memory that decoding would otherwise allocate.
	Transient bool
	// Render, if it is set, is called once for each lane of the workers, and what it returns for
	// each item of an exchange, by one goroutine at a time: it appends to dst what the sink
	// would make of the item, its Exchange.ID left out, which is not known yet. The sink
	// finds it in Item.Rendered. It may leave any item to the sink by appending nothing,
	// and is not called with fewer than two workers, or when much was rendered already.
	Render func() func(dst []byte, it *Item) []byte
	// Exchanges: requests and responses come in their exchanges only, not also as items
	// of their own when they are complete. With Transient, of an exchange that was
	// rendered the sink is given no more than Conn, ID and Pending: what else there was
	// is used again before the sink sees it.
	Exchanges bool
	// Data also passes on the plaintext itself, as ItemData.
	Data bool
	// MaxConns is the most connections followed at once, 0 means
	// DefaultMaxConns. The one that was silent longest is given up beyond it:
	// a session that opens connections and never ends them is the attack.
	MaxConns int
	// Budget is the most bytes of bodies held together for messages that are not
	// complete and exchanges that wait for their other half, 0 means
	// DefaultBudget, negative none. Beyond it the connections that hold most lose
	// theirs. Hundreds of bodies open at once are the attack.
	Budget int
}

// decoder is the seam between the engine and decode/conn: tests put a fake in.
type decoder interface {
	Hint(decode.Hint)
	Append([]decode.Message, decode.Chunk) []decode.Message
	Gap([]decode.Message, decode.Gap) []decode.Message
	End([]decode.Message, decode.At, bool) []decode.Message
	Role() decode.Role
	Kept() int
	Shed()
	Expire([]decode.Message, decode.At) []decode.Message
}

func newConnDecoder(l decode.Limits) decoder { return conn.New(l) }

// Engine turns events into items. Its methods are called from one goroutine,
// and the sink is called from that same goroutine, inside Push, Flush or Close:
// a sink needs no locks. An engine with workers must be closed, or they leak.
type Engine struct {
	// Identity is decided here, in the pushing goroutine, and decoding is done
	// in the pool: that is what makes the output the same for any Workers.
	data     bool
	maxConns int
	idle     int64
	table    table
	budget   budget
	pool     pool

	libs     [256]string // by PROBE id, of this section
	uuid     [16]byte    // of the session
	wallBase int64       // wall time at mono
	mono     uint64
	seq      uint64 // of the event being pushed
	now      int64  // its wall time

	sink     func(*Item) error
	sum      Summary
	nextID   uint64
	opened   uint64 // flows
	last     int64  // latest wall time of this section
	joined   bool   // the first file of the session is not there
	openSec  bool   // events came since the last END
	unclosed bool   // a section was followed by another without an END
	closed   bool
	err      error // first error of the sink, sticky
}

// New returns an engine that hands items to sink. Without Options.Transient an item
// and what it points to belong to the sink; messages and connections are shared between items and
// must not be changed. An error of sink stops the engine: this and each later
// call returns it.
func New(o Options, sink func(*Item) error) *Engine {
	return newEngine(o, sink, newConnDecoder, batchOps, batchBytes)
}

func newEngine(o Options, sink func(*Item) error, mk func(decode.Limits) decoder, ops, bytes int) *Engine {
	if o.MaxConns <= 0 {
		o.MaxConns = DefaultMaxConns
	}
	e := &Engine{data: o.Data, maxConns: o.MaxConns, sink: sink}
	e.table.reset()
	cfg := &flowConfig{limits: o.Limits.WithDefaults(), data: o.Data, transient: o.Transient, whole: o.Exchanges, render: o.Render, make: mk}
	e.idle = cfg.limits.Idle
	e.budget.limit = o.Budget
	if o.Budget == 0 {
		e.budget.limit = DefaultBudget
	}
	if cfg.limits.Body < 0 {
		e.budget.limit = -1 // nothing is kept
	}
	e.pool.start(max(o.Workers, 0), ops, bytes, cfg, e.emit)
	return e
}

// Push takes one event. Events must come in the order of their Seq. The event
// and its payload are not kept. Items it leads to reach the sink now or in a
// later call. An event that cannot be understood is counted, not an error; the
// only errors are the sink's and ErrClosed.
func (e *Engine) Push(ev *format.Event) error {
	if e.err != nil {
		return e.err
	}
	if e.closed {
		return ErrClosed
	}
	e.seq, e.now = ev.Seq, e.wall(ev.Time)
	// A definition written again, so that a chunk stands alone, is not an event
	// of its own: the count is that of what happened.
	if ev.Flags&format.FlagRepeat == 0 {
		e.sum.Events++
	}
	if err := e.dispatch(ev); err != nil {
		e.sum.Malformed++
	}
	return e.err
}

// dispatch returns an error only for an event that makes no sense.
func (e *Engine) dispatch(ev *format.Event) error {
	if ev.Type != format.TypeSession {
		e.expire()
		e.openSec = e.openSec || ev.Type != format.TypeEnd
	}
	switch ev.Type {
	case format.TypeData:
		return e.pushData(ev)
	case format.TypeConn:
		return e.pushConn(ev)
	case format.TypeConnEnd:
		return e.pushConnEnd(ev)
	case format.TypeProc:
		return e.pushProc(ev)
	case format.TypeProcEnd:
		return e.pushProcEnd(ev)
	case format.TypeSession:
		return e.pushSession(ev)
	case format.TypeProbe:
		return e.pushProbe(ev)
	case format.TypeHandshake, format.TypeDrop, format.TypeEnd:
		return e.pushNote(ev)
	}
	// Unknown and reserved types are skipped: a newer recorder may write them.
	return nil
}

// wall converts the session's clock to wall time by the pair of readings in the
// SESSION event. Later CLOCK events are not used: a step of the wall clock must
// not change the distance between two events.
func (e *Engine) wall(t uint64) int64 { return e.wallBase + int64(t-e.mono) }

// pushData gives bytes to the decoder of their connection. Offsets are what is
// believed: a jump ahead is a gap of known length, and bytes that came before
// are cut off, so that a decoder sees each byte of a stream at most once.
func (e *Engine) pushData(ev *format.Event) error {
	dir, ok := dirOf(ev.Dir)
	n := uint64(len(ev.Payload))
	if !ok || ev.Conn == 0 || ev.Offset > math.MaxUint64-n {
		return errors.New("data event without connection, direction or sane offset")
	}
	f := e.table.conns[ev.Conn]
	if f == nil {
		// Bytes after the end are told and not decoded: a new decoder would take
		// the tail of a stream for its beginning. An evicted connection has not
		// ended; it goes on, mid-stream.
		if p, ok := e.table.past[ev.Conn]; ok && !p.evicted {
			e.sum.Late += n
			e.late(p.snap, dir, ev.Offset, n)
			return nil
		}
		f = e.open(ev, format.Conn{MidStream: true})
	}
	e.table.touch(f, e.now)
	e.refresh(f, ev.Probe)
	e.sum.Bytes += n
	e.spend(len(ev.Payload))
	data, off := ev.Payload, ev.Offset
	switch want := f.next[dir]; {
	case want == 0 && f.joined:
		f.state.start[dir] = off // what was before is in another file
	case off > want:
		e.gap(f, dir, off-want)
	case off < want:
		dup := min(want-off, n)
		e.sum.Overlap += dup
		data, off = data[dup:], off+dup
		if len(data) == 0 {
			return nil
		}
	}
	f.next[dir] = off + uint64(len(data))
	start := e.now
	// A write is recorded when its call returns, but its bytes began to move
	// when it was made. How long a read waited says nothing about its bytes.
	if dir == decode.Write {
		start -= int64(ev.Dur)
	}
	e.add(op{kind: opData, flow: f.state, conn: f.snap, dir: dir, start: start, off: off}, data)
	return nil
}

// gap tells the decoder of n missing bytes. Lengths come from the file: their
// sum saturates rather than wraps.
func (e *Engine) gap(f *flow, dir decode.Dir, n uint64) {
	e.sum.Gaps++
	e.sum.LostBytes = addSat(e.sum.LostBytes, n)
	e.add(op{kind: opGap, flow: f.state, conn: f.snap, dir: dir, off: n}, nil)
}

// dirOf is false for an event without a direction. The numbers of the file and
// those of the decoders differ: 0 must not be a direction in a file.
func dirOf(d format.Dir) (decode.Dir, bool) {
	switch d {
	case format.DirWrite:
		return decode.Write, true
	case format.DirRead:
		return decode.Read, true
	}
	return 0, false
}

// roleOf makes a role of a newer recorder an unknown one.
func roleOf(r format.Role) decode.Role {
	switch r {
	case format.RoleClient:
		return decode.RoleClient
	case format.RoleServer:
		return decode.RoleServer
	}
	return decode.RoleUnknown
}

// addSat adds up to the largest number there is.
func addSat(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
