package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// measureEnv makes the test program run the command in its arguments, and print
// what that cost.
const measureEnv = "SPLIFF_E2E_MEASURE"

// cost is what a run of a program took.
type cost struct {
	Code   int   // exit code, -1 if a signal ended it
	RSS    int64 // bytes of memory at its peak
	CPU    time.Duration
	Stderr string
}

// costOf runs spliff and returns what that cost. A process inherits the peak
// memory of the one that started it (ru_maxrss, getrusage(2)), and that of a test
// program that made large files is large: so a fresh copy of it stands between.
func costOf(t testing.TB, args ...string) cost {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{spliff}, args...)...)
	// A program built with the race detector sleeps a second at its end.
	cmd.Env = append(os.Environ(), measureEnv+"=1", "GOMEMLIMIT=", "GOGC=", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.Output()
	var c cost
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		t.Fatalf("measure %v: %v", args, err)
	}
	return c
}

func measureChild() int {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	st := cmd.ProcessState
	if err := json.NewEncoder(os.Stdout).Encode(cost{
		Code: st.ExitCode(), RSS: int64(st.SysUsage().(*syscall.Rusage).Maxrss) << 10,
		CPU: st.UserTime() + st.SystemTime(), Stderr: errs.String(),
	}); err != nil {
		return 1
	}
	return 0
}
