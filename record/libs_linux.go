//go:build amd64 || arm64

package record

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLibraries is how many files can carry probes: their ids are one byte.
const maxLibraries = 250

// libs finds TLS libraries and puts probes on each file once. Safe for concurrent
// use: files that appear later are attached from another goroutine.
type libs struct {
	proc procFS
	k    *kernel

	mu      sync.Mutex
	seen    map[fileKey]bool
	paths   map[string]bool // opened before, by path and inode: saves resolving again
	targets []Target
	probed  int // targets that carry probes
}

func newLibs(proc procFS, k *kernel) *libs {
	return &libs{proc: proc, k: k, seen: map[fileKey]bool{}, paths: map[string]bool{}}
}

// attachInstalled probes what is installed and what the given processes (nil: all)
// have mapped, and watches the dynamic linkers for what will be.
func (l *libs) attachInstalled(pids []uint32) error {
	ssl, linkers := installedPatterns()
	for _, path := range globAll(ssl) {
		if !isOpenSSL3(filepath.Base(path)) {
			continue
		}
		if _, err := l.add(path, path); err != nil {
			return err
		}
	}
	for _, path := range globAll(linkers) {
		if !l.first(path) {
			continue
		}
		// Without it, libraries outside the usual places are found only while mapped now.
		if err := l.k.watchLinker(path); err != nil {
			l.problem(path, err)
		}
	}
	if pids == nil {
		pids = l.proc.pids()
	}
	for _, pid := range pids {
		if _, _, err := l.scan(pid); err != nil {
			return err
		}
	}
	return nil
}

// scan probes what a process has mapped. It returns the targets that are new, and
// whether a dynamic linker was among them.
func (l *libs) scan(pid uint32) (fresh []Target, linker bool, err error) {
	for _, m := range l.proc.libraries(pid, func(base string) bool { return isOpenSSL3(base) || isLinker(base) }) {
		if isLinker(filepath.Base(m.path)) {
			if !l.first(m.open) {
				continue
			}
			linker = true
			if err := l.k.watchLinker(m.open); err != nil {
				l.problem(m.path, err)
			}
			continue
		}
		t, err := l.add(m.path, m.open)
		if err != nil {
			return fresh, linker, err
		}
		if t != nil {
			fresh = append(fresh, *t)
		}
	}
	return fresh, linker, nil
}

// add probes one file, unless that was done. It returns the new target, or nil.
// Only errors that would meet every file are returned; others stay with the target.
func (l *libs) add(path, open string) (*Target, error) {
	if !l.first(open) {
		return nil, nil
	}
	m, err := openImage(open)
	if err != nil {
		if !os.IsNotExist(err) { // the process may be gone
			l.problem(path, err)
		}
		return nil, nil
	}
	defer m.Close()
	st, err := m.f.Stat()
	if err != nil {
		return nil, nil
	}
	key := keyOf(m, st)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[key] {
		return nil, nil
	}
	l.seen[key] = true
	if l.probed >= maxLibraries {
		l.targets = append(l.targets, Target{Library: "openssl", Path: path, BuildID: m.buildID, Problem: fmt.Sprintf("%d libraries carry probes already", maxLibraries)})
		return nil, nil
	}
	sites, err := openSSLSites(m)
	if err != nil {
		l.targets = append(l.targets, Target{Library: "openssl", Path: path, BuildID: m.buildID, Problem: err.Error()})
		return nil, nil
	}
	t := Target{ID: uint8(l.probed + 1), Library: "openssl", Path: path, BuildID: m.buildID}
	for _, s := range sites {
		t.Sites = append(t.Sites, s.String())
	}
	if err := l.k.attach(m, t.ID, sites); err != nil {
		return nil, fmt.Errorf("probe %s: %w", path, err)
	}
	l.probed++
	l.targets = append(l.targets, t)
	return &t, nil
}

// keyOf identifies a file for good. On overlayfs one inode shows under as many
// device numbers as there are mounts of it, and two probes on one inode would
// record every byte twice; elsewhere the device tells two images apart that hold
// the same library at the same inode number.
func keyOf(m *image, st os.FileInfo) fileKey {
	key := fileKey{buildID: m.buildID}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return key
	}
	key.inode = sys.Ino
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(m.f.Fd()), &fs); err != nil || fs.Type != unix.OVERLAYFS_SUPER_MAGIC {
		key.dev = sys.Dev
	}
	return key
}

// first reports whether the file behind a path is new to us. It is a cheap guard
// in front of opening and resolving the same library for every process.
func (l *libs) first(path string) bool {
	st, err := os.Stat(path)
	if err != nil {
		return false
	}
	id := path
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		id = fmt.Sprintf("%d:%d", sys.Dev, sys.Ino)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paths[id] {
		return false
	}
	l.paths[id] = true
	return true
}

func (l *libs) problem(path string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets = append(l.targets, Target{Path: path, Problem: err.Error()})
}

// list returns the targets found so far.
func (l *libs) list() []Target {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Target(nil), l.targets...)
}

func globAll(patterns []string) []string {
	var all []string
	for _, p := range patterns {
		m, _ := filepath.Glob(p)
		all = append(all, m...)
	}
	return all
}
