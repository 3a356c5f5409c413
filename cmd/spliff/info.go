package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
)

const infoLong = `Say what is in session files: by whom, where and when they were recorded, what
they hold, what was lost, and what is wrong with them.

A session that was closed in order says so at its end, and nothing else of it is
read. One without that is read whole. With --verify everything is read and
proven: checksums, headers, indexes, summaries, and that they agree with the
events. Then the last line is the verdict. The exit code is 4 if something is
damaged as far as it was read, or a session was not closed in order.

  spliff info a.spl
  spliff info --verify *.spl
  spliff info --json a.spl | jq .sections[0].summary.by_type
`

// infoOptions are the flags of info.
type infoOptions struct {
	inputFlags
	colourFlags
	verify, json, verbose bool
}

// newInfoCmd returns "spliff info".
func newInfoCmd(e *env) *cobra.Command {
	var o infoOptions
	cmd := &cobra.Command{
		Use:     "info FILE…|-",
		Short:   "Say what is in a session file, and whether it is whole",
		Long:    infoLong + exitStatus,
		GroupID: "look",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInfo(cmd.Context(), e, args, &o)
		},
	}
	fs := cmd.Flags()
	o.inputFlags.register(fs)
	o.colourFlags.register(fs)
	fs.BoolVar(&o.verify, "verify", false, "read everything and prove that it is intact")
	fs.BoolVar(&o.json, "json", false, "one line of JSON a file")
	fs.BoolVarP(&o.verbose, "verbose", "v", false, "every process, probe and damaged place")
	return cmd
}

func runInfo(ctx context.Context, e *env, names []string, o *infoOptions) error {
	colour, err := o.colour(e)
	if err != nil {
		return err
	}
	out := e.stdoutOutput()
	ctx, stop := e.interruptible(ctx, slices.Contains(names, stdio), out.discard)
	defer stop()
	style := export.InfoOptions{Verbose: o.verbose, Color: colour, ASCII: e.ascii()}
	damaged, failed := false, exitOK
	for i, name := range names {
		info, err := o.look(ctx, e, name)
		if err != nil {
			if len(names) == 1 || ctx.Err() != nil {
				return err
			}
			// One file that cannot be opened takes nothing from the others.
			code, line := verdict(err)
			e.say("spliff: info: %s", line)
			failed = max(failed, code)
			continue
		}
		damaged = damaged || info.Damaged() || !info.Closed()
		if o.json {
			err = export.InfoJSON(out, info)
		} else {
			if i > 0 {
				fmt.Fprintln(out)
			}
			if err = export.Info(out, info, style); err == nil && o.verify {
				err = export.Verdict(out, info, style)
			}
		}
		if err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	switch {
	case failed != exitOK:
		return exitError{code: failed}
	case damaged:
		return exitError{code: exitDamaged}
	}
	return nil
}

// look finds out what is to be said of one file.
func (o *infoOptions) look(ctx context.Context, e *env, name string) (*export.SessionInfo, error) {
	src, err := o.source(e, name)
	if err != nil {
		return nil, err
	}
	defer src.close()
	info, err := o.read(ctx, src)
	if err != nil {
		return nil, err
	}
	info.Name, info.Encrypted = src.name, src.faulty != nil
	for _, f := range src.faults() {
		info.Faults = append(info.Faults, f.String())
	}
	return info, nil
}

// read reads the end of a session, or, where that does not tell all, the whole.
func (o *infoOptions) read(ctx context.Context, src *source) (*export.SessionInfo, error) {
	if src.at != nil && !o.verify {
		f, err := src.open()
		if err != nil {
			return nil, err
		}
		if info := export.InfoOf(f); info != nil {
			return info, nil
		}
	}
	rep, err := format.Inspect(src.until(ctx), format.ReaderOptions{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", src.name, err)
	}
	return &export.SessionInfo{Size: rep.Bytes, Sections: rep.Sections, More: rep.More,
		Damage: rep.Damage, Bare: rep.Bare, All: true}, nil
}
