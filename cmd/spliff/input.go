package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// stdio is the file argument that means standard input or output.
const stdio = "-"

// input is an open session and the place its decoded form goes to.
// It is a [replay.Source]; one goroutine reads it.
type input struct {
	*source
	r   *format.Reader
	out *output
	// patient inputs are pipes whose other end is stopped by the same Ctrl-C.
	patient bool
}

// inputFlags say how a session is opened. All reading commands have them.
type inputFlags struct{ identities []string }

// register adds the flags to fs.
func (f *inputFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.identities, "identity", "i", nil, "secret key `FILE` for an encrypted session, age's or OpenSSH's (repeatable)")
}

// open opens the sessions called names, which are read as one. Out is flushed
// whenever the input has to wait, so that a reader downstream of a live session
// never does.
func (f *inputFlags) open(e *env, names []string, out *output) (*input, error) {
	src, err := f.sources(e, names)
	if err != nil {
		return nil, err
	}
	in := &input{source: src, out: out, patient: slices.Contains(names, stdio)}
	r, err := format.NewReader(src.r, format.ReaderOptions{})
	if err != nil {
		in.close()
		return nil, src.why(err)
	}
	in.r = r
	return in, nil
}

// Next implements [replay.Source].
func (in *input) Next(ev *format.Event) error {
	if !in.Buffered() {
		if err := in.out.Flush(); err != nil {
			return err
		}
	}
	return in.r.Next(ev)
}

// Buffered implements [replay.Source]. A regular file is never waited for: it ends
// where there is no more, also when somebody is still writing it.
func (in *input) Buffered() bool { return in.at != nil || in.r.Buffered() }

// decode runs the engine over the input and hands its items to sink. The error
// is the sink's, the output's, or exitDamaged when something of the session
// was missing: then everything readable has been handed on, and the loss said.
func (in *input) decode(ctx context.Context, e *env, o replay.Options, sink func(*replay.Item) error) error {
	ctx, stop := e.interruptible(ctx, in.patient, in.out.discard)
	defer stop()
	// Run's summary is valid whatever its error.
	sum, err := replay.Run(ctx, in, o, sink)
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if err := in.out.Flush(); err != nil {
		return err
	}
	return in.verdict(e, sum, err == nil)
}

// errEnough is returned by a sink that needs nothing more of the session.
var errEnough = errors.New("enough read")

// verdict says what was wrong with the session. A recording without its END
// event was cut somewhere, perhaps between two chunks, which only this shows.
func (in *input) verdict(e *env, sum replay.Summary, toEnd bool) error {
	broken := sayFaults(e, in.source)
	damage := in.r.Damage()
	sayDamage(e, in.source, damage)
	for _, l := range losses(sum) {
		e.say("spliff: %s: %s", in.name, l)
	}
	if toEnd && !sum.Closed {
		e.say("spliff: %s: the recording was not closed in order: it is still running, was killed, or the file is cut", in.name)
	}
	if toEnd && sum.Next != 0 {
		e.say("spliff: %s: the session goes on in its file %d", in.name, sum.Next)
	}
	if broken > 0 || len(damage) > 0 || toEnd && !sum.Closed {
		return exitError{code: exitDamaged}
	}
	return nil
}

// interruptible returns a context that the first signal cancels; the second
// ends the process after abort. When patient, a first SIGINT only waits for the input to
// end: the recorder at the other end of the pipe got it too and is finishing.
func (e *env) interruptible(ctx context.Context, patient bool, abort func()) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c, stop := e.signals()
	done := make(chan struct{})
	go func() {
		for waiting := patient; ; waiting = false {
			select {
			case <-done:
				return
			case s := <-c:
				switch {
				case waiting && s == os.Interrupt:
					e.say("spliff: waiting for the end of the input; interrupt again to stop now")
				case patient || ctx.Err() != nil:
					// A read of a pipe cannot be cancelled.
					abort()
					e.exit(exitInterrupted)
				default:
					cancel()
				}
			}
		}
	}()
	var once sync.Once
	return ctx, func() { once.Do(func() { stop(); close(done); cancel() }) }
}

// losses says what the engine could not show, or not whole: the recording's own
// losses first, then what is odd about the session.
func losses(sum replay.Summary) []string {
	var said []string
	add := func(n uint64, format string, args ...any) {
		if n > 0 {
			said = append(said, fmt.Sprintf(format, args...))
		}
	}
	add(sum.Gaps, "%s missing in %s, marked where they are", count(sum.LostBytes, "byte"), count(sum.Gaps, "gap"))
	add(sum.Edited, "%s were left out on purpose when the session was edited", count(sum.Edited, "byte"))
	if sum.Gaps == 0 {
		add(sum.Drops, "the recorder counted %s of something it could not record (replay shows them)", count(sum.Drops, "loss"))
	}
	add(sum.Late, "%s came after the end of their connection and were not decoded", count(sum.Late, "byte"))
	add(sum.Overlap, "%s came twice and are shown once", count(sum.Overlap, "byte"))
	add(sum.Shed, "bodies of %s were dropped before their end, as too many were kept at once (--max-bodies)", count(sum.Shed, "connection"))
	add(sum.Malformed, "%s could not be understood", count(sum.Malformed, "event"))
	add(sum.Evicted, "%s open at once were too many to follow; the oldest are cut", count(sum.Evicted, "connection"))
	return said
}
