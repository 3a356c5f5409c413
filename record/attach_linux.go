//go:build amd64 || arm64

package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
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
	objs bpf.SpliffObjects
	pids []uint32 // attach to these processes only; none for all

	mu    sync.Mutex
	links []link.Link
}

func (k *kernel) keep(l link.Link) {
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
	if err := configure(spec, o, ringBytes); err != nil {
		return nil, err
	}
	k := &kernel{pids: o.PIDs} // other processes then don't even trap
	if err := spec.LoadAndAssign(&k.objs, nil); err != nil {
		return nil, kernelError("load BPF programs", err)
	}
	for _, p := range []*ebpf.Program{k.objs.Forked, k.objs.Execed, k.objs.Exited, k.objs.SockSent, k.objs.SockReceived} {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			k.Close()
			return nil, kernelError("attach tracepoints", err)
		}
		k.keep(l)
	}
	return k, nil
}

// configure sets the constants of maps.h.
func configure(spec *ebpf.CollectionSpec, o Options, ringBytes int) error {
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
	need := uint32(0)
	if len(o.PIDs) > 0 {
		need |= targetPID
	}
	if len(o.Parents)+len(o.Command) > 0 {
		need |= targetTree
	}
	plain := uint32(0)
	if o.PlainReserve || !kernelHas("bpf_probe_read_user_dynptr") {
		plain = 1
	}
	spec.Maps["ring"].MaxEntries = uint32(ringBytes)
	for name, v := range map[string]any{
		"self_tgid": uint32(os.Getpid()), "need": need, "n_comms": uint32(len(o.Comms)), "comms": comms,
		"wake_bytes": uint64(ringBytes / 4), "snaplen": uint32(o.Snaplen), "plain_reserve": plain,
	} {
		if err := spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("set BPF constant %s: %w", name, err)
		}
	}
	return nil
}

// kernelHas reports whether the running kernel has a function that BPF programs
// may call.
func kernelHas(fn string) bool {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return false
	}
	var f *btf.Func
	return spec.TypeByName(fn, &f) == nil
}

// kernelError sorts errors of the kernel into those that callers branch on.
func kernelError(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && os.Geteuid() != 0:
		return fmt.Errorf("%s: %w: %v", what, ErrPermission, err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.EINVAL), errors.Is(err, btf.ErrNotFound):
		return fmt.Errorf("%s: %w: requires Linux >= 6.6 with BTF: %v", what, ErrNotSupported, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// name adds to what a process was asked for by.
func (k *kernel) name(pid, how uint32) error {
	var has uint32
	if err := k.objs.Targets.Lookup(pid, &has); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("filter process %d: %w", pid, err)
	}
	if err := k.objs.Targets.Put(pid, has|how); err != nil {
		return fmt.Errorf("filter process %d: %w", pid, err)
	}
	return nil
}

func (k *kernel) unname(pid uint32) { k.objs.Targets.Delete(pid) }

// attach puts the probes of a library onto the file at path. The links belong to k.
func (k *kernel) attach(path string, lib uint8, sites []site) error {
	ex, err := link.OpenExecutable(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
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
			opts := &link.UprobeMultiOptions{Addresses: g.at, Cookies: g.cookies, PID: pid}
			var l link.Link
			if g.ret {
				l, err = ex.UretprobeMulti(nil, g.prog, opts)
			} else {
				l, err = ex.UprobeMulti(nil, g.prog, opts)
			}
			if err != nil {
				return kernelError("attach to "+path, err)
			}
			k.keep(l)
		}
	}
	return nil
}

// group is what one multi-uprobe link holds: one program on many places.
type group struct {
	prog    *ebpf.Program
	ret     bool
	at      []uint64
	cookies []uint64
}

func (k *kernel) groups(sites []site, lib uint8) []group {
	enter := group{prog: k.objs.CallEnter}
	leave := group{prog: k.objs.CallReturn, ret: true}
	made := group{prog: k.objs.SessionNew, ret: true}
	touch := group{prog: k.objs.SessionTouch}
	add := func(g *group, s site) {
		g.at = append(g.at, s.off)
		g.cookies = append(g.cookies, s.cookie(lib))
	}
	for _, s := range sites {
		switch {
		case s.what == whatNew:
			add(&made, s)
		case s.ret:
			add(&enter, s)
			add(&leave, s)
		default:
			add(&touch, s)
		}
	}
	// Returns first: an entry without its return would leave a frame behind.
	return []group{leave, made, touch, enter}
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
	ex, err := link.OpenExecutable(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	l, err := ex.UprobeMulti(nil, k.objs.FilesMapped, &link.UprobeMultiOptions{Addresses: []uint64{s.off}})
	if err != nil {
		return kernelError("attach to "+path, err)
	}
	k.keep(l)
	return nil
}

// conn reads what the kernel side knows of a session object.
func (k *kernel) conn(tgid uint32, ssl uint64) (bpf.SpliffConn, bool) {
	var c bpf.SpliffConn
	err := k.objs.Conns.Lookup(bpf.SpliffConnKey{Ssl: ssl, Tgid: tgid}, &c)
	return c, err == nil
}

// forget removes a session object whose process is gone.
func (k *kernel) forget(tgid uint32, ssl uint64) {
	k.objs.Conns.Delete(bpf.SpliffConnKey{Ssl: ssl, Tgid: tgid})
}

// totals adds up the counters of all CPUs, and the hits the kernel itself skipped.
func (k *kernel) totals() (sum bpf.SpliffCounts, missed uint64) {
	var per []bpf.SpliffCounts
	if err := k.objs.Totals.Lookup(uint32(0), &per); err == nil {
		for _, c := range per {
			sum.Events += c.Events
			sum.Bytes += c.Bytes
			sum.Unpaired += c.Unpaired
			for i := range c.LostEvents {
				sum.LostEvents[i] += c.LostEvents[i]
				sum.LostBytes[i] += c.LostBytes[i]
			}
		}
	}
	for _, p := range []*ebpf.Program{k.objs.CallEnter, k.objs.CallReturn, k.objs.SessionNew, k.objs.SessionTouch} {
		if st, err := p.Stats(); err == nil {
			missed += st.RecursionMisses
		}
	}
	return sum, missed
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
	return k.objs.Close()
}

// commString cuts a fixed-size name at its end.
func commString(b []uint8) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
