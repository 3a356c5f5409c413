//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sslFile returns the libssl a process has mapped.
func sslFile(pid int) (string, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(maps), "\n") {
		if at := strings.IndexByte(line, '/'); at >= 0 && strings.HasPrefix(filepath.Base(line[at:]), "libssl.so") {
			return line[at:], nil
		}
	}
	return "", fmt.Errorf("process %d has no libssl", pid)
}

// tool is another program that watches the server.
type tool struct {
	cmd  *exec.Cmd
	file *os.File
}

// startTool runs a command whose output goes to a file, and returns when ready is
// in what it says, or after grace: some say nothing.
func startTool(s *server, ready string, grace time.Duration, name string, args ...string) (*tool, error) {
	f, err := os.Create(filepath.Join(s.dir, "tool.out"))
	if err != nil {
		return nil, err
	}
	t := &tool{cmd: exec.Command(name, args...), file: f}
	t.cmd.Stdout, t.cmd.Stderr = f, f
	if err := t.cmd.Start(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for end := time.Now().Add(grace); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		said, err := os.ReadFile(f.Name())
		if err == nil && bytes.Contains(said, []byte(ready)) {
			break
		}
		if t.cmd.Process.Signal(syscall.Signal(0)) != nil || exited(t.cmd.Process.Pid) {
			_ = t.cmd.Wait()
			return nil, errors.Join(fmt.Errorf("%s: %s", name, lastLine(said)), f.Close())
		}
	}
	time.Sleep(500 * time.Millisecond) // it has said that it begins, not that it has begun
	return t, nil
}

// exited reports a process that waits to be waited for.
func exited(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	at := bytes.LastIndexByte(stat, ')')
	return err != nil || at < 0 || at+2 >= len(stat) || stat[at+2] == 'Z'
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	line := lines[len(lines)-1]
	return strings.ReplaceAll(line[:min(len(line), 200)], "|", "/")
}

// stop ends the tool. What it shows of HTTP/1 is counted by the answers' first
// lines; its own output of HTTP/2 is binary, and nothing is claimed of it.
func (t *tool) stop(l *load) (seen, error) {
	_ = t.cmd.Process.Signal(syscall.SIGINT) // it may have ended by itself
	done := make(chan error, 1)
	go func() { done <- t.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = t.cmd.Process.Kill()
		<-done
	}
	got := unseen
	st := t.cmd.ProcessState
	got.cpu = (st.UserTime() + st.SystemTime()).Seconds()
	if u, ok := st.SysUsage().(*syscall.Rusage); ok {
		got.rss = float64(u.Maxrss) / 1024
	}
	b, err := os.ReadFile(t.file.Name())
	if err != nil {
		return unseen, err
	}
	if l.args[0] == "--h1" {
		got.exchanges = bytes.Count(b, []byte("HTTP/1.1 200"))
	}
	return got, t.file.Close()
}

// bpftraceWatcher prints the first 200 bytes of every call, the most that its
// strings hold.
func bpftraceWatcher() *watcher {
	w := &watcher{name: "bpftrace, 200 B a call", peer: true}
	if _, err := exec.LookPath("bpftrace"); err != nil {
		w.skip = "bpftrace is not installed"
		return w
	}
	w.start = func(_ context.Context, s *server) (watching, error) {
		lib, err := sslFile(s.worker)
		if err != nil {
			return nil, err
		}
		script := fmt.Sprintf(`
BEGIN { printf("ready\n"); }
uprobe:%[1]s:SSL_write /pid == %[2]d/ { printf("%%d %%s\n", arg2, str(arg1, 200)); }
uprobe:%[1]s:SSL_read /pid == %[2]d/ { @at[tid] = arg1; }
uretprobe:%[1]s:SSL_read /@at[tid]/ { if ((int32)retval > 0) { printf("%%d %%s\n", retval, str(@at[tid], 200)); } delete(@at[tid]); }
`, lib, s.worker)
		return startTool(s, "ready", 30*time.Second, "env", "BPFTRACE_STRLEN=200", "bpftrace", "-e", script)
	}
	return w
}

// sslsniffWatcher is the tool of bcc.
func sslsniffWatcher() *watcher {
	w := &watcher{name: "bcc sslsniff", peer: true}
	name, err := exec.LookPath("sslsniff-bpfcc")
	if err != nil {
		w.skip = "bpfcc-tools is not installed"
		return w
	}
	w.start = func(_ context.Context, s *server) (watching, error) {
		return startTool(s, "FUNC", 60*time.Second, name, "-p", fmt.Sprint(s.worker), "--no-gnutls", "--no-nss")
	}
	return w
}
