package decodetest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// Bounds of one decoding of one case. A case that needs more is an attack that
// works.
const (
	maxTime   = time.Second
	maxMemory = 64 << 20 // and memoryPerByte times the input
	// memoryPerByte is for what is given out: a message for every few bytes is
	// the most a parser of lines can be made to give.
	memoryPerByte = 256
	// singleMost is the largest case that comes byte by byte; a larger one comes
	// in pieces of up to 7.
	singleMost = 256 << 10
)

// Run decodes steps that come cut in some way, to the connection's clean end,
// and returns what the caller compares: messages without their times.
type Run func(steps []Step, cut Cut) []decode.Message

// Ways decodes a case in every way that must not change what is said of it:
// whole, byte by byte and at random cuts; and again with one direction only, and
// with bytes missing, which must be told. Each decoding is bounded in time and
// memory. It returns what the whole case gives.
func Ways(t testing.TB, name string, steps []Step, run Run) []decode.Message {
	t.Helper()
	seed := fnv.New64a()
	seed.Write([]byte(name))
	w := ways{t: t, name: name, run: run, rand: rand.New(rand.NewPCG(seed.Sum64(), 4))}
	out := w.cuts("all of it", steps, true)
	for dir := range decode.Dir(2) {
		var half []Step
		for _, s := range steps {
			if s.Dir == dir {
				half = append(half, s)
			}
		}
		if len(half) > 0 && len(half) < len(steps) {
			w.cuts([]string{"writes only", "reads only"}[dir], half, false)
		}
	}
	for _, unknown := range []bool{false, true} {
		holed, lost := w.hole(steps, unknown)
		if !lost {
			continue
		}
		if list := w.cuts("with bytes missing", holed, false); !tells(list) {
			t.Errorf("%s: bytes are missing and nothing says so", name)
		}
	}
	return out
}

// ways is one case.
type ways struct {
	t    testing.TB
	name string
	run  Run
	rand *rand.Rand
}

// cuts decodes steps whole and cut, and returns what the first gives.
func (w *ways) cuts(what string, steps []Step, single bool) []decode.Message {
	w.t.Helper()
	size := 0
	for _, s := range steps {
		size += len(s.Data)
	}
	var before, after runtime.MemStats
	want := w.timed(what+", whole", steps, func() Cut { runtime.ReadMemStats(&before); return Whole }, size)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > maxMemory+memoryPerByte*uint64(size) {
		w.t.Errorf("%s, %s: %d bytes of memory for %d of input", w.name, what, got, size)
	}
	seeds := []uint64{2 + w.rand.Uint64N(1<<20)}
	if single {
		seeds = append(seeds, 2+w.rand.Uint64N(1<<20))
	}
	for _, n := range seeds {
		w.same(fmt.Sprintf("%s, cut %d", what, n), want, steps, func() Cut { return NumberedCut(n) }, size)
	}
	switch {
	case single && size <= singleMost:
		w.same(what+", byte by byte", want, steps, func() Cut { return Single }, size)
	case single:
		w.same(what+", in pieces of up to 7", want, steps, func() Cut { return Random(7, 7) }, size)
	}
	return want
}

// same decodes steps cut in one way and wants what they gave whole.
func (w *ways) same(what string, want []decode.Message, steps []Step, cut func() Cut, size int) {
	w.t.Helper()
	if got := w.timed(what, steps, cut, size); !reflect.DeepEqual(want, got) {
		w.t.Errorf("%s, %s: differs (-whole +cut):\n%.4000s", w.name, what, cmp.Diff(want, got))
	}
}

// timed decodes once, and again if that took too long: the collector may have been
// busy. It allows a millisecond a KiB beyond the bound, as cutting takes time too.
func (w *ways) timed(what string, steps []Step, cut func() Cut, size int) []decode.Message {
	w.t.Helper()
	bound := slowdown * (maxTime + time.Duration(size>>10)*time.Millisecond)
	for tries := 1; ; tries++ {
		began := spent()
		out := w.run(steps, cut())
		took := spent() - began
		if took <= bound {
			return out
		}
		if tries == 3 {
			w.t.Errorf("%s, %s: took %v for %d bytes", w.name, what, took, size)
			return out
		}
	}
}

// hole takes bytes out of one step. lost is false where there are none to take.
func (w *ways) hole(steps []Step, unknown bool) (out []Step, lost bool) {
	var full []int
	for i := range steps {
		if len(steps[i].Data) > 0 {
			full = append(full, i)
		}
	}
	if len(full) == 0 {
		return nil, false
	}
	at := full[w.rand.IntN(len(full))]
	s := steps[at]
	from := w.rand.IntN(len(s.Data))
	n := 1 + w.rand.IntN(min(len(s.Data)-from, 200))
	gap := Step{Dir: s.Dir, Gap: n}
	if unknown {
		gap.Gap = Unknown
	}
	out = append(out, steps[:at]...)
	out = append(out, Step{Dir: s.Dir, Data: s.Data[:from]}, gap, Step{Dir: s.Dir, Data: s.Data[from+n:]})
	return append(out, steps[at+1:]...), true
}

// tells reports whether messages say that bytes are missing.
func tells(list []decode.Message) bool {
	for i := range list {
		if list[i].Flags&decode.Gapped != 0 {
			return true
		}
		for _, a := range list[i].Anomalies {
			if a.Kind == decode.AnomalyGap {
				return true
			}
		}
	}
	return false
}
