//go:build amd64 || arm64

package record

import (
	"bytes"
	"maps"
	"slices"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// fork takes in the birth of a process.
func (t *translator) fork(e *bpf.SpliffEvFork) error {
	if err := t.replaced(&e.Hdr, e.Start); err != nil {
		return err
	}
	p := t.procs.born(e)
	if !t.wants(e) {
		return nil
	}
	return t.tell(&e.Hdr, p, format.OriginFork)
}

// wants reports whether the life of a process is told for its own sake.
func (t *translator) wants(e *bpf.SpliffEvFork) bool { return t.all || t.some && e.Selected != 0 }

// program takes in what a process runs: since exec, or as it is when it makes its
// first call. That is told of those that are selected, or make calls.
func (t *translator) program(e *bpf.SpliffEvProc) error {
	h := &e.Id.Hdr
	if err := t.replaced(h, e.Id.Start); err != nil {
		return err
	}
	// An exec ends what the program before had; so does one whose word was lost.
	if p := t.procs.exactly(h.Tgid, e.Id.Start); p != nil && p.exec != e.Id.Exec {
		if err := t.gone(h, format.EndExec, e.Id.Exec); err != nil {
			return err
		}
	}
	p := t.procs.runs(e)
	if e.Exec == 0 {
		return t.calls(h, p)
	}
	if e.Id.Selected != 0 {
		t.loaded(h.Tgid) // with a dynamic linker that may be new
	}
	wanted := t.wants(&e.Id)
	if !wanted && p.told == untold {
		return nil
	}
	t.procs.program(p)
	if !wanted && p.told == toldFor {
		return t.say(h, p, toldFor, format.OriginExec)
	}
	return t.tell(h, p, format.OriginExec)
}

// calls takes in that a process makes its first call. What it runs it ran before.
func (t *translator) calls(h *bpf.SpliffEvHdr, p *process) error {
	origin := format.OriginUnknown
	if p.told != toldItself {
		origin = format.OriginFound
	}
	if !p.calls {
		p.calls = true
		t.nprocs.Add(1)
	}
	t.procs.program(p)
	return t.tell(h, p, origin)
}

// exit takes in the end of a process.
func (t *translator) exit(e *bpf.SpliffEvExit) error {
	p := t.procs.ends(e)
	if p == nil {
		return nil // told twice, or of one whose life was lost
	}
	if err := t.gone(&e.Hdr, format.EndExit, 0); err != nil {
		return err
	}
	return t.tellEnd(&e.Hdr, p)
}

// replaced ends a process whose number has gone to another, started at start: word of
// its end was lost.
func (t *translator) replaced(h *bpf.SpliffEvHdr, start uint64) error {
	old := t.procs.by[h.Tgid]
	if old == nil || old.start == start {
		return nil
	}
	return t.lost(old, h)
}

// lost ends a process of whose end we hear by other ways.
func (t *translator) lost(p *process, h *bpf.SpliffEvHdr) error {
	at := bpf.SpliffEvHdr{Time: h.Time, Tgid: p.pid, Cpu: h.Cpu}
	delete(t.procs.by, p.pid)
	p.ended = true
	if err := t.gone(&at, format.EndExit, 0); err != nil {
		return err
	}
	return t.tellEnd(&at, p)
}

// tell emits a PROC event of p, after those of its ancestors.
func (t *translator) tell(h *bpf.SpliffEvHdr, p *process, origin format.Origin) error {
	var line []*process
	for at := p.parent; at != nil && at.told == untold; at = at.parent {
		line = append(line, at)
	}
	for _, at := range slices.Backward(line) {
		// A number that is another's by now cannot be spoken of any more.
		if by := t.procs.by[at.pid]; by != nil && by != at {
			continue
		}
		if err := t.say(h, at, toldFor, format.OriginFound); err != nil {
			return err
		}
		if at.ended {
			if err := t.tellEnd(h, at); err != nil {
				return err
			}
		}
	}
	return t.say(h, p, toldItself, origin)
}

// say emits a PROC event of p, unless nothing happened and all in it was said.
func (t *translator) say(h *bpf.SpliffEvHdr, p *process, how telling, origin format.Origin) error {
	p.told = max(p.told, how)
	v := t.procs.describe(p, t.toMono)
	v.Context = p.told == toldFor
	plain := v.AppendTo(nil)
	if origin == format.OriginUnknown && bytes.Equal(plain, p.said) {
		return nil
	}
	v.Origin, p.said = origin, plain
	payload := v.AppendTo(nil)
	return t.emit(format.TypeProc, &bpf.SpliffEvHdr{Time: h.Time, Cpu: h.Cpu, Tid: h.Tid}, nil, payload)
}

// tellEnd emits a PROC_END event of p if it has PROC events.
func (t *translator) tellEnd(h *bpf.SpliffEvHdr, p *process) error {
	if p.told == untold {
		return nil
	}
	p.said = nil // it is not said again
	v := format.ProcEnd{PID: p.pid, Start: monotonic(p.start, t.toMono), Status: p.status, Exited: p.time != 0}
	if p.time != h.Time {
		v.Time = p.time
	}
	t.buf = v.AppendTo(t.buf[:0])
	return t.emit(format.TypeProcEnd, &bpf.SpliffEvHdr{Time: h.Time, Cpu: h.Cpu, Tid: h.Tid}, nil, t.buf)
}

// gone ends every connection of a process that exited or runs another program now:
// that one, by its number of execs, may have made some already, if word of it was lost.
func (t *translator) gone(h *bpf.SpliffEvHdr, why format.EndReason, exec uint64) error {
	for _, c := range slices.SortedFunc(maps.Keys(t.of[h.Tgid]), byID) {
		end := format.ConnEnd{Reason: why, Written: c.next[0], Read: c.next[1]}
		var cause [2]uint8
		k, ok := t.inKernel(c)
		if ok && why == format.EndExec && c.key.Exec == exec {
			continue
		}
		if ok {
			end, cause = endOf(k, why), k.Cause
			t.kernel.forget(c.key)
		}
		if err := t.finish(h, c, end, cause); err != nil {
			return err
		}
	}
	maps.DeleteFunc(t.gen, func(k object, _ uint32) bool { return k.pid == h.Tgid })
	return nil
}

// lostBytes adds up what the kernel side lost of each direction.
func lostBytes(lost [2][3]uint64) (sum [2]uint64) {
	for dir := range lost {
		for _, n := range lost[dir] {
			sum[dir] += n
		}
	}
	return sum
}

// lostBy names it by cause, in the order of enum loss.
func lostBy(lost [2][3]uint64) (by [2]format.LostBytes) {
	for dir, n := range lost {
		by[dir] = format.LostBytes{RingFull: n[bpf.SpliffLossLOSS_RING], Fault: n[bpf.SpliffLossLOSS_FAULT], Snaplen: n[bpf.SpliffLossLOSS_SNAPLEN]}
	}
	return by
}
