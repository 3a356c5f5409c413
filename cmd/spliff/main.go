package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	os.Exit(run(context.Background(), osEnv(), os.Args[1:]))
}

// run executes one command line and returns the exit code of the process.
// Every error reaches the user here and nowhere else, as one line.
func run(ctx context.Context, e *env, args []string) int {
	e.args = args
	root := newRootCmd(e)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	code, line := verdict(err)
	if line == "" {
		return code
	}
	prefix := "spliff: "
	if cmd != nil && cmd != root {
		prefix += cmd.Name() + ": "
	}
	if code == exitUsage {
		line += fmt.Sprintf(" (see: %s --help)", cmd.CommandPath())
	}
	e.say("%s%s", prefix, line)
	return code
}
