package replay

import (
	"sync"
)

const (
	// batchOps and batchBytes end a batch. They trade latency, which Flush
	// bounds, for the cost of handing a batch over.
	batchOps   = 2048
	batchBytes = 128 << 10
)

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
	hidden int       // messages of the ops so far that were no items
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

// work is the body of a worker. It writes to its own share of a batch; Done hands it
// back to the pusher. Of what is outside the batch it touches its flows only.
func (p *pool) work(w int, in <-chan *batch) {
	mem := p.mem[w]
	for b := range in {
		p.do(&b.shares[w], mem)
		b.done.Done()
	}
}

// do runs the ops of a share.
func (p *pool) do(s *share, mem *memory) {
	for _, it := range s.back {
		mem.recycle(it)
	}
	clear(s.back)
	// Local until the end: the shares of others may lie in the same cache line.
	res, ends, text, arena := s.res, s.ends, s.text, s.arena
	for i := range s.ops {
		o := &s.ops[i]
		from := len(res)
		res = o.flow.run(p.cfg, mem, o, arena[:o.size:o.size], res)
		arena = arena[o.size:]
		ends = append(ends, end{len(res), mem.takeHidden()})
		text = mem.renderAll(text, res[from:], renderMost/p.workers)
	}
	s.res, s.ends, s.text = res, ends, text
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
		p.hidden += mem.takeHidden()
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
	w := p.workers
	if o.flow != nil {
		// By connection, so that one worker sees all ops of a flow, in order.
		w = o.flow.shard % p.workers
	}
	p.cur.add(w, o, data)
	if len(p.cur.turns) >= p.maxOps || p.cur.bytes >= p.maxBytes {
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
	return &batch{shares: make([]share, p.workers+1)}
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
	for _, w := range b.turns {
		s := &b.shares[w]
		var err error
		if w == p.workers {
			err = p.emit(s.ops[s.op].stamp())
			s.op++
		} else {
			items, hidden := s.next()
			p.hidden += hidden
			err = p.emitAll(items)
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
	if p.cur != nil && len(p.cur.turns) > 0 {
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
