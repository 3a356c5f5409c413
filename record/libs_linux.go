//go:build amd64 || arm64

package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLibraries is how many files can carry probes: their ids are one byte.
const maxLibraries = 250

// maxMet bounds what is remembered of files that hold no TLS library, and
// maxProblems what is told of those that should and do not: a host makes new
// programs for as long as it runs.
const (
	maxMet      = 1 << 16
	maxProblems = 1000
)

// largeFile is from what size on others do not wait for a file to be looked at: that
// takes 1 to 2 ms for each MiB.
const largeFile = 32 << 20

// libs finds TLS libraries and puts probes on each file once. Any goroutine may look,
// and many at once: two that meet the same file at its first sight both read it, and
// the one that is done first probes it.
type libs struct {
	proc procFS
	k    *kernel // nil: only look, attach nothing

	offsets []Offsets         // what the user knows of files
	reading func(path string) // told before a file is read; tests wait in it

	probing sync.Mutex // held while a file that was read is looked up and gets its probes; before mu
	probed  int        // targets that carry probes

	mu       sync.Mutex        // never held while anything waits
	files    map[string][]int  // targets of mapped files, by mapped.file
	paths    map[string][]int  // and of files that were opened, by device, inode and time of change
	writes   map[string][]site // of files with a TLS library in them, by identity: where memory looks
	demand   map[string][]site // and by identity too: what is watched on demand
	seen     map[fileKey][]int // and of those with a TLS library in them
	targets  []Target
	handed   int // targets that fresh has returned
	problems int // targets that carry none
	troubles []string
}

func newLibs(proc procFS, k *kernel, offsets []Offsets) *libs {
	return &libs{proc: proc, k: k, offsets: offsets, reading: func(string) {}, files: map[string][]int{}, paths: map[string][]int{}, seen: map[fileKey][]int{}, writes: map[string][]site{}, demand: map[string][]site{}}
}

// attachInstalled probes what is installed, and watches the dynamic linkers for what
// will be mapped.
func (l *libs) attachInstalled() error {
	tls, linkers := installedPatterns()
	for _, path := range globAll(tls) {
		if _, err := l.add(path, path, named(filepath.Base(path))); err != nil {
			return err
		}
	}
	for _, path := range globAll(linkers) {
		l.watch(path, path)
	}
	return nil
}

// scan probes what a process has mapped, and says whether a dynamic linker was new. It
// looks at everything and returns the first error.
func (l *libs) scan(maps []mapped) (linker bool, err error) {
	for _, m := range maps {
		_, isNew, failed := l.look(m)
		if err == nil {
			err = failed
		}
		linker = linker || isNew
	}
	return linker, err
}

// large reports whether it will take long to look at a mapped file: not if it was
// looked at, or if its name says what it is.
func (l *libs) large(m mapped) bool {
	l.mu.Lock()
	_, known := l.files[m.file]
	l.mu.Unlock()
	if base := m.base(); known || isLinker(base) || named(base) != nil {
		return false
	}
	st, err := os.Stat(m.open)
	return err == nil && st.Size() >= largeFile
}

// look returns the targets in a mapped file, by index. linker says that it is a
// dynamic linker that was not watched before.
func (l *libs) look(m mapped) (of []int, linker bool, err error) {
	l.mu.Lock()
	of, known := l.files[m.file]
	l.mu.Unlock()
	if known {
		return of, false, nil
	}
	// One that cannot be reached, as its process is gone, stays unknown.
	open, ok := l.reach(m)
	if !ok {
		return nil, false, nil
	}
	base := m.base()
	if isLinker(base) {
		linker = l.watch(m.path, open)
	} else if rows := named(base); l.worth(open, rows) {
		if of, err = l.add(m.path, open, rows); err != nil {
			return of, false, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) >= maxMet {
		clear(l.files)
	}
	l.files[m.file] = of
	return of, linker, nil
}

// expect probes the file of a program that will be started.
func (l *libs) expect(path string) error {
	rows := named(filepath.Base(path))
	if !l.worth(path, rows) {
		return nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	_, err := l.add(path, path, rows)
	return err
}

// worth reports whether a file is worth a closer look: by its name, by what a glance
// at it shows, or because offsets name it.
func (l *libs) worth(open string, rows []*library) bool {
	return rows != nil || promising(open) || l.told(open)
}

// told reports whether offsets name a file that may not look like one with TLS.
func (l *libs) told(open string) bool {
	if len(l.offsets) == 0 {
		return false
	}
	m, err := openImage(open)
	if err != nil {
		return false
	}
	defer m.Close()
	return len(naming(l.offsets, m)) > 0
}

// reach returns a path that opens the mapped file. Who only looks may not have the
// right to open mappings; then the path must lead to the same file.
func (l *libs) reach(m mapped) (open string, ok bool) {
	_, err := os.Stat(m.open)
	if err == nil {
		return m.open, true
	}
	if l.k != nil || !errors.Is(err, fs.ErrPermission) {
		return "", false
	}
	st, err := os.Stat(m.path)
	if err != nil {
		return "", false
	}
	sys, isUnix := st.Sys().(*syscall.Stat_t)
	return m.path, isUnix && m.inode() == fmt.Sprint(sys.Ino)
}

// watch puts the probe on a dynamic linker, unless that was done.
func (l *libs) watch(path, open string) (fresh bool) {
	id, ok := identity(open)
	if !ok || l.k == nil {
		return false
	}
	l.mu.Lock()
	_, known := l.paths[id]
	l.paths[id] = nil
	l.mu.Unlock()
	if known {
		return false
	}
	// Without it, libraries outside the usual places are found only while mapped now.
	if err := l.k.watchLinker(open); err != nil {
		l.trouble(fmt.Errorf("libraries that %s loads from unusual folders are found late: %w", path, err))
	}
	return true
}

// add returns the targets in one file, by index, and probes them at first sight.
// rows are what its name says it is; with none, its exported functions decide. Every
// error stays with the target; those that would meet every file are also returned.
func (l *libs) add(path, open string, rows []*library) (of []int, err error) {
	id, ok := identity(open)
	if !ok {
		return nil, nil
	}
	l.mu.Lock()
	of, known := l.paths[id]
	l.mu.Unlock()
	if known {
		return of, nil
	}
	of, err = l.resolve(path, open, rows)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.paths) >= maxMet {
		clear(l.paths)
	}
	l.paths[id] = of
	return of, err
}

func (l *libs) resolve(path, open string, rows []*library) (of []int, err error) {
	l.reading(path)
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
	found := given(l.offsets, m)
	if len(found) == 0 {
		found = contents(m, rows)
	}
	found = l.k.asked(found)
	if len(found) == 0 {
		return nil, nil
	}
	key, writes := keyOf(m, st), append(writeSites(m), builtInWrites(found)...)
	id, ok := identity(open)
	l.probing.Lock()
	defer l.probing.Unlock()
	l.mu.Lock()
	if ok {
		l.writes[id] = writes
		l.demand[id] = onDemand(found)
	}
	of, known := l.met(key)
	l.mu.Unlock()
	if known {
		return of, nil
	}
	for _, c := range found {
		t := Target{Library: c.kind, Path: path, BuildID: m.buildID, Given: c.given}
		failed := l.probe(m, c, &t)
		if failed != nil {
			t.ID, t.Sites, t.Problem = 0, nil, failed.Error()
		}
		if at, ok := l.note(t); ok {
			of = append(of, at)
		}
		if failed != nil {
			return of, fmt.Errorf("probe %s: %w", path, failed)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[key] = of
	return of, nil
}

// note puts a target on the list, unless there are too many without probes.
func (l *libs) note(t Target) (at int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.Problem != "" {
		if l.problems++; l.problems > maxProblems {
			return 0, false
		}
	}
	l.targets = append(l.targets, t)
	return len(l.targets) - 1, true
}

// probe puts probes on the functions of one library in m, or says in t why not.
func (l *libs) probe(m *image, c content, t *Target) error {
	if l.probed >= maxLibraries {
		t.Problem = fmt.Sprintf("%d libraries carry probes already", maxLibraries)
		return nil
	}
	if c.err != nil {
		t.Problem = c.err.Error()
		return nil
	}
	t.ID = uint8(l.probed + 1)
	var always []site
	for _, s := range c.sites {
		if !s.demand && !s.memory {
			always = append(always, s)
			t.Sites = append(t.Sites, s.public())
		}
	}
	if l.k != nil {
		if err := l.k.attach(m, t.ID, always); err != nil {
			return err
		}
	}
	l.probed++
	return nil
}

// wanted reports whether the filters by process and by name take pid, as far as there are
// any. One that takes another name later asks for what it needs.
func (l *libs) wanted(pid uint32) bool {
	has, err := l.k.named(pid)
	return err == nil && has&l.k.need == l.k.need && (len(l.k.comms) == 0 || l.proc.called(pid, l.k.comms))
}

// keyOf identifies a file for good. A probe goes onto the inode below overlayfs,
// which shows it under as many device numbers as there are mounts of it, beside its
// own; two probes on one inode would record every byte twice. So the device counts
// only between two files that are not on overlayfs: it tells two images apart that
// hold the same library at the same inode number. Where there is no build id, it
// counts always.
func keyOf(m *image, st os.FileInfo) fileKey {
	key := fileKey{buildID: m.buildID}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return key
	}
	key.inode = sys.Ino
	var on unix.Statfs_t
	if m.buildID == "" || unix.Fstatfs(int(m.f.Fd()), &on) != nil || on.Type != unix.OVERLAYFS_SUPER_MAGIC {
		key.dev = sys.Dev
	}
	return key
}

// same reports whether two keys are of one file.
func (key fileKey) same(k fileKey) bool {
	return k.inode == key.inode && k.buildID == key.buildID && (k.dev == key.dev || k.dev == 0 || key.dev == 0)
}

// met returns the targets of a file that was seen before, maybe through another mount.
func (l *libs) met(key fileKey) (of []int, known bool) {
	for k, of := range l.seen {
		if key.same(k) {
			return of, true
		}
	}
	return nil, false
}

// identity names the file behind a path for as long as it exists. The time of
// change tells it from a later file with the same inode number.
func identity(path string) (id string, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return path, true
	}
	return fmt.Sprintf("%d:%d:%d.%d", sys.Dev, sys.Ino, sys.Ctim.Sec, sys.Ctim.Nsec), true
}

func (l *libs) problem(path string, err error) { l.note(Target{Path: path, Problem: err.Error()}) }

// trouble takes note of what went wrong and keeps no library from being recorded.
func (l *libs) trouble(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.troubles) < maxProblems {
		l.troubles = append(l.troubles, err.Error())
	}
}

// list returns the targets found so far.
func (l *libs) list() []Target {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Target(nil), l.targets...)
}

// fresh returns the targets that it has not returned before.
func (l *libs) fresh() []Target {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := append([]Target(nil), l.targets[l.handed:]...)
	l.handed = len(l.targets)
	return t
}
