package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/record"
)

const libsLong = `List the TLS libraries that are installed or that running programs use, and where
a recording would put its probes. Nothing is attached.

Behind each probe stands what it costs: emulated instructions take the kernel
less than a microsecond, nop5 a quarter of that from Linux 6.18 on, and
single-stepped ones 1 to 14. Then why it is there and not elsewhere.

Without root, other users' programs are hidden, and that is said.

  sudo spliff libs
  sudo spliff libs -p 812 --json
`

// libsOptions are the flags of libs.
type libsOptions struct {
	offsetsFlag
	pids pidList
	json bool
}

// newLibsCmd returns "spliff libs".
func newLibsCmd(e *env) *cobra.Command {
	var o libsOptions
	cmd := &cobra.Command{
		Use:     "libs [-p PID]",
		Short:   "List TLS libraries, who uses them, and where probes go",
		Long:    libsLong + exitStatus,
		GroupID: "check",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLibs(cmd.Context(), e, &o)
		},
	}
	cmd.Flags().VarP(&o.pids, "pid", "p", "only what this process has mapped (repeatable, or a list with commas)")
	o.offsetsFlag.register(cmd.Flags())
	cmd.Flags().BoolVar(&o.json, "json", false, "one library a line of JSON")
	return cmd
}

func runLibs(ctx context.Context, e *env, o *libsOptions) error {
	offsets, err := o.offsetsFlag.read()
	if err != nil {
		return err
	}
	inv, err := e.survey(ctx, o.pids, offsets)
	if err != nil {
		return err
	}
	out := e.stdoutOutput()
	if o.json {
		err = libsJSON(out, inv)
	} else {
		err = libsText(out, inv)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	if inv.Hidden > 0 {
		e.say("spliff: libs: %s not looked into: another user's, or with more rights than we have (sudo shows more)", were(inv.Hidden, "process"))
	}
	if len(inv.Found) == 0 {
		e.say("spliff: libs: no TLS library found")
		return exitError{code: exitNegative}
	}
	return nil
}

// libraryJSON is a line of "libs --json".
type libraryJSON struct {
	V         int           `json:"v"`
	Library   string        `json:"library,omitempty"`
	Path      string        `json:"path"`
	BuildID   string        `json:"build_id,omitempty"`
	Problem   string        `json:"problem,omitempty"`
	Processes []processJSON `json:"processes"`
	Probes    []probeJSON   `json:"probes"`
}

type processJSON struct {
	PID  uint32 `json:"pid"`
	Comm string `json:"comm"`
}

type probeJSON struct {
	At   string `json:"at"`
	Cost string `json:"cost"`
	Why  string `json:"why"`
}

func toLibraryJSON(f record.Found) libraryJSON {
	l := libraryJSON{V: 1, Library: f.Library, Path: f.Path, BuildID: f.BuildID, Problem: f.Problem,
		Processes: []processJSON{}, Probes: []probeJSON{}}
	for _, p := range f.Processes {
		l.Processes = append(l.Processes, processJSON{p.PID, p.Comm})
	}
	for _, s := range f.Sites {
		l.Probes = append(l.Probes, probeJSON{s.Name, s.Cost.String(), s.Why})
	}
	return l
}

func libsJSON(w io.Writer, inv *record.Inventory) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, f := range inv.Found {
		if err := enc.Encode(toLibraryJSON(f)); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}

// libraryTitle is a kind of library as people call it.
func libraryTitle(name string) string {
	kinds := record.Kinds()
	if i := slices.IndexFunc(kinds, func(k record.Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i].Title
	}
	if name == "" {
		return "unknown"
	}
	return name
}
