package main

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// cost is what one run of a row took. Fields that a row cannot tell are 0.
type cost struct {
	cpu    time.Duration // user and system time, of all threads
	wall   time.Duration
	allocs uint64
	rss    int64 // bytes at most, of a child
}

// row is one line of the table: one thing done with the whole corpus, or with a
// sample of it.
type row struct {
	name      string
	exchanges int
	bytes     int64  // of plaintext
	skip      string // why it is not measured
	dir       string // where a child finds its input
	run       func() (cost, error)

	costs []cost // one a round
}

// measure runs every row once a round, one after the other, so that a machine
// that gets slower does so for all of them.
func measure(suites []*suite, rounds int, only *regexp.Regexp) error {
	for range rounds {
		for _, s := range suites {
			for _, r := range s.rows {
				if r.skip != "" || !only.MatchString(s.corpus.protocol.String()+" "+r.name) {
					continue
				}
				c, err := r.run()
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.corpus.protocol, r.name, err)
				}
				r.costs = append(r.costs, c)
			}
		}
	}
	return nil
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

// here measures run in this process.
func here(run func() error) (cost, error) {
	// What came before leaves nothing to collect.
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	from, err := cpuTime()
	if err != nil {
		return cost{}, err
	}
	start := time.Now()
	if err := run(); err != nil {
		return cost{}, err
	}
	wall := time.Since(start)
	to, err := cpuTime()
	if err != nil {
		return cost{}, err
	}
	runtime.ReadMemStats(&after)
	return cost{cpu: to - from, wall: wall, allocs: after.Mallocs - before.Mallocs}, nil
}

func (r *row) measured() bool { return len(r.costs) > 0 }

// median returns the middle of what of gives for each round.
func (r *row) median(of func(cost) float64) float64 {
	var v []float64
	for _, c := range r.costs {
		v = append(v, of(c))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// seconds is the CPU time of a run.
func (r *row) seconds() float64 { return r.median(func(c cost) float64 { return c.cpu.Seconds() }) }

// mbps is plaintext in MB (10⁶ bytes) for each second of CPU time.
func (r *row) mbps() float64 { return float64(r.bytes) / 1e6 / r.seconds() }

// rate is exchanges for each second of CPU time.
func (r *row) rate() float64 { return float64(r.exchanges) / r.seconds() }

// allocs is allocations an exchange.
func (r *row) allocs() float64 {
	return r.median(func(c cost) float64 { return float64(c.allocs) / float64(r.exchanges) })
}

// wall is the shortest wall time of all rounds, in seconds: other programs can
// only make it longer.
func (r *row) wall() float64 {
	return slices.MinFunc(r.costs, func(a, b cost) int { return int(a.wall - b.wall) }).wall.Seconds()
}

// rss is the largest resident set of all rounds, in MiB.
func (r *row) rss() float64 {
	return float64(slices.MaxFunc(r.costs, func(a, b cost) int { return int(a.rss - b.rss) }).rss) / (1 << 20)
}
