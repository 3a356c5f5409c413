package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/NoFear0411/spliff/format/sealed"
)

// source is the bytes of a session, decrypted where they are encrypted.
type source struct {
	name string    // for messages
	r    io.Reader // from its start
	at   io.ReaderAt
	size int64     // of at; 0 with a nil at, for a pipe
	file io.Closer // nil for stdin

	faulty interface{ Faults() []sealed.Fault } // nil: not encrypted
	joined *joined                              // nil: one session
}

// source opens name, - for stdin.
func (f *inputFlags) source(e *env, name string) (*source, error) {
	ids, err := f.keys()
	if err != nil {
		return nil, err
	}
	s := &source{name: name}
	switch {
	case name != stdio:
		err = s.openFile(name, ids)
	case e.terminal(e.stdin):
		return nil, usagef("standard input is a terminal: name a file, or pipe a session in")
	default:
		s.name = "standard input"
		err = s.openStream(e.stdin, ids)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// keys reads the identities.
func (f *inputFlags) keys() ([]sealed.Identity, error) {
	var ids []sealed.Identity
	for _, name := range f.identities {
		if name == stdio {
			return nil, usagef("-i -: a secret key is read from a file, not from standard input")
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return nil, flagFileError{"--identity", err}
		}
		more, err := sealed.ParseIdentities(file)
		if err != nil {
			return nil, fmt.Errorf("read identity %s: %w", name, err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

func (s *source) openFile(name string, ids []sealed.Identity) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	s.file = f
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return s.openStream(f, ids)
	}
	s.at, s.size, s.r = f, fi.Size(), f
	var intro [sealed.IntroLen]byte
	if n, _ := f.ReadAt(intro[:], 0); !sealed.Is(intro[:n]) {
		return nil
	}
	r, err := sealed.NewReaderAt(f, s.size, ids...)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.name, err)
	}
	s.at, s.size, s.r = r, r.Size(), io.NewSectionReader(r, 0, r.Size())
	s.faulty = r
	return nil
}

// openStream looks at the first bytes of a pipe, which gives them only once.
func (s *source) openStream(src io.Reader, ids []sealed.Identity) error {
	b := bufio.NewReader(src)
	s.r = b
	// An error shows again to whoever reads on.
	if intro, _ := b.Peek(sealed.IntroLen); !sealed.Is(intro) {
		return nil
	}
	r, err := sealed.NewReader(b, ids...)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.name, err)
	}
	s.r, s.faulty = r, r
	return nil
}

// why returns err, of opening the session in s, or what is wrong around it.
func (s *source) why(err error) error {
	if err == nil {
		return nil
	}
	for _, p := range s.each() {
		for _, f := range p.faults() {
			if f.Another {
				err = errors.New(f.String())
			}
		}
	}
	return fmt.Errorf("open %s: %w", s.name, err)
}

// faults returns what of an encrypted session does not authenticate, as far as it
// was read.
func (s *source) faults() []sealed.Fault {
	if s.faulty == nil {
		return nil
	}
	return s.faulty.Faults()
}

// close closes the file; standard input is not ours to close.
func (s *source) close() {
	if s.file != nil {
		s.file.Close()
	}
}
