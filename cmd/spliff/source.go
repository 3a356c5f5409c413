package main

import (
	"io"
	"os"

	"github.com/spf13/pflag"
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
