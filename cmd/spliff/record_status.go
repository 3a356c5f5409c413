package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// Intervals of the status line: on a terminal it is one line, written again;
// in a log each one stays.
const (
	statusTerminal = time.Second
	statusLog      = 10 * time.Second
)

// The exchanges are not counted here: a recorder decodes nothing, and a screen
// that shows the traffic counts them itself.

// status writes how the recording goes to stderr until stop.
type status struct {
	w        io.Writer
	terminal bool
	done     chan struct{}
	wg       sync.WaitGroup
}

// startStatus starts the status line, unless it is not wanted or would be
// written across the live text on the same terminal.
// stats corrects what the recorder counts.
func startStatus(e *env, o *recordOptions, rec recorder, stats func(record.Stats) record.Stats) *status {
	s := &status{w: e.stderr, terminal: e.terminal(e.stderr), done: make(chan struct{})}
	if !o.quiet {
		if line := missingText(rec.Info().Kernel, rec.Missing()); line != "" {
			e.say("spliff: %s", line)
		}
		e.say("spliff: recording %s; Ctrl-C to finish", selection(rec.Info().Filter))
	}
	if o.quiet || o.prints() && e.terminal(e.stdout) {
		return s
	}
	every := statusLog
	if s.terminal {
		every = statusTerminal
	}
	// The bullet marks a running recorder among other lines of a terminal.
	start, host, mark := e.now(), rec.Info().Host, "●"
	if e.ascii() {
		mark = "*"
	}
	s.wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-tick.C:
				s.write(mark + " " + host + " " + statusLine(stats(rec.Stats()), e.now().Sub(start)))
			}
		}
	})
	return s
}

// missingText says what a recording does without and what that costs, "" for nothing.
func missingText(kernel string, missing []record.Feature) string {
	if len(missing) == 0 {
		return ""
	}
	var words []string
	for _, f := range missing {
		words = append(words, fmt.Sprintf("%s (since Linux %s): %s", f, f.Since(), f.Lack()))
	}
	return "on " + kernel + " without " + strings.Join(words, "; without ")
}

// selection says in words what is recorded.
func selection(filter string) string {
	if filter == "" {
		return "every process"
	}
	return filter
}

// write puts line on the terminal in place of the one before, or in the log.
func (s *status) write(line string) {
	if s.terminal {
		fmt.Fprintf(s.w, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(s.w, line)
}

// stop ends the status line and clears it from a terminal.
func (s *status) stop() {
	close(s.done)
	s.wg.Wait()
	if s.terminal {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}

// statusLine is what the line says after the host: how long, how much, what was lost.
func statusLine(st record.Stats, d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%02d:%02d:%02d  %s  %s  %s  lost %d   Ctrl-C to finish",
		int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60,
		count(st.Conns, "conn"), count(st.Procs, "proc"), bytesText(st.Bytes), st.LostEvents)
}

// report says on stderr what was recorded, what was lost, and what to type next.
// After a failure nothing is claimed of what the file holds.
func (o *recordOptions) report(ctx context.Context, e *env, rec recorder, sink *recordSink, failed error) {
	st, store := sink.stats(rec.Stats()), sink.store
	if failed != nil {
		o.reportFailure(e, st, store)
		return
	}
	if line := o.limited(ctx, rec); line != "" {
		e.say("spliff: %s", line)
	}
	// A recording of nothing is no error, but seldom what was wanted.
	if st.Events == 0 {
		e.say("spliff: record: no TLS traffic was seen")
		for _, hint := range o.emptyHints(rec) {
			e.say("  %s", hint)
		}
	} else {
		e.say("spliff: recorded %s on %s of %s, %s of plaintext%s", count(st.Events, "data event"),
			count(st.Conns, "connection"), count(st.Procs, "process"), bytesText(st.Bytes), sizeOf(store))
	}
	e.say("spliff: %s", lossText(st))
	if st.LostEvents > 0 {
		e.say("spliff: %s with %s were there: %d with %d are recorded, %d with %d lost", count(st.Events+st.LostEvents, "event"),
			count(st.Bytes+st.LostBytes, "byte"), st.Events, st.Bytes, st.LostEvents, st.LostBytes)
	}
	if line := localText(st); line != "" {
		e.say("spliff: %s", line)
	}
	if line := o.pruned(store); line != "" {
		e.say("spliff: %s", line)
	}
	for _, t := range rec.Targets() {
		// Said even when all went well: silence would claim that nothing else ran.
		if t.Problem != "" {
			e.say("spliff: not recorded: programs that use %s: %s", t.Path, t.Problem)
		}
	}
	for _, line := range rec.Troubles() {
		e.say("spliff: %s", line)
	}
	if code, ok := rec.ChildExit(); ok && code != 0 {
		e.say("spliff: %s exited with %d", o.command[0], code)
	}
	if store != nil && o.out != stdio {
		e.say("spliff: next: %s", o.next(store.Files()))
	}
}

// lossText says what is missing and why.
func lossText(st record.Stats) string {
	if st.LostEvents == 0 && st.LostBytes == 0 {
		return "lost nothing"
	}
	var causes []string
	// Sorted: a map's order must not show in what is said.
	for _, c := range slices.Sorted(maps.Keys(st.Causes)) {
		if n := st.Causes[c]; n > 0 {
			causes = append(causes, fmt.Sprintf("%s %d", causeText(c), n))
		}
	}
	line := fmt.Sprintf("lost %s and %s", count(st.LostEvents, "event"), count(st.LostBytes, "byte"))
	if len(causes) > 0 {
		line += ": " + strings.Join(causes, ", ")
	}
	return line + " (each place is marked in the session)"
}

// localText says what was left out because it goes through no network, "" for nothing.
func localText(st record.Stats) string {
	if st.LocalConns == 0 {
		return ""
	}
	return fmt.Sprintf("left out %s over local sockets (AF_UNIX and the like) with %s of plaintext; --ipc records them",
		count(st.LocalConns, "connection"), bytesText(st.LocalBytes))
}

// causeText names a cause of loss and, where there is one, its remedy.
func causeText(c format.DropCause) string {
	switch c {
	case format.DropRingFull:
		return c.String() + " (a larger --ring helps)"
	case format.DropSnaplen:
		return "cut by --snaplen"
	}
	return c.String()
}

// emptyHints says what may be wrong when nothing was recorded.
func (o *recordOptions) emptyHints(rec recorder) []string {
	if len(rec.Targets()) == 0 {
		return []string{"no TLS library that can be recorded was found: spliff libs says what was seen and why it is not recorded"}
	}
	var hints []string
	if o.library() {
		hints = append(hints, "only "+o.libraries.String()+" was watched: without --lib every library is")
	}
	switch {
	case len(o.command) > 0:
		hints = append(hints, o.command[0]+" may use another TLS library: look for it in the output of ldd")
	case len(o.pids) > 0:
		hints = append(hints, "process "+o.pids.String()+" may be idle or use another TLS library: grep libssl /proc/PID/maps")
	case len(o.parents) > 0:
		hints = append(hints, "no descendant of "+o.parents.String()+" used TLS")
	case len(o.comms) > 0:
		hints = append(hints, "no process named like "+strings.Join(o.comms, " or ")+" used TLS")
	default:
		hints = append(hints, "nothing used TLS meanwhile; try: spliff record -- curl https://example.com/")
	}
	for _, t := range rec.Targets() {
		if t.Problem == "" {
			hints = append(hints, "watched: "+t.Path)
		}
	}
	return hints
}
