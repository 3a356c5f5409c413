package record

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// python skips where there is no system Python on the shared OpenSSL 3.
func python(t *testing.T) string {
	t.Helper()
	const py = "/usr/bin/python3"
	if out, err := exec.Command(py, "-c", "import ssl; print(ssl.OPENSSL_VERSION)").Output(); err != nil || !bytes.HasPrefix(out, []byte("OpenSSL 3")) {
		t.Skip("SKIP: no /usr/bin/python3 with OpenSSL 3 is installed (apt-get install python3)")
	}
	return py
}

// during records while f runs, then stops as Ctrl-C would.
func during(t *testing.T, o Options, l *tally, f func()) Stats {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Live = true
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	f()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s.Stats()
}

// TestRenamed: a program that names itself after its start is found by that name.
func TestRenamed(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	script := `import ssl, urllib.request
open("/proc/self/comm", "w").write("new-name")
urllib.request.urlopen("` + url + `/5", context=ssl._create_unverified_context()).read()`
	run(t, Options{Command: []string{python(t), "-c", script}, Comms: []string{"new-name"}, Live: true}, l)
	if len(l.conns) != 1 {
		t.Errorf("%d connections, want 1", len(l.conns))
	}
}

// TestPIDAndParents: of two shells that fetch in a loop, only the chosen one is
// recorded; by number it is the shell alone, as a parent it is what it starts.
func TestPIDAndParents(t *testing.T) {
	needCapture(t)
	url := server(t)
	loop := func(size string) (pid uint32, fetch func()) {
		p := talking(t, "sh", "-c", "while read go; do "+strings.Join(get(url, size), " ")+"; echo done; done")
		return p.pid(), func() { p.ask("go") }
	}
	pid, mine := loop("/21")
	_, other := loop("/22")
	for _, tt := range []struct {
		name string
		o    Options
		want int
	}{
		{"by number", Options{PIDs: []uint32{pid}}, 0}, // the shell itself makes no connection
		{"as parent", Options{Parents: []uint32{pid}}, 1},
		{"as parent and by name", Options{Parents: []uint32{pid}, Comms: []string{"curl"}}, 1},
		{"as parent and by another name", Options{Parents: []uint32{pid}, Comms: []string{"wget"}}, 0},
	} {
		l := newTally(t)
		during(t, tt.o, l, func() { mine(); other() })
		if len(l.conns) != tt.want {
			t.Errorf("%s: %d connections, want %d", tt.name, len(l.conns), tt.want)
		}
		for _, in := range l.read {
			if !bytes.HasSuffix(in.Bytes(), body(21)) {
				t.Errorf("%s: another process's bytes", tt.name)
			}
		}
	}
}

// TestMidStream: a connection that is older than the recording is recorded from its
// next call on and says so.
func TestMidStream(t *testing.T) {
	needCapture(t)
	url := server(t)
	script := `import http.client, ssl, sys
c = http.client.HTTPSConnection(sys.argv[1], context=ssl._create_unverified_context())
for line in sys.stdin:
    c.request("GET", line.strip()); c.getresponse().read(); print("done", flush=True)`
	p := talking(t, python(t), "-c", script, strings.TrimPrefix(url, "https://"))
	p.ask("/31")
	l := newTally(t)
	during(t, Options{PIDs: []uint32{p.pid()}}, l, func() {
		p.ask("/32")
		p.end()
	})
	if len(l.conns) != 1 {
		t.Fatalf("%d connections, want 1", len(l.conns))
	}
	for id, c := range l.conns {
		if !c.MidStream || !c.Remote.IsValid() {
			t.Errorf("connection %+v, want mid-stream and linked", c)
		}
		if !bytes.HasSuffix(l.read[id].Bytes(), body(32)) || bytes.Contains(l.read[id].Bytes(), body(31)) {
			t.Error("want the second response and nothing of the first")
		}
		if _, ended := l.ends[id]; !ended {
			t.Error("the process ended, its connection did not")
		}
	}
}

// TestFailedHandshake: a client that refuses the certificate is told of although
// no byte of plaintext moved.
func TestFailedHandshake(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	run(t, Options{Command: []string{"sh", "-c", "curl -s " + url + "/5; true"}, Live: true}, l)
	if len(l.conns) != 1 || len(l.shakes) != 1 || l.shakes[0].OK {
		t.Errorf("%d connections, handshakes %+v, want one that failed", len(l.conns), l.shakes)
	}
	l = newTally(t)
	run(t, Options{Command: get(url, "/5"), Live: true}, l)
	if len(l.shakes) != 1 || !l.shakes[0].OK || l.shakes[0].Dur == 0 {
		t.Errorf("handshakes %+v, want one that succeeded and took time", l.shakes)
	}
}

// TestExec: a process that runs another program ends its connections, and the new
// program is introduced by its own name.
func TestExec(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	script := `import http.client, os, ssl, sys
c = http.client.HTTPSConnection(sys.argv[1], context=ssl._create_unverified_context())
c.request("GET", "/41"); c.getresponse().read()
os.execvp("curl", ["curl", "-sk", "-o", "/dev/null", "https://" + sys.argv[1] + "/42"])`
	run(t, Options{Command: []string{python(t), "-c", script, strings.TrimPrefix(url, "https://")}, Live: true}, l)
	if len(l.conns) != 2 || l.conns[1].PID != l.conns[2].PID {
		t.Fatalf("connections %+v, want two of one process", l.conns)
	}
	if l.ends[1].Reason != format.EndExec {
		t.Errorf("first connection ended with %+v, want exec", l.ends[1])
	}
	if p := l.procs[l.conns[2].PID]; p.Comm != "curl" {
		t.Errorf("the process is %q, want curl", p.Comm)
	}
}

// TestTLSInsideTLS: through an HTTPS proxy two sessions of one process nest, on one
// socket; each has its own bytes.
func TestTLSInsideTLS(t *testing.T) {
	needCapture(t)
	url := server(t)
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		down, early, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		// early holds what the client sent before the connection was ours.
		go func() { io.Copy(up, early); up.(*net.TCPConn).CloseWrite() }()
		io.Copy(down, up)
		down.(*tls.Conn).Close()
	}))
	t.Cleanup(proxy.Close)
	l := newTally(t)
	run(t, Options{Command: []string{"curl", "-sk", "--http1.1", "--proxy-insecure", "--proxy", proxy.URL, "-o", "/dev/null", url + "/200000"}, Live: true}, l)
	if lost := l.balance(); lost != 0 {
		t.Errorf("%d bytes lost", lost)
	}
	if len(l.conns) != 2 {
		t.Fatalf("%d connections, want the proxy's and the server's", len(l.conns))
	}
	inner := 0
	for id, c := range l.conns {
		if c.Remote.String() != strings.TrimPrefix(proxy.URL, "https://") {
			t.Errorf("conn %d goes to %v, want the proxy's socket", id, c.Remote)
		}
		if bytes.HasSuffix(l.read[id].Bytes(), body(200000)) {
			inner++
		}
	}
	if inner != 1 {
		t.Errorf("%d connections end with the body, want the inner one alone", inner)
	}
}

// TestThreads: one thread reads while another writes, on the same session. GnuTLS
// lets them do so at once. OpenSSL does not: a program that tries dies now and then
// (here one of fifty Pythons, nobody recording), so its threads take turns.
func TestThreads(t *testing.T) {
	const begin = `import ctypes, select, socket, ssl, sys, threading
host, port = sys.argv[1].rsplit(":", 1)
data, got = bytes(range(256)) * 12000, bytearray()
c = socket.create_connection((host, int(port)))
`
	const both = `
def write():
    at = 0
    while at < len(data): at += send(data[at:at+5000])
t = threading.Thread(target=write); t.start()
while len(got) < len(data): got += recv(7000)
t.join(); assert got == data
`
	for _, p := range []struct{ library, script string }{
		{"gnutls", begin + `
g = ctypes.CDLL("libgnutls.so.30")
g.gnutls_record_send.restype = g.gnutls_record_recv.restype = ctypes.c_ssize_t
cred, s, buf = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.create_string_buffer(7000)
g.gnutls_certificate_allocate_credentials(ctypes.byref(cred))
g.gnutls_init(ctypes.byref(s), 2) # GNUTLS_CLIENT
g.gnutls_set_default_priority(s)
g.gnutls_credentials_set(s, 1, cred) # GNUTLS_CRD_CERTIFICATE
g.gnutls_transport_set_int2(s, c.fileno(), c.fileno())
assert g.gnutls_handshake(s) == 0
def again(f, *args):
    n = -28 # GNUTLS_E_AGAIN: what came was a session ticket
    while n == -28: n = f(s, *args)
    assert n > 0, n
    return n
def send(b): return again(g.gnutls_record_send, b, ctypes.c_size_t(len(b)))
def recv(n):
    n = again(g.gnutls_record_recv, buf, ctypes.c_size_t(n))
    return buf.raw[:n]
` + both},
		{"openssl", begin + `
s, lock = ssl._create_unverified_context().wrap_socket(c), threading.Lock()
s.setblocking(False)
def turn(f, *args):
    while True:
        try:
            with lock: return f(*args)
        except ssl.SSLWantReadError: select.select([s], [], [])
        except ssl.SSLWantWriteError: select.select([], [s], [])
def send(b): return turn(s.send, b)
def recv(n): return turn(s.recv, n)
` + both},
	} {
		t.Run(p.library, func(t *testing.T) { threads(t, p.library, p.script) })
	}
}

// threads records a script that sends what counting says and reads it back.
func threads(t *testing.T, library, script string) {
	needCapture(t)
	echo, err := tls.Listen("tcp", "127.0.0.1:0", httptestTLS(t))
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	l := newTally(t)
	run(t, Options{Command: []string{python(t), "-c", script, echo.Addr().String()}, Libraries: []string{library}, Live: true}, l)
	want := bytes.Repeat(counting(), 12000)
	if len(l.conns) != 1 || l.balance() != 0 {
		t.Fatalf("%d connections", len(l.conns))
	}
	for id := range l.conns {
		if !bytes.Equal(l.read[id].Bytes(), want) {
			t.Errorf("%d bytes read, not the %d that were echoed", l.read[id].Len(), len(want))
		}
		if n := l.got[[2]uint32{id, uint32(format.DirWrite)}]; n != uint64(len(want)) {
			t.Errorf("%d bytes written, want %d", n, len(want))
		}
	}
}

func counting() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// httptestTLS borrows the certificate of a test server.
func httptestTLS(t *testing.T) *tls.Config {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// TestChildExit: the command's way of ending is known.
func TestChildExit(t *testing.T) {
	needCapture(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 128 + 9} {
		s, err := Open(context.Background(), Options{Command: []string{"sh", "-c", script}, Live: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(context.Background(), newTally(t)); err != nil {
			t.Error(err)
		}
		if code, ok := s.ChildExit(); !ok || code != want {
			t.Errorf("%s: exit %d, ended %v, want %d", script, code, ok, want)
		}
		s.Close()
	}
}

// TestSinkError: a sink that cannot take more ends the recording with its error.
func TestSinkError(t *testing.T) {
	needCapture(t)
	full := errors.New("disk full")
	s, err := Open(context.Background(), Options{Command: get(server(t), "/5"), Live: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = s.Run(ctx, sinkFunc(func(e *format.Event) error {
		if e.Type == format.TypeData {
			return full
		}
		return nil
	}))
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the sink's error", err)
	}
}

// TestPIDGone: a recording of processes by number ends when they have.
func TestPIDGone(t *testing.T) {
	needCapture(t)
	cmd := exec.Command("cat") // lives until its input ends
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := Open(ctx, Options{PIDs: []uint32{uint32(cmd.Process.Pid)}, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in.Close()
	cmd.Wait()
	l := newTally(t)
	if err := s.Run(ctx, l); err != nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	if l.end == nil || l.end.Reason != "processes exited" {
		t.Errorf("END %+v", l.end)
	}
}

func cancelable(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx, cancel
}

// must runs a program that is expected to succeed.
func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
