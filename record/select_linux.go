//go:build amd64 || arm64

package record

import (
	"slices"
	"strings"
)

// selects reports whether o names processes by anything.
func (o *Options) selects() bool {
	return len(o.PIDs)+len(o.Parents)+len(o.Command)+len(o.Comms)+len(o.UIDs)+len(o.Cgroups)+len(o.Containers) > 0
}

// selected says of a process that lives what the kernel side says of one that acts:
// passes in bpf/task.h. bits are those of its entry in the targets map. Its threads'
// names are not looked at.
func (o *Options) selected(p *process, bits uint32, t *processes) bool {
	switch {
	case len(o.PIDs) > 0 && bits&targetPID == 0,
		len(o.Parents)+len(o.Command) > 0 && bits&targetTree == 0,
		len(o.UIDs) > 0 && !slices.Contains(o.UIDs, p.uid),
		len(o.Comms) > 0 && !called(p.comm, o.Comms),
		len(o.Cgroups) > 0 && !slices.ContainsFunc(o.Cgroups, func(dir string) bool { return t.groups.holds(dir, t.path(p)) }):
		return false
	}
	return true
}

// called reports whether a name contains one of names, in any case.
func called(comm string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(strings.ToLower(comm), strings.ToLower(name)) })
}

// holds reports whether a cgroup is that of a folder, or below it.
func (c cgroupFS) holds(dir, path string) bool {
	rest, ok := strings.CutPrefix(string(c)+path, strings.TrimSuffix(dir, "/"))
	return path != "" && ok && (rest == "" || rest[0] == '/')
}
