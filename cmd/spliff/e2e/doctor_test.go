package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// nobody runs spliff without any right.
func nobody(t *testing.T, args ...string) result {
	t.Helper()
	needRoot(t) // to become somebody else
	cmd := exec.Command(spliff, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return runCmd(t, cmd)
}

// TestDoctor: root's answer comes from trying; nobody's says what was not tried.
func TestDoctor(t *testing.T) {
	needRoot(t)
	r := run(t, spliff, "doctor")
	if r.code != 0 || !strings.Contains(r.stdout, "Recording will work.") || !strings.Contains(r.stdout, "programs loaded, attached and taken off") {
		t.Errorf("root: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = nobody(t, "doctor")
	for _, want := range []string{"user 65534: recording needs root", "fix: sudo spliff doctor", "Recording was not checked", "uprobe-multi "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("nobody is not told %q", want)
		}
	}
	if r.code != 0 || r.stderr != "" || strings.Contains(r.stdout, "will work") {
		t.Errorf("nobody: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	var report struct{ Verdict string }
	if r = nobody(t, "doctor", "--json"); json.Unmarshal([]byte(r.stdout), &report) != nil || report.Verdict != "unchecked" {
		t.Errorf("nobody: %s", r.stdout)
	}
}

// TestLibs: a server's library is found with its processes and probes; who may not
// see them is told so.
func TestLibs(t *testing.T) {
	needRoot(t)
	nginx(t)
	type library struct {
		Library   string
		Processes []struct{ Comm string }
		Probes    []struct{ At, Cost string }
	}
	users := func(out string) (nginx int) {
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			var l library
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			for _, p := range l.Processes {
				if l.Library == "openssl" && p.Comm == "nginx" && len(l.Probes) > 4 && l.Probes[0].Cost != "" {
					nginx++
				}
			}
		}
		return nginx
	}
	if r := run(t, spliff, "libs", "--json"); r.code != 0 || users(r.stdout) < 2 {
		t.Errorf("exit %d, %d processes of nginx, want master and worker\n%s%s", r.code, users(r.stdout), r.stdout, r.stderr)
	}
	r := nobody(t, "libs", "--json")
	if r.code != 0 || !strings.Contains(r.stderr, "not looked into") {
		t.Errorf("nobody: exit %d\n%s", r.code, r.stderr)
	}
	if r = nobody(t, "record", "--show-libs"); r.code != 0 || !strings.Contains(r.stdout, "libssl") {
		t.Errorf("nobody: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
