package main

import (
	"fmt"
	"io"
	"os"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/sealed"
)

// joined is the bytes of several sessions one after the other, as cat would give
// them, but each decrypted by itself. Their files are opened when they are
// reached: a rotated recording may have more of them than a process may open.
type joined struct {
	open  func(name string) (*source, error)
	names []string // not begun
	parts []part
	cur   *source // nil: the next has to be opened
	off   int64   // bytes read so far
}

// part is a file that was begun.
type part struct {
	name   string
	begin  int64 // in the whole
	faults func() []sealed.Fault
}

// sources opens names one after the other, in the order given.
func (f *inputFlags) sources(e *env, names []string) (*source, error) {
	if len(names) == 1 {
		return f.source(e, names[0])
	}
	// A name that is wrong is said before anything is printed.
	for _, name := range names {
		if name == stdio {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return nil, err
		}
	}
	j := &joined{open: func(name string) (*source, error) { return f.source(e, name) }, names: names}
	return &source{name: fmt.Sprintf("%s and %d more", names[0], len(names)-1), r: j, file: j, joined: j}, nil
}

// Read implements [io.Reader].
func (j *joined) Read(p []byte) (int, error) {
	for {
		if j.cur == nil {
			if len(j.names) == 0 {
				return 0, io.EOF
			}
			s, err := j.open(j.names[0])
			if err != nil {
				return 0, err
			}
			j.names = j.names[1:]
			j.cur = s
			j.parts = append(j.parts, part{s.name, j.off, s.faults})
		}
		n, err := j.cur.r.Read(p)
		j.off += int64(n)
		if err == io.EOF {
			err = j.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close closes the file that is being read, and keeps what is known of it, but not
// its buffers.
func (j *joined) Close() error {
	if j.cur == nil {
		return nil
	}
	known := j.cur.faults()
	j.parts[len(j.parts)-1].faults = func() []sealed.Fault { return known }
	j.cur.close()
	j.cur = nil
	return nil
}

// place tells in which file damage is, and where in it.
func (s *source) place(d format.Damage) (string, format.Damage) {
	if s.joined == nil {
		return s.name, d
	}
	name, begin := s.name, int64(0)
	for _, p := range s.joined.parts {
		if p.begin <= d.Offset {
			name, begin = p.name, p.begin
		}
	}
	d.Offset -= begin
	return name, d
}

// sayFaults says what of encrypted sessions does not authenticate, and returns in
// how many places.
func sayFaults(e *env, s *source) (n int) {
	for _, p := range s.each() {
		for _, f := range p.faults() {
			e.say("spliff: %s: %s", p.name, f)
			n++
		}
	}
	return n
}

// each returns the files of s that were begun.
func (s *source) each() []part {
	if s.joined == nil {
		return []part{{name: s.name, faults: s.faults}}
	}
	return s.joined.parts
}
