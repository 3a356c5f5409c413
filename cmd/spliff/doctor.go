package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/record"
)

const doctorLong = `Say what can be recorded on this host, what is missing, what that costs, and what
mends it. As root the kernel programs are loaded and attached for a moment, to
spliff itself alone, and taken off again. Without root nothing is tried, and the
answer says what was not checked.

  [✓] as it should be     [!] works, worth knowing
  [✗] mend it             [-] not there, or not checked

Reading sessions needs nothing of this.

The exit code is 0 if recording works or could not be checked, 1 if something
stands in its way that can be mended, 5 if this kernel or system cannot record.

  sudo spliff doctor
`

// newDoctorCmd returns "spliff doctor".
func newDoctorCmd(e *env) *cobra.Command {
	var colours colourFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say what this host can record, and what mends the rest",
		Long:    doctorLong + exitStatus,
		GroupID: "check",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			colour, err := colours.colour(e)
			if err != nil {
				return err
			}
			return runDoctor(cmd.Context(), e, asJSON, colour)
		},
	}
	colours.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one object of JSON")
	return cmd
}

func runDoctor(ctx context.Context, e *env, asJSON, colour bool) error {
	r, err := e.examine(ctx)
	if err != nil {
		return err
	}
	out := e.stdoutOutput()
	if asJSON {
		err = doctorJSON(out, r)
	} else {
		err = doctorText(out, r, doctorStyle{colour: colour, ascii: e.ascii()})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	switch r.Verdict() {
	case record.StateUnsupported:
		return exitError{code: exitUnsupported}
	case record.StateBlocked:
		return exitError{code: exitNegative}
	}
	return nil
}

// reportJSON is what "doctor --json" writes.
type reportJSON struct {
	V         int           `json:"v"`
	Version   string        `json:"version"`
	Verdict   string        `json:"verdict"` // ok, unchecked, blocked or unsupported
	Checks    []checkJSON   `json:"checks"`
	Libraries []libraryJSON `json:"libraries"`
	Hidden    int           `json:"hidden_processes"`
}

type checkJSON struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

func doctorJSON(w io.Writer, r *record.Report) error {
	j := reportJSON{V: 1, Version: programVersion(), Verdict: r.Verdict().String(), Checks: []checkJSON{}, Libraries: []libraryJSON{}}
	for _, c := range append(r.Checks, libraryChecks(r.Found)...) {
		j.Checks = append(j.Checks, checkJSON{c.Name, c.State.String(), c.Text, c.Fix})
	}
	if r.Found != nil {
		j.Hidden = r.Found.Hidden
		for _, f := range r.Found.Found {
			j.Libraries = append(j.Libraries, toLibraryJSON(f))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
