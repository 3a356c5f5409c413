package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFirefox: a browser with NSS of its own, whose sockets, files and pipes are all
// descriptors of NSPR: those of TLS are recorded, and no other.
func TestFirefox(t *testing.T) {
	needRoot(t)
	need(t, "openssl", "certutil", "firefox-esr")
	dir := t.TempDir()
	trusted(t, dir, filepath.Join(dir, "profile"))
	port := bunServer(t, dir)
	file := filepath.Join(dir, "session.spl")
	rec := record(t, "-o", file, "--comm", "bun-", "--comm", "firefox")
	browse(t, dir, fmt.Sprintf("https://127.0.0.1:%d/", port))
	t.Log(rec.stop())
	checkBrowser(t, file, "firefox")
	for _, x := range show(t, file) {
		if strings.HasPrefix(x.Proc.Comm, "firefox") && (x.TLS.Lib != "nss" || x.Net.Dst != fmt.Sprintf("127.0.0.1:%d", port)) {
			t.Errorf("exchange %d: library %q, to %s: no TLS connection of the page's", x.ID, x.TLS.Lib, x.Net.Dst)
		}
	}
}

// trusted makes a certificate in dir that a browser with the profile accepts: Firefox
// has no option that makes it accept any.
func trusted(t *testing.T, dir, profile string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	key := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"}
	must(t, "openssl", append([]string{"req", "-x509", "-days", "2", "-keyout", in("ca.key"), "-out", in("ca.pem"), "-subj", "/CN=ca",
		"-addext", "basicConstraints=critical,CA:TRUE"}, key...)...)
	must(t, "openssl", append([]string{"req", "-keyout", in("key.pem"), "-out", in("csr.pem"), "-subj", "/CN=localhost"}, key...)...)
	if err := os.WriteFile(in("names"), []byte("subjectAltName=DNS:localhost,IP:127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "openssl", "x509", "-req", "-days", "2", "-in", in("csr.pem"), "-CA", in("ca.pem"), "-CAkey", in("ca.key"), "-extfile", in("names"), "-out", in("cert.pem"))
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	must(t, "certutil", "-N", "-d", "sql:"+profile, "--empty-password")
	must(t, "certutil", "-A", "-d", "sql:"+profile, "-t", "C,,", "-n", "ca", "-i", in("ca.pem"))
}

// browse runs Firefox until the page of testdata/bun.js says that it is done.
func browse(t *testing.T, dir, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "firefox-esr", "--headless", "--no-remote", "--profile", filepath.Join(dir, "profile"), url)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its other processes end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cancel()
	done := filepath.Join(dir, "cert.pem.done")
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(done); err == nil {
			return
		}
	}
	t.Error("the page did not finish")
}
