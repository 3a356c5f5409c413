//go:build amd64 || arm64

package record

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attachLater probes libraries that appear while recording, and clears the kernel
// side's table of what dead processes left in it.
func (s *Session) attachLater(ctx context.Context) {
	var large sync.WaitGroup
	large.Go(func() { s.attachLarge(ctx) })
	defer large.Wait()
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	idle := time.NewTicker(idleEvery)
	defer idle.Stop()
	defer s.memory.Close()
	defer s.askers.Close()
	ask := func(pid uint32) {
		maps := s.libs.proc.mappings(pid)
		if err := errors.Join(s.memory.serve(pid, maps), s.askers.watch(pid, maps)); err != nil {
			s.libs.trouble(err)
		}
	}
	var dead map[sslKey]uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-reap.C:
			dead = s.reap(dead)
			s.memory.reap()
		case <-idle.C:
			for _, pid := range s.askers.reap() {
				ask(pid) // word of it was lost
			}
		case pid := <-s.unlinked:
			ask(pid)
		case pid := <-s.scans.c:
			s.scans.serve(ctx, pid, s.libs.proc, s.scan)
		}
	}
}

// attachLarge does the same for large files, one after another. To read a browser
// takes longer than many a program lives that starts meanwhile.
func (s *Session) attachLarge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case pid := <-s.large.c:
			s.large.serve(ctx, pid, s.libs.proc, s.scanLarge)
		}
	}
}

// scan looks at one process's mappings, but for large files. A dynamic linker that
// was not known may have mapped its libraries before our probe was on it: then look
// again, twice.
func (s *Session) scan(ctx context.Context, pid uint32) {
	maps := s.libs.proc.mappings(pid)
	var small []mapped
	for _, m := range maps {
		if !s.libs.large(m) {
			small = append(small, m)
		}
	}
	if len(small) < len(maps) {
		s.large.add(pid)
	}
	linker, _ := s.libs.scan(small) // its error is told with the file that met it
	if err := errors.Join(s.memory.renew(pid, maps), s.memory.expect(pid, maps)); err != nil {
		s.libs.trouble(err)
	}
	if !linker {
		return
	}
	for _, d := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
		time.AfterFunc(d, func() {
			if ctx.Err() == nil {
				s.scans.add(pid)
			}
		})
	}
}

// scanLarge looks at what scan has left out. Then memory may expect something of the
// process, which is not for this goroutine to ask.
func (s *Session) scanLarge(ctx context.Context, pid uint32) {
	for _, m := range s.libs.proc.mappings(pid) {
		if ctx.Err() != nil {
			return
		}
		if !s.libs.large(m) {
			continue
		}
		s.libs.look(m) // its error is told with the file that met it
	}
	s.scans.add(pid)
}

// reap deletes the entries of processes that were dead a round ago too: by then
// their last events have been drained.
func (s *Session) reap(before map[sslKey]uint64) map[sslKey]uint64 {
	s.k.reapGoroutines(s.libs.proc.lives)
	now := s.k.dead(s.libs.proc.lives)
	for key, id := range now {
		if before[key] == id {
			s.k.forget(key)
		}
	}
	return now
}
