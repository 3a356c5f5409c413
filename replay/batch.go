package replay

import (
	"github.com/NoFear0411/spliff/decode"
)

// keepArena is the largest arena kept for reuse, of all lanes together: one 16 MiB
// event must not be paid for ever after.
const keepArena = 4 << 20

type opKind uint8

const (
	opData opKind = iota + 1
	opGap
	opHint
	opEnd
	opNote
	opShed
	opExpire
)

// op is one step for one connection, or an item that concerns none (flow nil). It is as
// large as a cache line, see share.
type op struct {
	kind  opKind
	dir   decode.Dir
	clean bool
	size  uint32     // of its payload, which follows that of the op before
	flow  *flowState // owned by whoever works on its lane
	conn  *Conn
	item  *Item // opNote, opEnd: passed on with its order and Conn filled in
	seq   uint64
	time  int64
	start int64
	off   uint64 // opData: stream offset; opGap: bytes missing
}

// batch is a run of ops in output order. The pushing goroutine fills it, then
// each lane's share is done, then the pusher empties it.
type batch struct {
	turns  []int // whose share the next op is in
	bytes  int   // of payload
	shares []share
	left   int // shares that are not done; guarded by pool.mu once it was sent off
}

// share is what is one lane's of a batch. The last share is of ops that concern no
// connection; nobody works on it.
//
// Two cores that write to the same cache line, or that read scattered what another one
// wrote, cost more than decoding does. So whatever two workers touch lies apart, and
// what a worker reads it reads from the beginning to the end.
type share struct {
	ops   []op
	arena []byte  // their payloads
	back  []*Item // what the sink has seen, to be used again

	res  []*Item // what the ops led to
	ends []end   // by op
	text []byte  // what the items were rendered to

	op, item int // while the pusher empties it: what comes next
}

// end is where the items of an op end, and how many messages are no items.
type end struct{ items, hidden int }

// add appends an op and a copy of its payload.
func (b *batch) add(w int, o op, data []byte) {
	s := &b.shares[w]
	o.size = uint32(len(data)) // at most format.MaxPayload
	s.ops = append(s.ops, o)
	s.arena = append(s.arena, data...)
	b.turns = append(b.turns, w)
	b.bytes += len(data)
}

// next returns the items of the next op of a share, and how many messages are none.
func (s *share) next() (items []*Item, hidden int) {
	from, e := s.item, s.ends[s.op]
	s.op, s.item = s.op+1, e.items
	return s.res[from:e.items], e.hidden
}

// reset empties a batch for reuse and drops every reference to items, which are
// the sink's by now: a batch that waits must not keep them alive.
// If they are transient they go back to their lane with the next ops, small as they
// are then.
func (b *batch) reset(transient bool) {
	b.turns, b.bytes = b.turns[:0], 0
	for w := range b.shares {
		s := &b.shares[w]
		clear(s.ops)
		s.ops, s.ends, s.op, s.item = s.ops[:0], s.ends[:0], 0, 0
		if s.arena = s.arena[:0]; cap(s.arena) > max(keepArena/len(b.shares), 2*batchBytes) {
			s.arena = nil
		}
		if s.text = s.text[:0]; cap(s.text) > 2*renderMost {
			s.text = nil
		}
		if transient {
			for _, it := range s.res {
				settle(it)
			}
			s.res, s.back = s.back[:0], s.res
			continue
		}
		clear(s.res)
		s.res = s.res[:0]
	}
}

// stamp fills in what an item has from the op that made it.
func (o *op) stamp() *Item {
	o.item.Seq, o.item.Time, o.item.Conn = o.seq, o.time, o.conn
	return o.item
}
