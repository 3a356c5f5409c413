package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sizes are where copies go wrong: one byte, around one TLS record, many records.
var sizes = []int{1, 16383, 16384, 16385, 1 << 20, 20 << 20}

// content makes n bytes that no other seed makes.
func content(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed, byte(n), byte(n >> 8)}).Read(b)
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// want is one transfer that both ends of the connection must show.
type want struct {
	method, path, req, resp string // bodies as SHA-256
}

// checkBothSides compares the exchanges of a client and a server process with
// what was sent.
func checkBothSides(t *testing.T, file, client, server string, wants []want) {
	t.Helper()
	got := map[string]map[want]int{client: {}, server: {}}
	for _, x := range show(t, file) {
		if x.Req == nil || x.Resp == nil {
			t.Errorf("exchange %d has only one half: %+v", x.ID, x)
			continue
		}
		if len(x.Flags) != 0 {
			t.Errorf("exchange %d %s %s: flags %v", x.ID, x.Req.Method, x.Req.Path, x.Flags)
		}
		side := got[x.Proc.Comm]
		if side == nil {
			t.Errorf("exchange %d is of process %q", x.ID, x.Proc.Comm)
			continue
		}
		side[want{x.Req.Method, x.Req.Path, sum(x.Req.bytes(t)), sum(x.Resp.bytes(t))}]++
	}
	for comm, side := range got {
		for _, w := range wants {
			if side[w] != 1 {
				t.Errorf("%s: %s %s: %d exchanges with exactly these bodies, want 1", comm, w.method, w.path, side[w])
			}
			delete(side, w)
		}
		for w := range side {
			t.Errorf("%s: unexpected %s %s", comm, w.method, w.path)
		}
	}
}

// TestNginxBodies: nginx and curl, both versions of HTTP, upload and download, and
// as on kernels that lack what the newest have.
func TestNginxBodies(t *testing.T) {
	needRoot(t)
	for _, tt := range []struct{ proto, without string }{
		{"--http1.1", ""},
		{"--http2", ""},
		{"--http1.1", "uprobe-multi,uprobe-session,sock-length"},
		{"--http2", "uprobe-multi"},
		{"--http2", "uprobe-session"},
	} {
		proto := tt.proto
		t.Run(proto[2:]+" without "+tt.without, func(t *testing.T) {
			url, root := nginx(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "session.spl")
			// Others on this machine may run curl too.
			// Both ends of 20 MiB at once: what a loaded machine needs to lose none of it.
			args := []string{"-o", file, "--ring", "64MiB", "--comm", "nginx", "--comm", "curl", "--ppid", strconv.Itoa(os.Getpid())}
			sizes := sizes
			if tt.without != "" {
				args = append(args, "--without", tt.without)
				sizes = sizes[:len(sizes)-1] // the largest says nothing new
			}
			rec := record(t, args...)
			for _, f := range strings.Split(tt.without, ",") {
				if f != "" && !strings.Contains(rec.stderr(), "without "+f+" (since Linux ") {
					t.Errorf("not said to be missing: %s\n%s", f, rec.stderr())
				}
			}
			var wants []want
			empty := sum(nil)
			for i, n := range sizes {
				down, up := content(n, byte(i)), content(n, byte(100+i))
				name, upload := fmt.Sprintf("/down%d", n), filepath.Join(dir, "upload")
				if err := os.WriteFile(filepath.Join(root, name), down, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(upload, up, 0o644); err != nil {
					t.Fatal(err)
				}
				must(t, "curl", "-sSfk", proto, "-o", "/dev/null", url+name)
				must(t, "curl", "-sSfk", proto, "-H", "Expect:", "-T", upload, fmt.Sprintf("%s/up%d", url, n))
				wants = append(wants, want{"GET", name, empty, sum(down)}, want{"PUT", fmt.Sprintf("/up%d", n), sum(up), empty})
			}
			t.Log(rec.stop())
			checkBothSides(t, file, "curl", "nginx", wants)
		})
	}
}

const pythonServer = `
import http.server, ssl, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(bytes(b ^ 255 for b in body) if len(body) < 100000 else body[::-1])
    def log_message(self, *a): pass
open("/proc/self/comm", "w").write("py-server")
s = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3])
s.socket = c.wrap_socket(s.socket, server_side=True)
s.serve_forever()
`

const pythonClient = `
import http.client, ssl, sys
open("/proc/self/comm", "w").write("py-client")
c = ssl._create_unverified_context()
h = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=c)
for f in sys.argv[2:]:
    h.request("POST", "/" + f.rsplit("/", 1)[1], open(f, "rb").read())
    h.getresponse().read()
h.close()
`

// TestPythonBodies: Python's ssl calls the _ex forms, and writes a body of 20 MiB
// with one call.
func TestPythonBodies(t *testing.T) {
	needRoot(t)
	need(t, "openssl")
	py := python(t)
	dir := t.TempDir()
	certificate(t, dir)
	port := freePort(t)
	var files []string
	var wants []want
	for i, n := range sizes {
		b := content(n, byte(200+i))
		path := filepath.Join(dir, fmt.Sprintf("post%d", n))
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, n)
		for i := range b {
			if n < 100000 {
				answer[i] = b[i] ^ 255
			} else {
				answer[i] = b[n-1-i]
			}
		}
		files = append(files, path)
		wants = append(wants, want{"POST", fmt.Sprintf("/post%d", n), sum(b), sum(answer)})
	}
	start(t, py, "-c", pythonServer, fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	waitPort(t, port)
	file := filepath.Join(dir, "session.spl")
	rec := record(t, "-o", file, "--ring", "64MiB", "--comm", "py-") // 20 MiB at both ends, see nginx
	must(t, py, append([]string{"-c", pythonClient, fmt.Sprint(port)}, files...)...)
	t.Log(rec.stop())
	checkBothSides(t, file, "py-client", "py-server", wants)
}
