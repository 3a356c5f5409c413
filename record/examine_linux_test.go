package record

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goodHost is a host on which all is well, with files of its own.
func goodHost(t *testing.T, files map[string]string) host {
	t.Helper()
	all := map[string]string{
		"proc/self/status":                          "CapEff:\t000001ffffffffff\n",
		"proc/self/mountinfo":                       "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"proc/meminfo":                              "MemAvailable: 8388608 kB\n",
		"proc/sys/net/core/bpf_jit_enable":          "1\n",
		"proc/sys/kernel/bpf_stats_enabled":         "0\n",
		"sys/kernel/security/lockdown":              "none [integrity] confidentiality\n",
		"proc/sys/kernel/unprivileged_bpf_disabled": "2\n",
	}
	for name, body := range files {
		all[name] = body
	}
	root := t.TempDir()
	for name, body := range all {
		path := filepath.Join(root, name)
		if body == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := host{root: root, release: "6.18.1", machine: "x86_64", pidNamespace: initialPIDNamespace, types: kernelOf("6.18")}
	h.files.Max = 4096
	return h
}

// TestHostChecks: each thing that is wrong with a host is one line that is not OK,
// with what mends it.
func TestHostChecks(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string]string
		change  func(*host)
		want    []string // name, state: part of text | part of fix
		verdict State
	}{
		{name: "all well", verdict: StateOK},
		{"old kernel", nil, func(h *host) { h.types = kernelOf("6.1") }, []string{
			"sock-length limitation: no addresses | Linux 6.3 or newer",
			"uprobe-multi limitation: link of its own | Linux 6.6 or newer",
			"uprobe-session limitation: two probes | Linux 6.13 or newer",
		}, StateOK},
		{"too old a kernel", nil, func(h *host) { h.types, h.release = kernelOf("5.8"), "5.8.0" }, []string{
			"Linux 5.8.0 x86_64 unsupported: no task storage (Linux 5.11), no attach cookies (Linux 5.15), no bpf_loop (Linux 5.17), no array values beyond 4 MiB (Linux 6.0) | Linux 6.0 or newer",
			"sock-length limitation: | ", "uprobe-multi limitation: | ", "uprobe-session limitation: | ",
		}, StateUnsupported},
		{"no BTF", nil, func(h *host) { h.types = nil }, []string{"Linux 6.18.1 x86_64 unsupported: CONFIG_DEBUG_INFO_BTF | /sys/kernel/btf/vmlinux"}, StateUnsupported},
		{"user", nil, func(h *host) { h.uid = 1000 }, []string{"Privileges unchecked: user 1000 | sudo spliff doctor"}, StateUnchecked},
		{"container", map[string]string{"proc/self/status": "CapEff:\t00000000a80425fb\n"}, func(h *host) { h.pidNamespace = "pid:[4026532999]" }, []string{
			"Privileges blocked: CAP_BPF | --privileged", "PID namespace blocked: a container's | --pid=host"}, StateBlocked},
		{"lockdown", map[string]string{"sys/kernel/security/lockdown": "none integrity [confidentiality]"}, nil, []string{"Kernel lockdown blocked: may not read | boot without"}, StateBlocked},
		{"settings", map[string]string{"proc/sys/net/core/bpf_jit_enable": "0", "proc/sys/kernel/bpf_stats_enabled": "0"}, nil,
			[]string{"Kernel settings limitation: bpf_jit_enable=0 (programs are interpreted | sudo sysctl -w net.core.bpf_jit_enable=1"}, StateOK},
		{"statistics", map[string]string{"proc/sys/kernel/bpf_stats_enabled": "1"}, nil,
			[]string{"Kernel settings limitation: bpf_stats_enabled=1 | sudo sysctl -w kernel.bpf_stats_enabled=0"}, StateOK},
		{"cgroup v1", map[string]string{"proc/self/mountinfo": "24 18 0:22 / /x rw - cgroup cgroup rw"}, nil, []string{"Control groups limitation: not mounted | mount -t cgroup2"}, StateOK},
		{"few files", nil, func(h *host) { h.files.Max = 128 }, []string{"Limits limitation: enough for 8 libraries | ulimit -n"}, StateOK},
		{"little memory", map[string]string{"proc/meminfo": "MemAvailable: 65536 kB"}, nil, []string{"Memory warning: 64 MiB | --ring 8MiB"}, StateOK},
		{"odd proc", map[string]string{"proc/self/status": "", "proc/self/mountinfo": "", "proc/meminfo": ""}, nil,
			[]string{"Privileges unchecked: | ", "Control groups unchecked: | ", "Memory unchecked: cannot be read | "}, StateUnchecked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := goodHost(t, tt.files)
			if tt.change != nil {
				tt.change(&h)
			}
			r := Report{Checks: h.checks()}
			if r.Verdict() != tt.verdict {
				t.Errorf("verdict %v, want %v", r.Verdict(), tt.verdict)
			}
			var bad []Check
			for _, c := range r.Checks {
				if c.State != StateOK {
					bad = append(bad, c)
				}
				if c.State != StateOK && c.State != StateUnchecked && c.Fix == "" {
					t.Errorf("%s: nothing mends it", c.Name)
				}
			}
			if len(bad) != len(tt.want) {
				t.Fatalf("not OK: %+v, want %q", bad, tt.want)
			}
			for i, c := range bad {
				head, rest, _ := strings.Cut(tt.want[i], ":")
				text, fix, _ := strings.Cut(strings.TrimSpace(rest), "|")
				got := c.Name + " " + c.State.String()
				if got != head || !strings.Contains(c.Text, strings.TrimSpace(text)) || !strings.Contains(c.Fix, strings.TrimSpace(fix)) {
					t.Errorf("%s: %s | %s, want %s", got, c.Text, c.Fix, tt.want[i])
				}
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		states []State
		want   State
	}{
		{nil, StateOK},
		{[]State{StateOK, StateWarning, StateLimit, StateAbsent}, StateOK},
		{[]State{StateUnchecked, StateOK}, StateUnchecked},
		{[]State{StateUnchecked, StateBlocked, StateUnchecked}, StateBlocked},
		{[]State{StateBlocked, StateUnsupported, StateBlocked}, StateUnsupported},
	} {
		var r Report
		for _, s := range tt.states {
			r.Checks = append(r.Checks, Check{State: s})
		}
		if got := r.Verdict(); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.states, got, tt.want)
		}
	}
}

// TestExamine: where recording works, it says so after trying, and leaves nothing.
func TestExamine(t *testing.T) {
	needCapture(t)
	before := links(t)
	r, err := Examine(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict() != StateOK {
		t.Errorf("verdict %v: %+v", r.Verdict(), r.Checks)
	}
	last := r.Checks[len(r.Checks)-1]
	if last.Name != "Trial" || last.State != StateOK {
		t.Errorf("last check %+v", last)
	}
	noneStays(t, before)
	if d := cmp.Diff([]string(nil), missingNames(r)); d != "" {
		t.Error(d)
	}
}

// missingNames lists the features that a report has no line for.
func missingNames(r *Report) (names []string) {
	for _, f := range Features() {
		found := false
		for _, c := range r.Checks {
			found = found || c.Name == f.String()
		}
		if !found {
			names = append(names, f.String())
		}
	}
	return names
}
