//go:build amd64 || arm64

package record

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
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
		if _, err := l.scan(pid); err != nil {
			return err
		}
	}
	return nil
}

// scan probes what a process has mapped, and returns the targets that are new.
func (l *libs) scan(pid uint32) ([]Target, error) {
	var fresh []Target
	for _, m := range l.proc.libraries(pid, func(base string) bool { return isOpenSSL3(base) || isLinker(base) }) {
		if isLinker(filepath.Base(m.path)) {
			if l.first(m.open) {
				if err := l.k.watchLinker(m.open); err != nil {
					l.problem(m.path, err)
				}
			}
			continue
		}
		t, err := l.add(m.path, m.open)
		if err != nil {
			return fresh, err
		}
		if t != nil {
			fresh = append(fresh, *t)
		}
	}
	return fresh, nil
}

// add probes one file, unless that was done. It returns the new target, or nil.
// Only errors that would meet every file are returned; others stay with the target.
func (l *libs) add(path, open string) (*Target, error) {
	if !l.first(open) {
		return nil, nil
	}
	m, err := openImage(open)
	if err != nil {
		if !os.IsNotExist(err) {
			l.problem(path, err)
		}
		return nil, nil
	}
	defer m.Close()
	st, err := m.f.Stat()
	if err != nil {
		return nil, nil
	}
	key := fileKey{buildID: m.buildID}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		key.inode = sys.Ino
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[key] || len(l.targets) >= maxLibraries {
		return nil, nil
	}
	l.seen[key] = true
	sites, err := openSSLSites(m)
	if err != nil {
		l.targets = append(l.targets, Target{Library: "openssl", Path: path, BuildID: m.buildID, Problem: err.Error()})
		return nil, nil
	}
	t := Target{ID: uint8(len(l.targets) + 1), Library: "openssl", Path: path, BuildID: m.buildID}
	for _, s := range sites {
		t.Sites = append(t.Sites, s.String())
	}
	if err := l.k.attach(open, t.ID, sites); err != nil {
		return nil, fmt.Errorf("probe %s: %w", path, err)
	}
	l.targets = append(l.targets, t)
	return &t, nil
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
