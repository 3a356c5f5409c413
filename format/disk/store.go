package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed: the store was closed before.
var ErrClosed = errors.New("session file is closed")

// Store is where one session goes: a file, several, or a stream.
//
// After the first error nothing more is written and every call returns that
// error; files that were complete before stay. A Store must be closed or
// discarded, after an error too. Write, Full, Next, Keep, Close and Discard are
// called one at a time; Written, Stored, Synced and Files at any moment.
type Store struct {
	o    Options
	name string

	mu       sync.Mutex // the timer of SyncInterval syncs from its own goroutine
	cur      *file      // nil once closed
	timer    *time.Timer
	err      error
	closed   bool
	kept     bool
	appended bool
	no       int      // of the current file
	left     string   // what Discard removes: a file of ours that is not complete
	files    []member // complete ones, oldest first, and those that could not be deleted
	deleted  int      // of those that were complete
	older    []string // files of an earlier session, to be deleted
	told     map[string]bool

	written, stored, durable atomic.Int64
}

// Create makes the file of a session, or the first of several. One file has its
// name from the start, because a session is readable while it grows; one that
// replaces another has it from Keep on. A rotated session called a.spl has the
// files a-000000.spl, a-000001.spl and so on; each ends in .part until it is
// complete, so what has its name is whole.
//
// Errors wrap fs.ErrExist where a name is taken, also by any file of an earlier
// rotated session. With Options.Replace, Keep deletes all files of that; one that
// is not complete is refused all the same, for somebody may be writing it.
func Create(name string, o Options) (*Store, error) {
	o.setDefaults()
	s := &Store{o: o, name: name}
	if o.rotates() {
		var err error
		if s.older, err = olderMembers(o.FS, name, o.Replace); err != nil {
			return nil, err
		}
		if err := s.begin(0); err != nil {
			return nil, err
		}
		return s, nil
	}
	exists, err := refuseExisting(o.FS, name, o.Replace)
	if err != nil {
		return nil, err
	}
	path := name
	if exists {
		path += partSuffix
	}
	if err := s.newFile(path, name); err != nil {
		return nil, err
	}
	return s, nil
}

// Append opens a session to add a section at its end. That it is a session is for
// the caller to check. Nothing of it is ever removed.
func Append(name string, o Options) (*Store, error) {
	o.setDefaults()
	if o.rotates() || o.Wrap != nil {
		return nil, fmt.Errorf("append to %s: not with rotation or encryption", name)
	}
	f, err := o.FS.Append(name)
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, name: name, appended: true}
	if err := s.use(f, name, name); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// Stream returns a Store for a pipe: it has no name, is not synced, and w stays
// open.
func Stream(w io.Writer, o Options) (*Store, error) {
	o.setDefaults()
	o.Sync, o.RotateBytes, o.RotateAge = SyncNone, 0, 0
	s := &Store{o: o, appended: true}
	if err := s.use(stream{w}, "", ""); err != nil {
		return nil, err
	}
	return s, nil
}

// stream is a pipe as a [File].
type stream struct{ io.Writer }

// WritePieces implements [File]. Who reads a pipe is not to be woken by each piece.
func (s stream) WritePieces(pieces [][]byte) (int64, error) {
	if f, ok := s.Writer.(*os.File); ok {
		return gather(f, pieces)
	}
	return inTurn(s, pieces)
}

func (stream) Sync() error        { return nil }
func (stream) Uncache(_, _ int64) {}
func (stream) Close() error       { return nil }

// begin makes file no of a rotated session.
func (s *Store) begin(no int) error {
	final := Member(s.name, no)
	if _, err := refuseExisting(s.o.FS, final, s.o.Replace); err != nil {
		return err
	}
	s.no = no
	return s.newFile(final+partSuffix, final)
}

// Write writes one unit to the current file and syncs as the policy says. It
// returns the whole length without error only if all of that was done.
func (s *Store) Write(unit []byte) (int, error) {
	n, err := s.WritePieces([][]byte{unit})
	return int(n), err
}

// WritePieces is [Store.Write] of a unit that lies in pieces.
func (s *Store) WritePieces(unit [][]byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return 0, err
	}
	n, err := s.cur.unit(unit)
	if err != nil {
		return n, s.fail(err)
	}
	s.written.Add(n)
	return n, s.policy()
}

func (s *Store) usable() error {
	if s.err == nil && s.closed {
		return ErrClosed
	}
	return s.err
}

// fail makes err the error of every later call.
func (s *Store) fail(err error) error {
	if s.err == nil {
		s.err = err
	}
	s.stop()
	return s.err
}

func (s *Store) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// policy syncs, now or later, after a unit was written.
func (s *Store) policy() error {
	switch s.o.Sync {
	case SyncNone:
		return nil
	case SyncChunk:
		return s.sync()
	}
	now := s.o.Now()
	wait := Interval - now.Sub(s.cur.synced)
	if wait <= 0 {
		return s.sync()
	}
	s.cur.uncache(now)
	// Without the timer the last unit before a silence would wait for the next one.
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.tick)
	}
	return nil
}

// tick is a sync whose time has come. Its error is returned by the next call.
func (s *Store) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	if s.err == nil && s.cur != nil && s.cur.durable < s.cur.plain {
		s.sync()
	}
}

func (s *Store) sync() error {
	s.stop()
	c := s.cur
	if err := c.f.Sync(); err != nil {
		return s.fail(err)
	}
	c.synced = s.o.Now()
	n := c.plain
	if c.layer != nil {
		n -= c.layer.Held()
	}
	s.made(c, max(n, c.durable))
	c.uncache(c.synced)
	return nil
}

// Full reports whether the current file must not grow to size bytes of units, or
// is old enough. A file without a chunk is never full, or there would be no end
// of empty ones.
func (s *Store) Full(size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cur
	if !s.o.rotates() || c == nil || c.units < 2 {
		return false
	}
	if c.layer != nil {
		size = c.layer.Size(size)
	}
	return s.o.RotateBytes > 0 && size > s.o.RotateBytes ||
		s.o.RotateAge > 0 && s.o.Now().Sub(c.opened) >= s.o.RotateAge
}

// Next completes the current file of a rotated session, begins the next, deletes
// what is beyond Keep, and returns the Store itself.
func (s *Store) Next() (io.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	if !s.o.rotates() {
		return nil, s.fail(errors.New("next session file: not a rotated session"))
	}
	s.stop()
	if err := s.finish(); err != nil {
		return nil, s.fail(err)
	}
	if err := s.begin(s.no + 1); err != nil {
		return nil, s.fail(err)
	}
	s.prune()
	return s, nil
}

// prune deletes the oldest files beyond Keep. One that cannot be deleted is told
// once and tried again the next time.
func (s *Store) prune() {
	if s.o.Keep <= 0 {
		return
	}
	var left []member
	for i, m := range s.files {
		if len(s.files)-i < s.o.Keep { // the current file is one of them
			left = append(left, m)
			continue
		}
		err := s.o.FS.Remove(m.name)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			s.deleted++
			continue
		}
		left = append(left, m)
		if !s.told[m.name] {
			if s.told == nil {
				s.told = map[string]bool{}
			}
			s.told[m.name] = true
			s.o.Report(fmt.Errorf("delete old file: %w", err))
		}
	}
	s.files = left
}

// Keep says that there is a session worth keeping: from now on Discard removes
// nothing. A file that replaces another takes its place; the files of a rotated
// session that is replaced are deleted.
func (s *Store) Keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if !s.o.rotates() && s.cur.path != s.cur.final {
		if err := s.rename(s.cur); err != nil {
			return s.fail(err)
		}
	}
	s.kept = true
	for _, name := range s.older {
		if slices.ContainsFunc(s.files, func(m member) bool { return m.name == name }) {
			continue // it was replaced
		}
		if err := s.o.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.o.Report(fmt.Errorf("delete replaced file: %w", err))
		}
	}
	s.older = nil
	return nil
}

// Close completes the current file and returns the first error of all. After an
// error it only closes the file, which stays as it is, under its .part name if
// the session is rotated.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.err
	}
	s.closed = true
	s.stop()
	switch {
	case s.cur == nil:
	case s.err != nil:
		s.abandon()
	default:
		if err := s.finish(); err != nil {
			s.fail(err)
		}
	}
	return s.err
}

// abandon closes the current file as it is.
func (s *Store) abandon() {
	s.cur.f.Close()
	s.cur = nil
}

// Discard closes the file and, before Keep, removes it unless it was completed: the
// recording never began. It may follow any other call and is meant to be deferred.
func (s *Store) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.closed = true
	if s.cur != nil {
		s.abandon()
	}
	if s.kept || s.left == "" {
		return
	}
	if err := s.o.FS.Remove(s.left); err != nil {
		s.o.Report(err)
	}
	s.left = ""
}

// Written returns how many bytes of units were written.
func (s *Store) Written() int64 { return s.written.Load() }

// Synced returns how many of them are known to survive a power failure.
func (s *Store) Synced() int64 { return s.durable.Load() }

// Stored returns how many bytes all files made so far have, deleted ones included.
func (s *Store) Stored() int64 { return s.stored.Load() }

// Files returns where the session is: its complete files, and the one being
// written, or left as it was by an error. For a stream it returns nothing.
func (s *Store) Files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []string
	for _, m := range s.files {
		files = append(files, m.name)
	}
	switch {
	case s.cur != nil && s.cur.path != "":
		files = append(files, s.cur.path)
	case s.cur == nil && s.left != "":
		files = append(files, s.left)
	}
	if len(files) == 0 && s.name != "" && !s.o.rotates() {
		files = append(files, filepath.Clean(s.name))
	}
	return files
}

// Deleted returns how many files Options.Keep has deleted, and how many bytes the
// others have.
func (s *Store) Deleted() (files int, left int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.files {
		left += m.size
	}
	if s.cur != nil {
		left += s.cur.size
	}
	return s.deleted, left
}
