//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// print writes the table and the goals in Markdown.
func (s *suite) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds. %s.\n\n", s.o.rounds, machine())
	b.WriteString("| load | | rate | of untraced | server CPU | exchanges seen | bytes lost | watcher CPU a unit | its RSS, MiB |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range s.cells {
		c.print(&b)
	}
	if s.idle != "" {
		fmt.Fprintf(&b, "\nIdle: %s.\n", s.idle)
	}
	b.WriteString("\nA unit is a request, or a MiB of the download. The RSS of spliff is without its ring. Exchanges and lost bytes are the worst of all rounds; with both ends recorded, the exchanges are those of the end that has fewer.\n")
	b.WriteString("\n| goal | | measured | |\n|---|--:|--:|---|\n")
	for _, c := range s.cells {
		if (c.watcher.name == spliffName || c.watcher.both) && len(c.ratio) > 0 {
			s.goals(&b, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *cell) print(b *strings.Builder) {
	if len(c.rate) == 0 {
		fmt.Fprintf(b, "| %s | %s | not measured: %s | | | | | | |\n", c.load.name, c.watcher.name, c.watcher.skip)
		return
	}
	exchanges, lost := c.worst()
	figure := func(v float64, form string) string {
		if v < 0 {
			return ""
		}
		return fmt.Sprintf(form, v)
	}
	cpu := c.of(func(s seen) float64 { return s.cpu })
	fmt.Fprintf(b, "| %s | %s | %.0f | %.2f | %.2f × | %s | %s | %s | %s |\n", c.load.name, c.watcher.name,
		median(c.rate), median(c.ratio), median(c.traced),
		figure(float64(exchanges), "%.0f"), figure(float64(lost), "%.0f"),
		figure(cpu/float64(c.load.units)*1e6, "%.2f µs"), figure(c.of(func(s seen) float64 { return s.rss }), "%.0f"))
}

func (c *cell) of(f func(seen) float64) float64 {
	var v []float64
	for _, s := range c.seen {
		v = append(v, f(s))
	}
	return median(v)
}

// worst is the fewest exchanges and the most bytes lost in any round.
func (c *cell) worst() (exchanges int, lost int64) {
	exchanges, lost = c.seen[0].exchanges, c.seen[0].lost
	for _, s := range c.seen {
		exchanges, lost = min(exchanges, s.exchanges), max(lost, s.lost)
	}
	return exchanges, lost
}

// goals compares what spliff did with what it should. Only where the server alone is
// recorded a rate is asked of it.
func (s *suite) goals(b *strings.Builder, c *cell) {
	under := c.load.name
	if c.watcher.both {
		under += ", both ends"
	}
	goal := func(name, sign string, limit, got float64, form string) {
		ok := got >= limit
		if sign == "≤" {
			ok = got <= limit
		}
		mark := "pass"
		if !ok {
			mark = "**miss**"
		}
		fmt.Fprintf(b, "| %s, %s | %s "+form+" | "+form+" | %s |\n", under, name, sign, limit, got, mark)
	}
	if c.load.goal > 0 && !c.watcher.both {
		goal("rate of untraced", "≥", c.load.goal, median(c.ratio), "%.2f")
	}
	if f := s.cell(c.load, floorName); c.load.floor > 0 && !c.watcher.both && f != nil && len(f.ratio) > 0 {
		goal("rate of empty probes", "≥", c.load.floor, median(c.rate)/median(f.rate), "%.2f")
	}
	exchanges, _ := c.worst()
	want := c.load.units
	if c.load.bulk > 0 {
		want = 1
		accounted := int64(math.MaxInt64)
		for _, s := range c.seen {
			accounted = min(accounted, s.bytes+s.lost)
		}
		goal("bytes recorded or counted as lost", "≥", float64(c.load.bulk), float64(accounted), "%.0f")
	}
	goal("exchanges", "≥", float64(want), float64(exchanges), "%.0f")
	goal("RSS, MiB", "≤", 128, c.of(func(s seen) float64 { return s.rss }), "%.0f")
}

func (s *suite) cell(l *load, watcher string) *cell {
	for _, c := range s.cells {
		if c.load == l && c.watcher.name == watcher {
			return c
		}
	}
	return nil
}

// machine names what the table was made on.
func machine() string {
	cpu := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(after, "\n")
			cpu = strings.TrimLeft(line, " \t:")
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u) // an empty release says enough
	return fmt.Sprintf("%s, %d CPUs, Linux %s", cpu, runtime.NumCPU(), unix.ByteSliceToString(u.Release[:]))
}
