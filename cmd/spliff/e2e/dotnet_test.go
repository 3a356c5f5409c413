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
	"strings"
	"testing"
	"time"
)

// dotnetHome is where .ci/setup puts .NET.
const dotnetHome = "/usr/local/lib/dotnet-3.1"

//go:embed testdata/web.cs
var dotnetWeb string

//go:embed testdata/openssl11.c
var dotnetOpenSSL string

// dotnet is how a built testdata/web.cs is run: a command to which arguments are added.
type dotnet []string

// buildDotnet compiles testdata/web.cs, and what .NET needs to run with OpenSSL 3.
func buildDotnet(t *testing.T) dotnet {
	t.Helper()
	need(t, "gcc", "openssl")
	if _, err := os.Stat(dotnetHome); err != nil {
		t.Skipf("SKIP: no .NET in %s (run .ci/setup)", dotnetHome)
	}
	if _, err := os.Stat("/usr/include/openssl/ssl.h"); err != nil {
		t.Skip("SKIP: libssl-dev is not installed (run .ci/setup)")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"web.cs": dotnetWeb, "openssl11.c": dotnetOpenSSL,
		"web.runtimeconfig.json": `{"runtimeOptions": {"framework": {"name": "Microsoft.AspNetCore.App", "version": "3.1.0"}}}`,
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "gcc", "-shared", "-fPIC", "-O1", "-o", in("libssl.so.spliff"), in("openssl11.c"), "-Wl,--no-as-needed", "-lssl", "-lcrypto")
	run := dotnet{"env", "CLR_OPENSSL_VERSION_OVERRIDE=spliff", "LD_LIBRARY_PATH=" + dir, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1",
		"ASPNETCORE_SUPPRESSSTATUSMESSAGES=true", filepath.Join(dotnetHome, "dotnet"), "exec"}
	compile := append(run[1:len(run):len(run)], filepath.Join(dotnetHome, "csc/csc.dll"), "-nologo", "-nostdlib", "-out:"+in("web.dll"), in("web.cs"))
	for _, framework := range []string{"Microsoft.NETCore.App", "Microsoft.AspNetCore.App"} {
		for _, prefix := range []string{"System", "Microsoft", "mscorlib", "netstandard"} {
			dlls, _ := filepath.Glob(filepath.Join(dotnetHome, "shared", framework, "*", prefix+"*.dll"))
			for _, dll := range dlls {
				compile = append(compile, "-r:"+dll)
			}
		}
	}
	must(t, run[0], compile...)
	return append(run, in("web.dll"))
}

// serve starts the server on the port of s.
func (d dotnet) serve(t *testing.T, s *webSite, protocol string) {
	t.Helper()
	must(t, "openssl", "pkcs12", "-export", "-in", filepath.Join(s.dir, "cert.pem"), "-inkey", filepath.Join(s.dir, "key.pem"),
		"-out", filepath.Join(s.dir, "both.pfx"), "-passout", "pass:spliff")
	start(t, d[0], append(d[1:len(d):len(d)], "serve", s.dir, fmt.Sprint(s.port), protocol)...)
	waitPort(t, s.port)
}

// visitor is a client that runs.
type visitor struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs bytes.Buffer
}

// visitor starts a client of s that speaks a version of HTTP.
func (d dotnet) visitor(t *testing.T, s *webSite, version string) *visitor {
	t.Helper()
	v := &visitor{t: t, cmd: exec.Command(d[0], append(d[1:len(d):len(d)], "visit", s.dir, fmt.Sprint(s.port), s.echo, version)...)}
	v.cmd.Stderr = &v.errs
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if v.in, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReader(out)
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.cmd.Process.Kill() })
	return v
}

// visit makes it send every request, and waits for all answers.
func (v *visitor) visit() {
	v.t.Helper()
	fmt.Fprintln(v.in)
	if line, err := v.out.ReadString('\n'); line != "visited\n" {
		v.cmd.Wait()
		v.t.Fatalf("the client said %q, %v\n%s", line, err, v.errs.String())
	}
}

// leave lets it end.
func (v *visitor) leave() {
	v.t.Helper()
	v.in.Close()
	if err := v.cmd.Wait(); err != nil {
		v.t.Fatalf("the client: %v\n%s", err, v.errs.String())
	}
}

// TestDotnet records programs of .NET: it loads OpenSSL itself, gives it memory, and
// reads and sends by other threads than those that call OpenSSL. A client may connect as
// soon as it has loaded the library; the server runs before the recording.
func TestDotnet(t *testing.T) {
	needRoot(t)
	d := buildDotnet(t)
	for _, r := range []struct {
		name, protocol, version string
		both                    side
	}{
		{"HTTP/1.1 over TLS 1.2", "Tls12", "1.1", side{"openssl", "", true, "TLS 1.2"}},
		{"HTTP/1.1 over TLS 1.3", "Tls13", "1.1", side{"openssl", "", true, "TLS 1.3"}},
		{"HTTP/2 over TLS 1.3", "Tls13", "2.0", side{"openssl", "h2", true, "TLS 1.3"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			s := newSite(t)
			d.serve(t, s, r.protocol)
			file := filepath.Join(t.TempDir(), "a.spl")
			rec := record(t, "-o", file, "--ppid", fmt.Sprint(os.Getpid()))
			v := d.visitor(t, s, r.version)
			v.visit()
			v.leave()
			dotnetStop(t, rec)
			checkMatrix(t, s, file, map[string]side{"server": r.both, "client": r.both})
			for _, x := range show(t, file) {
				// Also at the server, which reads the name before there is a session.
				if x.TLS.SNI != "localhost" || x.Proc.Comm != "dotnet" {
					t.Errorf("%s, exchange %d: server name %q of %s", x.Net.Role, x.ID, x.TLS.SNI, x.Proc.Comm)
				}
			}
		})
	}
	t.Run("a connection older than the recording", func(t *testing.T) {
		s := newSite(t)
		d.serve(t, s, "Tls13")
		v := d.visitor(t, s, "1.1")
		v.visit()
		file := filepath.Join(t.TempDir(), "a.spl")
		rec := record(t, "-o", file, "--ppid", fmt.Sprint(os.Getpid()))
		v.visit()
		dotnetStop(t, rec)
		v.leave()
		both := side{"openssl", "", false, ""}
		checkMatrix(t, s, file, map[string]side{"server": both, "client": both})
		met := map[string]bool{}
		for _, x := range show(t, file) {
			// Its first write is what leads to the socket.
			if met[x.Net.Role] && x.Net.Dst != fmt.Sprintf("127.0.0.1:%d", s.port) {
				t.Errorf("%s, exchange %d: from %q to %q, want port %d", x.Net.Role, x.ID, x.Net.Src, x.Net.Dst, s.port)
			}
			met[x.Net.Role] = true
		}
	})
}

func dotnetStop(t *testing.T, rec *recording) {
	t.Helper()
	time.Sleep(200 * time.Millisecond) // the server's last write may return after the client has read it
	if said := rec.stop(); !strings.Contains(said, "lost nothing") {
		t.Errorf("record said:\n%s", said)
	}
}
