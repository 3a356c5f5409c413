package e2e

import (
	"encoding/json"
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

// TestSeenNotSupported: TLS stacks that cannot be recorded are named by record, by libs
// and in the session, in programs that really have them.
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
			file := filepath.Join(t.TempDir(), "session.spl")
			rec := record(t, "-o", file, "-p", pid)
			if said := rec.stop(); !strings.Contains(said, r.file+": seen, not supported: its functions are not known here: "+r.library) {
				t.Errorf("spliff record says\n%s", said)
			}
			if said := must(t, spliff, "info", "-v", file); !strings.Contains(said, r.file+": seen, not supported: its functions are not known here: "+r.library) {
				t.Errorf("spliff info says\n%s", said)
			}
			checkUnwatched(t, file, r.library, r.file)
		})
	}
}

// checkUnwatched: the session says that a library was there and not recorded, once.
func checkUnwatched(t *testing.T, file, library, inFile string) {
	t.Helper()
	var v struct {
		Sections []struct {
			Summary struct {
				Unwatched []struct{ Library, Path, Reason string }
			}
		}
	}
	said := must(t, spliff, "info", "--json", file)
	if err := json.Unmarshal([]byte(said), &v); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, u := range v.Sections[0].Summary.Unwatched {
		if u.Library == library && strings.HasSuffix(u.Path, inFile) && strings.HasPrefix(u.Reason, "seen, not supported") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s in %s is named %d times, want once: %s", library, inFile, n, said)
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
