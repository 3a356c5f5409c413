package record

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lib returns the path of the shared OpenSSL 3.
func lib(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/aarch64-linux-gnu/libssl.so.3", "/usr/lib64/libssl.so.3"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Skip("SKIP: no libssl.so.3")
	return ""
}

// TestShortLived: of 200 programs that live some milliseconds each, every one is seen.
func TestShortLived(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newTally(t)
	const n = 200
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do %s; i=$((i+1)); done", n, strings.Join(get(url, "/50"), " "))
	st := run(t, Options{Command: []string{"sh", "-c", script}}, l)
	whole := 0
	for _, in := range l.read {
		if bytes.HasSuffix(in.Bytes(), body(50)) {
			whole++
		}
	}
	if len(l.conns) != n || whole != n || st.LostEvents != 0 {
		t.Errorf("%d connections, %d with their body, want %d; %+v", len(l.conns), whole, n, st)
	}
}

// TestUpgradedLibrary: a library is replaced on disk, as a package manager does,
// while a program holds the old one. Both are recorded, also from the next recording on.
func TestUpgradedLibrary(t *testing.T) {
	needCapture(t)
	from, url, dir := lib(t), server(t), t.TempDir()
	own := filepath.Join(dir, "libssl.so.3")
	install := func() {
		t.Helper()
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(own+".dpkg-new", b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(own+".dpkg-new", own); err != nil {
			t.Fatal(err)
		}
	}
	install()
	script := `import ssl, sys, urllib.request
print("ready", flush=True)
for line in sys.stdin:
    urllib.request.urlopen(line.strip(), context=ssl._create_unverified_context()).read(); print("done!", flush=True)`
	begin := func() (fetch func(path string), end func()) {
		cmd := exec.Command(python(t), "-c", script)
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir)
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := func() { io.ReadFull(out, make([]byte, len("ready\n"))) }
		line()
		return func(path string) { fmt.Fprintln(in, url+path); line() }, func() { in.Close(); cmd.Wait() }
	}
	old, endOld := begin()
	defer endOld()
	seen := func(l *tally, sizes ...int) {
		t.Helper()
		for _, n := range sizes {
			found := false
			for _, in := range l.read {
				found = found || bytes.HasSuffix(in.Bytes(), body(n))
			}
			if !found {
				t.Errorf("the response of %d bytes was not recorded; probed %q", n, l.probe)
			}
		}
	}
	l := newTally(t)
	during(t, Options{Parents: []uint32{uint32(os.Getpid())}}, l, func() {
		old("/61")
		install() // the old one is deleted now
		young, end := begin()
		time.Sleep(300 * time.Millisecond) // a file never seen before gets its probes after it is mapped
		old("/62")
		young("/63")
		end()
	})
	seen(l, 61, 62, 63)
	l = newTally(t)
	during(t, Options{Parents: []uint32{uint32(os.Getpid())}}, l, func() {
		old("/64")
		young, end := begin() // its library is known: no time is needed
		young("/65")
		end()
	})
	seen(l, 64)
	deleted := 0
	for _, p := range l.probe {
		if strings.HasSuffix(p, " (deleted)") && strings.HasPrefix(p, dir) {
			deleted++
		}
	}
	if deleted != 1 {
		t.Errorf("probed %q, want the deleted library once", l.probe)
	}
}

// TestContainer: a program in mount, pid and network namespaces of its own, with a
// root file system on overlayfs, is found; two such containers share one library,
// which is probed once.
func TestContainer(t *testing.T) {
	needCapture(t)
	for _, tool := range []string{"unshare", "ip", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP: %s is not installed", tool)
		}
	}
	lib(t)
	base, err := os.MkdirTemp("/dev/shm", "spliff-container-") // overlayfs takes no overlayfs as its upper layer
	if err != nil {
		t.Skipf("SKIP: no /dev/shm: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	url := server(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	// Its own network: a server of its own in there, openssl's, which is recorded too.
	script := `set -e
mkdir -p "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/up",workdir="$1/work" "$1/root"
mount -t proc proc "$1/root/proc"; mount --bind /dev "$1/root/dev"
ip link set lo up
cat > "$1/root/in.sh" <<'IN'
cd /tmp && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout k.pem -out c.pem -subj /CN=localhost 2>/dev/null
openssl s_server -accept ` + port + ` -key k.pem -cert c.pem -WWW -quiet >/dev/null 2>&1 &
head -c "$1" /dev/zero > page
for i in 1 2 3 4 5 6 7 8 9 10; do curl -sk -o /dev/null https://127.0.0.1:` + port + `/page && break; sleep 0.2; done
kill $!
IN
chroot "$1/root" sh /in.sh "$2"`
	one := func(name string, size int) string {
		return fmt.Sprintf("unshare --mount --pid --net --fork --propagation private sh -c '%s' sh %s %d",
			strings.ReplaceAll(script, "'", `'\''`), filepath.Join(base, name), size)
	}
	l := newTally(t)
	run(t, Options{Command: []string{"sh", "-c", one("a", 7001) + "; " + one("b", 7002)}}, l)
	found := map[int]int{}
	for _, in := range l.read {
		for _, n := range []int{7001, 7002} {
			if bytes.HasSuffix(in.Bytes(), make([]byte, n)) && !bytes.HasSuffix(in.Bytes(), make([]byte, n+1)) {
				found[n]++
			}
		}
	}
	if found[7001] != 1 || found[7002] != 1 {
		t.Errorf("responses read in the containers: %v, want one of each; probed %q", found, l.probe)
	}
	once := map[string]int{}
	for _, p := range l.probe {
		if filepath.Base(p) == "libssl.so.3" {
			once[p]++
		}
	}
	if len(once) != 1 {
		t.Errorf("probed %v, want the one library behind all layers once", once)
	}
	if lost := l.balance(); lost != 0 {
		t.Errorf("%d bytes lost", lost)
	}
}

// TestExecStorm: thousands of programs start while a load is recorded, and not a
// byte of it is lost.
func TestExecStorm(t *testing.T) {
	needCapture(t)
	url := server(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	l := newTally(t)
	var started int
	st := during(t, Options{RingBytes: 4 << 20, Parents: []uint32{uint32(os.Getpid())}}, l, func() {
		storm := exec.CommandContext(ctx, "sh", "-c", "i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done; echo $i")
		// Paced, so that the load alone is no match for the ring even under the race
		// detector: half a second in which nothing is drained loses some of it.
		paced := append(get(url, "/1000000", "/1000000", "/70000"), "--limit-rate", "8M")
		load := exec.CommandContext(ctx, "sh", "-c", strings.Repeat(strings.Join(paced, " ")+"; ", 10))
		if err := load.Start(); err != nil {
			t.Error(err)
			return
		}
		out, err := storm.Output()
		if err != nil {
			t.Error(err)
		}
		fmt.Sscan(string(out), &started)
		if err := load.Wait(); err != nil {
			t.Error(err)
		}
	})
	if lost := l.balance(); lost != 0 || st.LostEvents != 0 {
		t.Errorf("%d bytes lost, %+v", lost, st)
	}
	if started != 2000 || len(l.conns) != 10 || st.Bytes < 10*2_070_000 {
		t.Errorf("%d programs started, %d connections, %d bytes: the test shows nothing", started, len(l.conns), st.Bytes)
	}
}
