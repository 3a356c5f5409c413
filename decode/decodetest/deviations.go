package decodetest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// Ledger holds a decoder against what a corpus expects of it. What is not met
// must stand in decode/DEVIATIONS.md, and what stands there must not be met:
// the list can neither hide a fault nor outlive one.
type Ledger struct {
	t      testing.TB
	corpus string
	listed map[string]string // case: why, of this corpus
	missed map[string]string // case: what differs
	cases  int
	checks int
}

// NewLedger begins the account of one corpus, a section of the list.
func NewLedger(t testing.TB, corpus string) *Ledger {
	t.Helper()
	root, ok := moduleRoot(".")
	if abs, err := filepath.Abs("."); err == nil {
		root, ok = moduleRoot(abs)
	}
	if !ok {
		t.Fatal("no go.mod above the test")
	}
	list, err := parseDeviations(string(Bytes(t, filepath.Join(root, "decode", "DEVIATIONS.md"))))
	if err != nil {
		t.Fatalf("DEVIATIONS.md: %v", err)
	}
	return &Ledger{t: t, corpus: corpus, listed: list[corpus], missed: make(map[string]string)}
}

// Case counts a case that runs.
func (l *Ledger) Case() { l.cases++ }

// Expect notes whether the corpus's expectation of a case is met. The text
// says what differs; of several that do, the first is kept.
func (l *Ledger) Expect(name string, met bool, format string, args ...any) {
	l.checks++
	if _, ok := l.missed[name]; met || ok {
		return
	}
	l.missed[name] = fmt.Sprintf(format, args...)
}

// Close logs the counts and compares with the list. atLeast is how many cases
// the corpus had when the test was written: fewer are not a pass.
func (l *Ledger) Close(atLeast int) {
	l.t.Helper()
	l.t.Logf("%s: %d cases, %d expectations, %d not met", l.corpus, l.cases, l.checks, len(l.missed))
	if l.cases < atLeast {
		l.t.Errorf("%s: %d cases, want at least %d", l.corpus, l.cases, atLeast)
	}
	for _, line := range l.compare() {
		l.t.Error(line)
	}
}

// compare returns a line for each case that is in one of list and outcome only.
func (l *Ledger) compare() []string {
	var out []string
	for name, what := range l.missed {
		if _, ok := l.listed[name]; !ok {
			out = append(out, fmt.Sprintf("%s %s: %s; DEVIATIONS.md does not list it", l.corpus, name, what))
		}
	}
	for name := range l.listed {
		if _, ok := l.missed[name]; !ok {
			out = append(out, fmt.Sprintf("%s %s: DEVIATIONS.md lists it, but the expectation is met", l.corpus, name))
		}
	}
	sort.Strings(out)
	return out
}

// parseDeviations reads the list: a heading "## corpus", and below it a table
// of case, what is done instead, and the sentence of an RFC that justifies it.
// A row without such a sentence is an error.
func parseDeviations(text string) (map[string]map[string]string, error) {
	out := make(map[string]map[string]string)
	corpus := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			corpus = name
			continue
		}
		if corpus == "" || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| case ") {
			continue
		}
		cell := strings.Split(strings.Trim(line, "|"), "|")
		if len(cell) != 3 {
			return nil, fmt.Errorf("%d cells, want 3: %s", len(cell), line)
		}
		for i := range cell {
			cell[i] = strings.TrimSpace(cell[i])
		}
		if cell[0] == "" || cell[1] == "" || !citesRFC(cell[2]) {
			return nil, fmt.Errorf("a case without what is done or its RFC: %s", line)
		}
		if out[corpus] == nil {
			out[corpus] = make(map[string]string)
		}
		for name := range strings.SplitSeq(cell[0], ", ") {
			if _, twice := out[corpus][name]; twice {
				return nil, fmt.Errorf("%s is listed twice", name)
			}
			out[corpus][name] = cell[1] + " " + cell[2]
		}
	}
	return out, nil
}

// citesRFC wants the section and a quotation.
func citesRFC(cell string) bool {
	return regexp.MustCompile(`^RFC \d+ §[\d.]+: “.+”`).MatchString(cell)
}
