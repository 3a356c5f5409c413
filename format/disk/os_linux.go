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

// ignoreUnsupported drops the error of a file system on which folders cannot be
// synced, such as some network ones: there is no more to be done there.
func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
