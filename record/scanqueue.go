package record

import (
	"context"
	"sync"
)

// maxScans bounds the processes that wait to be looked at.
const maxScans = 1024

// scanQueue holds processes whose mappings changed, each once. The drain adds and
// never waits; another goroutine looks. Where more wait than it holds, all processes
// are looked at when it has become empty.
type scanQueue struct {
	c chan uint32

	mu     sync.Mutex
	queued map[uint32]bool
	behind bool
}

func newScanQueue() *scanQueue {
	return &scanQueue{c: make(chan uint32, maxScans), queued: map[uint32]bool{}}
}

// add asks for a process to be looked at.
func (q *scanQueue) add(pid uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued[pid] {
		return
	}
	select {
	case q.c <- pid:
		q.queued[pid] = true
	default:
		q.behind = true
	}
}

// serve hands a process that was taken from the queue to look, and then those that did
// not fit, if it is their turn.
func (q *scanQueue) serve(ctx context.Context, pid uint32, proc procFS, look func(context.Context, uint32)) {
	q.taken(pid)
	look(ctx, pid)
	for _, pid := range q.missed(proc) {
		if ctx.Err() != nil {
			return
		}
		look(ctx, pid)
	}
}

// taken says that what a process maps from now on is a reason to look again.
func (q *scanQueue) taken(pid uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.queued, pid)
}

// missed returns every process, once, after some did not fit and the rest was
// looked at.
func (q *scanQueue) missed(proc procFS) []uint32 {
	q.mu.Lock()
	due := q.behind && len(q.c) == 0
	q.behind = q.behind && !due
	q.mu.Unlock()
	if !due {
		return nil
	}
	return proc.pids() // not under the lock: the drain must not wait for it
}
