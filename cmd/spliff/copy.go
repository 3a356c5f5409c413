package main

import (
	"bufio"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/sealed"
)

// What commands that make sessions of sessions share.

// copyFlags say where such a session goes.
type copyFlags struct {
	recipientFlags
	out   string
	force bool
}

// register adds the flags to fs.
func (f *copyFlags) register(fs *pflag.FlagSet) {
	f.recipientFlags.register(fs)
	fs.StringVarP(&f.out, "output", "o", "", "session `FILE` to write, - for stdout")
	fs.BoolVar(&f.force, "force", false, "replace an existing file; not a .part that a killed run left")
}

// check finds what is wrong with the output, before a file is made.
func (f *copyFlags) check(e *env, inputs ...string) error {
	if f.out == "" {
		return usagef("no output given: use -o FILE.spl, or -o - for stdout")
	}
	for _, name := range inputs {
		if sameFile(name, f.out) {
			return usagef("%s is both input and output: it would be lost", name)
		}
	}
	if f.out != stdio {
		return f.checkName(f.out)
	}
	return e.refuseTerminal("a session", f.out)
}

// create opens the output, the one place through which a copy of a session reaches
// a disk.
func (f *copyFlags) create(e *env) (*output, error) {
	keys, err := f.keys()
	if err != nil {
		return nil, err
	}
	out, err := e.createOutput(f.out, f.force)
	if err != nil || len(keys) == 0 {
		return out, err
	}
	// What is encrypted is written block by block: it needs no second buffer.
	var dst io.Writer = e.stdout
	if out.file != nil {
		dst = out.file
	}
	out.seal, err = sealed.NewWriter(dst, keys...)
	if err != nil {
		out.discard()
		return nil, fmt.Errorf("write %s: %w", f.out, err)
	}
	out.Writer = bufio.NewWriterSize(out.seal, outputBuffer)
	return out, nil
}

// copyOptions returns how sessions are written again.
func copyOptions() format.CopyOptions {
	o := format.CopyOptions{}
	// With one processor a second goroutine only adds switches.
	if n := runtime.GOMAXPROCS(0); n > 1 {
		o.Workers = n
	}
	return o
}
