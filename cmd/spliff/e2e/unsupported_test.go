package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crtModule is what .ci/setup keeps of npm's aws-crt: a module of node with s2n in it.
const crtModule = "/usr/local/lib/aws-crt-nodejs.node"

// TestSeenNotSupported: TLS stacks that cannot be recorded are named by record and by
// libs, in programs that really have them.
func TestSeenNotSupported(t *testing.T) {
	needRoot(t)
	rows := []struct {
		library string
		file    string // what the name of the file that has it holds
		run     func(*testing.T) *exec.Cmd
	}{
		{"s2n", "aws-crt-nodejs.node", s2nProgram},
		{"jsse", "libjvm.so", javaProgram},
		{"rustls", "rustup", rustlsProgram},
	}
	for _, r := range rows {
		t.Run(r.library, func(t *testing.T) {
			pid := fmt.Sprint(r.run(t).Process.Pid)
			told := ""
			for began := time.Now(); !strings.Contains(told, r.file); time.Sleep(100 * time.Millisecond) {
				out, _ := exec.Command(spliff, "libs", "-p", pid).CombinedOutput()
				if told = string(out); time.Since(began) > 20*time.Second {
					break
				}
			}
			if !strings.Contains(told, r.library+"  ") || !strings.Contains(told, "not recorded: seen, not supported: its functions are not known here: "+r.library) {
				t.Errorf("spliff libs says\n%s", told)
			}
			rec := record(t, "-o", filepath.Join(t.TempDir(), "session.spl"), "-p", pid)
			if said := rec.stop(); !strings.Contains(said, r.file+": seen, not supported: its functions are not known here: "+r.library) {
				t.Errorf("spliff record says\n%s", said)
			}
		})
	}
}

func s2nProgram(t *testing.T) *exec.Cmd {
	need(t, "node")
	if _, err := os.Stat(crtModule); err != nil {
		t.Skip("SKIP: npm's aws-crt is not installed (run .ci/setup)")
	}
	return start(t, "node", "-e", fmt.Sprintf("process.dlopen({exports: {}}, %q); setTimeout(() => {}, 60000)", crtModule))
}

// javaProgram reads what stands behind it: it has nothing to do until the test ends.
func javaProgram(t *testing.T) *exec.Cmd {
	need(t, "keytool")
	cmd := exec.Command("keytool", "-printcert")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, cmd, func() { in.Close() })
}

// rustlsProgram is rustup, which waits for the answer of a server that has none.
func rustlsProgram(t *testing.T) *exec.Cmd {
	home, _ := os.UserHomeDir()
	rustup, err := exec.LookPath("rustup")
	if err != nil {
		rustup = filepath.Join(home, ".cargo/bin/rustup")
	}
	if _, err := os.Stat(rustup); err != nil {
		t.Skip("SKIP: no rustup, which has rustls in it (https://rustup.rs; Debian 12 has none)")
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	dir := t.TempDir()
	cmd := exec.Command(rustup, "toolchain", "install", "nightly")
	cmd.Env = append(os.Environ(), "RUSTUP_HOME="+dir, "CARGO_HOME="+dir, "RUSTUP_DIST_SERVER=https://"+mute.Addr().String())
	return begin(t, cmd, func() { cmd.Process.Kill() })
}

// begin runs a command until the test ends.
func begin(t *testing.T, cmd *exec.Cmd, end func()) *exec.Cmd {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(); cmd.Wait() })
	return cmd
}
