package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/record"
	"github.com/NoFear0411/spliff/replay"
)

func TestSecondSignal(t *testing.T) {
	te := newTestEnv()
	var at atomic.Int64
	at.Store(1)
	te.now = func() time.Time { return time.Unix(0, at.Load()) }
	ctx, stop := te.recording(context.Background())
	te.sig <- os.Interrupt
	<-ctx.Done()
	te.sig <- os.Interrupt // the same wish, sent to the group too
	at.Add(int64(oneWish) - 1)
	te.sig <- os.Interrupt
	select {
	case <-te.exits:
		t.Error("two signals of one moment ended the process")
	case <-time.After(50 * time.Millisecond):
	}
	at.Add(1)
	te.sig <- os.Interrupt
	if code := <-te.exits; code != exitInterrupted {
		t.Errorf("exit %d, want %d", code, exitInterrupted)
	}
	stop()
}

func TestReaderSignals(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		te := newTestEnv()
		ctx, stop := te.interruptible(context.Background(), false, func() {})
		defer stop()
		te.sig <- os.Interrupt
		<-ctx.Done()
	})
	t.Run("pipe", func(t *testing.T) {
		te := newTestEnv()
		aborted := false
		ctx, stop := te.interruptible(context.Background(), true, func() { aborted = true })
		defer stop()
		te.sig <- os.Interrupt // the recorder upstream got it too: wait for its end
		te.sig <- os.Interrupt
		if code := <-te.exits; code != exitInterrupted || !aborted {
			t.Errorf("exit %d, aborted %v", code, aborted)
		}
		if ctx.Err() != nil {
			t.Error("the first signal cancelled the reading of a pipe")
		}
	})
}

// failWriter fails after n bytes.
type failWriter struct {
	n   int
	err error
}

func (w *failWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestOutputErrors(t *testing.T) {
	tests := []struct {
		name string
		args []string
		err  error
		code int
	}{
		{"stream, reader gone", []string{"record", "-o", "-"}, syscall.EPIPE, exitOK},
		{"print, reader gone", []string{"record"}, syscall.EPIPE, exitOK},
		{"stream, disk full", []string{"record", "-o", "-"}, syscall.ENOSPC, exitRuntime},
		{"print, disk full", []string{"record"}, syscall.ENOSPC, exitRuntime},
		{"show, reader gone", []string{"show", "FILE"}, syscall.EPIPE, exitOK},
		{"show, disk full", []string{"show", "FILE"}, syscall.ENOSPC, exitRuntime},
		{"detail, disk full", []string{"show", "FILE", "1"}, syscall.ENOSPC, exitRuntime},
		{"replay, disk full", []string{"replay", "FILE", "-t", "2"}, syscall.ENOSPC, exitRuntime},
		{"export, disk full", []string{"export", "FILE", "-f", "json"}, syscall.ENOSPC, exitRuntime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te, rec := newTestEnv(), newFakeRecorder(t)
			rec.use(te)
			file := filepath.Join(t.TempDir(), "s.spl")
			if err := os.WriteFile(file, rec.file, 0o600); err != nil {
				t.Fatal(err)
			}
			te.stdout = &failWriter{n: 40, err: tt.err}
			args := strings.Split(strings.ReplaceAll(strings.Join(tt.args, " "), "FILE", file), " ")
			if code := te.run(args...); code != tt.code {
				t.Errorf("exit %d, want %d; stderr %q", code, tt.code, te.err.String())
			}
			if tt.code == exitRuntime && !strings.Contains(te.err.String(), tt.err.Error()) {
				t.Errorf("stderr %q does not say %v", te.err.String(), tt.err)
			}
		})
	}
}

// TestRecordLeavesNothing: when recording cannot begin, no file is made and
// none is replaced; when the file cannot be made, nothing is attached.
func TestRecordLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old.spl")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	te := newTestEnv()
	opened := 0
	te.openRecorder = func(context.Context, record.Options) (recorder, error) {
		opened++
		return nil, fmt.Errorf("load: %w", record.ErrNotSupported)
	}
	steps := []struct {
		args   []string
		code   int
		opened int
	}{
		{[]string{"record", "-o", filepath.Join(dir, "new.spl")}, exitUnsupported, 1},
		{[]string{"record", "-o", old}, exitRuntime, 1},
		{[]string{"record", "-o", filepath.Join(dir, "no", "dir.spl")}, exitRuntime, 1},
		{[]string{"record", "-o", old, "--force"}, exitUnsupported, 2},
	}
	for _, s := range steps {
		if code := te.run(s.args...); code != s.code || opened != s.opened {
			t.Errorf("%v: exit %d, opened %d times; want %d, %d (%s)", s.args, code, opened, s.code, s.opened, te.err.String())
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || string(readFile(t, old)) != "old" {
		t.Errorf("left in the folder: %v, %v; the old file holds %q", entries, err, readFile(t, old))
	}

	newFakeRecorder(t).use(te)
	if code := te.run("record", "-o", old, "--force"); code != exitOK {
		t.Errorf("--force: exit %d, %s", code, te.err.String())
	}
	if len(events(t, readFile(t, old))) == 0 {
		t.Error("--force did not replace the file")
	}
}

// TestNoSymlink: the name of a recording that is a link to somewhere is refused.
func TestNoSymlink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "a.spl")
	if err := os.Symlink(victim, link); err != nil {
		t.Skip("symbolic links are not to be had here:", err)
	}
	te := newTestEnv()
	newFakeRecorder(t).use(te)
	for _, args := range [][]string{{"record", "-o", link}, {"record", "-o", link, "--force"}} {
		if code := te.run(args...); code != exitRuntime {
			t.Errorf("%v: exit %d, want %d", args, code, exitRuntime)
		}
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file the link points at was made: %v", err)
	}
}

func TestLosses(t *testing.T) {
	got := losses(replay.Summary{Gaps: 1, LostBytes: 7, Drops: 3, Late: 1, Overlap: 2, Malformed: 4, Evicted: 5})
	want := []string{"7 bytes missing in 1 gap, marked where they are", "1 byte came after the end of their connection and were not decoded",
		"2 bytes came twice and are shown once", "4 events could not be understood",
		"5 connections open at once were too many to follow; the oldest are cut"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := losses(replay.Summary{Drops: 2}); len(got) != 1 || !strings.Contains(got[0], "2 losses") {
		t.Errorf("got %q", got)
	}
	if got := losses(replay.Summary{Exchanges: 9}); got != nil {
		t.Errorf("got %q, want silence", got)
	}
}
