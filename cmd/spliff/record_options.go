package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/NoFear0411/spliff/record"
)

// featureList is a flag that holds features of the kernel.
type featureList []record.Feature

// Set adds the features of "uprobe-multi,sock-length".
func (l *featureList) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		f, err := record.FeatureByName(strings.TrimSpace(word))
		if err != nil {
			return err
		}
		*l = append(*l, f)
	}
	return nil
}

// String joins the names with commas.
func (l *featureList) String() string {
	words := make([]string, len(*l))
	for i, f := range *l {
		words[i] = f.String()
	}
	return strings.Join(words, ",")
}

// Type names the value in help texts.
func (l *featureList) Type() string { return "FEATURE" }

// In the smallest ring the largest event of the kernel side fits several times. Beyond
// the largest the kernel's verifier does not follow an offset.
const (
	minRing = 64 << 10
	maxRing = 512 << 20
)

// check refuses flags that contradict each other, before anything is opened.
func (o *recordOptions) check(e *env) error {
	if o.out == stdio && o.print {
		return usagef("-o - and --print both want stdout: write the session to a file")
	}
	if o.ring < minRing {
		return usagef("--ring %s is too small: at least 64KiB", &o.ring)
	}
	if o.ring > maxRing {
		return usagef("--ring %s is too large: at most 512MiB", &o.ring)
	}
	if err := o.selectFlags.check(); err != nil {
		return err
	}
	if o.maxConns < 0 {
		return usagef("--max-conns %d: give a number of connections", o.maxConns)
	}
	if o.prints() {
		// Text flags are checked now, not when everything is attached.
		if _, err := o.textFlags.engine(); err != nil {
			return err
		}
		_, err := o.textFlags.text(e)
		return err
	}
	if o.out == stdio {
		return e.refuseTerminal("a session", stdio)
	}
	return nil
}

// prints tells whether the traffic is printed.
func (o *recordOptions) prints() bool { return o.out == "" || o.print }

// recorder returns the options of package record.
func (o *recordOptions) recorder(e *env) record.Options {
	r := record.Options{
		Command:   o.command,
		RingBytes: int(o.ring), MaxConns: o.maxConns, Snaplen: int(o.snaplen), Without: o.without,
		Live:   o.prints() || o.out == stdio,
		Writer: programVersion(), Args: append([]string{"spliff"}, e.args...),
	}
	o.selectFlags.choose(&r)
	// A stream that is no file, as in a test, is the command's /dev/null.
	r.Stdin, _ = e.stdin.(*os.File)
	r.Stderr, _ = e.stderr.(*os.File)
	r.Stdout, _ = e.stdout.(*os.File)
	if r.Live {
		// Stdout carries our data, so the command's own output must not mix with it.
		r.Stdout = r.Stderr
	}
	return r
}

// The ends of a recording that are not its child's. They are causes of a
// context, and their text is the reason in the END event.
var (
	errInterrupt = errors.New("interrupt")
	errLimit     = errors.New("time limit")
	errSize      = errors.New("size limit")
)

// withLimit returns a context that ends after limit, if it is not 0.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, errLimit)
}

// oneWish is the time within which several signals mean one.
const oneWish = 500 * time.Millisecond

// recording returns a context that ends with the first signal. A later signal
// ends the process.
func (e *env) recording(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	c, stop := e.signals()
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-done:
				return
			case s := <-c:
				// timeout(1) and closing shells signal the process and then its group: that is one wish.
				switch now := e.now(); {
				case first.IsZero():
					first = now
				case now.Sub(first) >= oneWish:
					e.say("spliff: record: %s again: ended at once, the last second may be missing", signalName(s))
					e.exit(exitInterrupted)
				}
				cancel(errInterrupt)
			}
		}
	}()
	return ctx, func() { stop(); close(done); cancel(nil) }
}

// signalName says what a signal did to us.
func signalName(s os.Signal) string {
	if s == syscall.SIGTERM {
		return "terminated"
	}
	return "interrupted"
}

// endReason says why the recording ended, for the END event. err is what it ended
// with.
func endReason(ctx context.Context, err error) string {
	if ignoreEnd(ctx, err) != nil {
		return "error"
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause.Error()
	}
	return "command exited"
}

// ignoreEnd drops the error of a recording that ended because it was told to.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}
