//go:build unix

package decodetest

import (
	"syscall"
	"time"
)

// spent is the processor time that the process has had. Bounds are on it, not on the
// clock: a machine that is busy with something else is no fault of a decoder.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
