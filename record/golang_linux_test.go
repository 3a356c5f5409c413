package record

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestGoroutineEntries: what is kept of goroutines is as much as there were at a time,
// not for each call or connection; nothing where the table was full once; and nothing of
// a process that has ended. All bytes are recorded meanwhile.
func TestGoroutineEntries(t *testing.T) {
	needCapture(t)
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIP: no go tool to build a server with")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "goentries")
	must(t, tool, "build", "-ldflags", "-s -w", "-o", bin, "./bench/goserver")
	cert, key := selfSigned(t)
	if err := os.WriteFile(filepath.Join(dir, "f"), body(700), 0o644); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(bin, "-root", dir, "-cert", cert, "-key", key)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = strings.TrimSpace(url) + "/f"

	ctx, cancel := cancelable(t)
	s, err := Open(ctx, Options{PIDs: []uint32{uint32(server.Process.Pid)}})
	if err != nil {
		t.Fatal(err)
	}
	l := newTally(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	defer stop()
	const conns, each = 40, 10
	round := func() int {
		var all sync.WaitGroup
		for range conns {
			all.Go(func() {
				c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
				defer c.CloseIdleConnections()
				for range each {
					r, err := c.Get(url)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
			})
		}
		all.Wait()
		time.Sleep(300 * time.Millisecond) // the server sees that they are closed
		return s.k.entries("goroutines")
	}
	const rounds = 6
	entries := 0
	for range rounds {
		entries = round()
	}
	// Each connection has a goroutine at the server, and one that waits for its end.
	if entries > 3*conns {
		t.Errorf("%d entries of goroutines after %d times %d connections", entries, rounds, conns)
	}
	if err := s.k.coll.Variables["go_crowded"].Set(uint32(1)); err != nil {
		t.Fatal(err)
	}
	crowded := round()
	if crowded >= entries {
		t.Errorf("%d entries of goroutines, %d before the table was full", crowded, entries)
	}
	server.Process.Kill()
	server.Wait()                         // a zombie has not ended
	s.k.reapGoroutines(s.libs.proc.lives) // as once in a while
	if n := s.k.entries("goroutines"); n > 0 {
		t.Errorf("%d entries of goroutines of a process that has ended", n)
	}
	stop()
	answers := 0
	for _, b := range l.wrote {
		answers += strings.Count(b.String(), "HTTP/1.1 200 OK")
	}
	if lost := l.balance(); lost != 0 || answers != (rounds+1)*conns*each {
		t.Errorf("%d answers recorded, %d bytes lost", answers, lost)
	}
	t.Logf("%d entries, crowded %d", entries, crowded)
}
