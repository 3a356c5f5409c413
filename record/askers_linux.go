//go:build amd64 || arm64

package record

import (
	"io"
	"os"
	"time"

	"github.com/cilium/ebpf"
)

// askers watches the writes of processes with sessions of which no socket is known:
// those that were open before the recording. A process has them that was connected
// when it was first looked at, or that asks; when its last such connection is closed
// or known, or after a while, the probes go. It belongs to one goroutine.
type askers struct {
	libs *libs
	on   map[uint32]*asker
}

// asker is a process whose writes are watched.
type asker struct {
	links []io.Closer
	older map[string]string // its sockets that may be those of older sessions: what they are, by their links
	until time.Time         // how long to wait for them
}

// olderWait is how long a process that was connected before may be silent for its
// sessions to be told with their addresses from their first call on, not from the second.
const olderWait = time.Minute

// expect watches a process that is connected, and may have been before it was watched.
func (a *askers) expect(pid uint32, maps []mapped) error {
	if a.on[pid] != nil || len(a.on) >= maxExpected || !a.libs.demands(maps) || !a.libs.wanted(pid) {
		return nil
	}
	older := a.libs.proc.connected(pid)
	if len(older) == 0 {
		return nil
	}
	err := a.watch(pid, maps)
	if on := a.on[pid]; on != nil {
		on.older, on.until = older, time.Now().Add(olderWait)
	}
	return err
}

// watch puts the probes on a process, which has mapped maps, unless they are on.
func (a *askers) watch(pid uint32, maps []mapped) error {
	if a.on[pid] != nil {
		return nil
	}
	for _, file := range maps {
		for _, s := range a.libs.demanded(file.open) {
			f, err := os.Open(file.open)
			if err != nil {
				continue // it is gone
			}
			on, err := a.libs.k.watchLink(&image{path: file.path, f: f}, s, pid)
			f.Close()
			if a.on[pid] == nil {
				a.on[pid] = &asker{}
			}
			a.on[pid].links = append(a.on[pid].links, on...)
			if err != nil && !gone(err) {
				return kernelError("watch the writes of "+file.path, err)
			}
		}
	}
	return nil
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
// those that do and have none.
func (a *askers) reap() (without []uint32) {
	asking := a.libs.k.coll.Maps["asking"]
	var pid, n uint32
	waits := map[uint32]uint32{}
	for all := asking.Iterate(); all.Next(&pid, &n); {
		waits[pid] = n
	}
	for pid, n := range waits {
		switch {
		case n > 0 && a.on[pid] == nil:
			without = append(without, pid)
		case n == 0:
			// Another session may ask at this moment.
			if err := asking.LookupAndDelete(pid, &n); err == nil && n > 0 {
				asking.Update(pid, n, ebpf.UpdateNoExist)
				waits[pid] = n
			}
		}
	}
	for pid, on := range a.on {
		if waits[pid] == 0 && !on.waits(time.Now()) {
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
	for _, l := range a.on[pid].links {
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
