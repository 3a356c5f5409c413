package record

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func inodeOf(st os.FileInfo) uint64 { return st.Sys().(*syscall.Stat_t).Ino }

func TestFindCgroupFS(t *testing.T) {
	for _, tt := range []struct{ info, want string }{
		{"31 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified"},
		{"40 30 0:37 / /sys/fs/cgroup rw shared:9 master:2 - cgroup2 none rw\n", "/sys/fs/cgroup"},
		{"40 30 0:37 /docker/x /sys/fs/cgroup rw - cgroup2 none rw\n41 30 0:37 / /mnt/a\\040b\\134 rw - cgroup2 none rw\n", `/mnt/a b\`},
		{"40 30 0:37 / /x rw - tmpfs cgroup2 rw\n- cgroup2\n", ""},
		{"", ""},
	} {
		if got := findCgroupFS([]byte(tt.info)); string(got) != tt.want {
			t.Errorf("%q: %q, want %q", tt.info, got, tt.want)
		}
	}
}

func FuzzFindCgroupFS(f *testing.F) {
	f.Add([]byte("40 30 0:37 / /mnt/a\\040b rw shared:9 - cgroup2 none rw\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := findCgroupFS(b); strings.Count(string(got), "\n") > strings.Count(string(b), `\012`) {
			t.Errorf("%q", got)
		}
	})
}

// TestCgroupPath asks the kernel for our own cgroup by its id and back.
func TestCgroupPath(t *testing.T) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	c := findCgroupFS(b)
	own := procFS("/proc").cgroup(uint32(os.Getpid()))
	if c == "" || own == "" || os.Geteuid() != 0 {
		t.Skip("SKIP: no cgroup v2 hierarchy is mounted, or we are not root")
	}
	st, err := os.Stat(string(c) + own)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.path(inodeOf(st)); got != own {
		t.Errorf("path %q, want %q", got, own)
	}
	if got := c.path(1<<63 + 5); got != "" {
		t.Errorf("a cgroup that never was is at %q", got)
	}
	if c.holds(string(c)+"/a", "/ab") || !c.holds(string(c)+"/a", "/a/b") || !c.holds(string(c)+"/a", "/a") || c.holds(string(c)+"/a", "") || !c.holds(string(c), "/x") {
		t.Error("holds")
	}
}
