package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// rounds of each kind in one benchmark; untraced and recorded ones alternate, so
// that what else the machine does meets both.
const rounds = 5

// BenchmarkNginx measures what recording costs a server: h2load against one nginx
// worker, untraced and recorded in turn, medians, as ratios of the untraced run.
//
//	rate_ratio        requests per second, recorded / untraced (1 is free)
//	server_cpu_ratio  CPU seconds of the nginx worker, recorded / untraced
//	recorder_us/req   CPU of spliff itself for each request
//	recorder_MiB      its peak memory, ring included
func BenchmarkNginx(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("SKIP: recording needs root")
	}
	need(b, "h2load")
	for _, bc := range []struct {
		name string
		n    int
		args []string
	}{
		{"h1/burst", 20000, []string{"--h1", "-c", "20", "-m", "1"}},
		{"h2/burst", 20000, []string{"-c", "20", "-m", "10"}},
		{"h1/sustained", 150000, []string{"--h1", "-c", "20", "-m", "1"}},
		{"h2/sustained", 150000, []string{"-c", "20", "-m", "10"}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			for range b.N {
				compareRuns(b, bc.n, bc.args)
			}
		})
	}
}

func compareRuns(b *testing.B, n int, args []string) {
	url, root := nginx(b)
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte(strings.Repeat("a", 700)), 0o644); err != nil {
		b.Fatal(err)
	}
	args = append(slices.Clone(args), "-n", fmt.Sprint(n), url+"/f.txt")
	worker := workerOf(b, url)
	load(b, args) // warm-up
	var plain, traced sample
	lost := 0
	for i := range rounds {
		plain.add(measure(b, worker, args))
		file := filepath.Join(b.TempDir(), fmt.Sprintf("%d.spl", i))
		rec := record(b, "-o", file, "-p", fmt.Sprint(worker))
		m := measure(b, worker, args)
		lost += lostBytes(b, rec.stop())
		st := rec.cmd.ProcessState
		m.recorder = (st.UserTime() + st.SystemTime()).Seconds()
		m.rss = float64(st.SysUsage().(*syscall.Rusage).Maxrss) / 1024
		traced.add(m)
		os.Remove(file)
	}
	b.ReportMetric(median(plain.rate), "untraced_req/s")
	b.ReportMetric(median(traced.rate)/median(plain.rate), "rate_ratio")
	b.ReportMetric(median(traced.cpu)/median(plain.cpu), "server_cpu_ratio")
	b.ReportMetric(median(traced.recorder)/float64(n)*1e6, "recorder_us/req")
	b.ReportMetric(median(traced.rss), "recorder_MiB")
	b.ReportMetric(float64(lost), "lost_bytes")
}

type measurement struct{ rate, cpu, recorder, rss float64 }

type sample struct{ rate, cpu, recorder, rss []float64 }

func (s *sample) add(m measurement) {
	s.rate, s.cpu = append(s.rate, m.rate), append(s.cpu, m.cpu)
	s.recorder, s.rss = append(s.recorder, m.recorder), append(s.rss, m.rss)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func measure(b *testing.B, worker int, args []string) measurement {
	before := cpuSeconds(b, worker)
	rate := load(b, args)
	return measurement{rate: rate, cpu: cpuSeconds(b, worker) - before}
}

// load runs h2load and returns its rate.
func load(b *testing.B, args []string) float64 {
	out := must(b, "h2load", args...)
	m := regexp.MustCompile(`, ([0-9.]+) req/s`).FindStringSubmatch(out)
	if m == nil || !strings.Contains(out, " 0 failed, 0 errored") {
		b.Fatalf("h2load: %s", out)
	}
	rate, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}

// workerOf finds the one nginx worker that serves url, by the folder its command
// line names.
func workerOf(b *testing.B, url string) int {
	b.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	out := must(b, "ss", "-Hltnp", "sport = :"+port)
	var pids []int
	for _, m := range regexp.MustCompile(`pid=([0-9]+)`).FindAllStringSubmatch(out, -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(cmd, []byte("worker")) {
			return pid
		}
	}
	b.Fatalf("no nginx worker in %q", out)
	return 0
}

// cpuSeconds is the user and system time of a process (proc(5), fields 14 and 15,
// in ticks of 10 ms).
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		b.Fatalf("stat of %d: %q", pid, stat)
	}
	return float64(user+system) / 100
}
