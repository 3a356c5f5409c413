package record

import (
	"fmt"
	"strconv"
	"strings"
)

// What the files of /proc and /sys say of a host, read without knowing a kernel.

// capability is a right of a process, by its bit (include/uapi/linux/capability.h).
type capability struct {
	bit  uint
	name string
}

const capSysAdmin = 21 // is enough in place of every one below

// neededCapabilities are those a recording uses.
func neededCapabilities() []capability {
	return []capability{
		{2, "CAP_DAC_READ_SEARCH"},     // files of other users
		{19, "CAP_SYS_PTRACE"},         // mappings of other users' processes
		{38, "CAP_PERFMON"},            // probes
		{39, "CAP_BPF"},                // programs
		{40, "CAP_CHECKPOINT_RESTORE"}, // files behind mappings: deleted ones, those of containers
	}
}

// lackingCapabilities reads the CapEff line of /proc/PID/status.
func lackingCapabilities(status string) (names []string, err error) {
	for line := range strings.SplitSeq(status, "\n") {
		hex, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("parse capabilities: %w", err)
		}
		for _, c := range neededCapabilities() {
			admin := mask&(1<<capSysAdmin) != 0 && c.bit > capSysAdmin // split off from it in 5.8 and 5.9
			if mask&(1<<c.bit) == 0 && !admin {
				names = append(names, c.name)
			}
		}
		return names, nil
	}
	return nil, fmt.Errorf("parse capabilities: no CapEff line")
}

// lockdown returns the mode between brackets of /sys/kernel/security/lockdown.
func lockdown(s string) string {
	_, rest, _ := strings.Cut(s, "[")
	mode, _, ok := strings.Cut(rest, "]")
	if !ok {
		return ""
	}
	return mode
}

// memAvailable returns the bytes of the MemAvailable line of /proc/meminfo.
func memAvailable(meminfo string) (uint64, bool) {
	for line := range strings.SplitSeq(meminfo, "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			n, err := strconv.ParseUint(f[1], 10, 54)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// cgroup2Mount returns where cgroup v2 is mounted, by /proc/self/mountinfo
// (proc_pid_mountinfo(5): the type stands behind a lone hyphen).
func cgroup2Mount(mountinfo string) string {
	for line := range strings.SplitSeq(mountinfo, "\n") {
		head, tail, ok := strings.Cut(line, " - ")
		f := strings.Fields(head)
		if ok && len(f) >= 5 && strings.HasPrefix(tail, "cgroup2 ") {
			return unoctal(f[4])
		}
	}
	return ""
}

// unoctal undoes the kernel's escaping of paths: \040 for a space and so on
// (fs/proc_namespace.c, mangle).
func unoctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
