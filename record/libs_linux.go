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
	files   map[string]bool // mapped files looked at, by mapped.file
	seen    map[fileKey]bool
	paths   map[string]bool // opened before, by path and inode: saves resolving again
	targets []Target
	probed  int // targets that carry probes
}

func newLibs(proc procFS, k *kernel) *libs {
	return &libs{proc: proc, k: k, files: map[string]bool{}, seen: map[fileKey]bool{}, paths: map[string]bool{}}
}

// attachInstalled probes what is installed and what the given processes (nil: all)
// have mapped, and watches the dynamic linkers for what will be.
func (l *libs) attachInstalled(pids []uint32) error {
	tls, linkers := installedPatterns()
	for _, path := range globAll(tls) {
		if _, err := l.add(path, path, named(filepath.Base(path))); err != nil {
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
	for _, m := range l.proc.mappings(pid) {
		if !l.unmet(m) {
			continue
		}
		base := m.base()
		if isLinker(base) {
			if !l.first(m.open) {
				continue
			}
			linker = true
			if err := l.k.watchLinker(m.open); err != nil {
				l.problem(m.path, err)
			}
			continue
		}
		rows := named(base)
		if rows == nil && !mentions(m.open) {
			continue
		}
		targets, err := l.add(m.path, m.open, rows)
		if err != nil {
			return fresh, linker, err
		}
		fresh = append(fresh, targets...)
	}
	return fresh, linker, nil
}

// add probes one file, unless that was done. rows are what its name says it is;
// with none, its exported functions decide. It returns the new targets. Only errors
// that would meet every file are returned; others stay with the target.
func (l *libs) add(path, open string, rows []*library) (fresh []Target, err error) {
	if !l.first(open) {
		return nil, nil
	}
	m, err := openImage(open)
	if err != nil {
		if rows != nil && !os.IsNotExist(err) { // the process may be gone
			l.problem(path, err)
		}
		return nil, nil
	}
	defer m.Close()
	st, err := m.f.Stat()
	if err != nil {
		return nil, nil
	}
	if rows == nil {
		rows = within(m)
	}
	key := keyOf(m, st)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(rows) == 0 || l.seen[key] {
		return nil, nil
	}
	l.seen[key] = true
	for _, row := range rows {
		t := Target{Library: row.kind, Path: path, BuildID: m.buildID}
		if err := l.probe(m, row, &t); err != nil {
			return fresh, fmt.Errorf("probe %s: %w", path, err)
		}
		l.targets = append(l.targets, t)
		if t.Problem == "" {
			fresh = append(fresh, t)
		}
	}
	return fresh, nil
}

// probe puts probes on the functions of one library in m, or says in t why not.
func (l *libs) probe(m *image, row *library, t *Target) error {
	if l.probed >= maxLibraries {
		t.Problem = fmt.Sprintf("%d libraries carry probes already", maxLibraries)
		return nil
	}
	sites, err := row.sites(m)
	if err != nil {
		t.Problem = err.Error()
		return nil
	}
	t.ID = uint8(l.probed + 1)
	for _, s := range sites {
		t.Sites = append(t.Sites, s.public())
	}
	if err := l.k.attach(m, t.ID, sites); err != nil {
		return err
	}
	l.probed++
	return nil
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

// unmet reports whether a mapped file was never looked at before, going by what
// the kernel prints of it alone: most mappings of most processes are of the same
// few files. One that cannot be reached, as its process is gone, stays unmet.
func (l *libs) unmet(m mapped) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files[m.file] {
		return false
	}
	if _, err := os.Stat(m.open); err != nil {
		return false
	}
	l.files[m.file] = true
	return true
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
