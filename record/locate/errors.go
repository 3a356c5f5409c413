package locate

import "errors"

var (
	// ErrAbsent: what was looked for is not in the file. Nothing needs to be said.
	ErrAbsent = errors.New("not in this file")
	// ErrUncertain: it is in the file, but where is not certain. That must be said.
	ErrUncertain = errors.New("seen, but not found for certain")
)
