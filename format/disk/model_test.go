package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// model is a file system in memory that tells written from durable bytes and
// names, counts its calls, and fails one of them.
type model struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode // names that survive a power failure
	open    int               // files not closed
	calls   int
	log     []string

	failAt int // the call that fails, from 1; 0 for none
	stopAt int // the call from which on all fail
	fault  fault
	failed string // the operation that failed
	always bool   // and so does every later one of its kind
}

type inode struct {
	data    []byte
	durable int  // bytes of it that survive
	lost    bool // a sync failed: later ones succeed and do nothing
}

// fault is a way to fail.
type fault struct {
	name  string
	err   error
	short bool // half of a write is done; with a nil err nothing is said of it
}

func faults() []fault {
	return []fault{
		{"no space", syscall.ENOSPC, true},
		{"i/o error", syscall.EIO, false},
		{"short write", nil, true},
	}
}

func newModel() *model {
	return &model{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// enter counts a call and returns its fault, if it has one.
func (m *model) enter(op, name string) *fault {
	m.calls++
	m.log = append(m.log, op+" "+name)
	hit := m.calls == m.failAt || m.always && m.failed == op || m.stopAt > 0 && m.calls >= m.stopAt
	if !hit || m.fault.err == nil && op != "write" {
		return nil // only a write can be short
	}
	m.failed = op
	return &m.fault
}

func (m *model) call(op, name string) error {
	if f := m.enter(op, name); f != nil {
		return &fs.PathError{Op: op, Path: name, Err: f.err}
	}
	return nil
}

func (m *model) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("create", name); err != nil {
		return nil, err
	}
	if m.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	m.names[name] = &inode{}
	m.open++
	return &modelFile{m, m.names[name], name}, nil
}

func (m *model) Append(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("append", name); err != nil {
		return nil, err
	}
	if m.names[name] == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	m.open++
	return &modelFile{m, m.names[name], name}, nil
}

func (m *model) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("rename", from); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *model) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("remove", name); err != nil {
		return err
	}
	if m.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.names, name)
	return nil
}

func (m *model) Lstat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("lstat", name); err != nil {
		return nil, err
	}
	if m.names[name] == nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return plainFile{}, nil
}

func (m *model) Names(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("names", dir); err != nil {
		return nil, err
	}
	var names []string
	for n := range m.names {
		names = append(names, filepath.Base(n))
	}
	return names, nil
}

func (m *model) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("syncdir", dir); err != nil {
		return err
	}
	m.durable = map[string]*inode{}
	for n, f := range m.names {
		m.durable[n] = f
	}
	return nil
}

// afterCrash returns what is left after a power failure. The kernel may have
// written names without being asked to, and then all of them: with names set.
func (m *model) afterCrash(names bool) map[string][]byte {
	from := m.durable
	if names {
		from = m.names
	}
	left := map[string][]byte{}
	for n, f := range from {
		left[n] = f.data[:f.durable]
	}
	return left
}

// afterKill returns what is left when only the process died.
func (m *model) afterKill() map[string][]byte {
	left := map[string][]byte{}
	for n, f := range m.names {
		left[n] = f.data
	}
	return left
}

// plainFile is what Lstat says of every file.
type plainFile struct{ fs.FileInfo }

func (plainFile) Mode() fs.FileMode { return 0o600 }

type modelFile struct {
	m    *model
	node *inode
	name string
}

func (f *modelFile) Write(p []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.node == nil {
		return 0, fs.ErrClosed
	}
	n := len(p)
	ft := f.m.enter("write", f.name)
	if ft != nil {
		n = 0
		if ft.short {
			n = len(p) / 2
		}
	}
	f.node.data = append(f.node.data, p[:n]...)
	if ft != nil && ft.err != nil {
		return n, &fs.PathError{Op: "write", Path: f.name, Err: ft.err}
	}
	return n, nil
}

// WritePieces implements [File]: one call, as it is of a real file.
func (f *modelFile) WritePieces(pieces [][]byte) (int64, error) {
	n, err := f.Write(slices.Concat(pieces...))
	return int64(n), err
}

func (f *modelFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.call("sync", f.name); err != nil {
		f.node.lost = true
		return err
	}
	if !f.node.lost {
		f.node.durable = len(f.node.data)
	}
	return nil
}

// Uncache implements [File]: nothing that matters here.
func (f *modelFile) Uncache(_, _ int64) {}

func (f *modelFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.node == nil {
		return fs.ErrClosed
	}
	f.node = nil
	f.m.open--
	return f.m.call("close", f.name)
}

// clock is a time that passes only when told.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// isFault reports whether err is one that the model made.
func isFault(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) || errors.Is(err, io.ErrShortWrite)
}

// The names by which the tests of package disk_test, which may import what disk
// may not, know all this.

type (
	Model = model
	Fault = fault
)

func NewModel() *Model         { return newModel() }
func Faults() []Fault          { return faults() }
func IsFault(err error) bool   { return isFault(err) }
func (f fault) String() string { return f.name }

// FailAt makes call n fail; with always every later one of its kind too.
func (m *model) FailAt(n int, f Fault, always bool) { m.failAt, m.fault, m.always = n, f, always }

// StopAt makes call n and all later ones of any kind fail.
func (m *model) StopAt(n int) { m.stopAt, m.fault = n, faults()[1] }

func (m *model) Failed() string { return m.failed }
func (m *model) Calls() int     { return m.calls }
func (m *model) Open() int      { return m.open }
func (m *model) Log() string    { return strings.Join(m.log, "\n") }

func (m *model) AfterCrash(names bool) map[string][]byte { return m.afterCrash(names) }
func (m *model) AfterKill() map[string][]byte            { return m.afterKill() }

// Put makes a file that is there, durable, before all else.
func (m *model) Put(name string, data []byte) {
	m.names[name] = &inode{data: data, durable: len(data)}
	m.durable[name] = m.names[name]
}
