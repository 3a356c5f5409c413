//go:build amd64 || arm64

package record

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf/link"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// process is what is known of one process: a number and a start time. One that has
// ended lives on as the ancestor of others.
type process struct {
	pid   uint32
	start uint64 // CLOCK_BOOTTIME nanoseconds
	exec  uint64 // how many programs it ran before, those of its ancestors included

	ppid, uid uint32
	comm      string
	exe       string
	args      []string
	cut       bool // args are not all
	cgroup    uint64

	parent *process // at its birth, nil if not known
	pcomm  string   // its name then
	told   telling
	said   []byte // payload of the last PROC event about it, but for its origin
	calls  bool   // it has made a call that was recorded

	ended  bool
	status uint32
	time   uint64 // of its end
}

// telling is what the session has of a process.
type telling uint8

const (
	untold  telling = iota
	toldFor         // for the sake of its descendants
	toldItself
)

// processes is the table of those that live, by number. It is told of every birth,
// program and end, or reads what it missed.
type processes struct {
	by     map[uint32]*process
	proc   procFS
	groups cgroupFS
	paths  map[uint64]string // of cgroups, by id
}

// maxPaths bounds the cache of cgroup paths.
const maxPaths = 4096

func newProcesses(proc procFS, groups cgroupFS) *processes {
	return &processes{by: map[uint32]*process{}, proc: proc, groups: groups, paths: map[uint64]string{}}
}

// load lists what lives now. The kernel's own list is exact in start times, where
// procfs rounds them.
func (t *processes) load(k *kernel) error {
	it, err := link.AttachIter(link.IterOptions{Program: k.coll.Programs["list_processes"]})
	if err != nil {
		return kernelError("list processes", err)
	}
	defer it.Close()
	r, err := it.Open()
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	size := int(unsafe.Sizeof(bpf.SpliffEvFork{}))
	var all []*bpf.SpliffEvFork
	for ; len(b) >= size; b = b[size:] {
		if e, ok := as[bpf.SpliffEvFork](append([]byte(nil), b[:size]...)); ok {
			all = append(all, e)
			t.found(e)
		}
	}
	for _, e := range all {
		if p := t.by[e.Hdr.Tgid]; p != nil {
			p.adopt(t.parentOf(e))
		}
	}
	return nil
}

// parentOf finds the parent of a listed process. The list can lack one that its child
// names: the kernel's iterator passes over process 1 (seen on 6.18).
func (t *processes) parentOf(e *bpf.SpliffEvFork) *process {
	if p := t.by[e.Ppid]; p != nil || e.Ppid == 0 {
		return t.exactly(e.Ppid, e.Pstart)
	}
	st, err := t.proc.stat(e.Ppid)
	if err != nil || st.start != ticks(e.Pstart) {
		return nil
	}
	p := &process{pid: e.Ppid, start: e.Pstart, ppid: st.ppid, comm: st.comm}
	t.by[p.pid] = p
	t.read(p)
	return p
}

// found takes in a process that lives already and reads the rest from procfs.
func (t *processes) found(e *bpf.SpliffEvFork) *process {
	p := &process{}
	p.take(e)
	t.by[p.pid] = p
	t.read(p)
	return p
}

// read fills in what procfs knows of p, if it is still the one.
func (t *processes) read(p *process) {
	args, cut := t.proc.args(p.pid)
	exe := t.proc.exe(p.pid)
	if t.proc.lives(p.pid, p.start) {
		p.exe, p.args, p.cut = exe, args, cut
	}
}

// take copies what a sample says.
func (p *process) take(e *bpf.SpliffEvFork) {
	p.pid, p.start, p.exec = e.Hdr.Tgid, e.Start, e.Exec
	p.ppid, p.uid, p.cgroup, p.comm = e.Ppid, e.Uid, e.Cgroup, commString(e.Comm[:])
}

// adopt notes who made p.
func (p *process) adopt(parent *process) {
	if p.parent = parent; parent != nil {
		p.pcomm = parent.comm
	}
}

// exactly returns the process of that number and start, nil if it is not known.
func (t *processes) exactly(pid uint32, start uint64) *process {
	if p := t.by[pid]; p != nil && p.start == start {
		return p
	}
	return nil
}

// born takes in a child. It has its parent's program until it runs another.
func (t *processes) born(e *bpf.SpliffEvFork) *process {
	if p := t.exactly(e.Hdr.Tgid, e.Start); p != nil {
		return p // it was listed, and its birth waited in the ring
	}
	p := &process{}
	p.take(e)
	p.adopt(t.exactly(e.Ppid, e.Pstart))
	if p.parent != nil {
		p.exe, p.args, p.cut = p.parent.exe, p.parent.args, p.parent.cut
	}
	t.by[p.pid] = p
	p.bound()
	return p
}

// bound cuts the line of ancestors: a daemon that replaces itself by a child, again
// and again, would have one without end.
func (p *process) bound() {
	at := p
	for range format.MaxAncestors {
		if at = at.parent; at == nil {
			return
		}
	}
	at.parent = nil
}

// runs takes in what program a process runs. Its birth may have been lost.
func (t *processes) runs(e *bpf.SpliffEvProc) *process {
	p := t.exactly(e.Id.Hdr.Tgid, e.Id.Start)
	if p == nil {
		p = &process{}
		p.adopt(t.exactly(e.Id.Ppid, e.Id.Pstart))
		t.by[e.Id.Hdr.Tgid] = p
	}
	p.take(&e.Id)
	if args := e.Args[:min(int(e.ArgsLen), len(e.Args))]; len(args) > 0 {
		p.args = splitArgs(args)
		p.cut = e.ArgsAll > e.ArgsLen
	}
	if e.Exec != 0 {
		p.exe = commString(e.Exe[:])
	}
	return p
}

// ends takes a process off the table.
func (t *processes) ends(e *bpf.SpliffEvExit) *process {
	p := t.exactly(e.Hdr.Tgid, e.Start)
	if p == nil {
		return nil
	}
	delete(t.by, p.pid)
	p.ended, p.status, p.time = true, e.Status, e.Hdr.Time
	return p
}

// describe makes a PROC event's payload of p.
func (t *processes) describe(p *process, toMono int64) format.Proc {
	v := format.Proc{PID: p.pid, PPID: p.ppid, UID: p.uid, Start: monotonic(p.start, toMono), Comm: p.comm, Exe: p.exe, Args: p.args, ArgsCut: p.cut,
		Cgroup: t.path(p), CgroupID: p.cgroup}
	for at := p; at.parent != nil && len(v.Ancestors) < format.MaxAncestors; at = at.parent {
		v.Ancestors = append(v.Ancestors, format.Ancestor{PID: at.parent.pid, Start: monotonic(at.parent.start, toMono), Comm: at.pcomm})
	}
	return v
}

// monotonic converts a start time to the session's clock.
func monotonic(start uint64, toMono int64) uint64 {
	if mono := int64(start) + toMono; start > 0 && mono > 0 {
		return uint64(mono)
	}
	return 0
}

// path returns the path of a cgroup. One that is gone keeps the path it had when a
// process in it was first described.
func (t *processes) path(p *process) string {
	path, ok := t.paths[p.cgroup]
	if ok {
		return path
	}
	if len(t.paths) >= maxPaths {
		clear(t.paths)
	}
	if path = t.groups.path(p.cgroup); path == "" {
		if path = t.proc.cgroup(p.pid); !t.proc.lives(p.pid, p.start) {
			path = ""
		}
	}
	t.paths[p.cgroup] = path
	return path
}

// program looks up the real path of the program that p runs, while it does: exec
// names it as it was asked for, perhaps by a link or relative to some folder.
func (t *processes) program(p *process) {
	if exe := t.proc.exe(p.pid); exe != "" && t.proc.lives(p.pid, p.start) {
		p.exe = exe
	} else if !filepath.IsAbs(p.exe) {
		p.exe = ""
	}
}

// maxArgs is how much is kept of a command line, as ARGS_LEN of bpf/event.h.
const maxArgs = 1024

// args reads the command line of a process, and says whether it was cut.
func (p procFS) args(pid uint32) ([]string, bool) {
	f, err := os.Open(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "cmdline"))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxArgs+1))
	if err != nil || len(b) == 0 {
		return nil, false
	}
	return splitArgs(b[:min(len(b), maxArgs)]), len(b) > maxArgs
}

func splitArgs(b []byte) []string {
	return strings.Split(string(bytes.TrimRight(b, "\x00")), "\x00")
}

// called reports whether the name of a process or of one of its threads contains one of
// names, in any case.
func (p procFS) called(pid uint32, names []string) bool {
	files, _ := filepath.Glob(fmt.Sprintf("%s/%d/task/*/comm", p, pid))
	return slices.ContainsFunc(files, func(file string) bool {
		comm, err := os.ReadFile(file)
		return err == nil && called(string(comm), names)
	})
}

// userHz is in what part of a second procfs counts: USER_HZ, fixed on these
// architectures.
const userHz = 100

// lives reports whether the process of that number and start lives.
func (p procFS) lives(pid uint32, start uint64) bool {
	st, err := p.stat(pid)
	return err == nil && st.start == ticks(start)
}

// ticks is how procfs rounds a start time.
func ticks(start uint64) uint64 { return start / (1e9 / userHz) }
