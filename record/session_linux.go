//go:build amd64 || arm64

package record

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

const (
	defaultRing = 32 << 20
	minRing     = 1 << 16
	maxRing     = 1 << 30

	defaultConns = 1 << 16 // entries of the kernel side's tables
	minConns     = 1 << 6
	maxConns     = 1 << 24

	maxCgroups = 16 // CGROUPS_MAX of bpf/event.h

	liveWait = 20  // milliseconds between drains when someone watches
	fileWait = 500 // and when nobody does: fewer, larger drains cost the recorded programs less

	loadWait = 2 // and after a library was loaded

	restWait = 2 * time.Millisecond

	clockEvery = 10 * time.Second
	reapEvery  = 30 * time.Second
)

// initialPIDNamespace is PROC_PID_INIT_INO (include/linux/proc_ns.h).
const initialPIDNamespace = "pid:[4026531836]"

// Session is a recording in progress. Its methods may be called from any
// goroutine; Run once.
type Session struct {
	o        Options
	info     format.Session
	k        *kernel
	ring     *ring
	libs     *libs
	t        *translator
	child    *child
	scans    *scanQueue
	loads    bool // the last drain met a process that mapped something
	memory   *memory
	unlinked chan uint32 // processes with sessions that use no socket
	fresh    chan Target // libraries probed since Run began
	clockAt  time.Time
	looked   time.Time        // when the processes were last looked for
	told     bpf.SpliffCounts // losses already in the session
	missed   uint64
	swept    time.Time // when lost words were last made good
	unswept  bool      // there may be some
	missing  missing   // what the last look found
}

// Open loads the kernel side, puts probes on every TLS library it finds and starts
// o.Command. What is recorded from then on waits in the ring for Run.
//
// Errors wrap [ErrPermission], [ErrNotSupported], [ErrNoProcess] or
// [ErrNoLibrary] where one of these is the reason.
func Open(ctx context.Context, o Options) (*Session, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: try sudo", ErrPermission)
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != initialPIDNamespace {
		return nil, fmt.Errorf("%w: this is a container's pid namespace, where process numbers mean others than the kernel's: run on the host", ErrNotSupported)
	}
	s := &Session{o: o, scans: newScanQueue(), unlinked: make(chan uint32, 1024), fresh: make(chan Target, maxLibraries)}
	if err := s.open(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open() (err error) {
	s.info = sessionInfo(s.o)
	size := ringSize(s.o.RingBytes)
	proc := procFS("/proc")
	pids := append([]uint32(nil), s.o.PIDs...)
	for _, p := range s.o.Parents {
		pids = append(pids, p)
	}
	for _, p := range pids {
		if !proc.exists(p) {
			return fmt.Errorf("%w: %d", ErrNoProcess, p)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("find cgroups: %w", err)
	}
	groups := findCgroupFS(mounts)
	if s.o, err = resolveCgroups(s.o, groups); err != nil {
		return err
	}
	if s.k, err = loadKernel(s.o, size); err != nil {
		return err
	}
	// From here on every birth is in the ring, or in the list, or in both.
	procs := newProcesses(proc, groups)
	if err := procs.load(s.k); err != nil {
		return err
	}
	if err := s.nameTargets(proc); err != nil {
		return err
	}
	s.libs = newLibs(proc, s.k, s.o.Offsets)
	if err := s.libs.attachInstalled(nil); err != nil {
		return err
	}
	if s.ring, err = newRing(s.k.coll.Maps["ring"].FD(), size); err != nil {
		return err
	}
	s.t = newTranslator(s.k, procs, bootAhead())
	s.t.all, s.t.some = s.o.AllProcesses, s.o.selects()
	s.t.loaded = func(pid uint32) { s.loads = true; s.scans.add(pid) }
	s.t.unlinked = func(pid uint32) {
		select {
		case s.unlinked <- pid:
		default: // its next session asks again
		}
	}
	s.memory = newMemory(s.libs)
	for _, pid := range proc.pids() {
		if err := s.memory.expect(pid); err != nil {
			return err
		}
	}
	if len(s.o.Command) > 0 {
		// Known before it runs, its first call is seen too.
		if path, err := exec.LookPath(s.o.Command[0]); err == nil {
			if err := s.libs.expect(path); err != nil {
				return err
			}
		}
		if s.child, err = startChild(s.k, s.o, s.ring.interrupt); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) nameTargets(proc procFS) error {
	for _, p := range s.o.PIDs {
		if err := s.k.name(p, targetPID); err != nil {
			return err
		}
	}
	for _, root := range s.o.Parents {
		// A child forked while we look has an unnamed parent and is in no listing yet:
		// look again until there is nobody new.
		for fresh := true; fresh; {
			fresh = false
			for _, p := range proc.descendants(root) {
				has, err := s.k.named(p)
				if err != nil {
					return err
				}
				if has&targetTree != 0 {
					continue
				}
				fresh = true
				if err := s.k.name(p, targetTree); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ringSize returns the next power of two within what the kernel accepts.
func ringSize(n int) int {
	if n <= 0 {
		return defaultRing
	}
	size := minRing
	for size < n && size < maxRing {
		size <<= 1
	}
	return size
}

func clock(id int32) int64 {
	var ts unix.Timespec
	unix.ClockGettime(id, &ts) // cannot fail with a valid id and pointer
	return ts.Nano()
}

// bootAhead is how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the time spent
// suspended.
func bootAhead() int64 { return clock(unix.CLOCK_BOOTTIME) - clock(unix.CLOCK_MONOTONIC) }

func sessionInfo(o Options) format.Session {
	info := format.Session{
		Wall: clock(unix.CLOCK_REALTIME), Mono: uint64(clock(unix.CLOCK_MONOTONIC)),
		Writer: o.Writer, Command: o.Args, Filter: filterWords(o),
	}
	rand.Read(info.UUID[:])
	info.UUID[6], info.UUID[8] = info.UUID[6]&0x0f|0x40, info.UUID[8]&0x3f|0x80 // RFC 9562 version 4
	_, east := time.Now().Zone()
	info.UTCOffset = int32(east)
	info.Host, _ = os.Hostname()
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		info.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
		info.Arch = unix.ByteSliceToString(u.Machine[:])
	}
	return info
}

// filterWords says in words what o records, "" for everything.
func filterWords(o Options) string {
	var kinds []string
	add := func(words []string) {
		if len(words) > 0 {
			kinds = append(kinds, strings.Join(words, " or "))
		}
	}
	var pids, trees, comms, users, groups []string
	for _, p := range o.PIDs {
		pids = append(pids, fmt.Sprintf("pid %d", p))
	}
	for _, p := range o.Parents {
		trees = append(trees, fmt.Sprintf("descendants of %d", p))
	}
	if len(o.Command) > 0 {
		trees = append(trees, "command "+o.Command[0])
	}
	for _, c := range o.Comms {
		comms = append(comms, "comm "+c)
	}
	add(pids)
	add(trees)
	add(comms)
	for _, u := range o.UIDs {
		users = append(users, fmt.Sprintf("uid %d", u))
	}
	for _, c := range o.Cgroups {
		groups = append(groups, "cgroup "+c)
	}
	for _, c := range o.Containers {
		groups = append(groups, "container "+c)
	}
	add(users)
	add(groups)
	var libs []string
	for _, l := range o.Libraries {
		libs = append(libs, "library "+l)
	}
	add(libs)
	return strings.Join(kinds, " and ")
}

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
			if err := s.memory.watch(pid); err != nil {
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
	targets, linker, err := s.libs.scan(pid)
	if err != nil {
		s.libs.problem(fmt.Sprintf("process %d", pid), err)
	}
	if err := s.memory.expect(pid); err != nil {
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
		if s.ring.pending() < uint64(len(s.ring.data)/8) {
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
	for _, t := range s.Targets() {
		if err := s.probed(t); err != nil {
			return err
		}
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

func (s *Session) probed(t Target) error {
	if t.Problem != "" {
		return nil
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
	for {
		select {
		case t := <-s.fresh:
			if err := s.probed(t); err != nil {
				return err
			}
			continue
		default:
		}
		break
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
	// Seven eighths of it: data is mapped twice. Beyond, a burst could fill it while we sleep.
	for p.Busy() && (last || s.ring.pending() < uint64(len(s.ring.data)/16*7)) {
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

// Info describes the session: what stands in the file's header.
func (s *Session) Info() format.Session { return s.info }

// Targets lists the libraries found so far, those without probes included.
func (s *Session) Targets() []Target { return s.libs.list() }

// Missing lists the features of newer kernels that this recording does without.
func (s *Session) Missing() []Feature { return s.k.missing() }

// ChildExit returns the exit code of the started command once it has ended.
func (s *Session) ChildExit() (code int, ok bool) { return s.child.exit() }

// Close takes every probe off and frees the kernel side. A command that still
// runs goes on unrecorded.
func (s *Session) Close() error {
	var err error
	if s.ring != nil {
		s.ring.Close()
	}
	if s.k != nil {
		err = errors.Join(err, s.k.Close())
	}
	return err
}
