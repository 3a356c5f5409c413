package format

import "errors"

// Errors a caller may branch on. All are returned wrapped with detail; use
// [errors.Is].
var (
	// ErrNotSession: the input does not begin like a session file.
	ErrNotSession = errors.New("not a spliff session")
	// ErrVersion: the session asks for a newer reader than this one.
	ErrVersion = errors.New("session is from a newer spliff")
	// ErrMalformed: bytes that do not follow FORMAT.md.
	ErrMalformed = errors.New("malformed")
	// ErrTooLarge: an event or a description is over a limit of FORMAT.md.
	ErrTooLarge = errors.New("too large")
	// ErrOrder: an event was appended out of order.
	ErrOrder = errors.New("out of order")
	// ErrClosed: the writer was closed before.
	ErrClosed = errors.New("session writer is closed")
)
