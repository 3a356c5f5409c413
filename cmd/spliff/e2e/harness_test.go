package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// spliff is the built program; TestMain sets it once before any test runs.
var spliff string

func TestMain(m *testing.M) {
	if os.Getenv(measureEnv) != "" {
		os.Exit(measureChild())
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spliff-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// A test that drops privileges runs the program too.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	spliff = filepath.Join(dir, "spliff")
	if out, err := exec.Command("go", "build", "-o", spliff, "..").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build spliff: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// needRoot skips where programs cannot be recorded.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: recording needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("SKIP: this kernel has no BTF")
	}
}

// need skips where a program is not installed.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP: %s is not installed (run .ci/setup)", tool)
		}
	}
}

// python returns a Python 3 whose ssl module uses the shared OpenSSL 3.
func python(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(p, "-c", "import ssl; print(ssl.OPENSSL_VERSION)").Output()
		if err == nil && bytes.HasPrefix(out, []byte("OpenSSL 3")) {
			return p
		}
	}
	t.Skip("SKIP: no python3 with OpenSSL 3 is installed (run .ci/setup)")
	return ""
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program to its end.
func run(t testing.TB, name string, args ...string) result {
	t.Helper()
	return runCmd(t, exec.Command(name, args...))
}

func runCmd(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs a program that has to succeed and returns what it printed.
func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	r := run(t, name, args...)
	if r.code != 0 {
		t.Fatalf("%s %s: exit %d\n%s%s", name, strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// recording is a "spliff record" that runs beside a test.
type recording struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  bytes.Buffer // its stdout; read it after stop
	mu   sync.Mutex
	errs bytes.Buffer
	done chan error
}

// record starts "spliff record ARGS" and returns once its probes are on.
func record(t testing.TB, args ...string) *recording {
	t.Helper()
	r := &recording{t: t, cmd: exec.Command(spliff, append([]string{"record"}, args...)...), done: make(chan error, 1)}
	r.cmd.Stdout = &r.out
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.cmd.Process.Kill() })
	ready := make(chan bool, 1)
	go func() {
		sc := bufio.NewScanner(stderr)
		for sc.Scan() {
			r.mu.Lock()
			fmt.Fprintln(&r.errs, sc.Text())
			r.mu.Unlock()
			if strings.Contains(sc.Text(), "recording ") {
				select {
				case ready <- true:
				default:
				}
			}
		}
		r.done <- r.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-r.done:
		t.Fatalf("record %v ended at once: %v\n%s", args, err, r.stderr())
	case <-time.After(time.Minute):
		t.Fatalf("record %v: not ready after a minute\n%s", args, r.stderr())
	}
	return r
}

func (r *recording) stderr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errs.String()
}

// stop ends the recording as Ctrl-C does and returns what it said.
func (r *recording) stop() string {
	r.t.Helper()
	r.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Fatalf("record: %v\n%s", err, r.stderr())
		}
	case <-time.After(2 * time.Minute):
		r.t.Fatalf("record did not end\n%s", r.stderr())
	}
	return r.stderr()
}

// exchange is a line of "spliff show --json", as far as the tests look.
type exchange struct {
	ID     int    `json:"id"`
	Proto  string `json:"proto"`
	Stream int    `json:"stream"`
	Conn   int    `json:"conn"`
	Req    *half  `json:"req"`
	Resp   *half  `json:"resp"`
	Proc   struct {
		PID  int      `json:"pid"`
		Comm string   `json:"comm"`
		Args []string `json:"args"`
	} `json:"proc"`
	TLS struct {
		Lib     string `json:"lib"`
		ALPN    string `json:"alpn"`
		Version string `json:"version"`
		Cipher  string `json:"cipher"`
		SNI     string `json:"sni"`
	} `json:"tls"`
	Net struct {
		Role string `json:"role"`
		Src  string `json:"src"`
		Dst  string `json:"dst"`
	} `json:"net"`
	Flags []string `json:"flags"`
}

type half struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Status int         `json:"status"`
	Header [][2]string `json:"header"`
	Size   int         `json:"size"`
	Body   *body       `json:"body"`
}

type body struct {
	Text   *string `json:"text"`
	Base64 *string `json:"base64"`
}

// bytes returns a body as it was on the wire, decoded from its JSON form.
func (h *half) bytes(t testing.TB) []byte {
	t.Helper()
	switch {
	case h == nil || h.Body == nil:
		return nil
	case h.Body.Text != nil:
		return []byte(*h.Body.Text)
	case h.Body.Base64 != nil:
		b, err := base64.StdEncoding.DecodeString(*h.Body.Base64)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return nil
}

// show reads a session's exchanges.
func show(t testing.TB, file string, args ...string) []exchange {
	t.Helper()
	return parseJSON(t, must(t, spliff, append([]string{"show", "--json", file}, args...)...))
}

func parseJSON(t testing.TB, out string) []exchange {
	t.Helper()
	var all []exchange
	dec := json.NewDecoder(strings.NewReader(out))
	for dec.More() {
		var x exchange
		if err := dec.Decode(&x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// nginx starts a server with HTTP/1.1 and HTTP/2 on one loopback port. GET serves
// files of the returned folder, PUT stores them.
func nginx(t testing.TB) (url, root string) {
	t.Helper()
	need(t, "nginx", "openssl", "curl")
	dir := t.TempDir()
	// The workers run as nobody.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	root = filepath.Join(dir, "root")
	for _, d := range []string{root, filepath.Join(dir, "tmp")} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		os.Chmod(d, 0o777)
	}
	certificate(t, dir)
	port := freePort(t)
	conf := fmt.Sprintf(`
worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 10000000; client_max_body_size 100m; gzip off;
  client_body_temp_path %[1]s/tmp; types { text/plain txt; application/json json; } default_type application/octet-stream;
  server {
    listen 127.0.0.1:%[2]d ssl http2; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem;
    root %[1]s/root; dav_methods PUT; create_full_put_path on;
  }
}`, dir, port)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, "nginx", "-c", path, "-e", filepath.Join(dir, "error.log"))
	waitPort(t, port)
	return fmt.Sprintf("https://127.0.0.1:%d", port), root
}

// certificate makes a self-signed certificate for loopback in dir.
func certificate(t testing.TB, dir string) {
	t.Helper()
	must(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"), "-subj", "/CN=localhost",
		"-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
	os.Chmod(filepath.Join(dir, "key.pem"), 0o644)
}

// start runs a server until the test ends.
func start(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		if t.Failed() && log.Len() > 0 {
			t.Logf("%s: %s", name, log.String())
		}
	})
	return cmd
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func waitPort(t testing.TB, port int) {
	t.Helper()
	for range 200 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing listens on port %d", port)
}
