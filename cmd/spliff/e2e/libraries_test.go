package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bodySizes are around one TLS record and many of them.
var bodySizes = []int{1, 16383, 16384, 16385, 1 << 20}

// side is what must be known of one end of a connection.
type side struct {
	lib  string
	alpn string // "" if its program does not ask for it
	addr bool   // its socket is found
	tls  string // version; "" if the hellos are not seen
}

// site is a folder of bodies that a server of the matrix serves: GET /N gives N
// bytes, POST to the path echo gives back what was posted.
type webSite struct {
	dir  string // holds cert.pem, key.pem, both.pem
	root string
	port int
	echo string
}

func (s *webSite) url(path string) string {
	return fmt.Sprintf("https://127.0.0.1:%d/%s", s.port, path)
}

func (s *webSite) file(n int) string { return filepath.Join(s.root, fmt.Sprint(n)) }

// write puts a file into the site's folder and returns its path.
func (s *webSite) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func newSite(t *testing.T) *webSite {
	t.Helper()
	need(t, "openssl")
	s := &webSite{dir: t.TempDir(), port: freePort(t), echo: "echo.sh"}
	s.root = filepath.Join(s.dir, "root")
	if err := os.Mkdir(s.root, 0o755); err != nil {
		t.Fatal(err)
	}
	certificate(t, s.dir)
	key, err := os.ReadFile(filepath.Join(s.dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(filepath.Join(s.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "both.pem", string(key)+string(cert))
	s.write(t, "root/echo.sh", "printf 'Content-Type: application/octet-stream\\r\\n\\r\\n'\nexec cat\n")
	for _, n := range bodySizes {
		if err := os.WriteFile(s.file(n), content(n, 7), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// requests is what a client that knows no HTTP sends: every GET, every POST.
func (s *webSite) requests(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for i, n := range bodySizes {
		fmt.Fprintf(&b, "GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n", n)
		end := ""
		if i == len(bodySizes)-1 {
			end = "Connection: close\r\n"
		}
		fmt.Fprintf(&b, "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n", s.echo, n, end)
		b.Write(content(n, 7))
	}
	return s.write(t, "requests", b.String())
}

// TestLibraries is the matrix of libraries: real servers and clients, where both
// ends must show every body byte for byte, with role, protocol and addresses.
func TestLibraries(t *testing.T) {
	rows := []struct {
		name           string
		server         func(*testing.T, *webSite)
		client         func(*testing.T, *webSite)
		serves, visits side
	}{
		{"OpenSSL lighttpd, curl", lighttpd("openssl"), curl, side{"openssl", "", true, "TLS 1.3"}, side{"openssl", "http/1.1", true, "TLS 1.3"}},
		{"GnuTLS lighttpd, wget", lighttpd("gnutls"), wget, side{"gnutls", "", true, "TLS 1.3"}, side{"gnutls", "", true, "TLS 1.3"}},
		{"NSS lighttpd, tstclnt", lighttpd("nss"), tstclnt, side{"nss", "", true, "TLS 1.3"}, side{"nss", "", true, "TLS 1.3"}},
		{"wolfSSL lighttpd, a C program", lighttpd("wolfssl"), wolfClient, side{"wolfssl", "", true, "TLS 1.3"}, side{"wolfssl", "", true, "TLS 1.3"}},
		{"mbedTLS lighttpd, gnutls-cli", lighttpd("mbedtls"), gnutlsCLI, side{"mbedtls", "http/1.1", true, "TLS 1.2"}, side{"gnutls", "http/1.1", true, "TLS 1.2"}},
		{"Python, blocking", blockingPython, blockingVisit, side{"openssl", "", true, "TLS 1.3"}, side{"openssl", "", true, "TLS 1.3"}},
		{"Python, asyncio", asyncioServer, asyncioClient, side{"openssl", "", true, "TLS 1.3"}, side{"openssl", "", true, "TLS 1.3"}},
		{"node", nodeServer, nodeClient, side{"openssl", "", true, "TLS 1.3"}, side{"openssl", "", true, "TLS 1.3"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			needRoot(t)
			s := newSite(t)
			r.server(t, s)
			waitPort(t, s.port)
			file := filepath.Join(t.TempDir(), "a.spl")
			rec := record(t, "-o", file, "--ppid", fmt.Sprint(os.Getpid()))
			r.client(t, s)
			time.Sleep(200 * time.Millisecond) // the server's last write may return after the client has read it
			said := rec.stop()
			if !strings.Contains(said, "lost nothing") {
				t.Errorf("record said:\n%s", said)
			}
			checkMatrix(t, s, file, map[string]side{"server": r.serves, "client": r.visits})
		})
	}
}

// checkMatrix compares what both ends of the traffic show with what was sent.
func checkMatrix(t *testing.T, s *webSite, file string, want map[string]side) {
	t.Helper()
	type transfer struct{ role, path, req, resp string }
	got := map[transfer]int{}
	none := sum(nil)
	for _, x := range show(t, file) {
		if x.Req == nil || x.Resp == nil || len(x.Flags) != 0 {
			t.Errorf("exchange %d is not whole: %+v", x.ID, x)
			continue
		}
		w, ok := want[x.Net.Role]
		if !ok {
			t.Errorf("exchange %d: role %q", x.ID, x.Net.Role)
			continue
		}
		if x.TLS.Lib != w.lib || x.TLS.ALPN != w.alpn {
			t.Errorf("%s, exchange %d: library %q ALPN %q, want %+v", x.Net.Role, x.ID, x.TLS.Lib, x.TLS.ALPN, w)
		}
		if x.TLS.Version != w.tls || (x.TLS.Cipher == "") != (w.tls == "") {
			t.Errorf("%s, exchange %d: version %q cipher %q, want %q", x.Net.Role, x.ID, x.TLS.Version, x.TLS.Cipher, w.tls)
		}
		if w.addr && (x.Net.Src == "" || x.Net.Dst != fmt.Sprintf("127.0.0.1:%d", s.port)) {
			t.Errorf("%s, exchange %d: %s to %s, want port %d", x.Net.Role, x.ID, x.Net.Src, x.Net.Dst, s.port)
		}
		got[transfer{x.Net.Role, x.Req.Path, sum(x.Req.bytes(t)), sum(x.Resp.bytes(t))}]++
	}
	for role := range want {
		for _, n := range bodySizes {
			body := sum(content(n, 7))
			for _, w := range []transfer{{role, fmt.Sprintf("/%d", n), none, body}, {role, "/" + s.echo, body, body}} {
				if got[w] != 1 {
					t.Errorf("%s: %s of %d bytes: %d exchanges with exactly these bodies, want 1", role, w.path, n, got[w])
				}
				delete(got, w)
			}
		}
	}
	for w := range got {
		t.Errorf("%s: an exchange nobody made: %s", w.role, w.path)
	}
}

// lighttpd serves with one of its TLS modules; a shell echoes.
func lighttpd(module string) func(*testing.T, *webSite) {
	return func(t *testing.T, s *webSite) {
		t.Helper()
		need(t, "lighttpd")
		if _, err := os.Stat("/usr/lib/lighttpd/mod_" + module + ".so"); err != nil {
			t.Skipf("SKIP: lighttpd-mod-%s is not installed (run .ci/setup)", module)
		}
		conf := fmt.Sprintf(`
server.modules = ("mod_%[1]s", "mod_cgi")
server.document-root = "%[2]s/root"
server.upload-dirs = ("%[2]s")
server.bind = "127.0.0.1"
server.port = %[3]d
server.errorlog = "%[2]s/error.log"
server.feature-flags = ("server.h2proto" => "disable")
cgi.assign = (".sh" => "/bin/sh")
ssl.engine = "enable"
ssl.pemfile = "%[2]s/both.pem"
`, module, s.dir, s.port)
		start(t, "lighttpd", "-D", "-f", s.write(t, "lighttpd.conf", conf))
	}
}

func curl(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "curl")
	args := []string{"-sSk", "--http1.1"}
	for _, n := range bodySizes {
		// -: starts a new set of options for the next transfer.
		args = append(args, "-o", "/dev/null", s.url(fmt.Sprint(n)), "--next", "-sSk", "--http1.1", "-H", "Expect:", "--data-binary", "@"+s.file(n),
			"-o", "/dev/null", s.url(s.echo), "--next", "-sSk", "--http1.1")
	}
	must(t, "curl", args[:len(args)-3]...)
}

func wget(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "wget")
	for _, n := range bodySizes {
		must(t, "wget", "-q", "--no-check-certificate", "-O", "/dev/null", s.url(fmt.Sprint(n)))
		must(t, "wget", "-q", "--no-check-certificate", "-O", "/dev/null", "--post-file", s.file(n), s.url(s.echo))
	}
}

// talk runs a client that carries its standard input to the server, and keeps
// that open until the last answer has come.
func talk(t *testing.T, s *webSite, name string, args ...string) {
	t.Helper()
	in, err := os.ReadFile(s.requests(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go to.Write(in)
	// Each body comes twice: to its GET, and back from its POST.
	last := content(bodySizes[len(bodySizes)-1], 7)
	var out []byte
	for buf := make([]byte, 1<<16); bytes.Count(out, last) < 2; {
		n, err := from.Read(buf)
		if out = append(out, buf[:n]...); err != nil {
			t.Fatalf("%s: %v after %d bytes of answers\n%s", name, err, len(out), errs.String())
		}
	}
	to.Close()
	time.AfterFunc(time.Second, cancel) // some wait for more, though the server has closed
	io.Copy(io.Discard, from)
	cmd.Wait() // and some say that it did
}

func tstclnt(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "tstclnt")
	talk(t, s, "tstclnt", "-D", "-o", "-h", "localhost", "-4", "-p", fmt.Sprint(s.port))
}

func gnutlsCLI(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "gnutls-cli")
	talk(t, s, "gnutls-cli", "--insecure", "--logfile", "/dev/null", "--alpn", "http/1.1", "-p", fmt.Sprint(s.port), "127.0.0.1")
}

// wolfClient builds a client on wolfSSL: no packaged program is one.
func wolfClient(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "gcc")
	if _, err := os.Stat("/usr/include/wolfssl/ssl.h"); err != nil {
		t.Skip("SKIP: libwolfssl-dev is not installed (run .ci/setup)")
	}
	bin := filepath.Join(s.dir, "client")
	must(t, "gcc", "-O1", "-o", bin, s.write(t, "client.c", wolfSource), "-lwolfssl")
	got := must(t, bin, fmt.Sprint(s.port), s.requests(t))
	if !strings.Contains(got, string(content(1<<20, 7))) {
		t.Fatalf("the client got %d bytes of answers", len(got))
	}
}

func blockingPython(t *testing.T, s *webSite) {
	t.Helper()
	start(t, python(t), s.write(t, "server.py", blockingServer), s.dir, fmt.Sprint(s.port))
}

func blockingVisit(t *testing.T, s *webSite) {
	t.Helper()
	must(t, python(t), s.write(t, "client.py", blockingClient), s.dir, fmt.Sprint(s.port), s.echo)
}

func asyncioServer(t *testing.T, s *webSite) {
	t.Helper()
	start(t, python(t), s.write(t, "server.py", asyncServer), s.dir, fmt.Sprint(s.port))
}

func asyncioClient(t *testing.T, s *webSite) {
	t.Helper()
	must(t, python(t), s.write(t, "client.py", asyncClient), s.dir, fmt.Sprint(s.port), s.echo)
}

func nodeServer(t *testing.T, s *webSite) {
	t.Helper()
	need(t, "node")
	start(t, "node", s.write(t, "server.js", nodeServing), s.dir, fmt.Sprint(s.port))
}

func nodeClient(t *testing.T, s *webSite) {
	t.Helper()
	must(t, "node", s.write(t, "client.js", nodeVisiting), s.dir, fmt.Sprint(s.port), s.echo)
}
