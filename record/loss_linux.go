//go:build amd64 || arm64

package record

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// lossCauses names the kernel side's causes of loss as the session does. located
// causes show up as a jump of a connection's stream offset and are told there;
// the others belong to no connection and are told by count.
var lossCauses = [...]struct {
	bit     bpf.SpliffLoss
	cause   format.DropCause
	located bool
}{
	{bpf.SpliffLossLOSS_RING, format.DropRingFull, true},
	{bpf.SpliffLossLOSS_FAULT, format.DropFault, true},
	{bpf.SpliffLossLOSS_SNAPLEN, format.DropSnaplen, true},
	{bpf.SpliffLossLOSS_STATE, format.DropNoState, false},
	{bpf.SpliffLossLOSS_CONTROL, format.DropControl, false},
	{bpf.SpliffLossLOSS_NEST, format.DropNoState, false},
	{bpf.SpliffLossLOSS_LENGTH, format.DropFault, false},
}

// sweepEvery is how long, at least, between two looks for what was lost.
const sweepEvery = 2 * time.Second

// reportLoss emits a DROP for every loss that no connection's stream offsets show.
func (s *Session) reportLoss(now uint64) error {
	sum, missed := s.k.totals()
	for _, l := range lossCauses {
		d := format.Drop{Cause: l.cause, Events: sum.LostEvents[l.bit] - s.told.LostEvents[l.bit], Bytes: sum.LostBytes[l.bit] - s.told.LostBytes[l.bit]}
		if l.located || d.Events == 0 {
			continue
		}
		if err := s.t.dropGlobal(now, d); err != nil {
			return err
		}
		s.unswept = s.unswept || l.bit == bpf.SpliffLossLOSS_CONTROL
	}
	s.told = sum
	// Looking takes long, and while much is lost there is no time.
	if s.unswept && time.Since(s.swept) >= sweepEvery {
		s.swept = time.Now()
		var err error
		if s.unswept, err = s.sweep(now); err != nil {
			return err
		}
	}
	if missed > s.missed {
		d := format.Drop{Cause: format.DropMissed, Events: missed - s.missed}
		s.missed = missed
		return s.t.dropGlobal(now, d)
	}
	return nil
}

// missing is what a sweep found to be over without a word.
type missing struct {
	procs map[*process]bool
	conns map[uint64]bool // by the kernel side's number
}

// sweep makes good what lost control events would leave open for ever. What it finds
// to be over may have left samples in the ring that are not read yet: so it is ended
// by the next sweep, when they are. It reports whether there is need of one.
func (s *Session) sweep(now uint64) (again bool, err error) {
	ended := s.k.ended()
	if err := s.t.buried(now, ended, func(id uint64) bool { return s.missing.conns[id] }); err != nil {
		return false, err
	}
	found := missing{map[*process]bool{}, map[uint64]bool{}}
	for _, c := range ended {
		found.conns[c.Id] = !s.missing.conns[c.Id]
		again = again || found.conns[c.Id]
	}
	for _, pid := range slices.Sorted(maps.Keys(s.t.procs.by)) {
		p := s.t.procs.by[pid]
		if s.libs.proc.lives(p.pid, p.start) {
			continue
		}
		if !s.missing.procs[p] {
			found.procs[p], again = true, true
			continue
		}
		if err := s.t.lost(p, &bpf.SpliffEvHdr{Time: now}); err != nil {
			return false, err
		}
	}
	s.missing = found
	return again, nil
}

// unlocated names, at the end, the bytes that were counted as lost but that no
// DROP has named: those of connections that were never announced.
func (s *Session) unlocated(now uint64) error {
	lost := s.Stats().LostBytes
	if lost <= s.t.dropped {
		return nil
	}
	return s.t.dropGlobal(now, format.Drop{Cause: format.DropNoState, Bytes: lost - s.t.dropped})
}

// account puts into end what the losses are made of, by cause and by processor.
func (s *Session) account(end *format.End, st Stats) error {
	sum, missed := s.k.totals()
	by := map[format.DropCause]format.Count{}
	for _, l := range lossCauses {
		c := by[l.cause]
		by[l.cause] = format.Count{Events: c.Events + sum.LostEvents[l.bit], Bytes: c.Bytes + sum.LostBytes[l.bit]}
	}
	by[format.DropMissed] = format.Count{Events: missed}
	for _, cause := range slices.Sorted(maps.Keys(by)) {
		if c := by[cause]; c != (format.Count{}) {
			end.Causes = append(end.Causes, format.CauseCount{Cause: cause, Count: c})
		}
	}
	per, err := s.k.perCPU()
	if err != nil {
		return fmt.Errorf("read counters: %w", err)
	}
	for cpu, n := range per {
		c := format.CPUCount{CPU: uint64(cpu), Sent: format.Count{Events: n.Events, Bytes: n.Bytes}}
		for i := range n.LostEvents {
			c.Lost.Events += n.LostEvents[i]
			c.Lost.Bytes += n.LostBytes[i]
		}
		if c.Sent != (format.Count{}) || c.Lost != (format.Count{}) {
			end.CPUs = append(end.CPUs, c)
		}
	}
	end.Conns, end.Local = st.LocalConns, format.Count{Events: st.LocalEvents, Bytes: st.LocalBytes}
	return nil
}

// Stats returns the counts so far.
func (s *Session) Stats() Stats {
	sum, missed := s.k.totals()
	st := Stats{Events: s.t.events.Load(), Bytes: s.t.bytes.Load(), Conns: s.t.total.Load(), Procs: int(s.t.nprocs.Load()),
		Causes: map[format.DropCause]uint64{}}
	for _, l := range lossCauses {
		st.LostEvents += sum.LostEvents[l.bit]
		st.LostBytes += sum.LostBytes[l.bit]
		if n := sum.LostEvents[l.bit]; n > 0 {
			st.Causes[l.cause] += n
		}
	}
	if missed > 0 {
		st.Causes[format.DropMissed] = missed
		st.LostEvents += missed
	}
	if !s.o.Local {
		st.LocalConns, st.LocalEvents, st.LocalBytes = sum.LocalConns, sum.LocalEvents, sum.LocalBytes
	}
	return st
}
