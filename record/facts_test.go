package record

import (
	"strings"
	"testing"
)

func TestLackingCapabilities(t *testing.T) {
	tests := []struct{ status, want, err string }{
		{"Name:\tx\nCapEff:\t000001ffffffffff\n", "", ""},
		{"CapEff:\t0000000000000000\n", "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE", ""},
		{"CapEff:\t0000000000280004\n", "", ""},                                                                              // SYS_ADMIN, SYS_PTRACE, DAC_READ_SEARCH
		{"CapEff:\t000001c000080004\n", "", ""},                                                                              // exactly those needed
		{"CapEff:\t000000c000080004\n", "CAP_CHECKPOINT_RESTORE", ""},                                                        // setcap of an older guide
		{"CapEff:\t00000000a80425fb\n", "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE", ""}, // docker's default
		{"CapEff:\tzz\n", "", "parse capabilities"},
		{"", "", "no CapEff"},
	}
	for _, tt := range tests {
		got, err := lackingCapabilities(tt.status)
		if strings.Join(got, " ") != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, %v; want %q, %q", tt.status, got, err, tt.want, tt.err)
		}
	}
}

func TestHostFacts(t *testing.T) {
	for in, want := range map[string]string{"[none] integrity confidentiality\n": "none", "none integrity [confidentiality]\n": "confidentiality", "": "", "[": ""} {
		if got := lockdown(in); got != want {
			t.Errorf("lockdown %q: %q, want %q", in, got, want)
		}
	}
	if n, ok := memAvailable("MemTotal: 9 kB\nMemAvailable:   1024 kB\n"); n != 1<<20 || !ok {
		t.Errorf("memory %d, %v", n, ok)
	}
	for _, in := range []string{"", "MemAvailable: many kB", "MemAvailable:"} {
		if n, ok := memAvailable(in); ok {
			t.Errorf("memory of %q: %d", in, n)
		}
	}
	const hybrid = "24 18 0:22 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n35 24 0:30 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
	if got := cgroup2Mount(hybrid); got != "/sys/fs/cgroup/uni fied" {
		t.Errorf("cgroup2 at %q", got)
	}
	if got := cgroup2Mount("24 18 0:22 / /x rw - cgroup cgroup rw,pids\nbroken"); got != "" {
		t.Errorf("cgroup2 at %q, want none", got)
	}
}

// FuzzHostFacts: the files of an odd kernel end no program.
func FuzzHostFacts(f *testing.F) {
	f.Add("CapEff:\t00000000a80425fb\n[none] integrity\nMemAvailable: 1 kB\n35 24 0:30 / /a\\040b rw - cgroup2 x rw")
	f.Fuzz(func(t *testing.T, s string) {
		lackingCapabilities(s)
		lockdown(s)
		memAvailable(s)
		cgroup2Mount(s)
	})
}
