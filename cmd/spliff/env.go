package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/NoFear0411/spliff/export"

	"github.com/NoFear0411/spliff/record"
)

// env is everything outside the process that a command may touch. Commands get
// it as an argument, so a test can stand in for any part and no package
// variable is needed.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	args           []string // of the command line, without the program

	getenv func(string) string
	// terminal tells whether one of the three streams is a terminal.
	terminal func(stream any) bool
	// width is the number of columns of the terminal on stdout, 0 if unknown.
	width func() int
	now   func() time.Time
	goos  string
	// signals delivers SIGINT, SIGTERM and SIGHUP until its stop function is called.
	signals func() (c <-chan os.Signal, stop func())
	// exit ends the process at once; only a second interrupt uses it.
	exit func(code int)
	// openRecorder attaches to the running system.
	openRecorder func(context.Context, record.Options) (recorder, error)
	// survey and examine look at it without recording.
	survey  func(context.Context, []uint32, []record.Offsets) (*record.Inventory, error)
	examine func(context.Context) (*record.Report, error)
}

// osEnv returns the environment of the real process.
func osEnv() *env {
	// A write to a closed pipe must come back as an error (quiet success, as
	// head closes), not kill the process. Notify, unlike Ignore, is not
	// inherited by a child that record starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return &env{
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		getenv:   os.Getenv,
		terminal: isTerminal,
		width: func() int {
			w, _, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0
			}
			return w
		},
		now:  time.Now,
		goos: runtime.GOOS,
		signals: func() (<-chan os.Signal, func()) {
			c := make(chan os.Signal, 2)
			// SIGHUP: the terminal was closed; the recording is still worth an orderly end.
			signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			return c, func() { signal.Stop(c) }
		},
		exit:         os.Exit,
		openRecorder: openRecorder,
		survey:       record.Survey,
		examine:      record.Examine,
	}
}

// isTerminal tells whether stream is a file that is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say writes one line of talk to stderr. Its error has nowhere to go.
func (e *env) say(format string, args ...any) {
	// Names and paths in it are not ours: they may hold what a terminal obeys.
	fmt.Fprintln(e.stderr, export.Escape(fmt.Sprintf(format, args...)))
}

// colour decides whether to colour stdout. The order, first hit wins, is that
// of the environment topic: flag, SPLIFF_COLOR, NO_COLOR, CLICOLOR_FORCE or
// FORCE_COLOR, TERM=dumb, whether stdout is a terminal.
func (e *env) colour(flag string) bool {
	for _, v := range []string{flag, e.getenv("SPLIFF_COLOR")} {
		switch v {
		case "always":
			return true
		case "never":
			return false
		}
	}
	switch {
	case e.getenv("NO_COLOR") != "": // no-color.org: set and not empty
		return false
	case forced(e.getenv("CLICOLOR_FORCE")), forced(e.getenv("FORCE_COLOR")):
		return true
	case e.getenv("TERM") == "dumb":
		return false
	}
	return e.terminal(e.stdout)
}

// forced reads a variable that forces colour: any value but empty and 0.
func forced(v string) bool { return v != "" && v != "0" }

// ascii tells whether output must stay within ASCII: the locale, by POSIX
// precedence, is not UTF-8. Windows and macOS terminals are UTF-8 without
// saying so in the environment.
func (e *env) ascii() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := e.getenv(name); v != "" {
			v = strings.ToLower(v)
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return e.goos != "windows" && e.goos != "darwin"
}
