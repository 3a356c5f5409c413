package main

import (
	"runtime"

	"github.com/NoFear0411/spliff/format"
)

// What commands that make sessions of sessions share.

// checkCopy finds what is wrong with an output, before a file is made.
func (e *env) checkCopy(out string, inputs ...string) error {
	if out == "" {
		return usagef("no output given: use -o FILE.spl, or -o - for stdout")
	}
	for _, name := range inputs {
		if sameFile(name, out) {
			return usagef("%s is both the session and the output: it would be lost", name)
		}
	}
	return e.refuseTerminal("a session", out)
}

// createCopy opens the session file called name: the one place through which a
// copy of a session reaches a disk.
func (e *env) createCopy(name string, force bool) (*output, error) {
	return e.createOutput(name, force)
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
