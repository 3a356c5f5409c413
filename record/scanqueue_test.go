package record

import (
	"slices"
	"testing"
)

// TestScanQueue: a process waits once; whatever did not fit makes all be looked at,
// once, and only when the rest was.
func TestScanQueue(t *testing.T) {
	proc := fakeProc(t, map[string]string{"7/stat": "", "8/stat": ""})
	q := newScanQueue()
	for range 3 {
		q.add(7)
	}
	if len(q.c) != 1 || q.missed(proc) != nil {
		t.Errorf("%d wait, want 1", len(q.c))
	}
	q.taken(<-q.c)
	q.add(7)
	if len(q.c) != 1 {
		t.Error("a process that was taken cannot wait again")
	}
	for pid := range uint32(2 * maxScans) {
		q.add(100 + pid) // never blocks
	}
	if len(q.c) != maxScans || len(q.queued) != maxScans || q.missed(proc) != nil {
		t.Errorf("%d wait, want the bound", len(q.c))
	}
	for len(q.c) > 0 {
		q.taken(<-q.c)
	}
	got := q.missed(proc)
	slices.Sort(got)
	if !slices.Equal(got, []uint32{7, 8}) || q.missed(proc) != nil {
		t.Errorf("then %v, want every process once", got)
	}
}
