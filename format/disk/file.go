package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"
)

// file is the one being written.
type file struct {
	f     File
	layer Layer  // nil: none
	path  string // where it is now, "" for a stream
	final string // where it is to be

	opened, synced time.Time
	units          int
	plain          int64         // bytes of units
	size           int64         // bytes given to the file
	stored         *atomic.Int64 // bytes given to files
	durable        int64         // of plain

	uncached   int64 // of size, when Uncache was last called
	uncachedAt time.Time
}

// A recording of gigabytes would push out of memory what its host has there, and each
// of its pages would be a new one: what a page costs that was just let go of is a
// seventh of that in a virtual machine. So the system is told now and then to write
// out what is there and to let go of it. The last of it stays: a recording that is
// looked at when it ends is read from memory.
//
// While it grows by a step in less than a second, room on the disk is found ahead of it:
// block by block that is a fifth of what a write costs on ext4.
const (
	recent      = 16 << 20
	uncacheStep = 8 << 20
	ahead       = 4 * uncacheStep
)

// uncache lets go of all that was written but for what is recent.
func (c *file) uncache(now time.Time) {
	if c.size-c.uncached < uncacheStep {
		return
	}
	next := int64(0)
	if now.Sub(c.uncachedAt) < time.Second {
		next = ahead
	}
	c.uncached, c.uncachedAt = c.size, now
	c.f.Uncache(recent, next)
}

// member is a complete file of a rotated session.
type member struct {
	name string
	size int64
}

// unit writes what lies in pieces, in one go unless a layer is between.
func (c *file) unit(pieces [][]byte) (n int64, err error) {
	if c.layer != nil {
		n, err = inTurn(c.layer, pieces)
	} else {
		whole := int64(0)
		for _, p := range pieces {
			whole += int64(len(p))
		}
		n, err = c.f.WritePieces(pieces)
		err = c.took(n, whole, err)
	}
	if err != nil {
		return n, err
	}
	c.units++
	c.plain += n
	return n, nil
}

// Write is where a layer writes to.
func (c *file) Write(b []byte) (int, error) {
	n, err := c.f.Write(b)
	return n, c.took(int64(n), int64(len(b)), err)
}

// took counts n bytes of whole that the file took. Layers may not look at the count,
// so that a short write becomes an error here.
func (c *file) took(n, whole int64, err error) error {
	c.size += max(n, 0)
	c.stored.Add(max(n, 0))
	if err == nil && n < whole {
		err = fmt.Errorf("write %s: %w", c.path, io.ErrShortWrite)
	}
	return err
}

// inTurn writes pieces one after the other.
func inTurn(w io.Writer, pieces [][]byte) (n int64, err error) {
	for _, p := range pieces {
		m, err := w.Write(p)
		n += int64(m)
		if err == nil && m < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// newFile makes path, of a file to be called final. What it leaves after an error
// is nothing.
func (s *Store) newFile(path, final string) error {
	f, err := s.o.FS.Create(path)
	if err != nil {
		if path != final && errors.Is(err, fs.ErrExist) {
			return leftBehind(path)
		}
		return err
	}
	if s.o.Sync != SyncNone {
		err = s.o.FS.SyncDir(filepath.Dir(path))
	}
	if err == nil {
		err = s.use(f, path, final)
	}
	if err != nil {
		f.Close()
		return errors.Join(err, s.o.FS.Remove(path))
	}
	s.left = path
	return nil
}

// use makes f the current file.
func (s *Store) use(f File, path, final string) error {
	now := s.o.Now()
	c := &file{f: f, path: path, final: final, opened: now, synced: now, stored: &s.stored}
	if s.o.Wrap != nil {
		layer, err := s.o.Wrap(c)
		if err != nil {
			return err
		}
		c.layer = layer
	}
	s.cur = c
	return nil
}

// finish completes the current file: nothing of it is held back, it is durable if
// it is to be, closed, and has its name. Whatever fails, it is closed.
func (s *Store) finish() error {
	c := s.cur
	s.cur = nil
	err := s.settle(c)
	if cerr := c.f.Close(); err == nil {
		// A full disk may show only here; the name must not be given before.
		err = cerr
	}
	if err == nil && s.o.Sync != SyncNone {
		s.made(c, c.plain)
	}
	if err == nil && c.path == c.final {
		s.left = ""
	}
	if err != nil || !s.o.rotates() {
		return err
	}
	if _, err := refuseExisting(s.o.FS, c.final, s.o.Replace); err != nil {
		return err
	}
	if err := s.rename(c); err != nil {
		return err
	}
	s.files = append(s.files, member{c.final, c.size})
	return nil
}

// settle writes what the layer holds and syncs.
func (s *Store) settle(c *file) error {
	if c.layer != nil {
		if err := c.layer.Close(); err != nil {
			return err
		}
	}
	if s.o.Sync == SyncNone {
		return nil
	}
	if err := c.f.Sync(); err != nil {
		return err
	}
	if s.o.rotates() {
		c.f.Uncache(0, 0) // else each of many small files would keep its last bytes there
	}
	return nil
}

// rename gives a file its final name.
func (s *Store) rename(c *file) error {
	if err := s.o.FS.Rename(c.path, c.final); err != nil {
		return err
	}
	c.path, s.left = c.final, ""
	if s.o.Sync == SyncNone {
		return nil
	}
	return s.o.FS.SyncDir(filepath.Dir(c.final))
}

// made takes note that the first n bytes of units in c are durable.
func (s *Store) made(c *file, n int64) {
	s.durable.Add(n - c.durable)
	c.durable = n
}
