package record

import "sync"

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
