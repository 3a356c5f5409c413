package e2e

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// goProgram is a server and a client in one, which needs nothing but Go 1.17.
//
//go:embed testdata/gotls.go.txt
var goProgram string

// buildGo builds goProgram with a Go command of any version, as a stripped program.
func buildGo(t *testing.T, dir, goCmd string, args ...string) (server, client string) {
	t.Helper()
	src := filepath.Join(dir, "src")
	if err := os.MkdirAll(src, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"main.go": goProgram, "go.mod": "module gotls\n\ngo 1.17\n"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	client = filepath.Join(dir, "go-client")
	cmd := exec.Command(goCmd, append([]string{"build", "-ldflags", "-s -w", "-o", client}, args...)...)
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOROOT=")
	if r := runCmd(t, cmd); r.code != 0 {
		t.Fatalf("build with %s: %s", goCmd, r.stderr)
	}
	server = filepath.Join(dir, "go-server")
	b, err := os.ReadFile(client)
	if err != nil {
		t.Fatal(err)
	}
	// A file of its own: two probes of one file would hide that one is missing.
	if err := os.WriteFile(server, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// goVersions are the Go commands to build with: this one, and the oldest that
// Debian has, which makes functions begin in another way (before 1.21).
func goVersions() map[string]string {
	return map[string]string{"go": "go", "go1.19": "/usr/lib/go-1.19/bin/go"}
}

// TestGoBodies: Go's crypto/tls in stripped programs on both sides, HTTP/1.1 and
// HTTP/2, every size up and down over kept connections.
func TestGoBodies(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "go")
	for version, goCmd := range goVersions() {
		for _, mode := range []string{"exe", "pie"} {
			t.Run(version+"/"+mode, func(t *testing.T) {
				if _, err := exec.LookPath(goCmd); err != nil {
					t.Skipf("SKIP: %s is not installed (run .ci/setup)", goCmd)
				}
				if version != "go" && mode == "pie" && testing.Short() {
					t.Skip("SKIP: short")
				}
				dir := t.TempDir()
				certificate(t, dir)
				server, client := buildGo(t, dir, goCmd, "-buildmode="+mode)
				port := freePort(t)
				start(t, server, "serve", fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
				waitPort(t, port)
				// The probes must be on the client's file before its first call.
				start(t, client, "idle")
				file := filepath.Join(dir, "session.spl")
				// 20 MiB each way, seen at both ends, come faster than a busy machine drains them.
				rec := record(t, "-o", file, "--comm", "go-", "--ring", "128MiB")
				var wants []want
				args := []string{"post", fmt.Sprint(port)}
				for i, n := range sizes {
					up := content(n, byte(50+i))
					path := filepath.Join(dir, fmt.Sprintf("up%d", n))
					if err := os.WriteFile(path, up, 0o644); err != nil {
						t.Fatal(err)
					}
					args = append(args, path)
					down := slices.Clone(up)
					slices.Reverse(down)
					for _, proto := range []string{"1", "2"} {
						wants = append(wants, want{"POST", fmt.Sprintf("/%s/up%d", proto, n), sum(up), sum(down)})
					}
				}
				must(t, client, args...)
				t.Log(rec.stop())
				checkBothSides(t, file, "go-client", "go-server", wants)
				checkGoALPN(t, file)
			})
		}
	}
}

// checkGoALPN: what was agreed on is known at both ends, also where TLS 1.3 encrypts it.
func checkGoALPN(t *testing.T, file string) {
	t.Helper()
	for _, x := range show(t, file) {
		want := "" // the client of HTTP/1 offers nothing
		if x.Req != nil && strings.HasPrefix(x.Req.Path, "/2/") {
			want = "h2"
		}
		if x.TLS.ALPN != want || x.TLS.Version != "TLS 1.3" {
			t.Errorf("%s of %s: ALPN %q, %s, want %q of TLS 1.3", x.Req.Path, x.Proc.Comm, x.TLS.ALPN, x.TLS.Version, want)
		}
	}
}

// TestGoMany: goroutines change threads and their stacks move while hundreds of
// calls are in progress, and no byte goes to another connection.
func TestGoMany(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "go")
	dir := t.TempDir()
	certificate(t, dir)
	server, client := buildGo(t, dir, "go")
	port := freePort(t)
	start(t, server, "serve", fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	waitPort(t, port)
	start(t, client, "idle")
	file := filepath.Join(dir, "session.spl")
	rec := record(t, "-o", file, "--comm", "go-")
	const workers, each = 100, 20
	must(t, client, "many", fmt.Sprint(port), fmt.Sprint(workers), fmt.Sprint(each))
	t.Log(rec.stop())
	got := map[string]int{}
	for _, x := range show(t, file) {
		if x.Req == nil || x.Resp == nil || len(x.Flags) != 0 {
			t.Fatalf("exchange %d: %+v", x.ID, x)
		}
		body := []byte(strings.Repeat(x.Req.Path, 100))
		if !bytes.Equal(x.Req.bytes(t), body) {
			t.Errorf("%s of %s: other bytes than were sent", x.Req.Path, x.Proc.Comm)
		}
		slices.Reverse(body)
		if !bytes.Equal(x.Resp.bytes(t), body) {
			t.Errorf("%s of %s: other bytes than were answered", x.Req.Path, x.Proc.Comm)
		}
		got[x.Proc.Comm]++
	}
	if got["go-client"] != workers*each || got["go-server"] != workers*each {
		t.Errorf("exchanges %v, want %d of each", got, workers*each)
	}
}

// TestGoOlderConnection: a connection that was open, with a read waiting on both
// sides, before the recording began.
func TestGoOlderConnection(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "go")
	for _, proto := range []string{"1", "2"} {
		t.Run("http"+proto, func(t *testing.T) {
			dir := t.TempDir()
			certificate(t, dir)
			server, client := buildGo(t, dir, "go")
			port := freePort(t)
			start(t, server, "serve", fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
			waitPort(t, port)
			cmd := exec.Command(client, "older", fmt.Sprint(port), proto)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			lines := bufio.NewReader(out)
			if line, _ := lines.ReadString('\n'); line != "open\n" {
				t.Fatalf("client says %q", line)
			}
			file := filepath.Join(dir, "session.spl")
			rec := record(t, "-o", file, "--comm", "go-")
			io.WriteString(in, "go on\n")
			if line, _ := lines.ReadString('\n'); line != "done\n" {
				t.Fatalf("client says %q", line)
			}
			time.Sleep(time.Second) // the server's last write may not have returned yet
			t.Log(rec.stop())
			in.Close()
			found := map[string]bool{}
			for _, x := range show(t, file) {
				if x.Resp == nil || x.Resp.Status != 200 {
					continue
				}
				found[x.Proc.Comm+" "+string(x.Resp.bytes(t))] = true
			}
			for _, want := range []string{"go-client yaddnoces", "go-server yaddnoces"} {
				if !found[want] {
					t.Errorf("no exchange %q in %v\n%s", want, found, must(t, spliff, "export", "-f", "events", file))
				}
			}
		})
	}
}
