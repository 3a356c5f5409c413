//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// recorder is "spliff record" at work.
type recorder struct {
	spliff, file string
	cmd          *exec.Cmd
	mu           sync.Mutex
	said         bytes.Buffer
	done         chan error
	peak         chan float64
	ended        chan struct{}
	answers      []lineCounter // one of each end that is recorded
}

// startSpliff records the server alone, or every process of the machine, the client
// among them, and returns once the probes are on.
func startSpliff(spliff string, s *server, all bool) (*recorder, error) {
	file := filepath.Join(s.dir, "bench.spl")
	args := []string{"record", "-o", file, "--force"}
	if !all {
		args = append(args, "-p", strconv.Itoa(s.worker))
	}
	r, err := startRecorder(spliff, file, args...)
	if err != nil {
		return nil, err
	}
	r.answers = answers(s, all)
	return r, nil
}

func startRecorder(spliff, file string, args ...string) (*recorder, error) {
	r := &recorder{spliff: spliff, file: file, cmd: exec.Command(spliff, args...),
		done: make(chan error, 1), peak: make(chan float64, 1), ended: make(chan struct{})}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{}, 1)
	go func() {
		sc := bufio.NewScanner(stderr)
		for sc.Scan() {
			r.mu.Lock()
			fmt.Fprintln(&r.said, sc.Text())
			r.mu.Unlock()
			if strings.Contains(sc.Text(), "recording ") {
				select {
				case ready <- struct{}{}:
				default:
				}
			}
		}
		r.done <- r.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-r.done:
		return nil, fmt.Errorf("%v ended at once: %v: %s", args, err, r.text())
	case <-time.After(time.Minute):
		_ = r.cmd.Process.Kill()
		return nil, fmt.Errorf("%v is not ready after a minute: %s", args, r.text())
	}
	go r.watch()
	return r, nil
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// watch keeps the largest resident set, without the ring: its pages are the
// kernel's, and its size is an option.
func (r *recorder) watch() {
	peak := 0.0
	tick := time.NewTicker(time.Second) // the kernel walks all of its memory for it, the ring included
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-r.ended:
			done = true
		case <-tick.C:
		}
		peak = max(peak, residentMiB(r.cmd.Process.Pid))
	}
	r.peak <- peak
}

// residentMiB is the resident memory of a process but for BPF maps, by
// /proc/PID/smaps; 0 if it is gone.
func residentMiB(pid int) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	kib, ring := 0, false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		name, rest, ok := strings.Cut(line, ":")
		switch {
		case !ok || strings.Contains(name, "-"): // the first line of a mapping
			ring = strings.Contains(line, "bpf-map")
		case name == "Rss" && !ring:
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			kib += n
		}
	}
	return float64(kib) / 1024
}

// stop ends the recording and reads what is in it.
func (r *recorder) stop(*load) (seen, error) {
	close(r.ended)
	peak := <-r.peak
	if err := r.interrupt(); err != nil {
		return unseen, err
	}
	st := r.cmd.ProcessState
	got := seen{cpu: (st.UserTime() + st.SystemTime()).Seconds(), rss: peak}
	defer os.Remove(r.file)
	fi, err := os.Stat(r.file)
	if err != nil {
		return unseen, err
	}
	got.file = fi.Size()
	out, err := exec.Command(r.spliff, "info", "--json", r.file).Output()
	if err != nil {
		return unseen, fmt.Errorf("spliff info: %w", err)
	}
	if got.bytes, got.lost, err = balance(out); err != nil {
		return unseen, fmt.Errorf("spliff info: %w", err)
	}
	got.exchanges, err = r.exchanges()
	return got, err
}

// balance reads what "spliff info --json" says of how many bytes the server wrote were
// recorded, and how many of all were lost.
func balance(info []byte) (written, lost int64, err error) {
	var v struct {
		Sections []struct {
			Summary *struct {
				Written *int64
				Lost    *struct{ Bytes *int64 }
			}
		}
	}
	if err := json.Unmarshal(info, &v); err != nil {
		return 0, 0, err
	}
	if len(v.Sections) != 1 || v.Sections[0].Summary == nil || v.Sections[0].Summary.Written == nil {
		return 0, 0, fmt.Errorf("no summary in %.200q", info)
	}
	s := v.Sections[0].Summary
	if s.Lost != nil {
		if s.Lost.Bytes == nil {
			return 0, 0, fmt.Errorf("losses without bytes in %.200q", info)
		}
		lost = *s.Lost.Bytes
	}
	return *s.Written, lost, nil
}

func (r *recorder) interrupt() error {
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("spliff record: %w: %s", err, r.text())
		}
		return nil
	case <-time.After(5 * time.Minute):
		return errors.Join(fmt.Errorf("spliff record does not end: %s", r.text()), r.cmd.Process.Kill())
	}
}

// exchanges counts the complete answers in the session. Each end of a connection has
// its own exchanges, so that each is counted alone, and the fewer are told: none of
// either may be missing.
func (r *recorder) exchanges() (int, error) {
	var ends []io.Writer
	for i := range r.answers {
		ends = append(ends, &r.answers[i])
	}
	cmd := exec.Command(r.spliff, "show", "--json", r.file)
	cmd.Stdout = io.MultiWriter(ends...)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("spliff show: %w", err)
	}
	return fewest(r.answers), nil
}

// answers returns what counts the answers of s, and those that its client got. What
// else the machine does is neither.
func answers(s *server, client bool) []lineCounter {
	of := func(process string) lineCounter {
		return lineCounter{words: [][]byte{
			[]byte(`"status":200`), fmt.Appendf(nil, `"host":%q`, strings.TrimPrefix(s.url, "https://")), []byte(process),
		}}
	}
	ends := []lineCounter{of(fmt.Sprintf(`"proc":{"pid":%d,`, s.worker))}
	if client {
		ends = append(ends, of(`"comm":"h2load"`))
	}
	return ends
}

func fewest(ends []lineCounter) int {
	return slices.MinFunc(ends, func(a, b lineCounter) int { return a.n - b.n }).n
}

// lineCounter counts the whole lines in what is written to it that have all words.
type lineCounter struct {
	words [][]byte
	rest  []byte
	n     int
}

// Write implements [io.Writer].
func (c *lineCounter) Write(p []byte) (int, error) {
	for left := p; ; {
		// Only what is new is searched: a line may hold a body of 32 MiB.
		part, after, whole := bytes.Cut(left, []byte{'\n'})
		c.rest = append(c.rest, part...)
		if !whole {
			return len(p), nil
		}
		if !slices.ContainsFunc(c.words, func(word []byte) bool { return !bytes.Contains(c.rest, word) }) {
			c.n++
		}
		c.rest, left = c.rest[:0], after
	}
}

// idle returns how much of a core a recorder takes while nothing happens.
func idle(ctx context.Context, o options) string {
	dir, err := os.MkdirTemp("", "spliff-bench-idle-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "idle.spl")
	// One process that does nothing, so that what else the machine does is not recorded.
	r, err := startRecorder(o.spliff, file, "record", "-o", file, "-p", strconv.Itoa(os.Getpid()))
	if err != nil {
		return err.Error()
	}
	close(r.ended)
	before, err1 := cpuSeconds(r.cmd.Process.Pid)
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(o.idle) * time.Second):
	}
	after, err2 := cpuSeconds(r.cmd.Process.Pid)
	if err := errors.Join(err1, err2, r.interrupt()); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.2f %% of a core over %d s (goal ≤ 0.5 %%)", (after-before)/float64(o.idle)*100, o.idle)
}
