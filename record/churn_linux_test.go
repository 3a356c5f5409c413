package record

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// entries counts the entries of a table of the kernel side.
func (k *kernel) entries(name string) (n int) {
	it := k.coll.Maps[name].Iterate()
	var value []byte
	var key any = new(uint32)
	switch name {
	case "conns":
		key = new(bpf.SpliffConnKey)
	case "goroutines":
		key = new(bpf.SpliffGoKey)
	}
	for it.Next(key, &value) {
		n++
	}
	return n
}

// holds is what a session holds on to.
func held(s *Session) map[string]int {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	h := map[string]int{"descriptors": len(fds), "goroutines": runtime.NumGoroutine()}
	for _, table := range []string{"conns", "targets", "procs"} {
		h["entries of "+table] = s.k.entries(table)
	}
	return h
}

// TestChurn: thousands of programs that come and go leave nothing behind: no entry of
// a table, descriptor or goroutine; each is told with its birth, program and end, and
// nothing is lost meanwhile. 10,000 with SPLIFF_EXECS=10000 (make soak-churn).
func TestChurn(t *testing.T) {
	needCapture(t)
	n := count(t, "SPLIFF_EXECS", 600)
	url := server(t)
	mark := fmt.Sprintf("churn-%d", os.Getpid())
	l := newLives(t)
	ctx, cancel := cancelable(t)
	s, err := Open(ctx, Options{AllProcesses: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	warm := func(n int) time.Duration {
		start := time.Now()
		must(t, "sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true %s; i=$((i+1)); done; %s", n, mark, strings.Join(get(url, "/261"), " ")))
		return time.Since(start)
	}
	warm(5)
	time.Sleep(1200 * time.Millisecond) // two drains and the searches they ask for
	before := held(s)
	took := warm(n)
	time.Sleep(1200 * time.Millisecond)
	after := held(s)
	for what, was := range before {
		// Other programs of the machine come and go too.
		if after[what] > was+5 {
			t.Errorf("%s: %d, %d before", what, after[what], was)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	execs, ends := 0, 0
	for _, p := range l.of(mark) {
		if p.Origin == format.OriginExec && p.Comm == "true" {
			execs++
			if end := l.gone[format.Ancestor{PID: p.PID, Start: p.Start}]; end.Exited && end.Status == 0 {
				ends++
			}
		}
	}
	if st := s.Stats(); execs != n+5 || ends != n+5 || st.LostEvents != 0 {
		t.Errorf("%d execs and %d ends told, want %d of each; lost %d events: %v", execs, ends, n+5, st.LostEvents, st.Causes)
	}
	if got := l.sizes(261); len(got) != 2 {
		t.Errorf("recorded %v, want both requests", got)
	}
	t.Logf("%d programs in %v; held %v", n, took.Round(time.Millisecond), after)
}

// TestMapsAreBounded: the kernel's memory for all maps together, tables full, stays
// within what the options promise.
func TestMapsAreBounded(t *testing.T) {
	needCapture(t)
	for _, tt := range []struct {
		o    Options
		most int
	}{{Options{}, 64 << 20}, {Options{RingBytes: 64 << 10, MaxConns: 1000}, 4 << 20}} {
		k, err := loadKernel(tt.o, ringSize(tt.o.RingBytes))
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		var each []string
		for name, m := range k.coll.Maps {
			n := mapBytes(t, m.FD(), name, int(m.MaxEntries()), int(m.KeySize()), int(m.ValueSize()))
			total += n
			each = append(each, fmt.Sprintf("%s %d KiB", name, n>>10))
		}
		k.Close()
		if total > tt.most {
			t.Errorf("%+v: maps take up to %d bytes, want at most %d: %v", tt.o, total, tt.most, each)
		}
		t.Logf("at most %.1f MiB: %v", float64(total)/(1<<20), each)
	}
}

// mapBytes is what a map may come to take: what the kernel says it takes now, and for
// tables whose entries are made singly all of them, at the sizes of the allocator
// (kernel/bpf/memalloc.c: 16 … 96, 128, 192, 256, 512).
func mapBytes(t *testing.T, fd int, name string, entries, key, value int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	now := 0
	for line := range strings.Lines(string(b)) {
		fmt.Sscanf(line, "memlock: %d", &now)
	}
	if now == 0 {
		t.Errorf("%s: the kernel says it takes nothing", name)
	}
	if name != "targets" && name != "procs" {
		return now
	}
	const element = 48 + 8 // struct htab_elem, and the allocator's link
	size := element + (key+7)&^7 + (value+7)&^7
	for _, class := range []int{64, 96, 128, 192, 256, 512} {
		if size <= class {
			return now + entries*class
		}
	}
	t.Fatalf("%s: elements of %d bytes", name, size)
	return 0
}
