package disk

import (
	"fmt"
	"io"
	"time"
)

// Sync says when bytes are made durable, that is, survive a power failure. What
// was written survives the death of its process in any case.
type Sync uint8

// Policies.
const (
	// SyncInterval syncs a second after the first unit that is not durable yet.
	SyncInterval Sync = iota
	// SyncNone leaves it to the kernel, at the end too, and so what is kept in memory.
	SyncNone
	// SyncChunk syncs before Write returns.
	SyncChunk
)

// Interval is the time of SyncInterval.
const Interval = time.Second

// ParseSync returns the policy called "interval", "none" or "chunk".
func ParseSync(s string) (Sync, error) {
	for p := SyncInterval; p <= SyncChunk; p++ {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("not a sync policy: %q (none, interval or chunk)", s)
}

func (p Sync) String() string {
	switch p {
	case SyncNone:
		return "none"
	case SyncChunk:
		return "chunk"
	}
	return "interval"
}

// Options says how a session is kept. The zero value is one file, synced every
// second.
type Options struct {
	FS  FS               // nil: that of the operating system
	Now func() time.Time // nil: time.Now

	Sync Sync

	// RotateBytes and RotateAge, where not 0, bound a file of a session that has
	// several; then Create takes its name as a pattern, see [Create].
	RotateBytes int64
	RotateAge   time.Duration
	// Keep is how many files of a rotated session are kept, the one being written
	// included; 0 keeps all. Only files this Store made are deleted for it.
	Keep int

	// Replace lets files of the same name be replaced, all files of a rotated session.
	Replace bool

	// Wrap puts a layer between the session and each of its files; nil: none.
	Wrap func(io.Writer) (Layer, error)

	// Report is told what went wrong without harm to the session, such as an old
	// file that could not be deleted; nil: nobody. It is called with a lock held
	// and must not call the Store.
	Report func(error)
}

// Layer transforms what is written to a file: encryption.
type Layer interface {
	io.Writer
	// Close writes what is held back. It does not close the file.
	Close() error
	// Held returns how many of the bytes written so far are held back.
	Held() int64
	// Size returns how many bytes a file has that holds n.
	Size(n int64) int64
}

func (o *Options) rotates() bool { return o.RotateBytes > 0 || o.RotateAge > 0 }

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = OS()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
}
