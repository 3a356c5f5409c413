//go:build amd64 || arm64

package record

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/NoFear0411/spliff/bpf"
)

// The bits of the targets map, as in bpf/maps.h.
const (
	targetPID  = uint32(1)
	targetTree = uint32(2)
)

// kernel holds the loaded programs and every link. Dropping a link would detach
// it at the next garbage collection, so all of them are kept until Close.
type kernel struct {
	coll  *ebpf.Collection
	has   map[Feature]bool
	need  uint32   // bits of the targets map that a process must have
	pids  []uint32 // attach to these processes only; none for all
	comms []string // record only processes called so; none for all
	libs  []string // kinds of library to put probes on; none for all

	secret uint64 // of the ring

	mu    sync.Mutex
	links []io.Closer
}

func (k *kernel) keep(l io.Closer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.links = append(k.links, l)
}

// loadKernel loads the object with o's settings and attaches the tracepoints.
func loadKernel(o Options, ringBytes int) (*kernel, error) {
	spec, err := bpf.LoadSpliff()
	if err != nil {
		return nil, fmt.Errorf("read BPF object: %w", err)
	}
	types, err := loadKernelTypes()
	if err != nil {
		return nil, err
	}
	k := &kernel{
		has:  map[Feature]bool{},
		pids: o.PIDs, // other processes then don't even trap
		libs: o.Libraries,
	}
	for _, f := range featuresOf(types, o.Without) {
		k.has[f] = true
	}
	if err := k.configure(spec, o, ringBytes); err != nil {
		return nil, err
	}
	k.choose(spec)
	if k.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, kernelError("load BPF programs", err)
	}
	if err := k.chooseCgroups(o.Cgroups); err != nil {
		k.Close()
		return nil, err
	}
	for name, p := range spec.Programs {
		if p.Type != ebpf.Tracing || p.AttachType == ebpf.AttachTraceIter {
			continue
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: k.coll.Programs[name]})
		if err != nil {
			k.Close()
			return nil, kernelError("attach to tracepoint "+p.AttachTo, err)
		}
		k.keep(l)
	}
	return k, nil
}

// asked leaves the libraries that are to be recorded. Without a kernel side
// nothing is, and all are looked at.
func (k *kernel) asked(found []content) (left []content) {
	for _, r := range found {
		if k == nil || len(k.libs) == 0 || slices.Contains(k.libs, r.kind) {
			left = append(left, r)
		}
	}
	return left
}

// missing lists the features that this recording does without.
func (k *kernel) missing() []Feature {
	return slices.DeleteFunc(Features(), func(f Feature) bool { return k.has[f] })
}

// choose leaves in spec the programs that this kernel has a place for, set for the
// kind of probe that it has.
func (k *kernel) choose(spec *ebpf.CollectionSpec) {
	drop := []string{"call_session", "new_session"}
	if k.has[FeatureSession] {
		drop = []string{"call_enter", "call_return", "new_return"}
		for _, p := range []string{"call_session", "new_session"} {
			spec.Programs[p].AttachType = attachUprobeSession
		}
	}
	if !k.has[FeatureSockLength] {
		drop = append(drop, "sock_sent", "sock_received")
	}
	for _, name := range drop {
		delete(spec.Programs, name)
	}
	for _, p := range spec.Programs {
		if p.AttachType == ebpf.AttachTraceUprobeMulti && !k.has[FeatureUprobeMulti] {
			p.AttachType = ebpf.AttachNone
		}
	}
}

// configure sets the constants of maps.h, and the sizes of its maps.
func (k *kernel) configure(spec *ebpf.CollectionSpec, o Options, ringBytes int) error {
	var comms [8][16]uint8
	if len(o.Comms) > len(comms) {
		return fmt.Errorf("%d process names: at most %d can be filtered at once", len(o.Comms), len(comms))
	}
	for i, c := range o.Comms {
		if len(c) == 0 || len(c) > 15 {
			return fmt.Errorf("process name %q: the kernel keeps 1 to 15 bytes of a name", c)
		}
		copy(comms[i][:], strings.ToLower(c))
	}
	var uids [16]uint32
	if len(o.UIDs) > len(uids) {
		return fmt.Errorf("%d users: at most %d can be filtered at once", len(o.UIDs), len(uids))
	}
	copy(uids[:], o.UIDs)
	need := uint32(0)
	if len(o.PIDs) > 0 {
		need |= targetPID
	}
	if len(o.Parents)+len(o.Command) > 0 {
		need |= targetTree
	}
	k.need, k.comms = need, o.Comms
	spec.Maps["ring"].ValueSize = ringValue(ringBytes)
	var secret [8]byte
	_, _ = rand.Read(secret[:]) // never fails
	k.secret = binary.NativeEndian.Uint64(secret[:])
	spec.Maps["conns"].MaxEntries = tableSize(o.MaxConns)
	for _, name := range []string{"targets", "procs"} {
		spec.Maps[name].MaxEntries = tableSize(o.MaxConns) / 2
	}
	for name, v := range map[string]any{
		"self_tgid": uint32(os.Getpid()), "need": need, "n_comms": uint32(len(o.Comms)), "comms": comms,
		"n_uids": uint32(len(o.UIDs)), "uids": uids, "n_cgroups": uint32(len(o.Cgroups)), "keep_local": bit(o.Local),
		"watch_all":  bit(watchAll(o)),
		"wake_bytes": uint64(ringBytes / 4), "snaplen": uint32(o.Snaplen),
		"ring_bytes": uint64(ringBytes), "ring_secret": k.secret,
	} {
		if err := spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("set BPF constant %s: %w", name, err)
		}
	}
	return nil
}

func bit(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

// watchAll: who was whose child must be known of every process before it is known to
// be of interest. Processes chosen by number are known from the start.
func watchAll(o Options) bool { return o.AllProcesses || len(o.PIDs) == 0 }

// tableSize is how many connections the kernel side can hold.
func tableSize(n int) uint32 {
	if n <= 0 {
		n = defaultConns
	}
	return uint32(min(max(n, minConns), maxConns))
}

// kernelError sorts errors of the kernel into those that callers branch on.
func kernelError(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && os.Geteuid() != 0:
		return fmt.Errorf("%s: %w: %v", what, ErrPermission, err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.EINVAL), errors.Is(err, unix.E2BIG), errors.Is(err, btf.ErrNotFound):
		return fmt.Errorf("%s: %w: requires Linux >= 6.0 with BTF: %v", what, ErrNotSupported, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// attach puts the probes of a library onto the file that m has open. The file is
// named by our own descriptor: the path of another process's mapping could lead to
// another file by now, and a breakpoint in the wrong place breaks whoever runs it.
func (k *kernel) attach(m *image, lib uint8, sites []site) error {
	if slices.ContainsFunc(sites, func(s site) bool { return s.goroutine }) {
		if err := k.watchGoroutines(); err != nil {
			return err
		}
	}
	pids := k.pids
	if len(pids) == 0 {
		pids = []uint32{0}
	}
	for _, pid := range pids {
		for _, g := range k.groups(sites, lib) {
			if len(g.at) == 0 {
				continue
			}
			l, err := k.link(m, g, pid)
			if pid != 0 && (errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)) {
				return fmt.Errorf("%w: %d", ErrNoProcess, pid) // it ended while we were at it
			}
			if err != nil {
				return kernelError("attach to "+m.path, err)
			}
			k.keep(l)
		}
	}
	return nil
}

// group is what one multi-uprobe link holds: one program on many places.
type group struct {
	prog    string
	kind    linkKind
	at      []uint64
	cookies []uint64
}

type linkKind uint8

const (
	linkEntry linkKind = iota
	linkReturn
	linkSession
)

func (k *kernel) link(m *image, g group, pid uint32) (io.Closer, error) {
	prog := k.coll.Programs[g.prog]
	if g.kind == linkSession {
		return uprobeSession(m.fdPath(), prog, g.at, g.cookies, pid)
	}
	if !k.has[FeatureUprobeMulti] {
		return g.single(m.fdPath(), prog, pid)
	}
	ex, err := link.OpenExecutable(m.fdPath())
	if err != nil {
		return nil, err
	}
	opts := &link.UprobeMultiOptions{Addresses: g.at, Cookies: g.cookies, PID: pid}
	if g.kind == linkReturn {
		return ex.UretprobeMulti(nil, prog, opts)
	}
	return ex.UprobeMulti(nil, prog, opts)
}

// groups sorts sites by the program that goes on them, in the order to attach:
// returns before entries, or a frame would be left behind; calls that move bytes
// before those that make sessions, or a session could seem watched from its birth that was not.
func (k *kernel) groups(sites []site, lib uint8) []group {
	enter := group{prog: "call_enter"}
	leave := group{prog: "call_return", kind: linkReturn}
	made := group{prog: "new_return", kind: linkReturn}
	if k.has[FeatureSession] {
		enter = group{prog: "call_session", kind: linkSession}
		made = group{prog: "new_session", kind: linkSession}
	}
	touch := group{prog: "session_touch"}
	inner, copied, sent := group{prog: "inner_read"}, group{prog: "inner_copy"}, group{prog: "inner_write"}
	goEnter, goLeave := group{prog: "go_enter"}, group{prog: "go_leave"}
	goDone, goExit := group{prog: "go_done"}, group{prog: "go_exit"}
	add := func(g *group, s site) {
		g.at = append(g.at, s.off)
		g.cookies = append(g.cookies, s.cookie(lib))
	}
	for _, s := range sites {
		switch {
		case s.goroutine && s.entry:
			add(&goEnter, s)
		case s.goroutine && s.result != 0:
			add(&goExit, s)
		case s.goroutine && s.frame != 0:
			add(&goDone, s)
		case s.goroutine:
			add(&goLeave, s)
		case !s.entry:
			add(&made, s)
		case s.what == whatInnerRead:
			add(&inner, s)
		case s.what == whatInnerCopy:
			add(&copied, s)
		case s.what == whatInnerWrite:
			add(&sent, s)
		case s.ret && k.has[FeatureSession]:
			add(&enter, s)
		case s.what == whatHandshake && s.flags&flagKnown != 0:
			// It is inside calls that are watched, maybe on a stack of its own, where
			// the kernel would not bring its return back.
		case s.ret:
			add(&enter, s)
			add(&leave, s)
		default:
			add(&touch, s)
		}
	}
	return []group{leave, touch, inner, copied, sent, enter, made, goLeave, goDone, goExit, goEnter}
}

// watchLinker puts the probe on a dynamic linker that tells of newly mapped files.
func (k *kernel) watchLinker(path string) error {
	m, err := openImage(path)
	if err != nil {
		return err
	}
	defer m.Close()
	s, ok := exported(m, "_dl_debug_state", "")
	if !ok {
		return fmt.Errorf("resolve _dl_debug_state of %s: %w", path, ErrNoLibrary)
	}
	l, err := k.link(m, group{prog: "files_mapped", at: []uint64{s.off}, cookies: []uint64{0}}, 0)
	if err != nil {
		return kernelError("attach to "+path, err)
	}
	k.keep(l)
	return nil
}

// stop makes every program return at once, in one moment: probes come off one
// after the other, and what happens in between must not be half seen.
func (k *kernel) stop() error {
	if err := k.coll.Variables["stopped"].Set(uint32(1)); err != nil {
		return fmt.Errorf("stop BPF programs: %w", err)
	}
	return nil
}

// detach takes every probe off; what is in the ring stays.
func (k *kernel) detach() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.links {
		l.Close()
	}
	k.links = nil
}

func (k *kernel) Close() error {
	k.detach()
	k.coll.Close()
	return nil
}

// commString cuts a fixed-size name at its end.
func commString(b []uint8) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
