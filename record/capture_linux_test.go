package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/NoFear0411/spliff/format"
)

// needCapture skips with the reason where real programs cannot be loaded.
func needCapture(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: recording needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("SKIP: this kernel has no BTF")
	}
	out, err := exec.Command("curl", "--version").Output()
	if err != nil || !bytes.Contains(out, []byte("OpenSSL/3")) {
		t.Skip("SKIP: no curl with OpenSSL 3 is installed (apt-get install curl)")
	}
}

// server answers GET /N with N bytes that depend on N alone. It is Go's TLS, so
// only the client side of the traffic is seen.
func server(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.URL.Path, "/%d", &n)
		w.Header().Set("Content-Length", fmt.Sprint(n))
		w.Write(body(n))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func body(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n)})
	io.ReadFull(rng, b)
	return b
}

// tally keeps, for each connection and direction, what came and what was named as lost.
type tally struct {
	t      *testing.T
	got    map[[2]uint32]uint64
	lost   map[[2]uint32]uint64
	ends   map[uint32]format.ConnEnd
	read   map[uint32]*bytes.Buffer // DirRead of each connection
	wrote  map[uint32]*bytes.Buffer // DirWrite
	conns  map[uint32]format.Conn
	procs  map[uint32]format.Proc
	end    *format.End
	slow   time.Duration
	probe  []string
	kinds  []string // of library
	shakes []format.Handshake
}

func newTally(t *testing.T) *tally {
	return &tally{t: t, got: map[[2]uint32]uint64{}, lost: map[[2]uint32]uint64{}, ends: map[uint32]format.ConnEnd{},
		read: map[uint32]*bytes.Buffer{}, wrote: map[uint32]*bytes.Buffer{}, conns: map[uint32]format.Conn{}, procs: map[uint32]format.Proc{}}
}

func (l *tally) Flush() error { return nil }

func (l *tally) Event(e *format.Event) (err error) {
	key := [2]uint32{e.Conn, uint32(e.Dir)}
	switch e.Type {
	case format.TypeData:
		time.Sleep(l.slow)
		if e.Offset != l.got[key]+l.lost[key] {
			l.t.Errorf("conn %d dir %d: data at %d, expected %d", e.Conn, e.Dir, e.Offset, l.got[key]+l.lost[key])
		}
		l.got[key] += uint64(len(e.Payload))
		of := l.wrote
		if e.Dir == format.DirRead {
			of = l.read
		}
		if of[e.Conn] == nil {
			of[e.Conn] = &bytes.Buffer{}
		}
		of[e.Conn].Write(e.Payload)
	case format.TypeDrop:
		d, err := format.ParseDrop(e.Payload)
		if err != nil {
			return err
		}
		l.lost[key] += d.Bytes
	case format.TypeConn:
		l.conns[e.Conn], err = format.ParseConn(e.Payload)
	case format.TypeConnEnd:
		l.ends[e.Conn], err = format.ParseConnEnd(e.Payload)
	case format.TypeProc:
		var p format.Proc
		p, err = format.ParseProc(e.Payload)
		l.procs[p.PID] = p
	case format.TypeProbe:
		var p format.Probe
		p, err = format.ParseProbe(e.Payload)
		l.probe, l.kinds = append(l.probe, p.Path), append(l.kinds, p.Library)
	case format.TypeHandshake:
		var h format.Handshake
		h, err = format.ParseHandshake(e.Payload)
		l.shakes = append(l.shakes, h)
	case format.TypeEnd:
		var end format.End
		end, err = format.ParseEnd(e.Payload)
		l.end = &end
	}
	return err
}

// run records a command from start to end.
func run(t *testing.T, o Options, l *tally) Stats {
	t.Helper()
	o.Stderr = os.Stderr
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(ctx, l); err != nil {
		t.Fatal(err)
	}
	if code, ok := s.ChildExit(); !ok || code != 0 {
		t.Fatalf("%v: exit %d, ended %v", o.Command, code, ok)
	}
	if l.end == nil {
		t.Error("no END event")
	}
	return s.Stats()
}

// balance checks that for every connection bytes recorded and bytes named as lost
// add up to what the kernel side counted.
func (l *tally) balance() (lost uint64) {
	l.t.Helper()
	for id, end := range l.ends {
		for dir, want := range map[uint32]uint64{1: end.Written, 2: end.Read} {
			key := [2]uint32{id, dir}
			if l.got[key]+l.lost[key] != want {
				l.t.Errorf("conn %d dir %d: %d recorded + %d lost, the process moved %d", id, dir, l.got[key], l.lost[key], want)
			}
			lost += l.lost[key]
		}
	}
	return lost
}

func get(url string, paths ...string) []string {
	cmd := []string{"curl", "-sk", "--http1.1"}
	for _, p := range paths {
		cmd = append(cmd, "-o", "/dev/null", url+p)
	}
	return cmd
}

// TestEverySize: every way of probing a return, those of older
// kernels included, brings every byte of every size.
func TestEverySize(t *testing.T) {
	needCapture(t)
	url := server(t)
	sizes := []int{1, 16383, 16384, 16385, 1 << 20, 20 << 20}
	for _, o := range []Options{{}, {Without: []Feature{FeatureSession}},
		{Without: []Feature{FeatureUprobeMulti}}, {Without: Features()}} {
		t.Run(fmt.Sprintf("without%v", o.Without), func(t *testing.T) {
			var paths []string
			for _, n := range sizes {
				paths = append(paths, fmt.Sprintf("/%d", n))
			}
			l := newTally(t)
			o.Command, o.Live = get(url, paths...), true
			st := run(t, o, l)
			if lost := l.balance(); lost != 0 || st.LostEvents != 0 {
				t.Fatalf("lost %d bytes, %+v", lost, st)
			}
			for _, c := range l.conns {
				if want := !slices.Contains(o.Without, FeatureSockLength); c.Remote.IsValid() != want {
					t.Errorf("remote address %v", c.Remote)
				}
			}
			if len(l.read) != 1 || len(l.ends) != 1 {
				t.Fatalf("%d connections read, %d ended, want 1", len(l.read), len(l.ends))
			}
			for _, in := range l.read {
				for _, n := range sizes {
					_, rest, ok := bytes.Cut(in.Bytes(), []byte("\r\n\r\n"))
					if !ok || len(rest) < n {
						t.Fatalf("size %d: response is cut", n)
					}
					if sha256.Sum256(rest[:n]) != sha256.Sum256(body(n)) {
						t.Errorf("size %d: other bytes than were sent", n)
					}
					*in = *bytes.NewBuffer(rest[n:])
				}
				if in.Len() != 0 {
					t.Errorf("%d bytes more than were sent", in.Len())
				}
			}
		})
	}
}

// TestExactLoss: a ring far too small and a slow sink lose most of it, and every
// lost byte is named.
func TestExactLoss(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	l.slow = 200 * time.Microsecond
	st := run(t, Options{Command: get(url, "/3000000", "/70000", "/3000000"), RingBytes: 64 << 10, Live: true}, l)
	lost := l.balance()
	if lost == 0 {
		t.Fatal("nothing was lost: the test shows nothing")
	}
	if lost != st.LostBytes {
		t.Errorf("%d bytes named as lost, %d counted", lost, st.LostBytes)
	}
	if l.end == nil || l.end.LostBytes != lost {
		t.Errorf("END says %+v, want %d bytes lost", l.end, lost)
	}
	t.Logf("recorded %d, lost %d", st.Bytes, lost)
}

// TestStopIsOneMoment: however a recording is cut off, no connection may look ended
// whose bytes were not all seen or named.
func TestStopIsOneMoment(t *testing.T) {
	needCapture(t)
	url := server(t)
	for range 3 {
		l := newTally(t)
		ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
		s, err := Open(context.Background(), Options{Live: true, Command: []string{"sh", "-c", "while :; do " + strings.Join(get(url, "/4000"), " ") + "; done"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(ctx, l); err != nil {
			t.Error(err)
		}
		s.child.cmd.Process.Kill()
		s.Close()
		cancel()
		if lost := l.balance(); lost != 0 {
			t.Errorf("%d bytes lost without load", lost)
		}
		for id, end := range l.ends {
			if end.Reason == format.EndFree && (end.Written == 0 || end.Read < 4000) {
				t.Errorf("conn %d ended in order with %d written, %d read of 4000", id, end.Written, end.Read)
			}
		}
	}
}

// TestSnaplen: what is cut on purpose is named like any loss.
func TestSnaplen(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	run(t, Options{Command: get(url, "/100000"), Snaplen: 1000, Live: true}, l)
	if lost := l.balance(); lost == 0 {
		t.Error("nothing was cut")
	}
}

// TestIdentity: who, through which socket, in which role.
func TestIdentity(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	run(t, Options{Command: get(url, "/5"), Live: true}, l)
	if len(l.conns) != 1 {
		t.Fatalf("%d connections, want 1", len(l.conns))
	}
	for _, c := range l.conns {
		p := l.procs[c.PID]
		if p.Comm != "curl" || len(p.Args) < 3 || p.Args[0] != "curl" {
			t.Errorf("process %+v", p)
		}
		if "https://"+c.Remote.String() != url || !c.Local.IsValid() || c.Cookie == 0 {
			t.Errorf("addresses %v -> %v cookie %d, want a link to %s", c.Local, c.Remote, c.Cookie, url)
		}
		if c.Role != format.RoleClient || c.MidStream || c.ALPN != "http/1.1" {
			t.Errorf("connection %+v", c)
		}
	}
}

// TestDescendants: what the command starts is recorded too, and nobody else is.
func TestDescendantsOfCommand(t *testing.T) {
	needCapture(t)
	url := server(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stranger := exec.CommandContext(ctx, "sh", "-c", "while :; do curl -sk -o /dev/null "+url+"/7; done")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer stranger.Wait()
	defer cancel()
	l := newTally(t)
	run(t, Options{Command: []string{"sh", "-c", "(" + strings.Join(get(url, "/11"), " ") + "); " + strings.Join(get(url, "/11"), " ")}, Live: true}, l)
	if len(l.conns) != 2 {
		t.Errorf("%d connections, want the command's 2", len(l.conns))
	}
	for id, in := range l.read {
		if !bytes.HasSuffix(in.Bytes(), body(11)) {
			t.Errorf("conn %d holds another process's bytes", id)
		}
	}
}

// TestOwnLibrary: a program that brings its own libssl is seen without being
// restarted. The probes go on some milliseconds after the library is mapped, so a
// busy machine may miss the first request; it must not miss the last.
func TestOwnLibrary(t *testing.T) {
	needCapture(t)
	ssl, _ := installedPatterns()
	found := globAll(ssl)
	if len(found) == 0 {
		t.Skip("SKIP: no libssl.so.3 to copy")
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own := filepath.Join(dir, "libssl.so.3")
	if err := os.WriteFile(own, b, 0o644); err != nil {
		t.Fatal(err)
	}
	url := server(t)
	l := newTally(t)
	paced := append([]string{"env", "LD_LIBRARY_PATH=" + dir, "curl", "--rate", "10/s"}, get(url, "/5", "/5", "/5", "/5", "/5", "/6")[1:]...)
	run(t, Options{Command: paced}, l)
	if len(l.probe) == 0 || l.probe[len(l.probe)-1] != own {
		t.Errorf("probed %v, want %s too", l.probe, own)
	}
	seen := false
	for _, in := range l.read {
		seen = seen || bytes.HasSuffix(in.Bytes(), body(6))
	}
	if !seen {
		t.Error("the last request was not seen")
	}
}

func TestOpenErrors(t *testing.T) {
	needCapture(t)
	tests := []struct {
		name string
		o    Options
		want error
		text string
	}{
		{"no such process", Options{PIDs: []uint32{4194303}}, ErrNoProcess, "4194303"},
		{"no such parent", Options{Parents: []uint32{4194303}}, ErrNoProcess, "4194303"},
		{"name too long", Options{Comms: []string{"a-name-of-more-than-fifteen"}}, nil, "15 bytes"},
		{"no such command", Options{Command: []string{"/nonexistent"}}, os.ErrNotExist, "/nonexistent"},
	}
	for _, tt := range tests {
		s, err := Open(context.Background(), tt.o)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", tt.name)
			continue
		}
		if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestNothingStays: after Close no link of ours is left in the kernel.
func TestNothingStays(t *testing.T) {
	needCapture(t)
	before := links(t)
	url := server(t)
	run(t, Options{Command: get(url, "/5"), Live: true}, newTally(t))
	noneStays(t, before)
}

// noneStays waits until no links are left but those before. The kernel lets go of a link
// some time after the last who holds it, and other programs of the host have theirs.
func noneStays(t *testing.T, before map[link.ID]bool) {
	t.Helper()
	var left []link.ID
	for range 50 {
		left = left[:0]
		for id := range links(t) {
			if !before[id] {
				left = append(left, id)
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("links %d stay behind", left)
}

func links(t *testing.T) map[link.ID]bool {
	t.Helper()
	ids := map[link.ID]bool{}
	it := new(link.Iterator)
	defer it.Close()
	for it.Next() {
		if info, err := it.Link.Info(); err == nil {
			ids[info.ID] = true
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestFilters: kinds of filter narrow each other.
func TestFilters(t *testing.T) {
	needCapture(t)
	url := server(t)
	script := strings.Join(get(url, "/5"), " ") + "; rm -f $1/fetch; ln -s $(command -v curl) $1/fetch; $1/fetch -sk -o /dev/null " + url + "/6"
	dir := t.TempDir()
	for _, tt := range []struct {
		comms []string
		want  []string
	}{
		{nil, []string{"curl", "fetch"}},
		{[]string{"FETC"}, []string{"fetch"}},
		{[]string{"fetch", "curl"}, []string{"curl", "fetch"}},
		{[]string{"nobody"}, nil},
	} {
		l := newTally(t)
		run(t, Options{Command: []string{"sh", "-c", script, "sh", dir}, Comms: tt.comms, Live: true}, l)
		var got []string
		for _, c := range l.conns {
			got = append(got, l.procs[c.PID].Comm)
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("comms %q: recorded %q, want %q", tt.comms, got, tt.want)
		}
	}
}
