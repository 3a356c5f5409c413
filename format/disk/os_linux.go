package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

// lock keeps a second recorder out of the file until f is closed. Where the file
// system has no locks it does nothing: they are a courtesy between recorders.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return nil
}

// syncData is fdatasync: it leaves out the time stamps, which are nothing we
// need, and so a write of the journal.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
		}
		return nil
	}
}

// uncacheReach is how far back pages are let go of that were not stored yet before.
// Those of a disk that takes less in the time between two syncs are stored by then.
const uncacheReach = 64 << 20

// uncache lets the kernel drop the last pages of a file before an offset. The page that
// it is in stays: what is written to it next would read it back. posix_fadvise(2)
// begins to write pages that are not stored and drops those that are (mm/fadvise.c).
func uncache(f *os.File, to int64) {
	to &^= int64(os.Getpagesize()) - 1
	from := max(to-uncacheReach, 0)
	raw, err := f.SyscallConn()
	if err != nil || to <= 0 {
		return
	}
	// An error says that this file system keeps no pages or takes no advice, or that the
	// file is closed: then they are dropped when memory is short, as ever, and nothing
	// of the session is at stake.
	_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), from, to-from, unix.FADV_DONTNEED) })
}

// reserve finds room for n bytes from an offset on that are to be written, without making
// the file longer, and reports whether there may be some now. Only on ext4: by itself it
// sets each page's block aside, notes it and looks for a place for it later. XFS takes
// larger pieces, and Btrfs would not compress what is written there.
func reserve(f *os.File, from, n int64) (made bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		var on unix.Statfs_t
		if unix.Fstatfs(int(fd), &on) == nil && on.Type == unix.EXT4_SUPER_MAGIC {
			// A disk that is nearly full may give a part of it and an error.
			_ = unix.Fallocate(int(fd), unix.FALLOC_FL_KEEP_SIZE, from, n)
			made = true
		}
	})
	return made
}

// ignoreUnsupported drops the error of a file system on which folders cannot be
// synced, such as some network ones: there is no more to be done there.
func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// maxPieces is IOV_MAX (include/uapi/linux/uio.h).
const maxPieces = 1024

// gather is writev, again where it took only some.
func gather(f *os.File, pieces [][]byte) (n int64, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	for err == nil {
		for len(pieces) > 0 && len(pieces[0]) == 0 {
			pieces = pieces[1:]
		}
		if len(pieces) == 0 {
			return n, nil
		}
		var m int
		var failed error
		err = raw.Write(func(fd uintptr) bool {
			m, failed = unix.Writev(int(fd), pieces[:min(len(pieces), maxPieces)])
			return !errors.Is(failed, unix.EAGAIN)
		})
		n += int64(max(m, 0))
		if err == nil && failed != nil && !errors.Is(failed, unix.EINTR) {
			err = &fs.PathError{Op: "write", Path: f.Name(), Err: failed}
		}
		for m > 0 {
			k := min(m, len(pieces[0]))
			m -= k
			if pieces[0] = pieces[0][k:]; len(pieces[0]) == 0 {
				pieces = pieces[1:]
			}
		}
	}
	return n, err
}
