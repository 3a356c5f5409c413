// Command report reads the output of go test -json and prints what go test
// prints without -v, plus one line for each test that skipped, with its reason:
// what was not tested must be as visible as what failed.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action, Package, Test, Output string
}

func main() {
	dec := json.NewDecoder(os.Stdin)
	said := map[string][]string{} // lines of the tests that still run
	for {
		var ev event
		if err := dec.Decode(&ev); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "report: read go test -json:", err)
			os.Exit(1)
		}
		key := ev.Package + " " + ev.Test
		switch {
		case ev.Test == "" && ev.Output != "":
			if ev.Output != "PASS\n" && !strings.HasSuffix(ev.Output, "[no test files]\n") {
				fmt.Print(ev.Output)
			}
		case ev.Action == "output":
			if !strings.HasPrefix(ev.Output, "=== ") {
				said[key] = append(said[key], ev.Output)
			}
		case ev.Action == "skip" && ev.Test != "":
			fmt.Printf("SKIP %s: %s\n", ev.Test, reason(said[key]))
			delete(said, key)
		case ev.Action == "fail" && ev.Test != "":
			fmt.Print(strings.Join(said[key], ""))
			delete(said, key)
		case ev.Action == "pass":
			delete(said, key)
		}
	}
}

// reason returns what a skipped test said, on one line, without its position.
func reason(lines []string) string {
	var words []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "--- SKIP") {
			continue
		}
		if _, text, ok := strings.Cut(l, ".go:"); ok {
			if _, after, ok := strings.Cut(text, ": "); ok {
				l = after
			}
		}
		words = append(words, l)
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return words[len(words)-1]
}
