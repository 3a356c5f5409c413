package record

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// count is how often a test does something: n, or what an environment variable says,
// for runs that take too long for every day.
func count(t *testing.T, variable string, n int) int {
	t.Helper()
	if v := os.Getenv(variable); v != "" {
		m, err := strconv.Atoi(v)
		if err != nil || m < 1 {
			t.Fatalf("%s=%s: give a number", variable, v)
		}
		return m
	}
	return n
}

// program builds a program of testdata against the system's libssl.
func program(t *testing.T, name string) string {
	t.Helper()
	return built(t, name, "libc6-dev libssl3", "-l:libssl.so.3", "-l:libcrypto.so.3")
}

// built builds a program of testdata; packages are Debian's with what it is linked to.
func built(t *testing.T, name, packages string, libs ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	args := append([]string{"-O1", "-Wall", "-Werror", "-o", bin, filepath.Join("testdata", name+".c"), "-pthread"}, libs...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Skipf("SKIP: testdata/%s.c cannot be built (apt-get install gcc %s): %v\n%s", name, packages, err, out)
	}
	return bin
}

// identities checks that each connection has bytes of one owner alone: what stands in
// them says whose they are. Connections that ended are forgotten, so that 100,000 fit.
type identities struct {
	*tally
	tags  map[[2]uint32][]byte // first 16 bytes of a connection and direction
	conns map[uint32]format.Conn
	moved map[[2]uint32]uint64
	seen  map[string]bool // owner and end, "0000002ac40001: client"
	pids  map[uint32]map[uint64]bool
	mixed uint64 // bytes of another owner
	wrong int    // connections linked to another's socket, or in another role
}

func newIdentities(t *testing.T) *identities {
	return &identities{tally: newTally(t), tags: map[[2]uint32][]byte{}, conns: map[uint32]format.Conn{}, moved: map[[2]uint32]uint64{},
		seen: map[string]bool{}, pids: map[uint32]map[uint64]bool{}}
}

func (l *identities) Event(e *format.Event) error {
	key := [2]uint32{e.Conn, uint32(e.Dir)}
	switch e.Type {
	case format.TypeConn:
		c, err := format.ParseConn(e.Payload)
		if err != nil {
			return err
		}
		l.conns[e.Conn] = c
		if l.pids[c.PID] == nil {
			l.pids[c.PID] = map[uint64]bool{}
		}
		l.pids[c.PID][c.Start] = true
		return nil
	case format.TypeData:
		l.data(key, e)
		return nil
	case format.TypeConnEnd:
		end, err := format.ParseConnEnd(e.Payload)
		if err != nil {
			return err
		}
		l.ended(e.Conn, end)
		return nil
	}
	return l.tally.Event(e)
}

func (l *identities) data(key [2]uint32, e *format.Event) {
	if e.Offset != l.moved[key] {
		l.t.Errorf("conn %v: data at %d, %d came before", key, e.Offset, l.moved[key])
	}
	l.moved[key] = e.Offset + uint64(len(e.Payload))
	tag := l.tags[key]
	if tag == nil {
		if len(e.Payload) < 16 {
			l.t.Errorf("conn %v begins with %q", key, e.Payload)
			return
		}
		tag = bytes.Clone(e.Payload[:16])
		l.tags[key] = tag
	}
	for i, b := range e.Payload {
		if b != tag[(e.Offset+uint64(i))%16] {
			l.mixed++
		}
	}
}

// ended judges a connection as a whole.
func (l *identities) ended(id uint32, end format.ConnEnd) {
	w, r := [2]uint32{id, uint32(format.DirWrite)}, [2]uint32{id, uint32(format.DirRead)}
	if l.moved[w] != end.Written || l.moved[r] != end.Read {
		l.t.Errorf("conn %d: %d and %d recorded, the process moved %d and %d", id, l.moved[w], l.moved[r], end.Written, end.Read)
	}
	out, in, c := l.tags[w], l.tags[r], l.conns[id]
	delete(l.tags, w)
	delete(l.tags, r)
	delete(l.conns, id)
	delete(l.moved, w)
	delete(l.moved, r)
	if out == nil && in == nil {
		return // the parent's end of one that a child took over
	}
	if out == nil || in == nil || !bytes.Equal(out[:8], in[:8]) || !bytes.Equal(out[9:], in[9:]) || out[8] == in[8] {
		l.t.Errorf("conn %d wrote %q and read %q", id, out, in)
		return
	}
	end1, port := "client", c.Local.Port()
	if out[8] == 's' {
		end1, port = "server", c.Remote.Port()
	}
	if string(out[9:14]) != fmt.Sprintf("%05d", port) {
		l.wrong++
	}
	// Of one that was taken over after its handshake nothing but its bytes was seen.
	if role := map[string]format.Role{"client": format.RoleClient, "server": format.RoleServer}[end1]; c.Role != role && !(c.MidStream && c.Role == format.RoleUnknown) {
		l.wrong++
	}
	owner := string(out[:8]) + " " + end1
	if l.seen[owner] {
		l.t.Errorf("%s was seen twice", owner)
	}
	l.seen[owner] = true
}

// TestNothingMixes: addresses, descriptors, ports and process numbers that are used
// again and again, children that take over a session, and two threads on one: no byte
// is told of another connection than its own. 100,000 connections with
// SPLIFF_CONNS=100000 (make soak-identity).
func TestNothingMixes(t *testing.T) {
	needCapture(t)
	n := count(t, "SPLIFF_CONNS", 3000)
	bin := program(t, "identity")
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	l := newIdentities(t)
	start := time.Now()
	s, err := Open(t.Context(), Options{Command: []string{bin, strconv.Itoa(n)}, Stdout: said, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if code, ok := s.ChildExit(); code != 0 || !ok {
		t.Fatalf("identity: exit %d, ended %v", code, ok)
	}
	st := s.Stats()
	if st.LostEvents != 0 {
		t.Errorf("lost: %+v", st)
	}
	if l.mixed != 0 || l.wrong != 0 {
		t.Errorf("%d bytes are another connection's, %d connections have another's socket or role", l.mixed, l.wrong)
	}
	if want := 2 * n; len(l.seen) != want {
		t.Errorf("%d ends of connections were recorded whole, want %d", len(l.seen), want)
	}
	reused := 0
	for _, starts := range l.pids {
		reused += len(starts) - 1
	}
	text, _ := os.ReadFile(said.Name())
	t.Logf("%d connections in %v, %d bytes; %d process numbers used again are told apart (%s)", n, time.Since(start).Round(time.Second), st.Bytes, reused, bytes.TrimSpace(text))
	if left := s.k.entries("conns"); left > 2 {
		t.Errorf("%d entries are left in the table of connections", left)
	}
}
