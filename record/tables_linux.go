//go:build amd64 || arm64

package record

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/NoFear0411/spliff/bpf"
)

// named returns what a process was asked for by.
func (k *kernel) named(pid uint32) (has uint32, err error) {
	if err := k.coll.Maps["targets"].Lookup(pid, &has); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return 0, fmt.Errorf("filter process %d: %w", pid, err)
	}
	return has, nil
}

// name adds to what a process was asked for by.
func (k *kernel) name(pid, how uint32) error {
	has, err := k.named(pid)
	if err != nil {
		return err
	}
	if err := k.coll.Maps["targets"].Put(pid, has|how); err != nil {
		return fmt.Errorf("filter process %d: %w", pid, err)
	}
	return nil
}

func (k *kernel) unname(pid uint32) { k.coll.Maps["targets"].Delete(pid) }

// conn reads what the kernel side knows of a session object.
func (k *kernel) conn(key sslKey) (bpf.SpliffConn, bool) {
	var c bpf.SpliffConn
	err := k.coll.Maps["conns"].Lookup(key, &c)
	return c, err == nil
}

// ended lists the connections that the kernel side could not say goodbye to.
func (k *kernel) ended() map[sslKey]bpf.SpliffConn {
	found := map[sslKey]bpf.SpliffConn{}
	var key sslKey
	var c bpf.SpliffConn
	for it := k.coll.Maps["conns"].Iterate(); it.Next(&key, &c); {
		if c.Ended != 0 {
			found[key] = c
		}
	}
	return found
}

// find looks through all connections for one by its number.
func (k *kernel) find(id uint64) (sslKey, bool) {
	var key sslKey
	var c bpf.SpliffConn
	for it := k.coll.Maps["conns"].Iterate(); it.Next(&key, &c); {
		if c.Id == id {
			return key, true
		}
	}
	return sslKey{}, false
}

// dead returns the entries of programs that do not run any more. Sessions that
// never moved a byte are known to nobody else, and the table is finite.
func (k *kernel) dead(lives func(pid uint32, start uint64) bool) map[sslKey]uint64 {
	type process struct {
		pid   uint32
		start uint64
	}
	asked := map[process]bool{}
	found := map[sslKey]uint64{}
	var key sslKey
	var c bpf.SpliffConn
	for it := k.coll.Maps["conns"].Iterate(); it.Next(&key, &c); {
		p := process{key.Tgid, key.Start}
		alive, known := asked[p]
		if !known {
			alive = lives(p.pid, p.start)
			asked[p] = alive
		}
		// What it runs now is known once it has made a call since its last exec.
		var runs bpf.SpliffProgram
		if alive && k.coll.Maps["procs"].Lookup(key.Tgid, &runs) == nil && runs.Start == key.Start {
			alive = runs.Exec == key.Exec
		}
		if !alive {
			found[key] = c.Id
		}
	}
	return found
}

// forget removes a session object whose program is gone.
func (k *kernel) forget(key sslKey) { k.coll.Maps["conns"].Delete(key) }

// totals adds up the counters of all CPUs, and the hits the kernel itself skipped.
// The latter only as a sum: the kernel counts them by processor (struct bpf_prog_stats),
// but adds the processors up before it tells (kernel/bpf/syscall.c: bpf_prog_get_stats),
// and no program runs at a skipped hit that could count it itself.
func (k *kernel) totals() (sum bpf.SpliffCounts, missed uint64) {
	if per, err := k.perCPU(); err == nil {
		for _, c := range per {
			sum.Events += c.Events
			sum.Bytes += c.Bytes
			sum.Unpaired += c.Unpaired
			sum.LocalConns += c.LocalConns
			sum.LocalEvents += c.LocalEvents
			sum.LocalBytes += c.LocalBytes
			for i := range c.LostEvents {
				sum.LostEvents[i] += c.LostEvents[i]
				sum.LostBytes[i] += c.LostBytes[i]
			}
		}
	}
	for _, p := range k.coll.Programs {
		if st, err := p.Stats(); err == nil {
			missed += st.RecursionMisses
		}
	}
	return sum, missed
}

// perCPU returns the counters of each processor.
func (k *kernel) perCPU() (per []bpf.SpliffCounts, err error) {
	err = k.coll.Maps["totals"].Lookup(uint32(0), &per)
	return per, err
}
