package main

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// nghttp2Source is compiled by whoever runs the benchmark: the package holds no C.
//
//go:embed peer/nghttp2.c
var nghttp2Source []byte

// tsharkExchanges is the sample tshark reads: it takes seconds for what others do
// in milliseconds.
const tsharkExchanges = 20_000

// prepareNghttp2 compiles the C program and writes its input.
func (s *suite) prepareNghttp2(dir string) error {
	if !installed("gcc") {
		return errors.New("gcc is not installed")
	}
	src := filepath.Join(dir, "nghttp2.c")
	if err := os.WriteFile(src, nghttp2Source, 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", filepath.Join(dir, "nghttp2"), src, "-lnghttp2").CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("nghttp2.h: No such file")) {
			return errors.New("libnghttp2-dev is not installed")
		}
		return fmt.Errorf("compile nghttp2.c: %w: %s", err, out)
	}
	f, err := os.Create(filepath.Join(dir, "nghttp2.in"))
	if err != nil {
		return err
	}
	for _, c := range s.corpus.conns {
		var head []byte
		head = binary.NativeEndian.AppendUint64(head, uint64(len(c.c2s)))
		head = binary.NativeEndian.AppendUint64(head, uint64(len(c.s2c)))
		for _, p := range [][]byte{head, c.c2s, c.s2c} {
			if _, err := f.Write(p); err != nil {
				return errors.Join(err, f.Close())
			}
		}
	}
	s.c.dir = dir
	return f.Close()
}

// nghttp2 runs it. It measures itself, so that reading its input does not count.
func (s *suite) nghttp2() (cost, error) {
	out, err := exec.Command(filepath.Join(s.c.dir, "nghttp2"), filepath.Join(s.c.dir, "nghttp2.in")).Output()
	if err != nil {
		return cost{}, err
	}
	var n int
	var ns int64
	if _, err := fmt.Sscan(string(out), &n, &ns); err != nil {
		return cost{}, fmt.Errorf("read %q: %w", out, err)
	}
	return cost{cpu: time.Duration(ns)}, s.all(n)
}

// prepareTshark writes a capture of the first part of a corpus of the same shape.
func (s *suite) prepareTshark(o options) error {
	if !installed("tshark") {
		return errors.New("tshark is not installed")
	}
	o.exchanges = min(o.exchanges, tsharkExchanges)
	c, err := openCorpus(o, s.corpus.protocol)
	if err != nil {
		return err
	}
	defer c.close()
	s.tshark.exchanges, s.tshark.bytes = c.exchanges, c.bytes
	s.tshark.dir = strings.TrimSuffix(c.file, ".spl") + ".pcapng"
	if out, err := exec.Command(o.spliff, "export", c.file, "-f", "pcapng", "--force", "-o", s.tshark.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("export: %w: %s", err, out)
	}
	return nil
}

// runTshark prints a line for each request and response.
func (s *suite) runTshark() (cost, error) {
	filter, method, status := "http", "http.request.method", "http.response.code"
	if s.corpus.protocol == h2 {
		filter, method, status = "http2.headers", "http2.headers.method", "http2.headers.status"
	}
	var out bytes.Buffer
	cmd := exec.Command("tshark", "-n", "-r", s.tshark.dir, "-Y", filter, "-T", "fields", "-e", method, "-e", status)
	cmd.Stdout = &out
	c, err := runChild(cmd)
	if err != nil {
		return cost{}, err
	}
	if n := bytes.Count(out.Bytes(), []byte("200")); n != s.tshark.exchanges {
		return cost{}, fmt.Errorf("%d responses, want %d", n, s.tshark.exchanges)
	}
	return c, nil
}

// runShow runs the whole path on so many cores, with so many workers.
func (s *suite) runShow(spliff string, cores, workers int) (cost, error) {
	cmd := exec.Command(spliff, "show", "--json", "-t", fmt.Sprint(workers), s.corpus.file)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", cores))
	var lines lineCounter
	cmd.Stdout = nil // the null device
	if len(s.show.costs) == 0 && workers == 0 {
		cmd.Stdout = &lines // once, to see that all is there
	}
	c, err := runChild(cmd)
	if err == nil && cmd.Stdout != nil {
		err = s.all(int(lines))
	}
	return c, err
}

// runBoth runs two processes that have nothing to do with each other, each on one core,
// at once: what the machine's two cores can do beside each other, whatever the program.
// The wall time is that of both, all else that of one.
func (s *suite) runBoth(spliff string) (cost, error) {
	var costs [2]cost
	var errs [2]error
	var wg sync.WaitGroup
	start := time.Now()
	for i := range costs {
		wg.Go(func() { costs[i], errs[i] = s.runShow(spliff, 1, 0) })
	}
	wg.Wait()
	wall := time.Since(start)
	return cost{cpu: (costs[0].cpu + costs[1].cpu) / 2, wall: wall, rss: max(costs[0].rss, costs[1].rss)}, errors.Join(errs[:]...)
}

type lineCounter int

// Write implements [io.Writer].
func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// runChild runs a command to its end and returns what it took.
func runChild(cmd *exec.Cmd) (cost, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	done, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watch(cmd.Process.Pid, done) }()
	err := cmd.Wait()
	wall := time.Since(start)
	close(done)
	rss := <-peak
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, said.String())
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano()), wall: wall, rss: rss}, nil
}

// watch returns the largest resident set of a process in bytes. That of its
// resource usage would be ours: until it runs its own program it shares our memory.
func watch(pid int, done <-chan struct{}) (peak int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
				var kib int64
				if n, _ := fmt.Sscan(after, &kib); n == 1 && !strings.HasPrefix(string(status), "Name:\tbench") {
					peak = kib << 10
				}
			}
		}
		select {
		case <-done:
			return peak
		case <-tick.C:
		}
	}
}
