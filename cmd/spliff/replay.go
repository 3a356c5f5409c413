package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/export"
)

const replayLong = `Run the decoder over a session again and print what it finds, message by
message: the text that record prints live. The output is a function of the
session and of the print flags alone; the number of workers does not change it.
Several files are read as one session, in the order given.

  spliff replay a.spl -l -b
  ssh host sudo spliff record -o - | spliff replay -
`

// replayOptions are the flags of replay.
type replayOptions struct {
	textFlags
	inputFlags
}

// newReplayCmd returns "spliff replay".
func newReplayCmd(e *env) *cobra.Command {
	var f replayOptions
	cmd := &cobra.Command{
		Use:     "replay FILE…|-",
		Short:   "Print a session message by message, as record prints it live",
		Long:    replayLong + exitStatus,
		GroupID: "look",
		Args:    usageArgs(someSessions),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReplay(cmd.Context(), e, args, &f)
		},
	}
	f.textFlags.register(cmd.Flags())
	f.inputFlags.register(cmd.Flags())
	return cmd
}

func runReplay(ctx context.Context, e *env, names []string, f *replayOptions) error {
	engine, err := f.engine()
	if err != nil {
		return err
	}
	text, err := f.text(e)
	if err != nil {
		return err
	}
	out := e.stdoutOutput()
	in, err := f.open(e, names, out)
	if err != nil {
		return err
	}
	defer in.close()
	return in.print(ctx, e, engine, export.NewText(out, text))
}
