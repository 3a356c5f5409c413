package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/record"
)

// shownProcesses is how many processes of one library are named to people.
const shownProcesses = 8

// libsText writes a block for each library, in the order in which they were found.
// Paths and names of processes are escaped: who names a file chooses its bytes.
func libsText(w io.Writer, inv *record.Inventory) error {
	for i, f := range inv.Found {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s\n", libraryTitle(f.Library), export.Escape(f.Path))
		if f.BuildID != "" {
			fmt.Fprintf(w, "  build id   %s\n", f.BuildID)
		}
		fmt.Fprintf(w, "  used by    %s\n", usedBy(f.Processes))
		if f.Problem != "" {
			fmt.Fprintf(w, "  not recorded: %s\n", export.Escape(f.Problem))
			continue
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		head := "probes"
		for _, s := range f.Sites {
			fmt.Fprintf(table, "  %-9s  %s\t%s\t%s\n", head, export.Escape(s.Name), s.Cost, export.Escape(s.Why))
			head = ""
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("write libraries: %w", err)
		}
	}
	return nil
}

// usedBy names the processes of one library.
func usedBy(all []record.Process) string {
	if len(all) == 0 {
		return "no running process"
	}
	var names []string
	for _, p := range all[:min(len(all), shownProcesses)] {
		names = append(names, fmt.Sprintf("%s/%d", export.Escape(p.Comm), p.PID))
	}
	text := strings.Join(names, " ")
	if n := len(all) - shownProcesses; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
