//go:build amd64 || arm64

package record

import (
	"net/url"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// peeking reads an answer as a program does that looks before it takes: it peeks
// before each read, with both forms of both functions, and reads in odd sizes.
const peeking = `
import ctypes, socket, sys
ssl = ctypes.CDLL("libssl.so.3")
for f in ("TLS_client_method", "SSL_CTX_new", "SSL_new"): getattr(ssl, f).restype = ctypes.c_void_p
p, n = ctypes.c_void_p, ctypes.c_size_t
host, port = sys.argv[1], int(sys.argv[2])
ctx = ssl.SSL_CTX_new(p(ssl.TLS_client_method()))
s = p(ssl.SSL_new(p(ctx)))
sock = socket.create_connection((host, port))
assert ssl.SSL_set_fd(s, sock.fileno()) == 1
assert ssl.SSL_connect(s) == 1
ask = b"GET /16385 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
assert ssl.SSL_write(s, ask, len(ask)) == len(ask)
got, buf, out, turn = b"", ctypes.create_string_buffer(70000), n(0), 0
while True:
    size = (1, 100, 4096, 70000)[turn % 4]
    if turn % 2:
        peeked = ssl.SSL_peek(s, buf, size)
        read = ssl.SSL_read(s, buf, size)
    else:
        peeked = out.value if ssl.SSL_peek_ex(s, buf, n(size), ctypes.byref(out)) == 1 else 0
        read = out.value if ssl.SSL_read_ex(s, buf, n(size), ctypes.byref(out)) == 1 else 0
    if read <= 0: break
    assert peeked > 0
    got += buf.raw[:read]
    turn += 1
ssl.SSL_shutdown(s)
ssl.SSL_free(s)
print(len(got))
`

// TestPeek: what is peeked at is not counted, what is then read is, once.
func TestPeek(t *testing.T) {
	needCapture(t)
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	l := newTally(t)
	run(t, Options{Command: []string{python(t), "-c", peeking, u.Hostname(), u.Port()}}, l)
	if len(l.read) != 1 {
		t.Fatalf("%d connections were read from, want 1", len(l.read))
	}
	for id, b := range l.read {
		if n := strings.Count(b.String(), "HTTP/1.1 200"); n != 1 {
			t.Errorf("%d answers recorded, want 1", n)
		}
		_, got, _ := strings.Cut(b.String(), "\r\n\r\n")
		if want := string(body(16385)); got != want {
			t.Errorf("body of %d bytes recorded, want %d, equal", len(got), len(want))
		}
		if end := l.ends[id]; end.Reason != format.EndFree || !end.Shutdown {
			t.Errorf("end = %+v, want freed after a shutdown", end)
		}
	}
	l.balance()
}
