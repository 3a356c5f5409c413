package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// testEnv is an environment without terminal, variables or signals.
type testEnv struct {
	*env
	out, err bytes.Buffer
	vars     map[string]string
	ttys     map[any]bool
	sig      chan os.Signal
	exits    chan int
}

func newTestEnv() *testEnv {
	te := &testEnv{vars: map[string]string{"LANG": "C.UTF-8"}, ttys: map[any]bool{}, sig: make(chan os.Signal, 2), exits: make(chan int, 1)}
	te.env = &env{
		stdin: strings.NewReader(""), stdout: &te.out, stderr: &te.err,
		getenv:   func(k string) string { return te.vars[k] },
		terminal: func(s any) bool { return te.ttys[s] },
		width:    func() int { return 100 },
		now:      func() time.Time { return time.Unix(0, 0) },
		goos:     "linux",
		signals:  func() (<-chan os.Signal, func()) { return te.sig, func() {} },
		exit:     func(code int) { te.exits <- code },
		openRecorder: func(context.Context, record.Options) (recorder, error) {
			return nil, record.ErrPermission
		},
		survey: func(context.Context, []uint32, []record.Offsets) (*record.Inventory, error) {
			return &record.Inventory{}, nil
		},
		examine: func(context.Context) (*record.Report, error) { return &record.Report{}, nil },
	}
	return te
}

func (te *testEnv) run(args ...string) int {
	te.out.Reset()
	te.err.Reset()
	return run(context.Background(), te.env, args)
}

func TestColour(t *testing.T) {
	tests := []struct {
		name, flag string
		vars       map[string]string
		terminal   bool
		want       bool
	}{
		{name: "piped", flag: "auto"},
		{name: "terminal", flag: "auto", terminal: true, want: true},
		{name: "flag over all", flag: "always", vars: map[string]string{"NO_COLOR": "1", "SPLIFF_COLOR": "never"}, want: true},
		{name: "flag off", flag: "never", vars: map[string]string{"FORCE_COLOR": "1"}, terminal: true},
		{name: "own variable over NO_COLOR", flag: "auto", vars: map[string]string{"SPLIFF_COLOR": "always", "NO_COLOR": "1"}, want: true},
		{name: "own variable off", flag: "auto", vars: map[string]string{"SPLIFF_COLOR": "never", "FORCE_COLOR": "1"}, terminal: true},
		{name: "NO_COLOR over force", flag: "auto", vars: map[string]string{"NO_COLOR": "0", "FORCE_COLOR": "1"}, terminal: true},
		{name: "NO_COLOR empty", flag: "auto", vars: map[string]string{"NO_COLOR": ""}, terminal: true, want: true},
		{name: "CLICOLOR_FORCE", flag: "auto", vars: map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, want: true},
		{name: "FORCE_COLOR zero", flag: "auto", vars: map[string]string{"FORCE_COLOR": "0"}},
		{name: "dumb terminal", flag: "auto", vars: map[string]string{"TERM": "dumb"}, terminal: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te := newTestEnv()
			te.vars = tt.vars
			te.ttys[te.stdout] = tt.terminal
			if got := te.colour(tt.flag); got != tt.want {
				t.Errorf("colour(%q) = %v, want %v", tt.flag, got, tt.want)
			}
		})
	}
}

func TestASCII(t *testing.T) {
	tests := []struct {
		goos string
		vars map[string]string
		want bool
	}{
		{"linux", nil, true},
		{"darwin", nil, false},
		{"windows", nil, false},
		{"linux", map[string]string{"LANG": "en_US.UTF-8"}, false},
		{"linux", map[string]string{"LANG": "en_US.utf8"}, false},
		{"linux", map[string]string{"LANG": "C.UTF-8", "LC_ALL": "C"}, true},
		{"linux", map[string]string{"LANG": "C", "LC_CTYPE": "C.UTF-8"}, false},
		{"darwin", map[string]string{"LC_ALL": "POSIX"}, true},
	}
	for _, tt := range tests {
		te := newTestEnv()
		te.vars, te.goos = tt.vars, tt.goos
		if got := te.ascii(); got != tt.want {
			t.Errorf("%s %v: ascii() = %v, want %v", tt.goos, tt.vars, got, tt.want)
		}
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		in   string
		want int
		ok   bool
	}{
		{"0", 0, true}, {"65536", 65536, true}, {"64KiB", 65536, true}, {"64k", 65536, true}, {"64 K", 65536, true},
		{"1.5MB", 1_500_000, true}, {"10mb", 10_000_000, true}, {"1GiB", 1 << 30, true}, {"12B", 12, true},
		{"", 0, false}, {"k", 0, false}, {"-1", 0, false}, {"2GiB", 0, false}, {"1e300", 0, false},
		{"nan", 0, false}, {"inf", 0, false}, {"10 apples", 0, false},
	}
	for _, tt := range tests {
		v := sizeValue(-7)
		err := v.Set(tt.in)
		if (err == nil) != tt.ok {
			t.Errorf("Set(%q): error %v, want ok %v", tt.in, err, tt.ok)
			continue
		}
		if want := sizeValue(tt.want); tt.ok && v != want {
			t.Errorf("Set(%q) = %d, want %d", tt.in, v, want)
		} else if !tt.ok && v != -7 {
			t.Errorf("Set(%q) changed the value to %d although it failed", tt.in, v)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"64KiB", "1.5MB", "", "0x10", "1_000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v sizeValue
		if v.Set(s) != nil {
			return
		}
		var again sizeValue
		if err := again.Set(v.String()); err != nil || again != v {
			t.Errorf("%q is %d, written %q, which is %d, %v", s, v, v.String(), again, err)
		}
	})
}

func TestWords(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 84: "84 B", 1023: "1023 B", 1024: "1.0 KiB", 4198: "4.1 KiB", 3 << 20: "3.0 MiB", 1 << 40: "1.0 TiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
	for _, tt := range []struct{ got, want string }{
		{count(1, "event"), "1 event"}, {count(0, "event"), "0 events"}, {count(uint64(2), "process"), "2 processes"},
	} {
		if tt.got != tt.want {
			t.Errorf("count: %q, want %q", tt.got, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	path := func(err error) error { return &fs.PathError{Op: "open", Path: "x.spl", Err: err} }
	tests := []struct {
		name string
		err  error
		code int
		line string
	}{
		{"success", nil, exitOK, ""},
		{"reader gone", fmt.Errorf("write: %w", syscall.EPIPE), exitOK, ""},
		{"usage", usagef("no"), exitUsage, "no"},
		{"said already", exitError{code: exitDamaged}, exitDamaged, ""},
		{"negative", exitError{exitNegative, errors.New("no exchange 9")}, exitNegative, "no exchange 9"},
		{"interrupted", fmt.Errorf("run: %w", context.Canceled), exitInterrupted, ""},
		{"no kernel", fmt.Errorf("%w: no BTF", record.ErrNotSupported), exitUnsupported, "recording is not supported here: no BTF"},
		{"not root", fmt.Errorf("load: %w", record.ErrPermission), exitRuntime, "load: recording needs root"},
		{"no process", fmt.Errorf("pid 9: %w", record.ErrNoProcess), exitRuntime, "pid 9: no such process (see what runs with: ps -e)"},
		{"no library", record.ErrNoLibrary, exitRuntime, "no TLS library found (start a program that uses TLS first, or install libssl3)"},
		{"missing", path(fs.ErrNotExist), exitRuntime, "open x.spl: file does not exist (check the path; - means standard input or output)"},
		{"missing, of a flag", fmt.Errorf("read: %w", flagFileError{"--offsets", path(fs.ErrNotExist)}), exitRuntime, "read: --offsets: open x.spl: file does not exist (check the path)"},
		{"forbidden, of a flag", flagFileError{"--offsets", path(fs.ErrPermission)}, exitRuntime, "--offsets: open x.spl: permission denied"},
		{"in the way", path(fs.ErrExist), exitRuntime, "open x.spl: file already exists (choose another name or use --force)"},
		{"forbidden", path(fs.ErrPermission), exitRuntime, "open x.spl: permission denied (session files belong to the user who recorded them: use sudo or change the owner)"},
		{"no session", fmt.Errorf("open a: %w: text", format.ErrNotSession), exitRuntime, "open a: not a spliff session: text (make one with: spliff record -o FILE.spl)"},
		{"future", fmt.Errorf("open a: %w", format.ErrVersion), exitRuntime, "open a: session is from a newer spliff (update spliff)"},
		{"no command", &exec.Error{Name: "curll", Err: exec.ErrNotFound}, exitRuntime, `exec: "curll": executable file not found in $PATH (check the command after --)`},
		{"twice the same", errors.Join(errors.New("write: no space"), errors.New("write: no space")), exitRuntime, "write: no space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, line := verdict(tt.err)
			if code != tt.code || line != tt.line {
				t.Errorf("got %d %q\nwant %d %q", code, line, tt.code, tt.line)
			}
		})
	}
}

func TestTerminalRefusals(t *testing.T) {
	file := t.TempDir() + "/s.spl"
	if err := os.WriteFile(file, session(t, "shop"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"export", file, "-f", "pcapng"}, "pcapng is binary and stdout is a terminal: give -o FILE"},
		{[]string{"show", file, "1", "--extract", "response"}, "a body is binary and stdout is a terminal"},
		{[]string{"record", "-o", "-"}, "a session is binary and stdout is a terminal"},
		{[]string{"show", "-"}, "standard input is a terminal"},
		{[]string{"replay", "-"}, "standard input is a terminal"},
	}
	for _, tt := range tests {
		te := newTestEnv()
		te.ttys[te.stdout], te.ttys[te.stdin] = true, true
		code := te.run(tt.args...)
		if code != exitUsage || !strings.Contains(te.err.String(), tt.want) || te.out.Len() > 0 {
			t.Errorf("%v: exit %d, stderr %q, %d bytes on stdout; want exit 2, %q", tt.args, code, te.err.String(), te.out.Len(), tt.want)
		}
	}
}

// TestListOnTerminal: there the list is a table with a line below it on stderr.
func TestListOnTerminal(t *testing.T) {
	file := t.TempDir() + "/s.spl"
	if err := os.WriteFile(file, session(t, "shop"), 0o600); err != nil {
		t.Fatal(err)
	}
	te := newTestEnv()
	te.ttys[te.stdout] = true
	if code := te.run("show", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	if got, want := te.err.String(), "3 exchanges · spliff show "+file+" 3 for detail\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	if strings.Contains(te.out.String(), "\t") {
		t.Errorf("the table holds tabs:\n%s", te.out.String())
	}
}

// TestOneLine: joined errors are told apart by what they are, not by newlines.
func TestOneLine(t *testing.T) {
	odd := errors.New("open a\nb.spl: no")
	tests := []struct {
		err  error
		want string
	}{
		{odd, "open a\nb.spl: no"},
		{errors.Join(odd, errors.New("close"), odd), "close; open a\nb.spl: no"},
		{errors.Join(errors.Join(odd), fmt.Errorf("%w, %w", odd, odd)), "open a\nb.spl: no; open a\nb.spl: no, open a\nb.spl: no"},
	}
	for _, tt := range tests {
		if got := oneLine(tt.err); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.err, got, tt.want)
		}
	}
}
