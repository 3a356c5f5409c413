package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/sealed"
	"github.com/NoFear0411/spliff/record"
)

// Exit codes, after grep, diff and cmp. They are documented in the exit-codes
// topic and in the README; a new one needs all three.
const (
	exitOK          = 0
	exitNegative    = 1   // the question was answered with no
	exitUsage       = 2   // the command line makes no sense
	exitRuntime     = 3   // something could not be opened, written, found
	exitDamaged     = 4   // the session is damaged or cut; all that is readable was printed
	exitUnsupported = 5   // this host or kernel cannot do it
	exitInterrupted = 130 // 128 + SIGINT
)

// usageError is a fault of the command line.
type usageError struct{ err error }

func (u usageError) Error() string { return u.err.Error() }
func (u usageError) Unwrap() error { return u.err }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends the command with a code. A nil err means that all there is to
// say has been said.
type exitError struct {
	code int
	err  error
}

func (x exitError) Error() string {
	if x.err == nil {
		return fmt.Sprintf("exit %d", x.code)
	}
	return x.err.Error()
}

func (x exitError) Unwrap() error { return x.err }

// flagFileError is the fault of a file that a flag names. It is no session, and -
// is no name for it.
type flagFileError struct {
	flag string
	err  error
}

func (f flagFileError) Error() string { return f.flag + ": " + f.err.Error() }
func (f flagFileError) Unwrap() error { return f.err }

// verdict maps the error of a command to its exit code and to the line that
// tells the user, "" for none.
func verdict(err error) (code int, line string) {
	var usage usageError
	var exit exitError
	switch {
	case err == nil, brokenPipe(err):
		return exitOK, ""
	case errors.As(err, &usage):
		return exitUsage, err.Error()
	case errors.As(err, &exit):
		if exit.err == nil {
			return exit.code, ""
		}
		return exit.code, err.Error()
	case errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.Is(err, record.ErrNotSupported):
		code = exitUnsupported
	default:
		code = exitRuntime
	}
	line = oneLine(err)
	if a := advice(err); a != "" {
		line += " (" + a + ")"
	}
	return code, line
}

// oneLine joins the parts of a joined error, each once: the write that failed
// and the close after it often say the same.
func oneLine(err error) string {
	lines := parts(err)
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "; ")
}

// parts returns the texts of what was joined to err. A newline proves nothing: a
// file name may hold one.
func parts(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var list, texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
		list = append(list, parts(e)...)
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []string{err.Error()} // more than joined
	}
	return list
}

// advice says what the user can do about err, "" if there is nothing to add.
func advice(err error) string {
	var named flagFileError
	switch {
	case errors.As(err, &named):
		if errors.Is(err, fs.ErrNotExist) {
			return "check the path"
		}
		return ""
	case errors.Is(err, record.ErrPermission), errors.Is(err, record.ErrNotSupported):
		return "" // package record says which right or feature is missing
	case errors.Is(err, record.ErrNoProcess):
		return "see what runs with: ps -e"
	case errors.Is(err, record.ErrNoLibrary):
		return "start a program that uses TLS first, or install libssl3"
	case errors.Is(err, sealed.ErrNoIdentity):
		return "give the identity with -i FILE"
	case errors.Is(err, sealed.ErrWrongIdentity):
		return "give another identity with -i FILE"
	case errors.Is(err, format.ErrVersion):
		return "update spliff"
	case errors.Is(err, format.ErrNotSession):
		return "make one with: spliff record -o FILE.spl"
	case errors.Is(err, exec.ErrNotFound):
		return "check the command after --"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path; - means standard input or output"
	case errors.Is(err, fs.ErrExist):
		return "choose another name or use --force"
	case errors.Is(err, fs.ErrPermission):
		return "session files belong to the user who recorded them: use sudo or change the owner"
	}
	return ""
}
