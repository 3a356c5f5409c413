//go:build amd64 || arm64

package record

import (
	"context"
	"fmt"
	"time"
)

// attachLater probes libraries that appear while recording, and clears the kernel
// side's table of what dead processes left in it.
func (s *Session) attachLater(ctx context.Context) {
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	defer s.memory.Close()
	var dead map[sslKey]uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-reap.C:
			dead = s.reap(dead)
			s.memory.reap()
		case pid := <-s.unlinked:
			if err := s.memory.watch(pid, s.libs.proc.mappings(pid)); err != nil {
				s.libs.problem(fmt.Sprintf("process %d", pid), err)
			}
		case pid := <-s.scans.c:
			s.scans.taken(pid)
			s.scan(ctx, pid)
			for _, pid := range s.scans.missed(s.libs.proc) {
				if ctx.Err() != nil {
					return
				}
				s.scan(ctx, pid)
			}
		}
	}
}

// scan looks at one process's mappings. A dynamic linker that was not known may
// have mapped its libraries before our probe was on it: then look again, twice.
func (s *Session) scan(ctx context.Context, pid uint32) {
	maps := s.libs.proc.mappings(pid)
	targets, linker, err := s.libs.scan(maps)
	if err != nil {
		s.libs.problem(fmt.Sprintf("process %d", pid), err)
	}
	if err := s.memory.expect(pid, maps); err != nil {
		s.libs.problem(fmt.Sprintf("process %d", pid), err)
	}
	for _, t := range targets {
		select {
		case s.fresh <- t:
		default: // Targets still lists it
		}
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
