//go:build amd64 || arm64

package record

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Examine finds out what this host can record. It attaches its own programs for a
// moment, if it may, to nothing but this process. Without rights it says what was
// not checked.
func Examine(ctx context.Context) (*Report, error) {
	h := host{root: "/", uid: os.Geteuid()}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("examine host: %w", err)
	}
	h.release, h.machine = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	var types runningKernel
	if types, h.typesErr = loadKernelTypes(); h.typesErr == nil {
		h.types = types
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		h.pidNamespace = ns
	}
	unix.Getrlimit(unix.RLIMIT_NOFILE, &h.files) // cannot fail with a valid pointer
	inv, err := Survey(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	r := &Report{Checks: h.checks(), Found: inv}
	r.Checks = append(r.Checks, h.mapFiles(inv.Hidden), h.trial(r.Verdict()))
	return r, nil
}

// host is what is asked of a host; tests have files and a kernel of their own.
type host struct {
	root             string // where /proc and /sys are
	uid              int
	release, machine string
	pidNamespace     string
	files            unix.Rlimit
	types            kernelTypes
	typesErr         error
}

func (h host) read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(h.root, path))
	return strings.TrimSpace(string(b)), err
}

// checks are those that need no rights.
func (h host) checks() []Check {
	all := []Check{h.kernel()}
	if h.types != nil {
		all = append(all, h.features()...)
	}
	return append(all, h.privileges(), h.namespace(), h.lockdown(), h.settings(), h.cgroups(), h.limits(), h.memory())
}

func (h host) kernel() Check {
	c := Check{Name: "Linux " + h.release + " " + h.machine}
	if h.types == nil {
		c.State, c.Text, c.Fix = StateUnsupported, "no BTF: built without CONFIG_DEBUG_INFO_BTF", "boot a kernel with /sys/kernel/btf/vmlinux; those of all large distributions have it"
		return c
	}
	has := []string{"BTF"}
	var lacks []string
	since := ""
	for _, n := range kernelNeeds() {
		if n.has(h.types) {
			has = append(has, n.name)
			continue
		}
		lacks = append(lacks, n.name+" (Linux "+n.since+")")
		since = n.since // they are in the order of releases
	}
	if c.Text = strings.Join(has, ", "); len(lacks) > 0 {
		c.State, c.Text, c.Fix = StateUnsupported, "no "+strings.Join(lacks, ", no "), "boot Linux "+since+" or newer"
	}
	return c
}

// features has a line for each, in the order of the releases that brought them.
func (h host) features() (all []Check) {
	has := map[Feature]bool{}
	for _, f := range featuresOf(h.types, nil) {
		has[f] = true
	}
	for _, f := range Features() {
		c := Check{Name: f.String(), Text: "in Linux since " + f.Since()}
		if !has[f] {
			c.State, c.Text, c.Fix = StateLimit, "not in this kernel: "+f.Lack(), "boot Linux "+f.Since()+" or newer"
		}
		all = append(all, c)
	}
	return all
}

func (h host) privileges() Check {
	c := Check{Name: "Privileges"}
	status, err := h.read("proc/self/status")
	if err != nil {
		return Check{Name: c.Name, State: StateUnchecked, Text: err.Error()}
	}
	lacks, err := lackingCapabilities(status)
	switch {
	case err != nil:
		c.State, c.Text = StateUnchecked, err.Error()
	case h.uid != 0:
		c.State, c.Text, c.Fix = StateUnchecked, fmt.Sprintf("user %d: recording needs root", h.uid), "sudo spliff doctor"
	case len(lacks) > 0:
		c.State, c.Text = StateBlocked, "root without "+strings.Join(lacks, ", ")+", as in a container"
		c.Fix = "run on the host, or start the container with --privileged --pid=host"
	default:
		c.Text = "root"
	}
	return c
}

func (h host) namespace() Check {
	c := Check{Name: "PID namespace", Text: "the host's"}
	if h.pidNamespace != initialPIDNamespace {
		c.State, c.Text = StateBlocked, "a container's: its process numbers mean others than the kernel's"
		c.Fix = "run on the host, or start the container with --pid=host"
	}
	return c
}

func (h host) lockdown() Check {
	c := Check{Name: "Kernel lockdown", Text: "none"}
	if s, err := h.read("sys/kernel/security/lockdown"); err == nil {
		c.Text = lockdown(s)
	}
	// security/security.c, lockdown_reasons: what programs read of kernel memory counts as confidential.
	if c.Text == "confidentiality" {
		c.State, c.Text = StateBlocked, "confidentiality: programs may not read kernel memory"
		c.Fix = "boot without lockdown=confidentiality (integrity is no hindrance)"
	}
	return c
}

// settings are those that change the price of a recording. A user may not read all.
func (h host) settings() Check {
	c := Check{Name: "Kernel settings"}
	var words []string
	for _, s := range []struct{ name, bad, why string }{
		{"net.core.bpf_jit_enable", "0", "programs are interpreted, which costs several times as much"},
		{"kernel.bpf_stats_enabled", "1", "the kernel times every run of a program"},
		{"kernel.unprivileged_bpf_disabled", "", ""}, // no matter to root; who compares hosts looks for it
	} {
		v, err := h.read("proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if err != nil {
			continue
		}
		words = append(words, s.name+"="+v)
		if s.bad != "" && v == s.bad {
			c.State, c.Fix = StateLimit, fmt.Sprintf("sudo sysctl -w %s=%d", s.name, 1-(s.bad[0]-'0'))
			words[len(words)-1] += " (" + s.why + ")"
		}
	}
	if c.Text = strings.Join(words, ", "); c.Text == "" {
		c.State, c.Text = StateUnchecked, "none can be read"
	}
	return c
}

func (h host) cgroups() Check {
	c := Check{Name: "Control groups"}
	mounts, err := h.read("proc/self/mountinfo")
	if err != nil {
		return Check{Name: c.Name, State: StateUnchecked, Text: err.Error()}
	}
	if at := cgroup2Mount(mounts); at != "" {
		c.Text = "version 2 at " + at
		return c
	}
	c.State, c.Text = StateLimit, "version 2 is not mounted: containers and control groups cannot be chosen"
	c.Fix = "sudo mkdir -p /run/cgroup2 && sudo mount -t cgroup2 none /run/cgroup2"
	return c
}

// Descriptors a recording needs: some of its own, and for each library with links
// that hold many probes, or with one for each.
const (
	filesOwn    = 64
	filesMulti  = 8
	filesSingle = 100
)

func (h host) limits() Check {
	each := filesMulti
	if h.types != nil && !slices.Contains(featuresOf(h.types, nil), FeatureUprobeMulti) {
		each = filesSingle
	}
	libraries := (int64(min(h.files.Max, 1<<30)) - filesOwn) / int64(each)
	c := Check{Name: "Limits", Text: fmt.Sprintf("%d open files, enough for %d libraries", h.files.Max, min(libraries, maxLibraries))}
	if h.files.Max == unix.RLIM_INFINITY {
		c.Text = "any number of open files"
	}
	// RLIMIT_MEMLOCK is not looked at: since Linux 5.11 maps are charged to the control group.
	if libraries < 20 {
		c.State, c.Fix = StateLimit, "ulimit -n 4096"
	}
	return c
}

func (h host) memory() Check {
	c := Check{Name: "Memory"}
	s, err := h.read("proc/meminfo")
	free, ok := memAvailable(s)
	if err != nil || !ok {
		return Check{Name: c.Name, State: StateUnchecked, Text: "/proc/meminfo cannot be read"}
	}
	c.Text = fmt.Sprintf("%d MiB available, a recording takes %d MiB for its buffer", free>>20, defaultRing>>20)
	if free < 4*defaultRing {
		c.State, c.Fix = StateWarning, "record with a smaller buffer: --ring 8MiB"
	}
	return c
}

// mapFiles opens what another process has mapped, as discovery does for files that
// are deleted or in another mount namespace. hidden processes refuse to be looked at.
func (h host) mapFiles(hidden int) Check {
	c := Check{Name: "Mapped files", Text: "deleted and replaced libraries, and those of containers, can be opened"}
	proc := procFS(filepath.Join(h.root, "proc"))
	opens := slices.ContainsFunc(proc.pids(), func(pid uint32) bool {
		if pid == uint32(os.Getpid()) {
			return false // our own say nothing
		}
		maps := proc.mappings(pid)
		return len(maps) > 0 && fileExists(maps[0].open)
	})
	switch {
	case h.uid != 0:
		c.State, c.Text = StateUnchecked, "needs root"
	case !opens:
		c.State, c.Text = StateLimit, "libraries in containers, and replaced ones, are not found: /proc/PID/map_files cannot be opened"
		c.Fix = "run with CAP_CHECKPOINT_RESTORE and CAP_SYS_PTRACE"
	case hidden > 0:
		c.State = StateWarning
		c.Text += fmt.Sprintf("; %d of the processes cannot be looked into", hidden)
		c.Fix = "run with every capability that they have, CAP_SYS_PTRACE included"
	}
	return c
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// trial loads all programs and attaches them, filtered to this process, which is
// never recorded. It does what Open does, so what it says is true.
func (h host) trial(sofar State) Check {
	c := Check{Name: "Trial"}
	if h.uid != 0 || sofar == StateBlocked || sofar == StateUnsupported {
		c.State, c.Text = StateUnchecked, "programs were not loaded"
		return c
	}
	begin := time.Now()
	k, err := loadKernel(Options{PIDs: []uint32{uint32(os.Getpid())}}, defaultRing)
	if err == nil {
		err = k.tryProbes()
		n := len(k.coll.Programs)
		k.Close()
		c.Text = fmt.Sprintf("%d programs loaded, attached and taken off in %d ms", n, time.Since(begin).Milliseconds())
	}
	if err != nil {
		c.State, c.Text, c.Fix = StateBlocked, err.Error(), "report it, with the output of: spliff doctor --json"
	}
	return c
}

// tryProbes puts a probe of each kind on our own program.
func (k *kernel) tryProbes() error {
	m, err := openImage("/proc/self/exe")
	if err != nil {
		return err
	}
	defer m.Close()
	off, ok := m.fileOffset(m.elf.Entry)
	if !ok {
		return fmt.Errorf("find entry point of %s: %w", m.path, errNotELF)
	}
	// Its first instruction has run and never runs again.
	return k.attach(m, 0, []site{{off: off, what: whatRead, entry: true, ret: true}, {off: off, what: whatNew, ret: true}, {off: off, what: whatFree, entry: true}})
}
