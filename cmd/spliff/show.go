package main

import (
	"context"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/export"
)

const showLong = `List the exchanges of a session, or show some of them in full.

On a terminal the list is a table; piped, it is tab-separated, sizes in bytes
and times in milliseconds. The number of an exchange is a function of the
session: it is the same on every run.

  spliff show a.spl                       the list
  spliff show a.spl 3                     exchange 3 in full
  spliff show a.spl --json | jq .resp.status
  spliff show a-*.spl 3                   of a recording in several files, in order
  spliff show a.spl --ancestor make       what make and its descendants exchanged
  spliff show a.spl 3 --extract response -o body.bin
  ssh host sudo spliff record -o - | spliff show -
`

// showOptions are the flags of show.
type showOptions struct {
	engineFlags
	inputFlags
	colourFlags
	json, header, hex bool
	extract, out      string
	ancestors         []string
	force             bool
}

// newShowCmd returns "spliff show".
func newShowCmd(e *env) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:     "show FILE…|- [ID…]",
		Short:   "List the exchanges of a session, or show some in full",
		Long:    showLong + exitStatus,
		GroupID: "look",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, ids, err := filesAndIDs(args)
			if err != nil {
				return err
			}
			if len(ids) > 0 && len(o.ancestors) > 0 {
				return usagef("--ancestor chooses from the list: leave out the numbers or the flag")
			}
			return runShow(cmd.Context(), e, names, ids, &o)
		},
	}
	fs := cmd.Flags()
	o.engineFlags.register(fs)
	o.inputFlags.register(fs)
	o.colourFlags.register(fs)
	fs.BoolVar(&o.json, "json", false, "one exchange a line as JSON")
	fs.BoolVar(&o.header, "header", false, "a first line with the column names when piped")
	fs.BoolVarP(&o.hex, "hex", "x", false, "with ID: bodies as hexdump with their file signature")
	fs.StringArrayVar(&o.ancestors, "ancestor", nil, "without ID: only what `PID|NAME` and its descendants exchanged (repeatable)")
	fs.StringVar(&o.extract, "extract", "", "with one ID: write the decoded body of its `request|response`")
	fs.StringVarP(&o.out, "output", "o", stdio, "with --extract: `FILE` to write, - for stdout")
	fs.BoolVar(&o.force, "force", false, "with --extract: replace an existing file")
	return cmd
}

// filesAndIDs takes the files from the exchange numbers behind them. The first
// argument is a file; 3 is a number also where a file is called so.
// The answer to a number that is none is a usage error: 1 would say that the
// session was searched.
func filesAndIDs(args []string) (names []string, ids idSet, err error) {
	names, ids = args[:1], idSet{}
	for i, a := range args[1:] {
		id, err := strconv.ParseUint(a, 10, 64)
		if err == nil && id > 0 {
			ids[id] = true
			continue
		}
		if err == nil || a != stdio && !exists(a) {
			return nil, nil, usagef("not an exchange number, and no file: %q (the list shows the numbers, from 1)", a)
		}
		if len(ids) > 0 {
			return nil, nil, usagef("%s stands behind an exchange number: name the files first", a)
		}
		names = args[:i+2]
	}
	return names, ids, nil
}

// exists tells whether something is called name.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func runShow(ctx context.Context, e *env, names []string, ids idSet, o *showOptions) error {
	colour, err := o.colour(e)
	if err != nil {
		return err
	}
	// A list shows sizes, not bodies: keeping none is faster and needs no memory.
	engine, err := o.options(o.json || len(ids) > 0)
	if err != nil {
		return err
	}
	engine.Exchanges = true
	if o.extract != "" || o.out != stdio {
		return runExtract(ctx, e, names, ids, o, engine)
	}
	out := e.stdoutOutput()
	in, err := o.open(e, names, out)
	if err != nil {
		return err
	}
	defer in.close()

	// The four forms of show differ in the sink alone: one decoder stands before all.
	whole := func(s export.Sink) export.Sink {
		return export.Decoded(s, int(o.maxBody))
	}
	switch terminal := e.terminal(e.stdout); {
	case o.json && len(ids) == 0:
		engine.Render = export.RenderJSON(export.JSONOptions{}, int(o.maxBody))
		return in.print(ctx, e, engine, export.Collected(within(whole(export.NewJSON(out, export.JSONOptions{})), o.ancestors), export.CollectLimits{}))
	case o.json:
		return in.pick(ctx, e, engine, ids, whole(export.NewJSON(out, export.JSONOptions{})))
	case len(ids) > 0:
		return in.pick(ctx, e, engine, ids, whole(&detailSink{out: out, o: export.TextOptions{
			Bodies: true, Hex: o.hex, Pretty: e.terminal(e.stdout), Latency: true, Handshakes: true, Color: colour, ASCII: e.ascii(),
		}}))
	default:
		list := &listSink{Sink: export.NewTable(out, export.TableOptions{
			Terminal: terminal, Width: e.width(), Header: o.header || terminal, Color: colour, ASCII: e.ascii(),
		})}
		err := in.print(ctx, e, engine, within(list, o.ancestors))
		// On stderr, and only to people: stdout stays the list and nothing else.
		if terminal {
			e.say("%s", list.footer(names))
		}
		return err
	}
}
