package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/format"
)

const editLong = `Write a part of a session, or several as one file, or the same in another size.

  spliff edit a.spl -o part.spl --from 15:12:05 --to +90s
  spliff edit a.spl -o part.spl --conn 3,8 --pid 4242
  spliff edit day-*.spl -o day.spl               one file of many
  spliff edit a.spl -o small.spl --level 19      packed better
  spliff edit a.spl -o heads.spl --drop-bodies   to show somebody
  spliff edit a.spl -o a.spl.age --encrypt-to age1…
  spliff edit a.spl.age -i key.txt -o a.spl      decrypt it

Times are RFC 3339, a time of day or date and time of the recording host's clock,
or +DURATION from the start of the first session. --from and --to, --conn, and --pid narrow each other;
several connections or processes widen what is wanted. What a part needs to be
understood comes with it: processes, connections, libraries. Connections have
their numbers from: show --json.

Several files become one after the other: sessions by their start, files of one
session by their number. (cat a.spl b.spl is a session file too.)

--drop-bodies leaves heads, sizes and times, and takes out what bodies, tunnels and
unknown protocols carried. Where it was is written down. The command lines of
processes and of the recording go too: they may hold what was sent. The session is
read twice, so it must be a file. Heads stay as they are: cookies and tokens in
them, and in URLs, too.
`

// editOptions are the flags of edit.
type editOptions struct {
	inputFlags
	copyFlags
	from, to   string
	conns      idList
	pids       pidList
	level      int
	chunk      sizeValue
	dropBodies bool
}

// newEditCmd returns "spliff edit".
func newEditCmd(e *env) *cobra.Command {
	var o editOptions
	cmd := &cobra.Command{
		Use:     "edit FILE… -o OUT|-",
		Short:   "Cut, join, repack a session, or take its bodies out",
		Long:    editLong + exitStatus,
		GroupID: "care",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"from", "to"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return usagef("--%s is empty: give a time, or leave it out", name)
				}
			}
			if err := o.check(e, args); err != nil {
				return err
			}
			return runEdit(cmd.Context(), e, args, &o)
		},
	}
	fs := cmd.Flags()
	o.inputFlags.register(fs)
	o.copyFlags.register(fs)
	fs.StringVar(&o.from, "from", "", "leave out what was before `TIME`")
	fs.StringVar(&o.to, "to", "", "leave out what was at `TIME` or later")
	fs.Var(&o.conns, "conn", "only these connections: 3 or 3,8-12 (repeatable)")
	fs.Var(&o.pids, "pid", "only these processes and their connections (repeatable)")
	fs.IntVar(&o.level, "level", 1, "pack with zstd `LEVEL` 1 to 19")
	fs.Var(&o.chunk, "chunk", "close chunks at this size, 4KiB to 32MiB (default 1MiB)")
	fs.BoolVar(&o.dropBodies, "drop-bodies", false, "take out all content and command lines, leave heads and sizes")
	return cmd
}

// check finds what is wrong with the command line, before a file is made.
func (o *editOptions) check(e *env, names []string) error {
	switch {
	case o.level < 1 || o.level > 19:
		return usagef("--level %d: give 1 to 19", o.level)
	case o.chunk != 0 && (o.chunk < 4<<10 || o.chunk > 32<<20):
		return usagef("--chunk %s: give 4KiB to 32MiB", &o.chunk)
	}
	return o.copyFlags.check(e, names...)
}

// runEdit reads sessions in their order and writes what is wanted of them.
func runEdit(ctx context.Context, e *env, names []string, o *editOptions) error {
	in, err := o.openAll(e, names)
	if err != nil {
		return err
	}
	defer in.close()
	out, err := o.create(e)
	if err != nil {
		return err
	}
	defer out.discard()
	ctx, stop := e.interruptible(ctx, in.patient(), out.discard)
	defer stop()
	co := copyOptions()
	co.Level, co.ChunkBytes, co.Edited = o.level, int(o.chunk), in.query.Recording || o.dropBodies
	co.NoArguments = o.dropBodies
	if o.dropBodies {
		heads, err := in.heads(ctx)
		if err != nil {
			return err
		}
		defer heads.Close()
		co.Map = heads.Strip
	}
	c := format.NewCopier(out, co)
	lost := 0
	for i := range in.files {
		r, err := in.reader(ctx, i)
		if err == nil {
			err = c.Add(ctx, r)
		}
		if err != nil {
			_, cerr := c.Close()
			return errors.Join(err, cerr)
		}
		lost += sayFaults(e, in.files[i].source) + sayDamage(e, in.files[i].source, r.Damage())
	}
	sum, err := c.Close()
	if err != nil {
		return err
	}
	if sum.Sections == 0 {
		return exitError{exitNegative, errors.New("nothing in the session is wanted: no file is made")}
	}
	if err := out.finish(); err != nil {
		return err
	}
	if sum.Unclosed > 0 {
		lost++
		e.say("spliff: %s: %s not closed in order: still running, killed, or cut", strings.Join(names, ", "), were(sum.Unclosed, "section"))
	}
	if lost+sayRefused(e, o.out, &sum) > 0 {
		return exitError{code: exitDamaged}
	}
	return nil
}
