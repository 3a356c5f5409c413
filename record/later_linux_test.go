package record

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// copyFile makes a file of its own, with the same bytes.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestLargeFileHoldsNothingUp: while a large program is being read, a library that
// another program loads gets its probes; the large one gets them when it was read, and
// what its process writes into memory is watched from then on.
func TestLargeFileHoldsNothingUp(t *testing.T) {
	needCapture(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIP: node is not installed")
	}
	dir := t.TempDir()
	large, small := filepath.Join(dir, "node"), filepath.Join(dir, "libssl.so.3")
	copyFile(t, node, large)
	copyFile(t, lib(t), small)
	if st, err := os.Stat(large); err != nil || st.Size() < largeFile {
		t.Skipf("SKIP: this node is a small program: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s, err := Open(ctx, Options{Live: true, Parents: []uint32{uint32(os.Getpid())}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began, release := make(chan bool), make(chan bool)
	let := sync.OnceFunc(func() { close(release) })
	s.libs.reading = func(path string) {
		if path == large {
			close(began)
			<-release
		}
	}
	l := newTally(t)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	defer func() {
		let()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, path := range []string{small, large} {
			if n := len(slices.DeleteFunc(slices.Clone(l.probe), func(p string) bool { return p != path })); n != 1 {
				t.Errorf("%s: told of %d times, want once", path, n)
			}
		}
	}()
	begin := func(env []string, name string, args ...string) uint32 {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return uint32(cmd.Process.Pid)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not within 20 seconds; targets %+v", what, s.Targets())
			}
		}
	}
	probed := func(path string) bool {
		return slices.ContainsFunc(s.Targets(), func(t Target) bool { return t.Path == path && t.Problem == "" })
	}
	pid := begin(nil, large, "-e", "setTimeout(() => {}, 60000)")
	select {
	case <-began:
	case <-time.After(20 * time.Second):
		t.Fatal("the large file is not looked at")
	}
	begin([]string{"LD_LIBRARY_PATH=" + dir}, python(t), "-c", "import ssl, time; time.sleep(60)")
	until("probes on the small library", func() bool { return probed(small) })
	if probed(large) {
		t.Fatal("the large file has its probes: the test shows nothing")
	}
	let()
	until("probes on the large program", func() bool { return probed(large) })
	until("its process watched", func() bool {
		var on uint32
		return s.k.coll.Maps["linking"].Lookup(pid, &on) == nil
	})
}

// TestUnwatchedIsAFile: a library that could not be probed is told with its file, and
// trouble with a process is no library at all.
func TestUnwatchedIsAFile(t *testing.T) {
	needCapture(t)
	s, err := Open(context.Background(), Options{Live: true, Parents: []uint32{uint32(os.Getpid())}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.libs.fresh()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	pid := uint32(gone.Process.Pid)
	small := filepath.Join(t.TempDir(), "libssl.so.3")
	copyFile(t, lib(t), small)
	user := exec.Command(python(t), "-c", "import ctypes, sys, time; ctypes.CDLL(sys.argv[1]); print(1, flush=True); time.sleep(60)", small)
	out, err := user.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := user.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { user.Process.Kill(); user.Wait() }()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s.k.pids = []uint32{pid} // no probe can be put on it
	s.scan(context.Background(), uint32(user.Process.Pid))
	told := s.libs.fresh()
	if len(told) != 1 || told[0].Path != small || told[0].Library != "openssl" || told[0].Problem == "" || told[0].Sites != nil {
		t.Errorf("told of %+v, want of %s, once, with why it is not recorded", told, small)
	}
	s.scan(context.Background(), uint32(user.Process.Pid))
	maps := s.libs.proc.mappings(uint32(user.Process.Pid))
	if err := s.memory.watch(pid, maps); err != nil {
		t.Errorf("a process that is gone is trouble: %v", err)
	}
	s.libs.trouble(errors.New("process 7 did not hold still"))
	if told := s.libs.fresh(); len(told) != 0 || !slices.Equal(s.Troubles(), []string{"process 7 did not hold still"}) {
		t.Errorf("then of %+v, in trouble %q", told, s.Troubles())
	}
}
