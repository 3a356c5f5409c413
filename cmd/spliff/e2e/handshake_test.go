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
// first read or write; the session says how long it took at most, once a connection.
func TestHandshakeLeftToACall(t *testing.T) {
	needRoot(t)
	need(t, "node", "openssl")
	s := newSite(t)
	nodeServer(t, s)
	waitPort(t, s.port)
	file := filepath.Join(t.TempDir(), "a.spl")
	rec := record(t, "-o", file, "--comm", "node", "--comm", "openssl")
	began := time.Now()
	nodeClient(t, s)
	must(t, "sh", "-c", fmt.Sprintf(`printf 'GET /echo.sh HTTP/1.0\r\n\r\n' | openssl s_client -connect localhost:%d -quiet`, s.port))
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
		}
	}
	comms, of, told := map[uint32]string{}, map[uint32]string{}, map[uint32]int{}
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
		case "handshake":
			told[e.Conn]++
			if !p.OK || !p.Bound || p.Dur == 0 || p.Dur > uint64(took) {
				t.Errorf("a handshake of %s: %+v, within %s", of[e.Conn], p, took)
			}
		}
	}
	seen := map[string]int{}
	for conn, who := range of {
		if told[conn] != 1 {
			t.Errorf("%d handshakes are told of connection %d, of %s", told[conn], conn, who)
		}
		seen[who]++
	}
	for _, who := range []string{"node client", "node server", "openssl client"} {
		if seen[who] == 0 {
			t.Errorf("no connection of %s: %v", who, seen)
		}
	}
}
