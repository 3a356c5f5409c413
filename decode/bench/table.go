package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// goal is a number the decoders are to reach.
type goal struct {
	name  string
	rows  []*row // what it is computed from; it has no value until all were measured
	value func() float64
	limit float64
	most  bool   // value must be at most limit, not at least
	form  string // for fmt
}

// plain reports a number that is no goal, but needed to judge one.
func (g *goal) plain() bool { return g.limit == 0 }

// goals are those of one protocol.
func (s *suite) goals() []goal {
	mbps, rate, std := 1000.0, 400e3, 2.5
	if s.corpus.protocol == h2 {
		mbps, rate, std = 300, 180e3, 2
	}
	ratio := func(a, b *row, limit float64) goal {
		return goal{name: a.name + " / " + b.name, rows: []*row{a, b}, limit: limit, form: "%.2f ×",
			value: func() float64 { return a.mbps() / b.mbps() }}
	}
	list := []goal{
		{name: "MB/s", rows: []*row{s.ours}, value: s.ours.mbps, limit: mbps, form: "%.0f"},
		{name: "exchanges/s", rows: []*row{s.ours}, value: s.ours.rate, limit: rate, form: "%.0f"},
		{name: "allocations an exchange, no bodies kept", rows: []*row{s.ours}, value: s.ours.allocs, limit: 2, most: true, form: "%.2f"},
		ratio(s.ours, s.std, std),
		ratio(s.ours, s.tshark, 50),
		{name: "two workers / one, wall time of `show --json`", rows: []*row{s.one, s.two}, limit: 1.8, form: "%.2f ×",
			value: func() float64 { return s.one.wall() / s.two.wall() }},
		{name: "two cores / one, wall time of `show --json`", rows: []*row{s.show, s.two}, limit: 1.8, form: "%.2f ×",
			value: func() float64 { return s.show.wall() / s.two.wall() }},
		// No program can do better than two that share nothing: what is missing to 2 in
		// this row is the machine's, such as two CPUs that are threads of one core.
		{name: "for comparison: two processes that share nothing / one, files in the same wall time", rows: []*row{s.show, s.both}, form: "%.2f ×",
			value: func() float64 { return 2 * s.show.wall() / s.both.wall() }},
		{name: "two workers / one core, both cores busy: wall time of two processes at once / `-t 2`", rows: []*row{s.both, s.two}, limit: 1.8, form: "%.2f ×",
			value: func() float64 { return s.both.wall() / s.two.wall() }},
		{name: "RSS of `show --json`, MiB", rows: []*row{s.show, s.two}, limit: 150, most: true, form: "%.0f",
			value: func() float64 { return max(s.show.rss(), s.two.rss()) }},
	}
	return list
}

// met reports whether the goal is reached.
func (g *goal) met() bool {
	if g.most {
		return g.value() <= g.limit
	}
	return g.value() >= g.limit
}

// measured reports whether all its rows were.
func (g *goal) measured() bool {
	for _, r := range g.rows {
		if !r.measured() {
			return false
		}
	}
	return true
}

// printTable writes everything in Markdown.
func printTable(w io.Writer, suites []*suite, rounds int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds of CPU time. %s.\n", rounds, machine())
	for _, s := range suites {
		s.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes the rows and goals of one protocol.
func (s *suite) print(b *strings.Builder) {
	c := s.corpus
	fmt.Fprintf(b, "\n### %s\n\n%d exchanges of %s on %d connections, %.0f MB of plaintext in %d pieces.\n\n",
		c.protocol, c.exchanges, c.source, len(c.conns), float64(c.bytes)/1e6, len(c.items))
	b.WriteString("| | MB/s | exchanges/s | allocations an exchange | of ours | RSS, MiB |\n|---|--:|--:|--:|--:|--:|\n")
	for _, r := range s.rows {
		switch {
		case r.skip != "":
			fmt.Fprintf(b, "| %s | not measured: %s | | | | |\n", r.name, r.skip)
		case r.measured():
			s.line(b, r)
		}
	}
	b.WriteString("\n| goal | | measured | |\n|---|--:|--:|---|\n")
	for _, g := range s.goals() {
		if !g.measured() {
			continue
		}
		if g.plain() {
			fmt.Fprintf(b, "| %s | | "+g.form+" | |\n", g.name, g.value())
			continue
		}
		sign, mark := "≥", "pass"
		if g.most {
			sign = "≤"
		}
		if !g.met() {
			mark = "**miss**"
		}
		fmt.Fprintf(b, "| %s | %s "+g.form+" | "+g.form+" | %s |\n", g.name, sign, g.limit, g.value(), mark)
	}
}

// line writes a row that was measured.
func (s *suite) line(b *strings.Builder, r *row) {
	allocs, ours, rss := "", "", ""
	if a := r.allocs(); a > 0 {
		allocs = fmt.Sprintf("%.2f", a)
	}
	if s.ours.measured() {
		ours = fmt.Sprintf("%.2f ×", r.mbps()/s.ours.mbps())
	}
	if m := r.rss(); m > 0 {
		rss = fmt.Sprintf("%.0f", m)
	}
	fmt.Fprintf(b, "| %s | %.*f | %.0f | %s | %s | %s |\n", r.name, digits(r.mbps()), r.mbps(), r.rate(), allocs, ours, rss)
}

// digits is how many are shown after the point.
func digits(v float64) int {
	if v < 100 {
		return 1
	}
	return 0
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
	return fmt.Sprintf("%s, %d CPUs, %s/%s, %s", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
