package replay

import (
	"sync"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// batchOps and batchBytes end a batch. They trade latency, which Flush
	// bounds, for the cost of handing a batch over.
	batchOps   = 2048
	batchBytes = 128 << 10
	// keepArena is the largest arena kept for reuse: one 16 MiB event must not
	// be paid for ever after.
	keepArena = 4 << 20
)

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

// op is one step for one connection, or an item that concerns none (flow nil).
type op struct {
	kind  opKind
	dir   decode.Dir
	clean bool
	flow  *flowState // owned by the worker of its shard
	conn  *Conn
	item  *Item // opNote, opEnd: passed on with its order and Conn filled in
	seq   uint64
	time  int64
	start int64
	off   uint64 // opData: stream offset; opGap: bytes missing

	worker     int // that owns flow; kept here because the worker may reset flow
	lo, hi     int // payload in the batch's arena
	res0, res1 int // items in the batch's results of that worker
}

// batch is a run of ops in output order. The pushing goroutine fills it, then
// each worker touches only the ops of its shard, then the pusher empties it.
type batch struct {
	ops   []op
	arena []byte
	work  [][]int   // per worker: indexes into ops
	res   [][]*Item // per worker: what its ops led to
	text  [][]byte  // per worker: what its items were rendered to
	back  [][]*Item // per worker: what the sink has seen, to be used again
	done  sync.WaitGroup
}

// reset empties a batch for reuse and drops every reference to items, which are
// the sink's by now: a batch that waits must not keep them alive.
// If they are transient they go back to their worker with the next ops, small as they
// are then.
func (b *batch) reset(transient bool) {
	clear(b.ops)
	b.ops = b.ops[:0]
	b.arena = b.arena[:0]
	if cap(b.arena) > keepArena {
		b.arena = nil
	}
	for w := range b.work {
		b.work[w] = b.work[w][:0]
		if b.text[w] = b.text[w][:0]; cap(b.text[w]) > 2*renderMost {
			b.text[w] = nil
		}
		if transient {
			for _, it := range b.res[w] {
				settle(it)
			}
			b.res[w], b.back[w] = b.back[w][:0], b.res[w]
			continue
		}
		clear(b.res[w])
		b.res[w] = b.res[w][:0]
	}
}

// pool runs ops on workers and hands their items on in the order of the ops. It
// is used from one goroutine. In flight are at most 2 batches a worker and 2
// more, so memory is bounded by their number times the batch limits plus what
// the last event of each exceeds them by.
type pool struct {
	cfg      *flowConfig
	emit     func(*Item) error
	workers  int
	maxOps   int
	maxBytes int

	out    []*Item   // workers == 0: scratch
	mem    []*memory // by worker; one if there are none
	cur    *batch
	flight []*batch // oldest first
	free   []*batch
	in     []chan *batch
	wg     sync.WaitGroup
}

func (p *pool) start(workers, maxOps, maxBytes int, cfg *flowConfig, emit func(*Item) error) {
	p.workers, p.maxOps, p.maxBytes, p.cfg, p.emit = workers, maxOps, maxBytes, cfg, emit
	for range max(workers, 1) {
		p.mem = append(p.mem, newMemory(cfg))
	}
	for w := range workers {
		// The channel holds every batch there can be: dispatch never blocks,
		// waiting happens at one place, in deliver.
		ch := make(chan *batch, p.limit()+1)
		p.in = append(p.in, ch)
		p.wg.Go(func() { p.work(w, ch) })
	}
}

func (p *pool) limit() int { return 2*p.workers + 2 }

// work is the body of a worker. It writes to its own ops and results of a batch
// and reads the arena, which nobody writes after dispatch; Done hands all of it
// back to the pusher. Of what is outside the batch it touches its flows only.
func (p *pool) work(w int, in <-chan *batch) {
	for b := range in {
		mem := p.mem[w]
		for _, it := range b.back[w] {
			mem.recycle(it)
		}
		clear(b.back[w])
		res := b.res[w]
		for _, i := range b.work[w] {
			o := &b.ops[i]
			o.res0 = len(res)
			res = o.flow.run(p.cfg, mem, o, b.arena[o.lo:o.hi], res)
			o.res1 = len(res)
			b.text[w] = mem.renderAll(b.text[w], res[o.res0:], renderMost/p.workers)
		}
		b.res[w] = res
		b.done.Done()
	}
}

// add takes an op and its bytes, which it copies unless it runs the op at once.
func (p *pool) add(o op, data []byte) error {
	// Without workers there is no batch: the caller's buffer is decoded as it is.
	if p.workers == 0 {
		if o.flow == nil {
			return p.emit(o.stamp())
		}
		mem := p.mem[0]
		p.out = o.flow.run(p.cfg, mem, &o, data, p.out[:0])
		err := p.emitAll(p.out)
		if p.cfg.transient {
			for _, it := range p.out {
				mem.recycle(it)
			}
		}
		clear(p.out)
		return err
	}
	if p.cur == nil {
		p.cur = p.get()
	}
	b := p.cur
	o.lo = len(b.arena)
	b.arena = append(b.arena, data...)
	o.hi = len(b.arena)
	if o.flow != nil {
		// By connection, so that one worker sees all ops of a flow, in order.
		o.worker = o.flow.shard % p.workers
		b.work[o.worker] = append(b.work[o.worker], len(b.ops))
	}
	b.ops = append(b.ops, o)
	if len(b.ops) >= p.maxOps || len(b.arena) >= p.maxBytes {
		return p.dispatch()
	}
	return nil
}

func (p *pool) get() *batch {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return &batch{work: make([][]int, p.workers), res: make([][]*Item, p.workers), back: make([][]*Item, p.workers), text: make([][]byte, p.workers)}
}

// dispatch gives the batch in hand to every worker, even one with nothing to do
// in it: all of them see the same batches in the same order. If too many are
// under way it waits for the oldest, so a slow sink slows the pusher.
func (p *pool) dispatch() error {
	b := p.cur
	p.cur = nil
	b.done.Add(p.workers)
	for _, ch := range p.in {
		ch <- b
	}
	p.flight = append(p.flight, b)
	if len(p.flight) > p.limit() {
		return p.deliver()
	}
	return nil
}

// deliver waits for the oldest batch and emits what it led to.
func (p *pool) deliver() error {
	b := p.flight[0]
	p.flight = p.flight[:copy(p.flight, p.flight[1:])]
	b.done.Wait()
	for i := range b.ops {
		o := &b.ops[i]
		var err error
		if o.flow == nil {
			err = p.emit(o.stamp())
		} else {
			err = p.emitAll(b.res[o.worker][o.res0:o.res1])
		}
		if err != nil {
			return err
		}
	}
	b.reset(p.cfg.transient)
	p.free = append(p.free, b)
	return nil
}

func (p *pool) emitAll(items []*Item) error {
	for _, it := range items {
		if err := p.emit(it); err != nil {
			return err
		}
	}
	return nil
}

// flush returns when every op added has been run and its items emitted.
func (p *pool) flush() error {
	if p.cur != nil && len(p.cur.ops) > 0 {
		if err := p.dispatch(); err != nil {
			return err
		}
	}
	for len(p.flight) > 0 {
		if err := p.deliver(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the workers and waits for them; what was not flushed is not emitted.
// It may be called again.
func (p *pool) stop() {
	for _, ch := range p.in {
		close(ch)
	}
	p.in = nil
	p.wg.Wait()
	p.cur, p.flight, p.free = nil, nil, nil
}

// stamp fills in what an item has from the op that made it.
func (o *op) stamp() *Item {
	o.item.Seq, o.item.Time, o.item.Conn = o.seq, o.time, o.conn
	return o.item
}
