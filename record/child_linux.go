//go:build amd64 || arm64

package record

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
)

// child is the command a session was asked to run.
type child struct {
	cmd  *exec.Cmd
	code atomic.Int64 // exit code + 1; 0 while it runs
}

// startChild starts the command with the filter already on it: our own process is
// named with its descendants while it forks, so there is no moment in which the
// child runs unseen. We ourselves are never recorded.
func startChild(k *kernel, o Options, exited func()) (*child, error) {
	self := uint32(os.Getpid())
	if err := k.name(self, targetTree); err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	if o.Stdin != nil {
		cmd.Stdin = o.Stdin
	}
	if o.Stdout != nil {
		cmd.Stdout = o.Stdout
	}
	if o.Stderr != nil {
		cmd.Stderr = o.Stderr
	}
	err := cmd.Start()
	k.unname(self)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Command[0], err)
	}
	c := &child{cmd: cmd}
	go func() {
		cmd.Wait() // the exit code is in ProcessState; nothing is copied here
		code := cmd.ProcessState.ExitCode()
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			code = 128 + int(ws.Signal()) // as a shell says it
		}
		c.code.Store(int64(code) + 1)
		exited()
	}()
	return c, nil
}

// exit returns the command's exit code once it has ended.
func (c *child) exit() (int, bool) {
	if c == nil {
		return 0, false
	}
	v := c.code.Load()
	return int(v) - 1, v > 0
}
