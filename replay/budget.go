package replay

import (
	"cmp"
	"slices"
)

// budget bounds what all connections together hold of bodies. How much that is
// only the workers know, and when they know it depends on the machine; so the
// engine asks after a number of bytes that is a function of the events alone, and
// waits for the workers before it does. What is dropped is then the same for any
// number of them.
type budget struct {
	limit  int // negative: none
	kept   int // when last asked
	pushed int // bytes since
}

// growth is how much more is held after a byte was pushed, at most: buffers that
// grow have twice the room.
const growth = 2

// due reports whether more than the limit may be held after n more bytes.
func (b *budget) due(n int) bool {
	if b.limit < 0 {
		return false
	}
	b.pushed += n
	return b.kept+growth*b.pushed > b.limit
}

// target is what is left when something was dropped. What is between it and the
// limit is how seldom the workers must be waited for.
func (b *budget) target() int { return b.limit / 4 * 3 }

// spend is called for each piece of plaintext before it is decoded.
func (e *Engine) spend(n int) {
	if !e.budget.due(n) || e.err != nil {
		return
	}
	if e.err = e.pool.flush(); e.err != nil {
		return
	}
	type holder struct {
		f *flow
		n int
	}
	var list []holder
	total := 0
	for _, f := range e.table.all() {
		if n := f.state.kept(); n > 0 {
			list, total = append(list, holder{f, n}), total+n
		}
	}
	// The largest first, the older of two equals: whoever holds most is the cause.
	slices.SortStableFunc(list, func(a, b holder) int { return cmp.Compare(b.n, a.n) })
	for i := 0; i < len(list) && total > e.budget.target(); i++ {
		total -= list[i].n
		e.sum.Shed++
		e.add(op{kind: opShed, flow: list[i].f.state, conn: list[i].f.snap}, nil)
	}
	e.budget.kept, e.budget.pushed = total, n
}

// expire tells the decoders of connections on which nothing came for too long.
// Each is told once, until something comes again.
func (e *Engine) expire() {
	if e.idle <= 0 {
		return
	}
	for f := e.table.fresh(); f != nil && e.now-f.last > e.idle; f = e.table.fresh() {
		e.table.expired(f)
		e.add(op{kind: opExpire, flow: f.state, conn: f.snap}, nil)
	}
}
