package disk

import (
	"io"
	"io/fs"
)

// FS is the part of a file system that a [Store] needs. Errors are those of
// package os: they name the operation and the file.
type FS interface {
	// Create makes a regular file for writing that only its owner may read. A name
	// that exists, as a symbolic link too, gives fs.ErrExist.
	Create(name string) (File, error)
	// Append opens an existing regular file for writing behind its last byte. It
	// follows no symbolic link.
	Append(name string) (File, error)
	// Rename gives a file another name of the same folder, in place of a file
	// that has it.
	Rename(from, to string) error
	Remove(name string) error
	Lstat(name string) (fs.FileInfo, error)
	// Names lists a folder.
	Names(dir string) ([]string, error)
	// SyncDir makes durable which names a folder holds.
	SyncDir(dir string) error
}

// File is an open file. Its methods are called one at a time.
type File interface {
	io.Writer
	// WritePieces is Write of what lies in several pieces, in one go where the system
	// can. It may change pieces, but not what they hold.
	WritePieces(pieces [][]byte) (int64, error)
	// Sync makes durable what was written. After an error nothing is known of it,
	// and a second call proves nothing: the kernel has given up those pages.
	Sync() error
	// Uncache tells the system that what was written need not be kept in memory, but for
	// the last bytes of it: to let go of what is stored and to begin to store the rest,
	// which is let go of another time. If next is not 0, so many bytes are about to be
	// written, and room on the disk may be found for all of them at once. It does not
	// wait for that unless last is 0. It is advice, so that nothing is heard of its
	// success; errors are those of [File.Sync] and of the writes.
	Uncache(last, next int64)
	// Close gives back what room was found and not written to.
	Close() error
}
