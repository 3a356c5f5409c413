package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/export/pcapng"
	"github.com/NoFear0411/spliff/replay"
)

const exportLong = `Write a session in a form that other programs read.

  pcapng  the plaintext as TCP streams to port 80: opens in Wireshark as it is
  json    one exchange a line
  events  one event a line, as JSON that "spliff import -f events" turns back
          into the same session: to review, to edit, to keep beside code

  spliff export a.spl -f pcapng -o a.pcapng
  spliff export a.spl -f json -o - | jq .req.path
  spliff export a.spl -f events -o a.jsonl

Several files are read as one session, in the order given.

An existing file is kept unless --force is given. The file appears under its
name when it is complete, readable by its owner only: it holds plaintext.
`

// exportOptions are the flags of export.
type exportOptions struct {
	engineFlags
	inputFlags
	format, out string
	force       bool
}

// newExportCmd returns "spliff export".
func newExportCmd(e *env) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:     "export FILE…|- -f FORMAT [-o OUT|-]",
		Short:   "Write a session as pcapng, JSON lines or event lines",
		Long:    exportLong + exitStatus,
		GroupID: "share",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.Context(), e, args, &o)
		},
	}
	o.engineFlags.register(cmd.Flags())
	o.inputFlags.register(cmd.Flags())
	cmd.Flags().StringVarP(&o.format, "format", "f", "", "`FORMAT` to write: pcapng, json or events")
	cmd.Flags().StringVarP(&o.out, "output", "o", stdio, "`FILE` to write, - for stdout")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace an existing file; not a .part that a killed run left")
	return cmd
}

func runExport(ctx context.Context, e *env, names []string, o *exportOptions) error {
	engine, err := o.options(o.format == "json")
	if err != nil {
		return err
	}
	engine.Exchanges = true
	// Everything wrong with the flags is said before a file is made.
	switch o.format {
	case "json":
		engine.Render = export.RenderJSON(export.JSONOptions{}, int(o.maxBody))
	case "events":
	case "pcapng":
		// pcapng is made of the plaintext, not of messages: Wireshark dissects it anew.
		engine.Data = true
		if err := e.refuseTerminal("pcapng", o.out); err != nil {
			return err
		}
	case "":
		return usagef("no format given: use -f pcapng, -f json or -f events")
	default:
		return usagef("unknown format %q: use pcapng, json or events", o.format)
	}
	if encryptedName(o.out) {
		return usagef("%s would not be encrypted: give a name without .age, or -o - and pipe it to age", o.out)
	}
	for _, name := range names {
		if sameFile(name, o.out) {
			return usagef("%s is both the session and the output: it would be lost", name)
		}
	}
	out, err := e.createOutput(o.out, o.force)
	if err != nil {
		return err
	}
	defer out.discard()
	in, err := o.open(e, names, out)
	if err != nil {
		return err
	}
	defer in.close()
	if o.format == "events" {
		err = in.exportEvents(ctx, e)
	} else {
		err = in.print(ctx, e, engine, o.sink(out))
	}
	var exit exitError
	if err == nil || errors.As(err, &exit) && exit.code == exitDamaged {
		// What could be read of a damaged session is worth keeping.
		return errors.Join(out.finish(), err)
	}
	return err
}

// sink returns the writer of the chosen format.
func (o *exportOptions) sink(out *output) export.Sink {
	if o.format == "json" {
		lines := export.Decoded(export.NewJSON(out, export.JSONOptions{}), int(o.maxBody))
		return export.Collected(lines, export.CollectLimits{})
	}
	return pcapng.New(out, pcapng.Options{})
}

// print decodes the input into sink and closes sink.
func (in *input) print(ctx context.Context, e *env, o replay.Options, sink export.Sink) error {
	err := in.decode(ctx, e, o, sink.Item)
	if cerr := sink.Close(); err == nil {
		err = cerr
	}
	if ferr := in.out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// sameFile tells whether two names lead to one file.
func sameFile(a, b string) bool {
	fa, err := os.Stat(a)
	if err != nil {
		return false
	}
	fb, err := os.Stat(b)
	return err == nil && os.SameFile(fa, fb)
}
