package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/format"
)

const recoverLong = `Write what is intact of a damaged session to a new file: with headers, index and
summary made anew, and nothing invented. The loss is said on stderr with its
place and size. What was recorded keeps its numbers and times; a recording that
was not closed in order does not look as if it had been.

  spliff recover broken.spl -o saved.spl

Several files become one, in the order given.

The exit code is 0 if nothing was wrong with the file, else 4, also where the damage
is only behind the last event or in an index; the new file is kept either way.
`

// recoverOptions are the flags of recover.
type recoverOptions struct {
	inputFlags
	copyFlags
}

// newRecoverCmd returns "spliff recover".
func newRecoverCmd(e *env) *cobra.Command {
	var o recoverOptions
	cmd := &cobra.Command{
		Use:     "recover FILE… -o OUT|-",
		Short:   "Save what is intact of a damaged session",
		Long:    recoverLong + exitStatus,
		GroupID: "care",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRecover(cmd.Context(), e, args, &o)
		},
	}
	fs := cmd.Flags()
	o.inputFlags.register(fs)
	o.copyFlags.register(fs)
	return cmd
}

func runRecover(ctx context.Context, e *env, names []string, o *recoverOptions) error {
	if err := o.check(e, names...); err != nil {
		return err
	}
	src, err := o.sources(e, names)
	if err != nil {
		return err
	}
	defer src.close()
	out, err := o.create(e)
	if err != nil {
		return err
	}
	defer out.discard()
	ctx, stop := e.interruptible(ctx, slices.Contains(names, stdio), out.discard)
	defer stop()
	in := &watched{r: src.until(ctx)}
	r, err := format.NewReader(in, format.ReaderOptions{})
	if err != nil {
		return fmt.Errorf("open %s: %w", src.name, err)
	}
	c := format.NewCopier(out, copyOptions())
	err = c.Add(ctx, r)
	// What was read before the source failed is worth keeping: that is what this
	// command is for.
	failed := in.err != nil && ctx.Err() == nil
	sum, cerr := c.Close()
	if err != nil && !failed {
		return err
	}
	if err := errors.Join(cerr, out.finish()); err != nil {
		return err
	}
	lost := sayFaults(e, src) + sayDamage(e, src, r.Damage()) + sayRefused(e, src.name, &sum)
	if failed {
		lost++
		e.say("spliff: %s: reading failed, what follows is lost: %v", src.name, in.err)
	}
	e.say("spliff: kept %s in %s", count(sum.Events, "event"), count(sum.Sections, "section"))
	if lost > 0 {
		return exitError{code: exitDamaged}
	}
	return nil
}

// sayDamage says what is damaged, and returns in how many places something is lost
// by it.
func sayDamage(e *env, s *source, list []format.Damage) (lost int) {
	for _, d := range list {
		name, d := s.place(d)
		e.say("spliff: %s: %s", name, d)
		if d.Kind != format.DamageLie {
			lost++
		}
	}
	return lost
}

// sayRefused says what of a session could not be written again, and returns how
// many things that were.
func sayRefused(e *env, name string, sum *format.CopySummary) (lost int) {
	if sum.Refused > 0 {
		e.say("spliff: %s: %s are too large or out of order, and left out", name, count(sum.Refused, "event"))
		lost++
	}
	if sum.Unnumbered > 0 {
		e.say("spliff: %s: %s of a longer session lost their numbers, and were given the next", name, count(sum.Unnumbered, "file"))
		lost++
	}
	for _, what := range sum.Missing {
		e.say("spliff: %s: %s", name, what)
		lost++
	}
	return lost
}

// watched remembers that its reader failed.
type watched struct {
	r   io.Reader
	err error
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
