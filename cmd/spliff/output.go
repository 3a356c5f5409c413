package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// outputBuffer is how much is collected before a write: about one screen of
// detail, and few enough system calls for a long list.
const outputBuffer = 64 << 10

// partSuffix ends the name of a file that is not complete yet.
const partSuffix = ".part"

// output is where a command's data goes: stdout, or a file that is either
// complete under its own name or not there at all.
type output struct {
	*bufio.Writer
	file  *os.File       // nil for stdout
	seal  io.WriteCloser // between Writer and file or stdout, nil if it is not encrypted
	path  string         // where the file is now
	final string         // where keep puts it
	force bool
	kept  bool
}

// stdoutOutput returns stdout as an output.
func (e *env) stdoutOutput() *output {
	return &output{Writer: bufio.NewWriterSize(e.stdout, outputBuffer)}
}

// createOutput opens name ("-" is stdout) for a result that counts only when
// whole: it grows beside its final name, with the suffix .part, until keep.
// An existing name is refused unless force is set.
func (e *env) createOutput(name string, force bool) (*output, error) {
	if name == stdio {
		return e.stdoutOutput(), nil
	}
	return createFile(name, name+partSuffix, force)
}

// createFile makes path, mode 0600, for a result called final. O_EXCL with
// O_CREAT follows no symbolic link (POSIX open), so nobody can aim the
// plaintext at a file of their choice.
func createFile(final, path string, force bool) (*output, error) {
	switch fi, err := os.Lstat(final); {
	case err == nil && !force:
		return nil, &fs.PathError{Op: "create", Path: final, Err: fs.ErrExist}
	case err == nil && !fi.Mode().IsRegular():
		return nil, fmt.Errorf("create %s: it is not a regular file, so --force does not replace it", final)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if path != final && errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create %s: left by a run that was killed, or another one is at work: remove it first", path)
		}
		return nil, err
	}
	return &output{
		Writer: bufio.NewWriterSize(f, outputBuffer),
		file:   f, path: path, final: final, force: force,
	}, nil
}

// keep gives the file its final name. Before keep, discard removes it.
func (o *output) keep() error {
	if o.file == nil || o.path == o.final {
		o.kept = true
		return nil
	}
	if _, err := os.Lstat(o.final); err == nil && !o.force {
		return &fs.PathError{Op: "create", Path: o.final, Err: fs.ErrExist}
	}
	if err := os.Rename(o.path, o.final); err != nil {
		return err
	}
	o.path, o.kept = o.final, true
	return nil
}

// finish writes what is buffered and, for a file, closes it and keeps it.
func (o *output) finish() error {
	if err := o.Flush(); err != nil {
		return err
	}
	if o.seal != nil {
		if err := o.seal.Close(); err != nil {
			return err
		}
	}
	if o.file == nil {
		return nil
	}
	// A full disk may show only here; the name must not be given before.
	if err := o.file.Close(); err != nil {
		return err
	}
	return o.keep()
}

// discard closes the file and removes it unless it was kept. It may follow any
// other call and is meant to be deferred.
func (o *output) discard() {
	if o.file == nil {
		return
	}
	o.file.Close()
	if !o.kept {
		os.Remove(o.path)
	}
}

// refuseTerminal keeps bytes that are not text off a terminal.
func (e *env) refuseTerminal(what, name string) error {
	if name == stdio && e.terminal(e.stdout) {
		return usagef("%s is binary and stdout is a terminal: give -o FILE, or redirect or pipe it", what)
	}
	return nil
}
