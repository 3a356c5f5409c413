package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"spliff": func() { os.Exit(run(context.Background(), osEnv(), os.Args[1:])) },
	})
}

// TestScripts runs testdata/script/*.txtar: the program as its user meets it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("LC_ALL", "C.UTF-8")
			e.Setenv("TERM", "xterm")
			// A program built with the race detector sleeps a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Getuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mkspl":     mkspl,
			"code":      exitsWith,
			"mode":      fileMode,
			"printable": printable,
		},
	})
}

// mkspl KIND FILE writes one of the fixture sessions.
func mkspl(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mkspl KIND FILE")
	}
	data := session(scriptTB{ts: ts}, args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

// scriptTB lets a fixture fail the script it is made for.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (s scriptTB) Helper()                           {}
func (s scriptTB) Fatal(args ...any)                 { s.ts.Fatalf("%v", args) }
func (s scriptTB) Fatalf(format string, args ...any) { s.ts.Fatalf(format, args...) }

// exitsWith CODE CMD ARGS… runs a command and checks its exit code; testscript
// itself only tells failure from success.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N spliff ARGS…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// fileMode FILE MODE checks the permission bits of a file.
func fileMode(ts *testscript.TestScript, neg bool, args []string) {
	fi, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fi.Mode().Perm().String(); got != args[1] {
		ts.Fatalf("mode of %s is %s, want %s", args[0], got, args[1])
	}
}

// printable fails if a stream of the last command holds a control byte other
// than newline and tab.
func printable(ts *testscript.TestScript, neg bool, args []string) {
	for i, r := range ts.ReadFile(args[0]) {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			ts.Fatalf("%s holds %U at byte %d", args[0], r, i)
		}
	}
}
