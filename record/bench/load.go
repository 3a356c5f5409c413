//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// load is one kind of work for the server.
type load struct {
	name  string
	units int // requests, or MiB of a download
	args  []string
	bulk  int64 // bytes to download; 0: h2load
	goal  float64
	peers bool // other tools are measured under it too
}

// loads are those of the table in the design, and the download.
func loads(o options) []*load {
	h1, h2 := []string{"--h1", "-c", "20", "-m", "1"}, []string{"-c", "20", "-m", "10"}
	return []*load{
		{name: "HTTP/1 burst", units: o.short, args: h1, peers: true},
		{name: "HTTP/2 burst", units: o.short, args: h2, peers: true},
		{name: "HTTP/1 sustained", units: o.long, args: h1, goal: 0.65},
		{name: "HTTP/2 sustained", units: o.long, args: h2, goal: 0.75},
		{name: "download", units: int(o.bulk >> 20), bulk: o.bulk, goal: 0.55},
	}
}

var h2loadRate = regexp.MustCompile(`, ([0-9.]+) req/s`)

// run makes the load and returns its rate: requests or MiB a second.
func (l *load) run(ctx context.Context, s *server) (float64, error) {
	if l.bulk > 0 {
		return l.download(ctx, s)
	}
	args := append([]string{"-n", strconv.Itoa(l.units)}, l.args...)
	out, err := exec.CommandContext(ctx, "h2load", append(args, s.url+"/f.txt")...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("h2load: %w: %s", err, out)
	}
	m := h2loadRate.FindSubmatch(out)
	if m == nil || !strings.Contains(string(out), " 0 failed, 0 errored") {
		return 0, fmt.Errorf("h2load: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

func (l *load) download(ctx context.Context, s *server) (float64, error) {
	cmd := exec.CommandContext(ctx, "curl", "-sk", "--http1.1", "-o", "/dev/null", "-w", "%{size_download}", s.url+"/bulk")
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("curl: %w", err)
	}
	if string(out) != strconv.FormatInt(l.bulk, 10) {
		return 0, fmt.Errorf("curl got %s bytes of %d", out, l.bulk)
	}
	return float64(l.units) / took.Seconds(), nil
}
