package record

import (
	"strconv"
	"strings"
)

// ContainerID finds the container in the path of a control group, as the third
// field of /proc/PID/cgroup has it: the id that docker, podman, containerd and
// CRI-O give (64 hexadecimal digits), or the name of a systemd-nspawn or LXC
// machine. It returns "" for a process of the host, and for the helper of a
// container that runs on the host (conmon, the supervisor of systemd-nspawn).
//
// A container in a container has the id of the inner one. Whoever may make
// control groups chooses their names: what is returned holds no more than
// letters, digits, '.', '-' and '_', and at most 64 of them.
func ContainerID(cgroup string) string {
	parts := strings.Split(cgroup, "/")
	// From the inner end: a container may run a systemd of its own, with groups below.
	for i := len(parts) - 1; i >= 0; i-- {
		above, below := "", ""
		if i > 0 {
			above = parts[i-1]
		}
		if i+1 < len(parts) {
			below = parts[i+1]
		}
		id, host := containerIn(above, parts[i], below)
		if host {
			return ""
		}
		if id != "" {
			return id
		}
	}
	return ""
}

// containerIn reads one component of the path. host says that it is a helper's
// on the host.
func containerIn(above, name, below string) (id string, host bool) {
	switch {
	case strings.HasPrefix(name, "libpod-conmon-"), strings.HasPrefix(name, "crio-conmon-"), strings.HasPrefix(name, "lxc.monitor."):
		return "", true
	case strings.HasPrefix(name, "lxc.payload."): // LXC since 4.0
		return machine(strings.TrimPrefix(name, "lxc.payload.")), false
	case above == "lxc": // and before
		return machine(name), false
	case above == "machine.slice" && strings.HasPrefix(name, "systemd-nspawn@") && strings.HasSuffix(name, ".service"):
		name = strings.TrimSuffix(strings.TrimPrefix(name, "systemd-nspawn@"), ".service")
		return machine(unescape(name)), below == "supervisor"
	case above == "machine.slice" && strings.HasPrefix(name, "machine-") && strings.HasSuffix(name, ".scope"):
		name = unescape(strings.TrimSuffix(strings.TrimPrefix(name, "machine-"), ".scope"))
		if strings.HasPrefix(name, "qemu-") {
			return "", false // libvirt's virtual machine: its processes are the host's
		}
		return machine(name), below == "supervisor"
	}
	name = strings.TrimSuffix(name, ".scope")
	// docker-ID.scope with the systemd driver, pod….slice:cri-containerd:ID where
	// runtime and kubelet disagree on the driver, and ID alone with cgroupfs.
	if at := strings.LastIndexAny(name, "-:"); at >= 0 && !fargate(name) {
		name = name[at+1:]
	}
	if isHex(name, 64) || fargate(name) {
		return name, false
	}
	return "", false
}

// fargate accepts the ids of Amazon ECS on Fargate: the task's, 32 hexadecimal
// digits, then a decimal number.
func fargate(name string) bool {
	if len(name) < 34 || len(name) > 64 || name[32] != '-' || !isHex(name[:32], 32) {
		return false
	}
	_, err := strconv.ParseUint(name[33:], 10, 64)
	return err == nil
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// machine returns name if it is a valid machine name (machined: as host names,
// at most 64 bytes), else "".
func machine(name string) string {
	ok := name != "" && len(name) <= 64 && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
	}) < 0
	if !ok {
		return ""
	}
	return name
}

// unescape undoes systemd's escaping of unit names: \x2d for '-' and so on
// (systemd.unit(5), "String escaping for inclusion in unit names").
func unescape(s string) string {
	var b strings.Builder
	for {
		head, rest, found := strings.Cut(s, `\x`)
		b.WriteString(head)
		if !found {
			return b.String()
		}
		if len(rest) >= 2 {
			if c, err := strconv.ParseUint(rest[:2], 16, 8); err == nil {
				b.WriteByte(byte(c))
				s = rest[2:]
				continue
			}
		}
		b.WriteString(`\x`)
		s = rest
	}
}
