package record

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// fetch makes curl get n bytes, in a process prepared by change.
func fetch(t *testing.T, url string, n int, change func(*exec.Cmd)) {
	t.Helper()
	cmd := exec.Command("curl", get(url, fmt.Sprintf("/%d", n))[1:]...)
	change(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// sizes returns, sorted, which of the bodies that fetch asks for were recorded.
func (l *tally) sizes(of ...int) (got []int) {
	for _, in := range l.read {
		i := slices.IndexFunc(of, func(n int) bool { return bytes.HasSuffix(in.Bytes(), body(n)) })
		if i < 0 {
			l.t.Errorf("a connection with none of the bodies")
			continue
		}
		got = append(got, of[i])
	}
	slices.Sort(got)
	return got
}

// TestUsers: by real user id, which kinds of filter narrow.
func TestUsers(t *testing.T) {
	needCapture(t)
	url := server(t)
	as := func(uid uint32) func(*exec.Cmd) {
		return func(c *exec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: 65534}}
			c.Dir = "/"
		}
	}
	for _, tt := range []struct {
		o    Options
		want []int
	}{
		{Options{UIDs: []uint32{54321}}, []int{211}},
		{Options{UIDs: []uint32{54321, 54322}}, []int{211, 222}},
		{Options{UIDs: []uint32{54321, 54322}, Comms: []string{"wget"}}, nil},
		{Options{UIDs: []uint32{54323}}, nil},
	} {
		l := newTally(t)
		during(t, tt.o, l, func() {
			fetch(t, url, 211, as(54321))
			fetch(t, url, 222, as(54322))
		})
		if got := l.sizes(211, 222); !slices.Equal(got, tt.want) {
			t.Errorf("%s: recorded %v, want %v", filterWords(tt.o), got, tt.want)
		}
		for _, p := range l.procs {
			if !p.Context && p.UID != 54321 && p.UID != 54322 {
				t.Errorf("%s: process %+v is there", filterWords(tt.o), p)
			}
		}
	}
}

// cgroup makes a cgroup v2 for the test, and returns its path below the mount.
func cgroup(t *testing.T, path string) (string, func(*exec.Cmd)) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	mount := string(findCgroupFS(b))
	if mount == "" {
		t.Skip("SKIP: no cgroup v2 hierarchy is mounted (mount -t cgroup2 none DIR)")
	}
	dir := filepath.Join(mount, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skipf("SKIP: cgroups cannot be made: %v", err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	return path, func(c *exec.Cmd) {
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	}
}

// TestCgroups: by path, by folder and by id, with what is below; and by container.
func TestCgroups(t *testing.T) {
	needCapture(t)
	url := server(t)
	base := fmt.Sprintf("/spliff-test-%d", os.Getpid())
	id := strings.Repeat("5b11ff", 11)[:64]
	top, inTop := cgroup(t, base)
	_, inBelow := cgroup(t, base+"/below")
	_, inBox := cgroup(t, base+"/docker-"+id+".scope")
	_, inOther := cgroup(t, base+"-other")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	folder := string(findCgroupFS(mounts)) + top
	st, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	inode := strconv.FormatUint(inodeOf(st), 10)
	for _, tt := range []struct {
		o    Options
		want []int
	}{
		{Options{Cgroups: []string{top}}, []int{231, 232, 233}},
		{Options{Cgroups: []string{folder}}, []int{231, 232, 233}},
		{Options{Cgroups: []string{inode}}, []int{231, 232, 233}},
		{Options{Cgroups: []string{top + "/below", top + "-other"}}, []int{232, 234}},
		{Options{Containers: []string{id[:12]}}, []int{233}},
		{Options{Containers: []string{id}, Cgroups: []string{top + "-other"}}, []int{233, 234}},
	} {
		l := newTally(t)
		during(t, tt.o, l, func() {
			fetch(t, url, 231, inTop)
			fetch(t, url, 232, inBelow)
			fetch(t, url, 233, inBox)
			fetch(t, url, 234, inOther)
		})
		if got := l.sizes(231, 232, 233, 234); !slices.Equal(got, tt.want) {
			t.Errorf("%s: recorded %v, want %v", filterWords(tt.o), got, tt.want)
		}
		for _, c := range l.conns {
			if p := l.procs[c.PID]; !strings.HasPrefix(p.Cgroup, base) || p.CgroupID == 0 {
				t.Errorf("process %+v, want its cgroup", p)
			}
		}
	}
	for _, o := range []Options{{Cgroups: []string{"/no/such"}}, {Cgroups: []string{"18446744073709551615"}}, {Containers: []string{"f00dcafe"}}} {
		s, err := Open(t.Context(), o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), fs.ErrNotExist.Error()) && !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%+v: %v, want that it does not exist", o, err)
		}
	}
}

// TestLibraryKinds: only the kinds that were asked for get probes.
func TestLibraryKinds(t *testing.T) {
	needCapture(t)
	url := server(t)
	for kind, want := range map[string][]int{"openssl": {241}, "gnutls": nil} {
		l := newTally(t)
		run(t, Options{Command: get(url, "/241"), Libraries: []string{kind}, Live: true}, l)
		if got := l.sizes(241); !slices.Equal(got, want) {
			t.Errorf("%s: recorded %v, want %v", kind, got, want)
		}
		for _, k := range l.kinds {
			if k != kind {
				t.Errorf("%s: probes on %s", kind, k)
			}
		}
	}
}

// tlsOverPipe has a TLS session with itself: over a pair of AF_UNIX sockets, over TCP,
// or through memory, where what it logs goes through AF_UNIX sockets.
const tlsOverPipe = `import socket, ssl, sys, threading
how, cert = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(cert)
client = ssl._create_unverified_context()
log, sink = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
def sni(obj, name, ctx): log.send(b"hello")
server.sni_callback = sni
if how == "memory":
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    c, s = client.wrap_bio(a, b, server_hostname="x"), server.wrap_bio(b, a, server_side=True)
    done = [False, False]
    while not all(done):
        for i, end in enumerate((c, s)):
            try: end.do_handshake(); done[i] = True
            except ssl.SSLWantReadError: pass
    c.write(b"ping"); assert s.read(4) == b"ping"; s.write(b"pong"); assert c.read(4) == b"pong"
else:
    if how == "unix":
        x, y = socket.socketpair()
    else:
        l = socket.create_server(("127.0.0.1", 0)); x = socket.create_connection(l.getsockname()); y, _ = l.accept()
    def serve():
        s = server.wrap_socket(y, server_side=True)
        assert s.recv(4) == b"ping"; s.send(b"pong"); s.recv(1)
    t = threading.Thread(target=serve); t.start()
    c = client.wrap_socket(x, server_hostname="x")
    c.send(b"ping"); assert c.recv(4) == b"pong"; c.close(); t.join()
`

// TestLocal: a session over a socket that is no network's is left out and counted,
// unless it is wanted. One through memory is none, whatever else its program does.
func TestLocal(t *testing.T) {
	needCapture(t)
	cert, key := selfSigned(t)
	appendFile(t, cert, key)
	for _, tt := range []struct {
		how   string
		local bool
		conns int
		left  uint64
	}{{"tcp", false, 2, 0}, {"unix", false, 0, 2}, {"unix", true, 2, 0}, {"memory", false, 2, 0}} {
		l := newTally(t)
		st := run(t, Options{Command: []string{python(t), "-c", tlsOverPipe, tt.how, cert}, Local: tt.local, Live: true}, l)
		if len(l.conns) != tt.conns || st.LocalConns != tt.left || l.end.Conns != tt.left {
			t.Errorf("%s, local %v: %d connections, %d left out, want %d and %d", tt.how, tt.local, len(l.conns), st.LocalConns, tt.conns, tt.left)
		}
		if tt.left > 0 && (st.LocalBytes != 16 || st.LocalEvents != 4 || st.LostEvents != 0) {
			t.Errorf("%s: left out %d bytes in %d calls, want 16 in 4: %+v", tt.how, st.LocalBytes, st.LocalEvents, st)
		}
		for id, c := range l.conns {
			if w, r := l.got[[2]uint32{id, uint32(format.DirWrite)}], l.got[[2]uint32{id, uint32(format.DirRead)}]; w != 4 || r != 4 {
				t.Errorf("%s: connection %d wrote %d and read %d, want 4 and 4", tt.how, id, w, r)
			}
			if network := tt.how == "tcp"; network != c.Remote.IsValid() || (tt.how == "memory") != (c.Cookie == 0) {
				t.Errorf("%s: connection %+v", tt.how, c)
			}
		}
		l.balance()
	}
}

// appendFile adds what a file holds to another.
func appendFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(to, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
