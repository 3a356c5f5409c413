//go:build amd64 || arm64

package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Survey finds the TLS libraries that are installed or mapped by a process, and
// the places where a recording would put its probes. It attaches nothing and needs
// no rights; without them other users' processes are hidden.
//
// With pids only what these processes have mapped is looked at. A pid without a
// process is an error wrapping [ErrNoProcess]. Offsets are as in [Options].
func Survey(ctx context.Context, pids []uint32, offsets []Offsets) (*Inventory, error) {
	return survey(ctx, "/proc", pids, offsets)
}

func survey(ctx context.Context, proc procFS, pids []uint32, offsets []Offsets) (*Inventory, error) {
	l := newLibs(proc, nil, offsets)
	for _, p := range pids {
		if !proc.exists(p) {
			return nil, fmt.Errorf("%w: %d", ErrNoProcess, p)
		}
	}
	if len(pids) == 0 {
		if err := l.attachInstalled(); err != nil {
			return nil, err
		}
		pids = proc.pids()
		slices.Sort(pids)
	}
	inv := &Inventory{}
	users := map[int][]Process{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if proc.hides(pid) {
			inv.Hidden++
			continue
		}
		for _, m := range proc.mappings(pid) {
			of, _, err := l.look(m)
			if err != nil {
				return nil, err
			}
			for _, i := range of {
				if u := users[i]; len(u) == 0 || u[len(u)-1].PID != pid {
					users[i] = append(users[i], Process{PID: pid, Comm: proc.comm(pid)})
				}
			}
		}
	}
	for i, t := range l.list() {
		inv.Found = append(inv.Found, Found{Target: t, Processes: users[i]})
	}
	return inv, nil
}

// hides reports whether a process's mappings are refused to us. A kernel thread's
// are empty, not refused.
func (p procFS) hides(pid uint32) bool {
	f, err := os.Open(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "maps"))
	if err == nil {
		// The right is checked when it is opened, and once more at the first read.
		_, err = f.Read(make([]byte, 1))
		f.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// comm is the name of a process, "" if it is gone.
func (p procFS) comm(pid uint32) string {
	b, err := os.ReadFile(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}
