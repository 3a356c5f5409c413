package main

import (
	"context"
	"fmt"
	"os"
)

// A command line goes in; data, talk and an exit code come out. The environment
// is an argument, so a caller can keep all three.
func Example() {
	e := osEnv()
	e.stdout, e.stderr = os.Stdout, os.Stdout
	fmt.Println("exit", run(context.Background(), e, []string{"shwo", "a.spl"}))
	// Output:
	// spliff: unknown command "shwo": did you mean show? (see: spliff --help)
	// exit 2
}
