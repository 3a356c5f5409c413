package main

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// row is one line of the table: one thing done with the corpus, or a part of it.
type row struct {
	name    string
	size    int64        // of the file written or read; 0: there is none
	events  int          // that run handles
	payload int64        // bytes of their payload
	times   int          // how often a round does it; 0 means once
	prepare func() error // before each time, not measured; may be nil
	run     func() error

	// One entry a round, per event.
	ns     []float64
	allocs []float64
}

// cpuTime is what the process has used so far, all its threads, in user and
// kernel mode. It does not count what other processes of the machine take.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("get CPU time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// measure runs every row once a round, one after the other, so that a machine
// that gets slower does so for all of them.
func measure(rows []*row, rounds int, only *regexp.Regexp) error {
	for range rounds {
		for _, r := range rows {
			if !only.MatchString(r.name) {
				continue
			}
			if err := r.round(); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

func (r *row) round() error {
	var total time.Duration
	var mallocs uint64
	times := max(r.times, 1)
	for range times {
		if r.prepare != nil {
			if err := r.prepare(); err != nil {
				return err
			}
		}
		t, n, err := once(r.run)
		if err != nil {
			return err
		}
		total += t
		mallocs += n
	}
	events := float64(r.events * times)
	r.ns = append(r.ns, float64(total)/events)
	r.allocs = append(r.allocs, float64(mallocs)/events)
	return nil
}

// once returns the CPU time and the number of allocations of run.
func once(run func() error) (time.Duration, uint64, error) {
	// What came before leaves nothing to collect.
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	from, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	if err := run(); err != nil {
		return 0, 0, err
	}
	to, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	runtime.ReadMemStats(&after)
	return to - from, after.Mallocs - before.Mallocs, nil
}

// measured reports whether the row was run.
func (r *row) measured() bool { return len(r.ns) > 0 }

// perEvent is the CPU time of an event in nanoseconds, the median of the rounds.
func (r *row) perEvent() float64 { return median(r.ns) }

// perSecond is the payload in MB (10⁶ bytes) that one second of CPU time handles.
func (r *row) perSecond() float64 {
	return float64(r.payload) / float64(r.events) * 1e3 / r.perEvent()
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
