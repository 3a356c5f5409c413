package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootHelp = `spliff records what programs send over TLS, before it is encrypted and after it
is decrypted, and shows it as HTTP.

  sudo spliff record -o a.spl -- curl https://example.com/   record one command
  spliff show a.spl                                          list its exchanges
  spliff export a.spl -f pcapng -o a.pcapng                  open it in Wireshark
  spliff info --verify a.spl                                 what it is, and that it is whole
  spliff edit a.spl -o b.spl --from 15:12 --drop-bodies      a part of it, to show somebody

Commands: record, show, replay, info, export, import, edit, recover,
doctor, libs, version. "spliff help COMMAND" has more, "spliff help exit-codes" and "spliff help
environment" say the rest.
`

// newRootCmd builds the command tree on e.
func newRootCmd(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:     "spliff",
		Short:   "Record, show, replay and export the plaintext of TLS",
		Version: versionLine(),
		// How many letters a suggestion may differ; cobra sets it too late for our own check.
		SuggestionsMinimumDistance: 2,
		// One line a fault, written by run: cobra's own printing is off.
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), rootHelp)
			return err
		},
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	// -V for the version, as in the C program: cobra would take -v.
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().BoolP("version", "V", false, "print the version and exit")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.SetHelpCommand(newHelpCmd(root))
	root.AddGroup(
		&cobra.Group{ID: "record", Title: "Record:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "share", Title: "Share:"},
		&cobra.Group{ID: "care", Title: "Take care of files:"},
		&cobra.Group{ID: "check", Title: "Check this host:"},
	)
	root.AddCommand(newRecordCmd(e), newShowCmd(e), newReplayCmd(e), newInfoCmd(e),
		newExportCmd(e), newImportCmd(e), newEditCmd(e), newRecoverCmd(e), newDoctorCmd(e), newLibsCmd(e), newVersionCmd())
	root.AddCommand(helpTopics()...)
	return root
}

// flagError makes a usage error of what a flag would not take.
func flagError(err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) && bad.GetFlag().Value.Type() == "bool" {
		return usagef("--%s=%s: give --%s alone, or --%s=false", bad.GetFlag().Name, bad.GetValue(), bad.GetFlag().Name, bad.GetFlag().Name)
	}
	return usageError{err}
}

// newHelpCmd returns "spliff help". cobra's own takes a word that it does not know
// for no mistake.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Help about a command or a topic",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == nil || len(rest) > 0 {
				return usagef("no help topic %q: spliff --help lists the commands", strings.Join(args, " "))
			}
			cmd.InitDefaultHelpFlag() // else its help would not list -h
			return cmd.Help()
		},
	}
}

// knownCommand refuses a first word that is no command. cobra would return an
// error that looks like any other; here it is a usage error.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q", args[0])
}

// usageArgs turns what an argument check says into a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// someSessions is the argument check of commands that read one session or more.
func someSessions(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no session given: name a file, or - for standard input")
	}
	seen := false
	for _, a := range args {
		if a == stdio && seen {
			return usagef("standard input can be read once")
		}
		seen = seen || a == stdio
	}
	return nil
}
