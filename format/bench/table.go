package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// goal is a ratio, or another number, that the format is to keep.
type goal struct {
	name  string
	rows  []*row // what it is computed from; it has no value until all were measured
	value func() float64
	limit float64
	most  bool   // value must be at most limit, not at least
	form  string // of a number, for fmt
}

func (g *goal) met() bool {
	if g.most {
		return g.value() <= g.limit
	}
	return g.value() >= g.limit
}

// faster is the goal that a is at least limit times as fast as b.
func faster(a, b *row, limit float64) goal {
	return goal{name: a.name + " / " + b.name, rows: []*row{a, b}, limit: limit, form: "%.3f ×",
		value: func() float64 { return b.perEvent() / a.perEvent() }}
}

// still is the goal that a row allocates nothing for an event. What it allocates
// at its beginning and for a new connection is no part of that.
func still(r *row) goal {
	return goal{name: r.name + ": allocations/event", rows: []*row{r}, limit: 0.01, most: true, form: "%.4f",
		value: func() float64 { return median(r.allocs) }}
}

func (s *suite) goals() []goal {
	return []goal{
		faster(&s.splWrite, &s.mcapWrite, 1.15),
		faster(&s.splWrite, &s.zstdEncode, 0.85),
		faster(&s.splRead, &s.mcapLexer, 1.6),
		faster(&s.splRead, &s.mcapIndexed, 1.05),
		faster(&s.splRead, &s.zstdDecode, 0.8),
		still(&s.splWrite),
		still(&s.splRead),
		{name: "spliff file / mcap file", rows: []*row{&s.splWrite, &s.mcapWrite}, limit: 0.97, most: true, form: "%.4f ×",
			value: func() float64 { return float64(s.splWrite.size) / float64(s.mcapWrite.size) }},
		{name: "Append without the copy", rows: []*row{&s.appendEvents, &s.appendCopy}, limit: 60, most: true, form: "%.0f ns",
			value: func() float64 { return s.appendEvents.perEvent() - s.appendCopy.perEvent() }},
	}
}

// print writes the table in Markdown.
func (s *suite) print(w io.Writer, rounds int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; medians of %d rounds of CPU time. %s.\n\n", s.corpus, rounds, machine())
	b.WriteString("| | payload MB/s | ns/event | allocations/event | file bytes |\n|---|--:|--:|--:|--:|\n")
	for _, r := range s.rows() {
		if !r.measured() {
			continue
		}
		size := ""
		if r.size > 0 {
			size = fmt.Sprint(r.size)
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.4f | %s |\n", r.name, r.perSecond(), r.perEvent(), median(r.allocs), size)
	}
	b.WriteString("\n| goal | | measured | |\n|---|--:|--:|---|\n")
	for _, g := range s.goals() {
		g.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print adds a line for g, if there is something to say.
func (g *goal) print(b *strings.Builder) {
	for _, r := range g.rows {
		if !r.measured() {
			return
		}
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

// machine names what the table was made on.
func machine() string {
	cpu := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(after, "\n")
			cpu = strings.TrimLeft(line, " \t:")
		}
	}
	versions := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasSuffix(m.Path, "/mcap") || strings.HasSuffix(m.Path, "klauspost/compress") {
				versions += fmt.Sprintf(", %s %s", m.Path, m.Version)
			}
		}
	}
	return fmt.Sprintf("%s, %d CPUs, %s/%s, %s%s", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), versions)
}
