package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/record"
)

// doctorStyle says how marks look.
type doctorStyle struct{ colour, ascii bool }

// mark is what stands before a check.
func (s doctorStyle) mark(st record.State) string {
	mark, colour := "✓", "32"
	switch st {
	case record.StateWarning:
		mark, colour = "!", "33"
	case record.StateLimit, record.StateBlocked, record.StateUnsupported:
		mark, colour = "✗", "31"
	case record.StateAbsent, record.StateUnchecked:
		mark, colour = "-", "2"
	}
	if s.ascii {
		mark = strings.NewReplacer("✓", "+", "✗", "x").Replace(mark)
	}
	if s.colour {
		mark = "\x1b[" + colour + "m" + mark + "\x1b[0m"
	}
	return "[" + mark + "]"
}

// doctorText writes a line for each check, what mends it below, and the sum.
func doctorText(w io.Writer, r *record.Report, s doctorStyle) error {
	all := append([]record.Check{{Name: programVersion(), Text: "reading sessions needs no rights and no kernel"}}, r.Checks...)
	all = append(all, libraryChecks(r.Found)...)
	width := 0
	for _, c := range all {
		width = max(width, utf8.RuneCountInString(export.Escape(c.Name)))
	}
	counts := map[record.State]int{}
	var err error
	for _, c := range all {
		counts[c.State]++
		name := export.Escape(c.Name)
		_, err = fmt.Fprintf(w, "%s %s%s  %s\n", s.mark(c.State), name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), s.text(c.Text))
		if c.Fix != "" {
			_, err = fmt.Fprintf(w, "    %s  fix: %s\n", strings.Repeat(" ", width), s.text(c.Fix))
		}
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err = fmt.Fprintln(w, doctorSum(len(all), counts, r.Verdict()))
	return err
}

func (s doctorStyle) text(t string) string {
	t = export.Escape(t)
	if s.ascii {
		t = strings.ReplaceAll(t, " · ", ", ")
	}
	return t
}

// doctorSum is the last line.
func doctorSum(n int, counts map[record.State]int, verdict record.State) string {
	var words []string
	for _, c := range []struct {
		n    int
		word string
	}{
		{counts[record.StateWarning], "warning"},
		{counts[record.StateLimit], "limitation"},
		{counts[record.StateBlocked] + counts[record.StateUnsupported], "obstacle"},
	} {
		if c.n > 0 {
			words = append(words, count(c.n, c.word))
		}
	}
	line := count(n, "check")
	if len(words) > 0 {
		line += ": " + strings.Join(words, ", ")
	}
	switch verdict {
	case record.StateUnsupported:
		return line + ". Recording cannot work on this host."
	case record.StateBlocked:
		return line + ". Recording will not work before that is mended."
	case record.StateUnchecked:
		return line + ". Recording was not checked: sudo spliff doctor"
	}
	return line + ". Recording will work."
}

// libraryChecks says of each kind of library whether it is there, used and
// recorded; those that are nowhere share the last line.
func libraryChecks(inv *record.Inventory) (all []record.Check) {
	if inv == nil {
		return nil
	}
	kinds := record.Kinds()
	byName := map[string][]record.Found{}
	for _, f := range inv.Found {
		if len(byName[f.Library]) == 0 && libraryTitle(f.Library) == f.Library {
			kinds = append(kinds, record.Kind{Name: f.Library, Title: f.Library}) // seen, and not recorded
		}
		byName[f.Library] = append(byName[f.Library], f)
	}
	if bad := byName[""]; len(bad) > 0 {
		kinds = append(kinds, record.Kind{Title: "Unreadable files"})
	}
	var absent []string
	for _, k := range kinds {
		if len(byName[k.Name]) == 0 {
			absent = append(absent, k.Title)
			continue
		}
		all = append(all, libraryCheck(k.Title, byName[k.Name], inv.Hidden > 0))
	}
	if len(absent) > 0 {
		all = append(all, record.Check{Name: "Other libraries", State: record.StateAbsent, Text: "not found: " + strings.Join(absent, ", ")})
	}
	return all
}

// libraryCheck tells of the files of one kind. partly: not every process was looked into.
func libraryCheck(title string, files []record.Found, partly bool) record.Check {
	c := record.Check{Name: title}
	users := map[uint32]bool{}
	var first *record.Found
	var problem string
	for i, f := range files {
		for _, p := range f.Processes {
			users[p.PID] = true
		}
		if f.Problem != "" && problem == "" {
			problem = f.Path + ": " + f.Problem
		}
		if f.Problem == "" && (first == nil || len(f.Processes) > len(first.Processes)) {
			first = &files[i]
		}
	}
	var words []string
	if first != nil {
		words = append(words, first.Path)
		if n := len(files) - 1; n > 0 {
			words = append(words, count(n, "more file"))
		}
	}
	if partly {
		words = append(words, count(len(users), "visible process"))
	} else {
		words = append(words, count(len(users), "process"))
	}
	if problem != "" {
		words = append(words, "not recorded: "+problem)
		c.State = record.StateLimit
		c.Fix = "spliff libs tells more"
	}
	c.Text = strings.Join(words, " · ")
	return c
}
