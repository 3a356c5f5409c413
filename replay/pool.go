package replay

import "sync"

const (
	// batchOps and batchBytes end a batch. They trade latency, which Flush
	// bounds, for the cost of handing a batch over.
	batchOps   = 2048
	batchBytes = 128 << 10
)

// textMost is how many bytes are rendered for a byte of payload, at most as a rule.
const textMost = 4

// away is by how many batches a lane must be behind a goroutine's own for it to take it
// over from another.
const away = 3

// pool runs ops on several goroutines and hands their items on in the order of the ops.
// It is used from one goroutine, the pusher, which decodes too rather than wait for the
// others. In flight are at most 2 batches a goroutine and 2 more, so memory is bounded
// by their number times the batch limits plus what the last event of each exceeds them
// by.
//
// Connections are divided among lanes, of which there are as many: each has memory that
// a core's cache must hold. A lane is worked on by one goroutine at a time,
// batch after batch, so that a flow sees its ops in order; which goroutine that is
// changes with what there is to do.
type pool struct {
	cfg      *flowConfig
	emit     func(*Item) error
	lanes    []lane // empty: ops are run as they come
	maxOps   int
	maxBytes int

	out    []*Item // without lanes: scratch
	mem    *memory // without lanes
	hidden int     // messages of the ops so far that were no items
	cur    *batch
	free   []*batch

	mu      sync.Mutex // of all that follows, and what of lanes and batches says so
	cond    sync.Cond  // there is something to take, or to deliver
	waiting int        // for cond
	ring    []*batch   // those under way, by their number
	sent    int        // number of the next batch that is sent off
	given   int        // number of the next one that is delivered
	stopped bool
	wg      sync.WaitGroup
}

// lane is one part of the connections.
type lane struct {
	mem  *memory // of whoever works on the lane
	next int     // number of the batch whose share comes next; guarded by pool.mu
	busy bool    // somebody works on it; guarded by pool.mu
	last int     // goroutine that worked on it last, 0 is the pusher; guarded by pool.mu
}

func (p *pool) start(workers, maxOps, maxBytes int, cfg *flowConfig, emit func(*Item) error) {
	p.maxOps, p.maxBytes, p.cfg, p.emit = maxOps, maxBytes, cfg, emit
	p.cond.L = &p.mu
	if workers < 2 {
		p.mem = newMemory(cfg)
		return
	}
	p.lanes = make([]lane, workers)
	for i := range p.lanes {
		p.lanes[i].mem, p.lanes[i].last = newMemory(cfg), i
	}
	p.ring = make([]*batch, 2*workers+2)
	for w := 1; w < workers; w++ {
		p.wg.Go(func() { p.work(w) })
	}
}

// work is what the other goroutines do.
func (p *pool) work(who int) {
	p.mu.Lock()
	for !p.stopped {
		if n := p.take(who); n >= 0 {
			p.run(n, who)
		} else {
			p.wait()
		}
	}
	p.mu.Unlock()
}

// take returns a lane with something to do, or -1: the one that is furthest behind, so
// that the oldest batch gets done. A lane that another goroutine worked on last counts
// as further on, as its memory is in another core's cache.
func (p *pool) take(who int) int {
	best, least := -1, 0
	for n := range p.lanes {
		l := &p.lanes[n]
		if l.busy || l.next == p.sent {
			continue
		}
		at := l.next
		if l.last != who {
			at += away
		}
		if best < 0 || at < least {
			best, least = n, at
		}
	}
	return best
}

// run does what comes next of a lane, unlocked. It writes to its share of a batch only;
// of what is outside the batch it touches the lane's flows.
func (p *pool) run(n, who int) {
	l := &p.lanes[n]
	l.busy, l.last = true, who
	b := p.ring[l.next%len(p.ring)]
	p.mu.Unlock()
	p.do(&b.shares[n], l.mem)
	p.mu.Lock()
	l.busy = false
	l.next++
	if b.left--; p.waiting > 0 && (b.left == 0 || l.next < p.sent) {
		p.cond.Broadcast()
	}
}

// wait returns when there may be more to do.
func (p *pool) wait() {
	p.waiting++
	p.cond.Wait()
	p.waiting--
}

// do runs the ops of a share.
func (p *pool) do(s *share, mem *memory) {
	for _, it := range s.back {
		mem.recycle(it)
	}
	clear(s.back)
	// Local until the end: the shares of others may lie in the same cache line.
	res, ends, text, arena := s.res, s.ends, s.text, s.arena
	// Memory that grows by appending leaves four times its size to the collector.
	if most := min(textMost*len(arena), renderMost/len(p.lanes)); cap(text) < most && mem.render != nil {
		text = make([]byte, 0, most)
	}
	for i := range s.ops {
		o := &s.ops[i]
		from := len(res)
		res = o.flow.run(p.cfg, mem, o, arena[:o.size:o.size], res)
		arena = arena[o.size:]
		ends = append(ends, end{len(res), mem.takeHidden()})
		text = mem.renderAll(text, res[from:], renderMost/len(p.lanes))
	}
	s.res, s.ends, s.text = res, ends, text
}

// add takes an op and its bytes, which it copies unless it runs the op at once.
func (p *pool) add(o op, data []byte) error {
	// Without workers there is no batch: the caller's buffer is decoded as it is.
	if len(p.lanes) == 0 {
		if o.flow == nil {
			return p.emit(o.stamp())
		}
		mem := p.mem
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
	n := len(p.lanes)
	if o.flow != nil {
		n = o.flow.shard % len(p.lanes)
	}
	p.cur.add(n, o, data)
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
	b := &batch{shares: make([]share, len(p.lanes)+1)}
	for i := range p.lanes {
		b.shares[i].arena = make([]byte, 0, 2*p.maxBytes/len(p.lanes))
	}
	return b
}

// dispatch sends the batch in hand off to every lane, even one with nothing to do in it:
// all of them see the same batches in the same order. If too many are under way the
// oldest is finished first, so a slow sink slows the pusher.
func (p *pool) dispatch() error {
	b := p.cur
	p.cur = nil
	if p.sent-p.given == len(p.ring) {
		if err := p.deliver(); err != nil {
			return err
		}
	}
	b.left = len(p.lanes)
	p.mu.Lock()
	p.ring[p.sent%len(p.ring)] = b
	p.sent++
	if p.waiting > 0 {
		p.cond.Broadcast()
	}
	p.mu.Unlock()
	return nil
}

// finish returns the oldest batch when nothing is left of it to do, and lends a hand
// until then.
func (p *pool) finish() *batch {
	p.mu.Lock()
	b := p.ring[p.given%len(p.ring)]
	for b.left > 0 {
		if n := p.take(0); n >= 0 {
			p.run(n, 0)
		} else {
			p.wait()
		}
	}
	p.given++
	p.mu.Unlock()
	return b
}

// deliver finishes the oldest batch and emits what it led to.
func (p *pool) deliver() error {
	b := p.finish()
	for _, w := range b.turns {
		s := &b.shares[w]
		var err error
		if w == len(p.lanes) {
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
	for p.given < p.sent {
		if err := p.deliver(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the other goroutines and waits for them; what was not flushed is not
// emitted. It may be called again.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.cond.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
	p.cur, p.ring, p.free = nil, nil, nil
}
