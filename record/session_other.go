//go:build !linux || !(amd64 || arm64)

package record

import (
	"context"
	"fmt"
	"runtime"

	"github.com/NoFear0411/spliff/format"
)

// Session is a recording in progress. There is none on this system.
type Session struct{}

// Open returns an error wrapping [ErrNotSupported].
func Open(context.Context, Options) (*Session, error) {
	return nil, fmt.Errorf("%w: spliff records on linux/amd64 and linux/arm64, this is %s/%s (sessions can be read here)",
		ErrNotSupported, runtime.GOOS, runtime.GOARCH)
}

// Run does nothing.
func (s *Session) Run(context.Context, Sink) error { return ErrNotSupported }

// Info returns the zero value.
func (s *Session) Info() format.Session { return format.Session{} }

// Targets returns nothing.
func (s *Session) Targets() []Target { return nil }

// Troubles returns nothing.
func (s *Session) Troubles() []string { return nil }

// Missing returns nothing.
func (s *Session) Missing() []Feature { return nil }

// Stats returns the zero value.
func (s *Session) Stats() Stats { return Stats{} }

// ChildExit returns false.
func (s *Session) ChildExit() (code int, ok bool) { return 0, false }

// Close does nothing.
func (s *Session) Close() error { return nil }
