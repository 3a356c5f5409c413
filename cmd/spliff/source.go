package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/format"
)

// inputFlags say how a session is opened. All reading commands have them.
type inputFlags struct{}

// register adds the flags to fs.
func (f *inputFlags) register(*pflag.FlagSet) {}

// source is the bytes of a session.
type source struct {
	name string    // for messages
	r    io.Reader // from its start
	at   io.ReaderAt
	size int64     // of at; 0 with a nil at, for a pipe
	file io.Closer // nil for stdin
}

// source opens name, - for stdin.
func (f *inputFlags) source(e *env, name string) (*source, error) {
	if name == stdio {
		if e.terminal(e.stdin) {
			return nil, usagef("standard input is a terminal: name a file, or pipe a session in")
		}
		return &source{name: "standard input", r: e.stdin}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, r: file, file: file}
	fi, err := file.Stat()
	if err != nil {
		s.close()
		return nil, err
	}
	if fi.Mode().IsRegular() {
		s.at, s.size = file, fi.Size()
	}
	return s, nil
}

// close closes the file; standard input is not ours to close.
func (s *source) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// open opens the session for reading in parts. It is for sources with a size.
func (s *source) open() (*format.File, error) {
	f, err := format.Open(s.at, s.size, format.ReaderOptions{})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.name, err)
	}
	return f, nil
}

// until returns the bytes of the session up to the end of ctx.
func (s *source) until(ctx context.Context) io.Reader { return untilReader{ctx, s.r} }

// untilReader ends with its context.
type untilReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (r untilReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
