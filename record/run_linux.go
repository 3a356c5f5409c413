//go:build amd64 || arm64

package record

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// Run hands events to sink until ctx is done or the command has exited, then takes
// the probes off, drains the rest and ends the session with an END event. It
// returns the first error of sink.
func (s *Session) Run(ctx context.Context, sink Sink) error {
	s.t.sink = sink
	if err := s.begin(); err != nil {
		return err
	}
	later, cancel := context.WithCancel(context.Background())
	var attaching sync.WaitGroup
	attaching.Go(func() { s.attachLater(later) })
	// A probe put on after detach would stay.
	quiesce := func() { cancel(); attaching.Wait() }
	defer quiesce()
	defer context.AfterFunc(ctx, s.ring.interrupt)()
	wait := fileWait
	if s.o.Live {
		wait = liveWait
	}
	for {
		if s.ring.pending() < s.ring.size()/4 {
			s.ring.wait(s.patience(wait))
		}
		_, exited := s.ChildExit()
		done := ctx.Err() != nil || exited || s.alone()
		if done {
			if err := s.k.stop(); err != nil {
				return err
			}
			quiesce()
			s.k.detach()
		}
		if err := s.round(ctx, sink, done); err != nil || done {
			return err
		}
	}
}

// patience is how long to wait for more. The kernel side wakes us once a millisecond
// at most for libraries that are loaded: what came just after is fetched soon.
func (s *Session) patience(wait int) int {
	if s.loads {
		s.loads = false
		return loadWait
	}
	return wait
}

// alone reports that every process that was asked for by number is gone. It looks
// once a second at most.
func (s *Session) alone() bool {
	if len(s.o.PIDs) == 0 || time.Since(s.looked) < time.Second {
		return false
	}
	s.looked = time.Now()
	return !slices.ContainsFunc(s.o.PIDs, s.libs.proc.exists)
}

// begin emits what stands at the start of every session.
func (s *Session) begin() error {
	s.clockAt = time.Now()
	if err := s.t.emit(format.TypeSession, &bpf.SpliffEvHdr{Time: s.info.Mono}, nil, s.info.AppendTo(nil)); err != nil {
		return err
	}
	if err := s.tellTargets(); err != nil {
		return err
	}
	return s.introduce()
}

// introduce tells who of those that live already is selected.
func (s *Session) introduce() error {
	if !s.o.selects() && !s.o.AllProcesses {
		return nil
	}
	for _, pid := range slices.Sorted(maps.Keys(s.t.procs.by)) {
		p := s.t.procs.by[pid]
		bits, err := s.k.named(pid)
		if err != nil {
			return err
		}
		if s.o.AllProcesses || s.o.selected(p, bits, s.t.procs) {
			if err := s.t.tell(s.now(), p, format.OriginFound); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellTargets tells of the libraries that were found since it was last called.
func (s *Session) tellTargets() error {
	for _, t := range s.libs.fresh() {
		if err := s.target(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) target(t Target) error {
	if t.Problem != "" {
		u := format.Unwatched{Library: t.Library, Path: t.Path, BuildID: t.BuildID, Reason: t.Problem}
		return s.t.emit(format.TypeUnwatched, s.now(), nil, u.AppendTo(nil))
	}
	p := format.Probe{ID: t.ID, Library: t.Library, Path: t.Path, BuildID: t.BuildID}
	for _, s := range t.Sites {
		p.Sites = append(p.Sites, s.String())
	}
	return s.t.emit(format.TypeProbe, s.now(), nil, p.AppendTo(nil))
}

func (s *Session) now() *bpf.SpliffEvHdr {
	return &bpf.SpliffEvHdr{Time: uint64(clock(unix.CLOCK_MONOTONIC))}
}

// round is one turn of the loop: everything that waits, then what time asks for.
func (s *Session) round(ctx context.Context, sink Sink, last bool) error {
	if err := s.tellTargets(); err != nil {
		return err
	}
	rest := func() { s.rest(sink, last) }
	rest()
	if err := s.ring.drain(s.t.sample, rest); err != nil {
		return err
	}
	now := s.now()
	if err := s.reportLoss(now.Time); err != nil {
		return err
	}
	if time.Since(s.clockAt) >= clockEvery {
		s.clockAt = time.Now()
		c := format.Clock{Wall: clock(unix.CLOCK_REALTIME), Mono: now.Time}
		if err := s.t.emit(format.TypeClock, now, nil, c.AppendTo(nil)); err != nil {
			return err
		}
	}
	if last {
		if err := s.finish(ctx, now); err != nil {
			return err
		}
	}
	return sink.Flush()
}

// rest waits while the sink is behind and the ring has room: what is in the ring
// is not lost, while a sink that is handed more than it can hold sheds it. In the
// last round nothing more comes into the ring, so there is always time.
func (s *Session) rest(sink Sink, last bool) {
	p, ok := sink.(Patient)
	if !ok {
		return
	}
	// Beyond seven eighths, a burst could fill it while we sleep.
	for p.Busy() && (last || s.ring.pending() < s.ring.size()/8*7) {
		time.Sleep(restWait)
	}
}

// finish names what never arrived and closes the session. The context's cause is
// the reason, unless the command ended by itself.
func (s *Session) finish(ctx context.Context, now *bpf.SpliffEvHdr) error {
	// Nothing comes into the ring any more, and all of it has been read.
	if err := s.t.buried(now.Time, s.k.ended(), func(uint64) bool { return true }); err != nil {
		return err
	}
	if err := s.t.settle(now.Time); err != nil {
		return err
	}
	if err := s.unlocated(now.Time); err != nil {
		return err
	}
	st := s.Stats()
	end := format.End{Events: s.t.seq, Bytes: st.Bytes, LostEvents: st.LostEvents, LostBytes: st.LostBytes}
	if err := s.account(&end, st); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		end.Reason = err.Error()
	} else if _, ok := s.ChildExit(); ok {
		end.Reason = "command exited"
	} else {
		end.Reason = "processes exited"
	}
	return s.t.emit(format.TypeEnd, now, nil, end.AppendTo(nil))
}
