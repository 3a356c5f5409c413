package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/format"
)

// demoSession is a real recording.
const demoSession = "../../testdata/sessions/demo.spl"

// TestTextOfRecording: a real recording comes back from its text with the same
// events and the same text.
func TestTextOfRecording(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	for _, args := range [][]string{
		{"export", demoSession, "-f", "events", "-o", name("a.jsonl")},
		{"import", "-f", "events", name("a.jsonl"), "-o", name("b.spl")},
		{"export", name("b.spl"), "-f", "events", "-o", name("b.jsonl")},
	} {
		if code, stdout, stderr := runQuiet(t, args...); code != 0 || stdout != "" || stderr != "" {
			t.Fatalf("%v: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
	if a, b := content(t, name("a.jsonl")), content(t, name("b.jsonl")); a != b {
		t.Errorf("another text after a round:\n%s", cmp.Diff(a, b))
	}
	want, got := eventsOf(t, demoSession), eventsOf(t, name("b.spl"))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("other events after a round (-want +got):\n%s", d)
	}
	t.Logf("%d events", len(want))
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eventsOf reads a session, repeats left out.
func eventsOf(t *testing.T, name string) []format.Event {
	t.Helper()
	r, err := format.NewReader(bytes.NewReader([]byte(content(t, name))), format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []format.Event
	for {
		var ev format.Event
		if err := r.Next(&ev); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if ev.Flags&format.FlagRepeat == 0 {
			ev.Payload = bytes.Clone(ev.Payload)
			out = append(out, ev)
		}
	}
}

// TestImportInterrupted: a file being made is taken away again.
func TestImportInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	e := osEnv()
	var errs bytes.Buffer
	e.stderr = &errs
	e.terminal = func(any) bool { return false }
	e.stdin = io.MultiReader(bytes.NewReader([]byte(`{"seq":1,"type":"data"}`+"\n")), cancelReader{cancel})
	code := run(ctx, e, []string{"import", "-f", "events", "-", "-o", filepath.Join(dir, "x.spl")})
	if code != exitInterrupted || errs.Len() > 0 {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// cancelReader stands for an interrupt while the input is read.
type cancelReader struct{ cancel func() }

func (c cancelReader) Read(p []byte) (int, error) {
	c.cancel()
	return copy(p, "\n"), nil
}

// TestImportToTerminal: a session is binary.
func TestImportToTerminal(t *testing.T) {
	var out, errs bytes.Buffer
	e := osEnv()
	e.stdout, e.stderr = &out, &errs
	e.terminal = func(s any) bool { return s == any(&out) }
	code := run(context.Background(), e, []string{"import", "-f", "events", "x.jsonl", "-o", "-"})
	if code != exitUsage || !bytes.Contains(errs.Bytes(), []byte("a session is binary and stdout is a terminal")) {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
