package eventjson

import "fmt"

// LineError says that a line is not what it should be, and why.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error is one line of text. It may quote the input, as Go source does.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }
