package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLoad: 20,000 requests of h2load, every one of them in the session with its
// status; what is missing must be covered by counted losses.
func TestLoad(t *testing.T) {
	needRoot(t)
	need(t, "h2load")
	for _, proto := range []string{"h2", "h1"} {
		t.Run(proto, func(t *testing.T) {
			url, root := nginx(t)
			if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte(strings.Repeat("a", 700)), 0o644); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "session.spl")
			rec := record(t, "-o", file, "--ppid", master(t, root))
			args := []string{"-n", "20000", "-c", "20", "-m", "10", url + "/f.txt"}
			if proto == "h1" {
				args = append([]string{"--h1"}, args...)
			}
			out := must(t, "h2load", args...)
			if !strings.Contains(out, "20000 succeeded") {
				t.Fatalf("h2load: %s", out)
			}
			said := rec.stop()
			t.Log(said)
			lost := lostBytes(t, said)
			good, conns := 0, map[int]bool{}
			for line := range strings.SplitSeq(must(t, spliff, "show", file), "\n") {
				f := strings.Split(line, "\t")
				if len(f) > 4 && f[4] == "200" {
					good++
				}
			}
			for _, x := range show(t, file) {
				conns[x.Conn] = true
			}
			if good != 20000 && lost == 0 {
				t.Errorf("%d of 20000 requests with status 200, and nothing is said to be lost", good)
			}
			if len(conns) != 20 && lost == 0 {
				t.Errorf("%d connections, want 20", len(conns))
			}
			t.Logf("%d of 20000 shown, %d bytes lost", good, lost)
		})
	}
}

// master is the pid of the nginx that serves root: other tests' and the machine's own
// servers must not count.
func master(t *testing.T, root string) string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(root), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// lostBytes reads the loss from what record said at its end.
func lostBytes(t testing.TB, said string) int {
	t.Helper()
	if strings.Contains(said, "lost nothing") {
		return 0
	}
	m := regexp.MustCompile(`lost .* and ([0-9,]+) byte`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("record did not say what was lost:\n%s", said)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSixConnections: one process, six connections one after the other, most of
// them at the same SSL address.
func TestSixConnections(t *testing.T) {
	needRoot(t)
	need(t, "h2load")
	url, root := nginx(t)
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "session.spl")
	must(t, spliff, "record", "-q", "-o", file, "--", "h2load", "-n", "6", "-c", "6", "-m", "1", "-r", "1", "--rate-period", "100ms", url+"/f.txt")
	conns := map[int]int{}
	for _, x := range show(t, file) {
		conns[x.Conn]++
		if x.Resp == nil || x.Resp.Status != 200 || string(x.Resp.bytes(t)) != "hello" || x.Proto != "h2" {
			t.Errorf("exchange %+v", x)
		}
	}
	if len(conns) != 6 {
		t.Errorf("connections %v, want 6 with one exchange each", conns)
	}
	for id, n := range conns {
		if n != 1 {
			t.Errorf("connection %d has %d exchanges", id, n)
		}
	}
}

// TestNobodyElsesBytes: many processes on few CPUs with reads of exactly one TLS
// record, recorded without a filter. Every body must be the one of its own process.
func TestNobodyElsesBytes(t *testing.T) {
	needRoot(t)
	url, root := nginx(t)
	const n = 24
	for i := range n {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("own", i)), content(16384*(1+i%3), byte(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "session.spl")
	rec := record(t, "-o", file)
	script := "for i in $(seq 0 " + fmt.Sprint(n-1) + `); do curl -sSfk -o /dev/null -H "X-Own: $i" ` + url + "/own$i & done; wait"
	must(t, "sh", "-c", script)
	rec.stop()
	seen := map[string]int{}
	for _, x := range show(t, file) {
		if !strings.HasPrefix(x.Req.Path, "/own") {
			continue
		}
		i, err := strconv.Atoi(x.Req.Path[4:])
		if err != nil {
			t.Fatal(err)
		}
		if sum(x.Resp.bytes(t)) != sum(content(16384*(1+i%3), byte(i))) {
			t.Errorf("%s of %s (%d): not the bytes of its file", x.Req.Path, x.Proc.Comm, x.Proc.PID)
		}
		if x.Proc.Comm == "curl" && !strings.HasSuffix(x.Proc.Args[len(x.Proc.Args)-1], x.Req.Path) {
			t.Errorf("%s is shown as a request of %q", x.Req.Path, x.Proc.Args)
		}
		seen[x.Proc.Comm]++
	}
	if seen["curl"] != n || seen["nginx"] != n {
		t.Errorf("exchanges by process %v, want %d each of curl and nginx", seen, n)
	}
}
