package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
)

// ErrInUse: another process writes the file.
var ErrInUse = errors.New("another recording writes it")

// OS returns the file system of the operating system.
func OS() FS { return osFS{} }

type osFS struct{}

// Create implements [FS]. O_EXCL with O_CREAT follows no symbolic link (POSIX
// open), so nobody can aim the plaintext at a file of their choice.
func (osFS) Create(name string) (File, error) {
	return open(name, os.O_CREATE|os.O_EXCL)
}

// Append implements [FS].
func (osFS) Append(name string) (File, error) {
	// Asked first, because to open a FIFO waits for its other end.
	if fi, err := os.Lstat(name); err != nil {
		return nil, err
	} else if err := regular(name, fi); err != nil {
		return nil, err
	}
	return open(name, os.O_APPEND|noFollow)
}

func open(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &osFile{File: f}, nil
}

// regular refuses what is no plain file.
func regular(name string, fi fs.FileInfo) error {
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("open %s: it is not a regular file", name)
	}
	return nil
}

func (osFS) Rename(from, to string) error           { return os.Rename(from, to) }
func (osFS) Remove(name string) error               { return os.Remove(name) }
func (osFS) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// Names implements [FS].
func (osFS) Names(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// SyncDir implements [FS].
func (osFS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return ignoreUnsupported(f.Sync())
}

type osFile struct {
	*os.File
	uncaching atomic.Bool
	room      sync.Mutex // while room beyond the end is asked for or given back
	reserved  bool       // some may be there
}

// Sync implements [File].
func (f *osFile) Sync() error { return syncData(f.File) }

// Uncache implements [File]. A slow disk makes the call wait for room in its queue, so
// that it has a goroutine of its own, and what comes meanwhile is left to the next.
func (f *osFile) Uncache(last, next int64) {
	fi, err := f.Stat()
	if err != nil {
		return
	}
	to := fi.Size() - last
	if last == 0 {
		uncache(f.File, to)
	} else if f.uncaching.CompareAndSwap(false, true) {
		go func() {
			uncache(f.File, to)
			if next > 0 {
				f.reserve(fi.Size(), next)
			}
			f.uncaching.Store(false)
		}()
	}
}

// reserve does nothing to a file that is closed.
func (f *osFile) reserve(from, n int64) {
	f.room.Lock()
	defer f.room.Unlock()
	f.reserved = reserve(f.File, from, n) || f.reserved
}

// Close implements [File].
func (f *osFile) Close() error {
	f.room.Lock()
	defer f.room.Unlock()
	if f.reserved {
		// To the size it has. What was written is there whether it succeeds or not; if not,
		// the disk has less room until the file is deleted.
		if fi, err := f.Stat(); err == nil {
			_ = f.Truncate(fi.Size())
		}
	}
	return f.File.Close()
}

// WritePieces implements [File].
func (f *osFile) WritePieces(pieces [][]byte) (int64, error) { return gather(f.File, pieces) }
