package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHandshakeLeftToACall: node and openssl's client leave the handshake to their
// first read or write, and both openssl's know their sockets by other calls than most;
// the session says how long it took and what was agreed on, once a connection.
func TestHandshakeLeftToACall(t *testing.T) {
	needRoot(t)
	need(t, "node", "openssl")
	s := newSite(t)
	nodeServer(t, s)
	waitPort(t, s.port)
	port := freePort(t)
	start(t, "openssl", "s_server", "-accept", fmt.Sprint(port), "-cert", filepath.Join(s.dir, "cert.pem"), "-key", filepath.Join(s.dir, "key.pem"), "-www", "-quiet")
	waitPort(t, port)
	time.Sleep(200 * time.Millisecond) // for it to be done with the connection that asked
	file := filepath.Join(t.TempDir(), "a.spl")
	rec := record(t, "-o", file, "--comm", "node", "--comm", "openssl")
	began := time.Now()
	nodeClient(t, s)
	must(t, "sh", "-c", fmt.Sprintf(`printf 'GET /echo.sh HTTP/1.0\r\n\r\n' | openssl s_client -connect localhost:%d -quiet`, s.port))
	must(t, "curl", "-sk", "-o", "/dev/null", fmt.Sprintf("https://localhost:%d/", port))
	took := time.Since(began)
	time.Sleep(200 * time.Millisecond)
	rec.stop()
	type event struct {
		Type    string
		Conn    uint32
		Payload struct {
			OK, Bound bool
			Dur       uint64
			Comm      string
			PID       uint32
			Role      string
			Version   int
			Remote    string
		}
	}
	comms, of, told, known := map[uint32]string{}, map[uint32]string{}, map[uint32]int{}, map[uint32]bool{}
	for line := range strings.Lines(must(t, spliff, "export", "-f", "events", file)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			continue // an event of another shape
		}
		switch p := &e.Payload; e.Type {
		case "proc":
			comms[p.PID] = p.Comm
		case "conn":
			of[e.Conn] = comms[p.PID] + " " + p.Role
			known[e.Conn] = p.Version != 0 && p.Remote != ""
		case "handshake":
			told[e.Conn]++
			if !p.OK || p.Bound || p.Dur == 0 || p.Dur > uint64(took) {
				t.Errorf("a handshake of %s: %+v, within %s", of[e.Conn], p, took)
			}
		}
	}
	seen := map[string]int{}
	for conn, who := range of {
		if told[conn] != 1 {
			t.Errorf("%d handshakes are told of connection %d, of %s", told[conn], conn, who)
		}
		if !known[conn] {
			t.Errorf("version or address of connection %d, of %s, are not known", conn, who)
		}
		seen[who]++
	}
	for _, who := range []string{"node client", "node server", "openssl client", "openssl server"} {
		if seen[who] == 0 {
			t.Errorf("no connection of %s: %v", who, seen)
		}
	}
}
