package record

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// pattern is n bytes as testdata/calls.c writes them: a client, or one more each, a server.
func pattern(n, more int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/251 + 1 + more)
	}
	return b
}

func bytesOf(b *bytes.Buffer) []byte {
	if b == nil {
		return nil
	}
	return b.Bytes()
}

// selfSigned makes a certificate and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x", "-days", "9").CombinedOutput(); err != nil {
		t.Skipf("SKIP: no certificate (apt-get install openssl): %v\n%s", err, out)
	}
	return cert, key
}

// runCalls records a run of testdata/calls.c, of which nothing may be lost, and returns
// the sorted lines in which it says what its ends moved.
func runCalls(t *testing.T, o Options, l *tally) []string {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	o.Stdout = said
	st := run(t, o, l)
	if lost := l.balance(); lost != 0 || st.LostEvents != 0 {
		t.Errorf("lost %d bytes, %+v", lost, st)
	}
	text, err := os.ReadFile(said.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	return lines
}

func roleName(r format.Role) string {
	if r == format.RoleServer {
		return "server"
	}
	return "client"
}

// checkCalls compares what was recorded with what the program says, and its bytes.
func checkCalls(t *testing.T, l *tally, want []string) {
	t.Helper()
	var got []string
	for id, c := range l.conns {
		wrote, read := bytesOf(l.wrote[id]), bytesOf(l.read[id])
		more := 0
		if c.Role == format.RoleServer {
			more = 1
		}
		got = append(got, fmt.Sprintf("%s %d %d", roleName(c.Role), len(wrote), len(read)))
		if !bytes.Equal(wrote, pattern(len(wrote), more)) || !bytes.Equal(read, pattern(len(read), 1-more)) {
			t.Errorf("%s: other bytes than it wrote and read", roleName(c.Role))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("recorded %q, the program moved %q", got, want)
	}
}

// TestCalls: key updates, renegotiation, early data, writes that take a part and are
// called again, writes of many records at once, datagrams, and handshakes that fail or
// are left to the first read and write: what both ends moved is recorded once, to the
// byte.
func TestCalls(t *testing.T) {
	needCapture(t)
	bin := program(t, "calls")
	cert, key := selfSigned(t)
	for _, mode := range []string{"keyupdate", "renegotiate", "early", "partial", "failed", "left", "blocks", "dtls"} {
		t.Run(mode, func(t *testing.T) {
			l := newTally(t)
			want := runCalls(t, Options{Command: []string{bin, mode, cert, key}}, l)
			checkCalls(t, l, want)
			for id, c := range l.conns {
				role := roleName(c.Role)
				if end := l.ends[id]; end.Reason != format.EndFree || !end.Shutdown {
					t.Errorf("%s: end %+v, want freed after a shutdown", role, end)
				}
				if c.Version == 0 && mode != "failed" || c.Version == 0xfefd != (mode == "dtls") {
					t.Errorf("%s: TLS version %#x", role, c.Version)
				}
			}
			if len(l.shakes) != len(want) {
				t.Errorf("%d handshakes of %d sessions: %+v", len(l.shakes), len(want), l.shakes)
			}
			for _, h := range l.shakes {
				if h.OK == (mode == "failed") || h.Dur == 0 || h.Bound {
					t.Errorf("handshake %+v", h)
				}
			}
		})
	}
}
