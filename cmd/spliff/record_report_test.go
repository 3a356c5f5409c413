package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// TestRecordPruned: what --keep deleted is not told as if it were there.
func TestRecordPruned(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 24)
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "64KiB", "--keep", "2"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "*")
	size := 0
	for _, name := range files {
		size += len(readFile(t, filepath.Join(dir, name)))
	}
	want := fmt.Sprintf("older files were deleted (--keep 2) with what was in them; the newest are there: 2 files from %s to %s (%s)",
		filepath.Join(dir, files[0]), filepath.Join(dir, files[1]), bytesText(uint64(size)))
	if said := te.err.String(); len(files) != 2 || !strings.Contains(said, want) || !strings.Contains(said, "of plaintext\n") {
		t.Errorf("files %v, said %q, want %q", files, said, want)
	}
}

// TestRecordMissing: what the kernel lacks stands in one line before the recording
// begins, with what it costs; --without is passed on.
func TestRecordMissing(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	rec.missing = []record.Feature{record.FeatureSockLength, record.FeatureSession}
	if code := te.run("record", "-o", filepath.Join(t.TempDir(), "a.spl"), "--without", "sock-length,uprobe-session"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	want := "without sock-length (since Linux 6.3): connections have no addresses; without uprobe-session (since Linux 6.13): "
	if first, _, _ := strings.Cut(te.err.String(), "\n"); !strings.Contains(first, want) {
		t.Errorf("first line %q, want %q", first, want)
	}
	if !slices.Equal(rec.options.Without, rec.missing) {
		t.Errorf("recorded without %v", rec.options.Without)
	}
	if code := te.run("record", "--without", "magic"); code != exitUsage || !strings.Contains(te.err.String(), "uprobe-session") {
		t.Errorf("exit %d: %s", code, te.err.String())
	}
}

// TestRecordFillsFiles: files come near their bound, whatever the sizes of events,
// and none is nearly empty but the last.
func TestRecordFillsFiles(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 60)
	now := te.now()
	te.now = func() time.Time { return now } // no flush by age: chunks close when they are full
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "256KiB"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "*")
	for i, name := range files {
		n := len(readFile(t, filepath.Join(dir, name)))
		if n > 256<<10 || i < len(files)-1 && n < 150<<10 {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
}

// failingWriter is a stdout that fails after the first write.
type failingWriter struct {
	err  error
	left int
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// TestRecordGoesOnUnprinted: the reader of the text goes away, the session is whole.
func TestRecordGoesOnUnprinted(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	te.stdout = &failingWriter{err: syscall.EPIPE, left: 1}
	file := filepath.Join(t.TempDir(), "a.spl")
	if code := te.run("record", "-o", file, "--print", "-b"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	if n := strings.Count(te.err.String(), "the reader of the text went away"); n != 1 {
		t.Errorf("said %d times: %s", n, te.err.String())
	}
	all := events(t, readFile(t, file))
	if got, want := len(all), len(events(t, rec.file)); got != want {
		t.Errorf("%d events in the file, want %d", got, want)
	}
	if end, err := format.ParseEnd(all[len(all)-1].Payload); err != nil || end.Reason != "command exited" {
		t.Errorf("END %+v, %v", end, err)
	}

	// Any other fault of stdout ends the recording, and END says so.
	te.stdout = &failingWriter{err: errors.New("disk full")}
	if code := te.run("record", "-o", file, "--force", "--print", "-b"); code != exitRuntime {
		t.Errorf("exit %d: %s", code, te.err.String())
	}
	all = events(t, readFile(t, file))
	if end, err := format.ParseEnd(all[len(all)-1].Payload); err != nil || end.Reason != "error" {
		t.Errorf("END %+v, %v", end, err)
	}
	if said := te.err.String(); !strings.Contains(said, "may be missing from the session") || !strings.Contains(said, "next: spliff info "+file) {
		t.Errorf("said %q", said)
	}
}

// TestRecordLimits: a limit that ends the recording is named, and a command that
// goes on without it.
func TestRecordLimits(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--max-size", "1k"}, "spliff: ended at --max-size 1KiB\n"},
		{[]string{"--max-size", "1k", "--", "curl", "x"}, "ended at --max-size 1KiB; curl still runs, and is not recorded any more\n"},
		{[]string{"--for", "1ms", "--", "curl", "x"}, "ended after --for 1ms; curl still runs, and is not recorded any more\n"},
	}
	for _, tt := range tests {
		te, rec := newBulky(t, 20)
		rec.running, rec.wait = true, tt.args[0] == "--for"
		rec.each = func() { time.Sleep(time.Millisecond) } // the writer has time to write
		if code := te.run(append([]string{"record", "-o", filepath.Join(t.TempDir(), "a.spl")}, tt.args...)...); code != exitOK {
			t.Fatalf("exit %d: %s", code, te.err.String())
		}
		if !strings.Contains(te.err.String(), tt.want) {
			t.Errorf("%v: said %q, want %q", tt.args, te.err.String(), tt.want)
		}
	}
}

func TestNext(t *testing.T) {
	tests := []struct {
		files     []string
		encrypted bool
		want      string
	}{
		{[]string{"a.spl"}, false, "spliff show a.spl"},
		{[]string{"my a.spl"}, false, "spliff show 'my a.spl'"},
		{[]string{"it's.spl"}, false, `spliff show 'it'\''s.spl'`},
		{[]string{"-a.spl"}, false, "spliff show ./-a.spl"},
		{[]string{"a.age"}, true, "spliff show a.age -i KEYFILE"},
		{[]string{"a", "b"}, false, "spliff show a b"},
		{[]string{"a b", "b", "c"}, false, "spliff show 'a b' b c"},
		{[]string{"a", "b", "c"}, true, "spliff show a b c -i KEYFILE"},
	}
	for _, tt := range tests {
		o := &recordOptions{}
		if tt.encrypted {
			o.encryptTo = []string{"age1"}
		}
		if got := o.next(tt.files); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.files, got, tt.want)
		}
	}
}
