//go:build amd64 || arm64

package record

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

const (
	defaultRing = 32 << 20
	minRing     = 1 << 16
	maxRing     = 1 << 29 // the verifier follows no larger offset

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
	idleEvery  = time.Second // how long writes are watched for sockets that are known
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
	scans    *scanQueue // processes to look at
	large    *scanQueue // processes whose large files wait to be looked at
	loads    bool       // the last drain met a process that mapped something
	memory   *memory
	askers   *askers
	unlinked chan uint32 // processes with sessions of which no socket is known
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
	s := &Session{o: o, scans: newScanQueue(), large: newScanQueue(), unlinked: make(chan uint32, 1024)}
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
	if err := s.libs.attachInstalled(); err != nil {
		return err
	}
	if s.ring, err = newRing(s.k.coll.Maps["ring"].FD(), s.k.coll.Maps["bell"].FD(), size, s.k.secret); err != nil {
		return err
	}
	s.t = newTranslator(s.k, procs, bootAhead())
	s.t.all, s.t.some = s.o.AllProcesses, s.o.selects()
	s.t.loaded = func(pid uint32) { s.loads = true; s.scans.add(pid) }
	s.t.unlinked = func(pid uint32) {
		select {
		case s.unlinked <- pid:
		default: // askers.reap finds it
		}
	}
	s.memory = newMemory(s.libs)
	s.askers = &askers{libs: s.libs, on: map[uint32]*asker{}, peers: peers{}}
	for _, pid := range proc.pids() {
		maps := proc.mappings(pid)
		if _, err := s.libs.scan(maps); err != nil {
			return err
		}
		if err := errors.Join(s.memory.expect(pid, maps), s.askers.expect(pid, maps)); err != nil {
			s.libs.trouble(err) // nothing but addresses is missing
		}
	}
	if err := s.expectPrograms(); err != nil {
		return err
	}
	if len(s.o.Command) > 0 {
		if s.child, err = startChild(s.k, s.o, s.ring.interrupt); err != nil {
			return err
		}
	}
	return nil
}

// expectPrograms looks at the programs that are named: known before they run, their
// first calls are seen too. To look at a browser takes as long as its start.
func (s *Session) expectPrograms() error {
	var paths []string
	for _, name := range s.o.Comms {
		paths = append(paths, installedPrograms(name)...)
	}
	if len(s.o.Command) > 0 {
		if path, err := exec.LookPath(s.o.Command[0]); err == nil {
			paths = append(paths, path)
		}
		paths = append(paths, installedPrograms(filepath.Base(s.o.Command[0]))...)
	}
	for _, path := range paths {
		if err := s.libs.expect(path); err != nil {
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

// Info describes the session: what stands in the file's header.
func (s *Session) Info() format.Session { return s.info }

// Targets lists the libraries found so far, those without probes included.
func (s *Session) Targets() []Target { return s.libs.list() }

// Troubles says what else went wrong: libraries that are found late, connections
// without addresses.
func (s *Session) Troubles() []string {
	s.libs.mu.Lock()
	defer s.libs.mu.Unlock()
	return append([]string(nil), s.libs.troubles...)
}

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
	if s.memory != nil { // Run has closed them already, if it was called
		s.memory.Close()
		s.askers.Close()
	}
	if s.k != nil {
		err = errors.Join(err, s.k.Close())
	}
	return err
}
