package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bunProgram is a server and a client in one; the server's page makes a browser
// send what the client sends.
//
//go:embed testdata/bun.js
var bunProgram string

// bun returns the Bun that .ci/setup has installed.
func bun(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("bun")
	if err != nil {
		t.Skip("SKIP: bun is not installed (run .ci/setup, which takes it from npm)")
	}
	return path
}

// bunSizes are the bodies that testdata/bun.js sends.
var bunSizes = []int{1, 16383, 16384, 16385, 1 << 20}

// pattern is the body of n bytes that testdata/bun.js makes.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + n)
	}
	return b
}

// bunServer starts the server under a process name of its own, with the certificate
// that is in dir.
func bunServer(t *testing.T, dir string) (port int) {
	t.Helper()
	b, err := os.ReadFile(bun(t))
	if err != nil {
		t.Fatal(err)
	}
	server := filepath.Join(dir, "bun-server")
	if err := os.WriteFile(server, b, 0o755); err != nil {
		t.Fatal(err)
	}
	port = freePort(t)
	start(t, server, script(t, dir), "serve", fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	waitPort(t, port)
	return port
}

func script(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "bun.js")
	if err := os.WriteFile(path, []byte(bunProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func patternWants() (wants []want) {
	for _, n := range bunSizes {
		up := pattern(n)
		down := slices.Clone(up)
		slices.Reverse(down)
		wants = append(wants, want{"POST", fmt.Sprintf("/echo%d", n), sum(up), sum(down)})
	}
	return wants
}

// TestBun: BoringSSL inside a stripped program, on both sides.
func TestBun(t *testing.T) {
	needRoot(t)
	need(t, "openssl")
	dir := t.TempDir()
	certificate(t, dir)
	port := bunServer(t, dir)
	b, err := os.ReadFile(bun(t))
	if err != nil {
		t.Fatal(err)
	}
	client := filepath.Join(dir, "bun-client")
	if err := os.WriteFile(client, b, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "session.spl")
	// The probes must be on the client's file before its first call.
	idle := start(t, client, "-e", "setTimeout(() => {}, 60000)")
	rec := record(t, "-o", file, "--comm", "bun-")
	must(t, client, script(t, dir), "post", fmt.Sprint(port))
	idle.Process.Kill()
	t.Log(rec.stop())
	checkBothSides(t, file, "bun-client", "bun-server", patternWants())
}

// TestChromium: what a browser sends and what it gets, with the server's side of it.
func TestChromium(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "chromium")
	dir := t.TempDir()
	certificate(t, dir)
	port := bunServer(t, dir)
	file := filepath.Join(dir, "session.spl")
	rec := record(t, "-o", file, "--comm", "bun-", "--comm", "chromium")
	began := time.Now()
	out := must(t, "timeout", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--virtual-time-budget=20000",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", fmt.Sprintf("https://127.0.0.1:%d/", port))
	t.Logf("chromium took %v", time.Since(began))
	if !strings.Contains(out, ">done<") {
		t.Fatalf("the page did not finish: %s", out)
	}
	t.Log(rec.stop())
	checkBrowser(t, file, "chromium")
}

// checkBrowser: both sides of what the page made the browser send, once each.
func checkBrowser(t *testing.T, file, browser string) {
	t.Helper()
	wants := patternWants()
	for _, side := range []string{browser, "bun-server"} {
		got := map[want]int{}
		for _, x := range show(t, file) {
			if x.Req != nil && x.Resp != nil && strings.HasPrefix(x.Proc.Comm, side) && x.Req.Method == "POST" {
				got[want{x.Req.Method, x.Req.Path, sum(x.Req.bytes(t)), sum(x.Resp.bytes(t))}]++
			}
		}
		for _, w := range wants {
			if got[w] != 1 {
				t.Errorf("%s: %s: %d exchanges with exactly these bodies, want 1", side, w.path, got[w])
			}
		}
	}
}
