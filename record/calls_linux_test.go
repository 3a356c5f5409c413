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

// TestCalls: key updates, renegotiation, early data, writes that take a part and are
// called again, and handshakes that fail: what both ends moved is recorded once, to the
// byte.
func TestCalls(t *testing.T) {
	needCapture(t)
	bin := program(t, "calls")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x", "-days", "9").CombinedOutput(); err != nil {
		t.Skipf("SKIP: no certificate (apt-get install openssl): %v\n%s", err, out)
	}
	for _, mode := range []string{"keyupdate", "renegotiate", "early", "partial", "failed"} {
		t.Run(mode, func(t *testing.T) {
			said, err := os.Create(filepath.Join(t.TempDir(), "said"))
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			l := newTally(t)
			st := run(t, Options{Command: []string{bin, mode, cert, key}, Stdout: said}, l)
			if lost := l.balance(); lost != 0 || st.LostEvents != 0 {
				t.Errorf("lost %d bytes, %+v", lost, st)
			}
			text, err := os.ReadFile(said.Name())
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSpace(string(text)), "\n")
			var got []string
			for id, c := range l.conns {
				wrote, read := bytesOf(l.wrote[id]), bytesOf(l.read[id])
				role, server := "client", 0
				if c.Role == format.RoleServer {
					role, server = "server", 1
				}
				got = append(got, fmt.Sprintf("%s %d %d", role, len(wrote), len(read)))
				if !bytes.Equal(wrote, pattern(len(wrote), server)) || !bytes.Equal(read, pattern(len(read), 1-server)) {
					t.Errorf("%s: other bytes than it wrote and read", role)
				}
				if end := l.ends[id]; end.Reason != format.EndFree || !end.Shutdown {
					t.Errorf("%s: end %+v, want freed after a shutdown", role, end)
				}
				if c.Version == 0 && mode != "failed" {
					t.Errorf("%s: TLS version not known", role)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("recorded %q, the program moved %q", got, want)
			}
			if len(l.shakes) != len(want) {
				t.Errorf("%d handshakes of %d sessions: %+v", len(l.shakes), len(want), l.shakes)
			}
			for _, h := range l.shakes {
				if h.OK == (mode == "failed") || h.Dur == 0 {
					t.Errorf("handshake %+v", h)
				}
			}
		})
	}
}
