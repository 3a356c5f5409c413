//go:build amd64 || arm64

package record

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupFS is the folder on which the cgroup v2 hierarchy is mounted, "" if it is
// not. Every process is in one of its cgroups, also where controllers are v1.
type cgroupFS string

// fileIDKernfs is FILEID_KERNFS (include/linux/exportfs.h): a file handle that is the
// id of a kernfs node, which is what a cgroup's id is.
const fileIDKernfs = 0xfe

// findCgroupFS looks for the mount in mountinfo (Documentation/filesystems/proc.rst,
// 3.5). On hybrid hosts it is not /sys/fs/cgroup.
func findCgroupFS(mountinfo []byte) cgroupFS {
	sc := bufio.NewScanner(bytes.NewReader(mountinfo))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		fields := strings.Fields(sc.Text())
		sep := slices.Index(fields, "-")
		if sep < 6 || len(fields) < sep+2 || fields[sep+1] != "cgroup2" || fields[3] != "/" {
			continue // of another root it shows a part only
		}
		return cgroupFS(unescapeMount(fields[4]))
	}
	return ""
}

var mountEscape = regexp.MustCompile(`\\[0-7]{3}`)

// unescapeMount undoes what the kernel does to white space and backslashes in paths.
func unescapeMount(s string) string {
	return mountEscape.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[1:], 8, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(n)})
	})
}

// path returns the path of a cgroup by its id, "" if there is none of it now.
func (c cgroupFS) path(id uint64) string {
	if c == "" || id == 0 {
		return ""
	}
	mount, err := os.Open(string(c))
	if err != nil {
		return ""
	}
	defer mount.Close()
	handle := unix.NewFileHandle(fileIDKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(mount.Fd()), handle, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	path, ok := strings.CutPrefix(target, string(c))
	if !ok {
		return ""
	}
	return "/" + strings.TrimPrefix(path, "/")
}

// folder finds the folder of a cgroup that is named by path or id.
func (c cgroupFS) folder(name string) (string, error) {
	if id, err := strconv.ParseUint(name, 10, 64); err == nil {
		path := c.path(id)
		if path == "" {
			return "", fmt.Errorf("cgroup %s: %w", name, fs.ErrNotExist)
		}
		name = path
	}
	dir := filepath.Join(string(c), name)
	if rest, ok := strings.CutPrefix(filepath.Clean(name), string(c)); ok && (rest == "" || rest[0] == '/') {
		dir = filepath.Clean(name)
	}
	st, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("cgroup %s: %w", name, err)
	}
	if !st.IsDir() {
		return "", fmt.Errorf("cgroup %s: not a folder", name)
	}
	return dir, nil
}

// minContainerID is how short a container's id may be cut.
const minContainerID = 4

// container finds the cgroup of a container by what its id begins with.
func (c cgroupFS) container(id string) (string, error) {
	if len(id) < minContainerID {
		return "", fmt.Errorf("container %q: give at least %d letters of its id or name", id, minContainerID)
	}
	found := map[string]string{}
	err := filepath.WalkDir(string(c), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // a cgroup can go away meanwhile
		}
		if is := ContainerID(strings.TrimPrefix(path, string(c))); strings.HasPrefix(is, id) {
			if found[is] == "" {
				found[is] = path
			}
			return fs.SkipDir // what is below belongs to it
		}
		return nil
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("container %s: %w", id, err)
	case len(found) == 0:
		return "", fmt.Errorf("container %s: no cgroup below %s has its id: %w", id, c, fs.ErrNotExist)
	case len(found) > 1:
		return "", fmt.Errorf("container %s: %d containers have ids that begin so", id, len(found))
	}
	for _, path := range found {
		return path, nil
	}
	return "", nil
}

// resolveCgroups returns o with Cgroups that are folders, those of Containers among
// them.
func resolveCgroups(o Options, c cgroupFS) (Options, error) {
	var dirs []string
	if len(o.Cgroups)+len(o.Containers) > 0 && c == "" {
		return o, fmt.Errorf("%w: no cgroup v2 hierarchy is mounted (mount -t cgroup2 none /sys/fs/cgroup/unified)", ErrNotSupported)
	}
	for _, name := range o.Cgroups {
		dir, err := c.folder(name)
		if err != nil {
			return o, err
		}
		dirs = append(dirs, dir)
	}
	for _, id := range o.Containers {
		dir, err := c.container(id)
		if err != nil {
			return o, err
		}
		dirs = append(dirs, dir)
	}
	if len(dirs) > maxCgroups {
		return o, fmt.Errorf("%d cgroups: at most %d can be filtered at once", len(dirs), maxCgroups)
	}
	o.Cgroups, o.Containers = dirs, nil
	return o, nil
}

// chooseCgroups puts folders of cgroups into the kernel side's filter.
func (k *kernel) chooseCgroups(dirs []string) error {
	for i, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return fmt.Errorf("filter cgroup: %w", err)
		}
		err = k.coll.Maps["cgroups"].Put(uint32(i), uint32(f.Fd()))
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("filter cgroup %s: %w", dir, err)
		}
	}
	return nil
}
