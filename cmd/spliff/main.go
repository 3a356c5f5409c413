package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// heapFloor is memory that is set aside and never touched, so it is none of the
// resident set. The collector runs when the heap has doubled; what a decoder
// keeps is so little that it would run hundreds of times a second.
const heapFloor = 16 << 20

func main() {
	floor := make([]byte, heapFloor)
	code := run(context.Background(), osEnv(), os.Args[1:])
	runtime.KeepAlive(floor)
	os.Exit(code)
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
