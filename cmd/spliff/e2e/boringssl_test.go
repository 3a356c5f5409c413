package e2e

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// patternWants are the exchanges of a client whose paths end so.
func patternWants(end string) (wants []want) {
	for _, n := range bunSizes {
		up := pattern(n)
		down := slices.Clone(up)
		slices.Reverse(down)
		wants = append(wants, want{"POST", fmt.Sprintf("/echo%d%s", n, end), sum(up), sum(down)})
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
	var wants []want
	var clients sync.WaitGroup
	for _, end := range []string{"", "/a", "/b", "/c"} {
		wants = append(wants, patternWants(end)...)
		clients.Go(func() {
			if out, err := exec.Command(client, filepath.Join(dir, "bun.js"), "post", fmt.Sprint(port), end).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	clients.Wait()
	idle.Process.Kill()
	t.Log(rec.stop())
	checkBothSides(t, file, "bun-client", "bun-server", wants)
	checkSide(t, file, "bun-client", "client")
	checkSide(t, file, "bun-server", "server")
	checkSockets(t, file, "bun-client", "bun-server")
}

// checkSockets: both sides of every exchange went over one socket.
func checkSockets(t *testing.T, file, client, server string) {
	t.Helper()
	type ends struct{ src, dst string }
	of := map[string]map[string]ends{client: {}, server: {}}
	used := map[ends]bool{}
	for _, x := range show(t, file) {
		if of[x.Proc.Comm] != nil && x.Req != nil {
			of[x.Proc.Comm][x.Req.Path] = ends{x.Net.Src, x.Net.Dst}
			used[ends{x.Net.Src, x.Net.Dst}] = true
		}
	}
	for path, want := range of[client] {
		if got := of[server][path]; got != want {
			t.Errorf("%s: the server has it from %+v, the client sent it over %+v", path, got, want)
		}
	}
	if len(used) < 4 {
		t.Errorf("%d sockets: the test shows little", len(used))
	}
}

// checkSide: one side's role, socket, TLS version and cipher are known. Its ALPN is
// not: TLS 1.3 encrypts it, and nothing is made up.
func checkSide(t *testing.T, file, comm, role string) {
	t.Helper()
	n, pids := 0, map[int]bool{}
	for _, x := range show(t, file) {
		if x.Proc.Comm != comm {
			continue
		}
		n++
		pids[x.Proc.PID] = true
		if x.Net.Role != role || x.Net.Src == "" || x.Net.Dst == "" || x.TLS.Version != "TLS 1.3" || x.TLS.Cipher == "" || x.TLS.ALPN != "" {
			t.Errorf("exchange %d of %s: %+v %+v", x.ID, comm, x.Net, x.TLS)
		}
	}
	if n == 0 {
		t.Errorf("no exchange of %s", comm)
	}
	// show tells a role from what was said, too: here it must come from the handshake.
	for line := range strings.Lines(must(t, spliff, "export", "-f", "events", file)) {
		var ev struct {
			Type    string
			Payload struct {
				PID          int
				Role, Remote string
				Version      int
			}
		}
		if !strings.Contains(line, `"type":"conn",`) {
			continue
		}
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		if p := ev.Payload; pids[p.PID] && p.Remote != "" && (p.Role != role || p.Version != 0x0304) {
			t.Errorf("%s", line)
		}
	}
}

// TestChromium: what a browser sends and what it gets, with the server's side of it.
func TestChromium(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "chromium")
	dir := t.TempDir()
	certificate(t, dir)
	port := bunServer(t, dir)
	file := filepath.Join(dir, "session.spl")
	quiet := []string{"--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"}
	// The name in the filter tells record to look at its file first.
	rec := record(t, "-o", file, "--comm", "bun-", "--comm", "chromium")
	began := time.Now()
	out := must(t, "timeout", append(append([]string{"120", "chromium"}, quiet...), "--virtual-time-budget=20000",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", fmt.Sprintf("https://127.0.0.1:%d/", port))...)
	t.Logf("chromium took %v", time.Since(began))
	if !strings.Contains(out, ">done<") {
		t.Fatalf("the page did not finish: %s", out)
	}
	t.Log(rec.stop())
	checkBrowser(t, file, "chromium")
	checkSide(t, file, "chromium", "client")
	checkSide(t, file, "bun-server", "server")
}

// checkBrowser: both sides of what the page made the browser send, once each.
func checkBrowser(t *testing.T, file, browser string) {
	t.Helper()
	wants := patternWants("")
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

// TestBunOffsets: a build whose functions cannot be told for certain is refused, and
// recorded with their places given.
func TestBunOffsets(t *testing.T) {
	needRoot(t)
	need(t, "openssl")
	dir := t.TempDir()
	certificate(t, dir)
	b, err := os.ReadFile(bun(t))
	if err != nil {
		t.Fatal(err)
	}
	// Without the paths of its sources nothing tells its functions by their errors.
	odd := filepath.Join(dir, "bun-odd")
	if err := os.WriteFile(odd, bytes.ReplaceAll(b, []byte("/ssl/ssl_lib.cc\x00"), []byte("/ssl/ssl_lib.xx\x00")), 0o755); err != nil {
		t.Fatal(err)
	}
	offsets := filepath.Join(dir, "offsets")
	if err := os.WriteFile(offsets, []byte(bunOffsets(t, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	start(t, odd, script(t, dir), "serve", fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	waitPort(t, port)
	for _, given := range []bool{false, true} {
		file := filepath.Join(dir, fmt.Sprintf("given-%v.spl", given))
		args := []string{"-o", file, "--comm", "bun-odd"}
		if given {
			args = append(args, "--offsets", offsets)
		}
		rec := record(t, args...)
		must(t, odd, script(t, dir), "post", fmt.Sprint(port))
		t.Log(rec.stop())
		got := show(t, file)
		if !given && len(got) != 0 {
			t.Errorf("without offsets %d exchanges were recorded: the test shows nothing", len(got))
		}
		if given {
			checkTwice(t, got)
		}
	}
}

// checkTwice: every exchange of testdata/bun.js, by its client and by its server.
func checkTwice(t *testing.T, all []exchange) {
	t.Helper()
	got := map[want]int{}
	for _, x := range all {
		if x.Req != nil && x.Resp != nil {
			got[want{x.Req.Method, x.Req.Path, sum(x.Req.bytes(t)), sum(x.Resp.bytes(t))}]++
		}
	}
	for _, w := range patternWants("") {
		if got[w] != 2 {
			t.Errorf("%s: %d exchanges with exactly these bodies, want 2", w.path, got[w])
		}
	}
}

// bunOffsets are what is found in Bun as it is, as a file for --offsets.
func bunOffsets(t *testing.T, dir string) string {
	t.Helper()
	idle := start(t, bun(t), "-e", "setTimeout(() => {}, 60000)")
	defer idle.Process.Kill()
	var lib struct {
		BuildID string `json:"build_id"`
		Library string `json:"library"`
		Probes  []struct {
			At string `json:"at"`
		} `json:"probes"`
	}
	for line := range strings.Lines(must(t, spliff, "libs", "--json", "-p", fmt.Sprint(idle.Process.Pid))) {
		if err := json.Unmarshal([]byte(line), &lib); err != nil {
			t.Fatal(err)
		}
		if lib.Library == "boringssl" {
			break
		}
	}
	text := "build-id:" + lib.BuildID + " boringssl"
	for _, p := range lib.Probes {
		text += " " + strings.Replace(p.At, "@", "=", 1)
	}
	return text + "\n"
}
