package record

import "errors"

// Errors that callers branch on.
var (
	// ErrNotSupported: this host or kernel cannot record.
	ErrNotSupported = errors.New("recording is not supported here")
	// ErrPermission: the process may not load or attach programs.
	ErrPermission = errors.New("recording needs root")
	// ErrNoProcess: a process asked for does not exist.
	ErrNoProcess = errors.New("no such process")
	// ErrNoLibrary: no file with known TLS functions is on this host.
	ErrNoLibrary = errors.New("no TLS library found")
)
