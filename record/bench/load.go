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

// load is one kind of work for a server.
type load struct {
	name  string
	on    *program
	units int // requests, or MiB of a download
	args  []string
	bulk  int64   // bytes to download; 0: h2load
	goal  float64 // least rate under spliff, of untraced; 0: there is none
	floor float64 // the same, of empty probes
	peers bool    // other tools are measured under it too
	both  bool    // so is spliff with the client recorded beside the server
}

// loads are those of the table in the design, the download, and a Go program, of
// which no rate is asked.
func loads(o options, nginx, golang *program) []*load {
	h1, h2 := []string{"--h1", "-c", "20", "-m", "1"}, []string{"-c", "20", "-m", "10"}
	const floor = 0.85
	return []*load{
		{name: "HTTP/1 burst", on: nginx, units: o.short, args: h1, floor: floor, peers: true},
		{name: "HTTP/2 burst", on: nginx, units: o.short, args: h2, floor: floor, peers: true},
		{name: "HTTP/1 sustained", on: nginx, units: o.long, args: h1, goal: 0.65, floor: floor, both: true},
		{name: "HTTP/2 sustained", on: nginx, units: o.long, args: h2, goal: 0.75, floor: floor},
		{name: "download", on: nginx, units: int(o.bulk >> 20), bulk: o.bulk, goal: 0.55},
		// It is slower than nginx: with fewer requests it is at work about as long.
		{name: "HTTP/1 sustained, Go server", on: golang, units: o.long / 3, args: h1},
		{name: "HTTP/2 sustained, Go server", on: golang, units: o.long / 3, args: h2},
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
