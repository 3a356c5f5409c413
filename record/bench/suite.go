//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
)

// watcher is one way to look at the server while it works.
type watcher struct {
	name  string
	peer  bool // another tool: measured under bursts only, it takes minutes
	both  bool // spliff that records the client too
	skip  string
	start func(ctx context.Context, s *server) (watching, error) // nil: nobody watches
}

// looks reports whether the watcher is measured under l.
func (w *watcher) looks(l *load) bool { return (!w.peer || l.peers) && (!w.both || l.both) }

// watching is a watcher at work.
type watching interface {
	// stop ends it and says what it saw under l.
	stop(l *load) (seen, error)
}

// seen is what a watcher has to show, -1 where it cannot tell.
type seen struct {
	exchanges int     // of the server's session; with the client's, of the one that has fewer
	bytes     int64   // that the server wrote
	lost      int64   // bytes
	cpu       float64 // seconds of the watcher itself
	rss       float64 // MiB, the ring of spliff not included
	file      int64   // bytes
}

var unseen = seen{exchanges: -1, bytes: -1, lost: -1, cpu: -1, rss: -1, file: -1}

// cell is what one watcher did under one load, one value a round.
type cell struct {
	load           *load
	watcher        *watcher
	rate, ratio    []float64 // of the untraced run in the same round
	server, traced []float64 // CPU seconds of the server, and its ratio
	seen           []seen
}

type suite struct {
	dir      string
	o        options
	programs []*program
	loads    []*load
	watchers []*watcher
	cells    []*cell
	idle     string
}

func newSuite(dir string, o options) *suite {
	nginx, golang := &program{start: startNginx}, &program{start: startGo}
	return &suite{dir: dir, o: o, programs: []*program{nginx, golang}, loads: loads(o, nginx, golang), watchers: []*watcher{
		{name: untraced},
		floorWatcher(),
		{name: spliffName, start: func(_ context.Context, s *server) (watching, error) { return startSpliff(o.spliff, s, false) }},
		{name: bothName, both: true, start: func(_ context.Context, s *server) (watching, error) { return startSpliff(o.spliff, s, true) }},
		bpftraceWatcher(), sslsniffWatcher(),
	}}
}

// stop ends the servers.
func (s *suite) stop() {
	for _, p := range s.programs {
		p.stop()
	}
}

const (
	untraced   = "untraced"
	floorName  = "empty probes"
	spliffName = "spliff record"
	bothName   = "spliff record, both ends"
)

// measure runs every cell once a round. The untraced run comes first in each
// round; the others are compared with it.
func (s *suite) measure(ctx context.Context, only *regexp.Regexp) error {
	for _, l := range s.loads {
		var row []*cell
		for _, w := range s.watchers {
			if w.name == untraced || only.MatchString(l.name+" "+w.name) && w.looks(l) {
				row = append(row, &cell{load: l, watcher: w})
			}
		}
		if len(row) == 1 {
			continue
		}
		srv, err := l.on.running(s.dir)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		// Each once before it counts: memory that a virtual machine was never given yet
		// costs more than all that is measured here.
		for _, c := range row {
			if c.watcher.peer {
				continue
			}
			warm := &cell{load: l, watcher: c.watcher}
			fmt.Fprintf(os.Stderr, "\r\033[Kwarming up: %s, %s", l.name, c.watcher.name)
			if err := s.once(ctx, srv, warm, nil); err != nil {
				return fmt.Errorf("%s, %s: %w", l.name, c.watcher.name, err)
			}
		}
		for n := range s.o.rounds {
			for _, c := range row {
				if c.watcher.skip != "" || c.watcher.peer && n >= (s.o.rounds+1)/2 {
					continue
				}
				fmt.Fprintf(os.Stderr, "\r\033[Kround %d of %d: %s, %s", n+1, s.o.rounds, l.name, c.watcher.name)
				if err := s.once(ctx, srv, c, row[0]); err != nil {
					return fmt.Errorf("%s, %s: %w", l.name, c.watcher.name, err)
				}
			}
		}
		s.cells = append(s.cells, row...)
	}
	fmt.Fprint(os.Stderr, "\r\033[K")
	if only.MatchString("idle") {
		s.idle = idle(ctx, s.o)
	}
	return nil
}

// once measures c for one round and compares it with plain, if that is given. What
// prevents a tool from running at all is no error of ours: its row says so.
func (s *suite) once(ctx context.Context, srv *server, c, plain *cell) error {
	var w watching
	if c.watcher.start != nil {
		var err error
		if w, err = c.watcher.start(ctx, srv); err != nil {
			if c.watcher.peer || c.watcher.name == floorName {
				c.watcher.skip = err.Error()
				return nil
			}
			return err
		}
	}
	before, err := cpuSeconds(srv.worker)
	if err != nil {
		return err
	}
	rate, err := c.load.run(ctx, srv)
	if err != nil {
		return err
	}
	after, err := cpuSeconds(srv.worker)
	if err != nil {
		return err
	}
	n := len(c.rate)
	c.rate, c.server = append(c.rate, rate), append(c.server, after-before)
	if plain != nil {
		c.ratio = append(c.ratio, rate/plain.rate[n])
		c.traced = append(c.traced, (after-before)/plain.server[n])
	}
	got := unseen
	if w != nil {
		if got, err = w.stop(c.load); err != nil {
			return err
		}
	}
	c.seen = append(c.seen, got)
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
