package main

import "github.com/spf13/cobra"

// exitStatus is the closing part of each command's help.
const exitStatus = `
EXIT STATUS
  0  success (also when the reader of the output went away)
  1  the answer is no: what was asked for is not there; doctor: recording needs something mended first
  2  the command line makes no sense
  3  something could not be opened, written or found
  4  the session is damaged, cut, or was not closed in order: all that is readable was printed, the loss said on stderr
  5  this host or kernel cannot do it
  130  interrupted (record: only by a second interrupt)`

// environmentHelp lists what env reads of the environment, and nothing else is read.
const environmentHelp = `Variables that spliff reads:

  SPLIFF_COLOR      always or never, unless --color or -C is given
  NO_COLOR          not empty: no colour
  CLICOLOR_FORCE    not empty and not 0: colour although stdout is no terminal
  FORCE_COLOR       the same
  TERM              dumb: no colour
  LC_ALL, LC_CTYPE, LANG
                    the first that is set decides whether arrows and lines are
                    UTF-8 or ASCII

The first that applies wins, in this order: the flag, SPLIFF_COLOR, NO_COLOR,
CLICOLOR_FORCE or FORCE_COLOR, TERM=dumb, whether stdout is a terminal.`

// helpTopics returns the texts of "spliff help TOPIC". A command that cannot
// run is what cobra calls an additional help topic.
func helpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit codes mean", Long: exitStatus[1:]},
		{Use: "offsets", Short: "How to record a program whose TLS functions are not found", Long: offsetsHelp},
		{Use: "environment", Short: "Variables that spliff reads", Long: environmentHelp},
	}
}
