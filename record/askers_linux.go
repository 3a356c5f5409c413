//go:build amd64 || arm64

package record

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// askers watches the writes of processes with sessions of which no socket is known:
// those that were open before the recording. A process has them that was connected
// when it was first looked at, or that asks; when its last such connection is closed
// or known, or after a while, the probes go. It belongs to one goroutine.
type askers struct {
	libs  *libs
	on    map[uint32]*asker
	peers peers
}

// asker is a process whose writes are watched.
type asker struct {
	on    []demand // where: none of a process that has no such place
	links []io.Closer
	older map[string]string // its sockets that may be those of older sessions: what they are, by their links
	until time.Time         // how long to wait for them
}

// olderWait is how long a process that was connected before may be silent for its
// sessions to be told with their addresses from their first call on, not from the second.
const olderWait = time.Minute

// expect watches a process that is connected, and may have been before it was watched.
func (a *askers) expect(pid uint32, maps []mapped) error {
	if a.on[pid] != nil || len(a.on) >= maxExpected || !a.libs.wanted(pid) || len(a.libs.demands(maps)) == 0 {
		return nil
	}
	older := a.libs.proc.connected(pid, a.peers)
	if len(older) == 0 {
		return nil
	}
	err := a.watch(pid, maps)
	a.on[pid].older, a.on[pid].until = older, time.Now().Add(olderWait)
	return err
}

// watch puts the probes on a process, which has mapped maps, unless they are on.
func (a *askers) watch(pid uint32, maps []mapped) error {
	at := a.libs.demands(maps)
	if on := a.on[pid]; on != nil {
		if sameFiles(on.on, at) {
			return nil
		}
		a.drop(pid) // it runs another program, or has loaded another library
	}
	on := &asker{on: at}
	a.on[pid] = on // also of one without such sites, or reap would find it again and again
	for _, file := range at {
		f, err := os.Open(file.open)
		if err != nil {
			continue // it is gone
		}
		for _, s := range a.libs.demanded(file.id) {
			links, failed := a.libs.k.watchLink(&image{path: file.open, f: f}, s, pid)
			on.links = append(on.links, links...)
			if err = errors.Join(err, failed); gone(failed) {
				err = nil
			}
		}
		f.Close()
		if err != nil {
			return kernelError("watch the writes of "+file.open, err)
		}
	}
	return nil
}

func sameFiles(a, b []demand) bool {
	return slices.EqualFunc(a, b, func(x, y demand) bool { return x.id == y.id })
}

// watchLink puts the probes of one site on one process.
func (k *kernel) watchLink(m *image, s site, pid uint32) (on []io.Closer, err error) {
	for _, g := range k.groups([]site{s}, 0) {
		if len(g.at) == 0 {
			continue
		}
		l, err := k.link(m, g, pid)
		if err != nil {
			return on, err
		}
		on = append(on, l)
	}
	return on, nil
}

// reap takes the probes off processes that wait for nothing any more, and returns
// those that do and were not watched.
func (a *askers) reap() (without []uint32) {
	var pid uint32
	var n int32
	waits := map[uint32]bool{}
	for all := a.libs.k.coll.Maps["asking"].Iterate(); all.Next(&pid, &n); {
		if waits[pid] = n > 0; waits[pid] && a.on[pid] == nil {
			without = append(without, pid)
		}
	}
	for pid, on := range a.on {
		if !waits[pid] && !on.waits(time.Now()) {
			a.drop(pid)
		}
	}
	return without
}

// waits reports whether an older session may still show itself.
func (on *asker) waits(now time.Time) bool {
	if now.After(on.until) {
		return false
	}
	for name, was := range on.older {
		if is, err := os.Readlink(name); err == nil && is == was {
			return true
		}
		delete(on.older, name)
	}
	return false
}

func (a *askers) drop(pid uint32) {
	// The last first: a call that began with its entry watched must find its return so.
	for _, l := range slices.Backward(a.on[pid].links) {
		l.Close()
	}
	delete(a.on, pid)
}

// Close takes every probe off.
func (a *askers) Close() {
	for pid := range a.on {
		a.drop(pid)
	}
}
