package decodetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDeviations(t *testing.T) {
	const head = "# Deviations\n\ntext | with bars\n\n## one\n\n| case | what | justified by |\n|---|---|---|\n"
	got, err := parseDeviations(head + "| a 1, b | shows it | RFC 9112 §2.2: “must” |\n\n## two\n\n| c | x | RFC 7541 §4.2: “at the beginning” |\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{
		"one": {"a 1": "shows it RFC 9112 §2.2: “must”", "b": "shows it RFC 9112 §2.2: “must”"},
		"two": {"c": "x RFC 7541 §4.2: “at the beginning”"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, row := range []string{
		"| a | shows it | |", "| a | shows it | because |", "| a | | RFC 9112 §2: “x” |", "| | y | RFC 9112 §2: “x” |",
		"| a | RFC 9112 §2: “x” |", "| a, a | y | RFC 9112 §2: “x” |", "| a | y | RFC 9112: “x” |",
	} {
		if got, err := parseDeviations(head + row + "\n"); err == nil {
			t.Errorf("%s gives %v, want an error", row, got)
		}
	}
}

// TestLedger: what is not met must be listed, what is listed must not be met.
func TestLedger(t *testing.T) {
	l := &Ledger{t: t, corpus: "x", listed: map[string]string{"known": "why", "gone": "why"}, missed: make(map[string]string)}
	l.Expect("fine", true, "")
	l.Expect("known", false, "differs")
	l.Expect("gone", true, "")
	l.Expect("new", false, "first %d", 1)
	l.Expect("new", false, "second")
	want := []string{
		"x gone: DEVIATIONS.md lists it, but the expectation is met",
		"x new: first 1; DEVIATIONS.md does not list it",
	}
	if diff := cmp.Diff(want, l.compare()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if l.checks != 5 {
		t.Errorf("%d checks, want 5", l.checks)
	}
}

// TestDeviations: the list of the repository reads, and justifies each row.
func TestDeviations(t *testing.T) {
	list, err := parseDeviations(string(Bytes(t, "../DEVIATIONS.md")))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for corpus, cases := range list {
		n += len(cases)
		if strings.TrimSpace(corpus) == "" || len(cases) == 0 {
			t.Errorf("section %q has %d cases", corpus, len(cases))
		}
	}
	t.Logf("%d cases in %d corpora", n, len(list))
}
