package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// fakeRecorder plays the events of a session file to its sink, as record does
// with those of the kernel.
type fakeRecorder struct {
	t        *testing.T
	file     []byte
	ownEnd   bool // it writes the END event itself
	wait     bool // it goes on until its context ends
	started  chan struct{}
	err      error  // of Run
	each     func() // is called after each event
	stats    record.Stats
	targets  []record.Target
	troubles []string
	missing  []record.Feature
	child    int
	running  bool // the command outlives the recording
	closed   bool
	options  record.Options
}

func (r *fakeRecorder) Run(ctx context.Context, sink record.Sink) error {
	in, err := format.NewReader(bytes.NewReader(r.file), format.ReaderOptions{})
	if err != nil {
		return err
	}
	var ev format.Event
	for {
		err := in.Next(&ev)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if ev.Flags&format.FlagRepeat != 0 || ev.Type == format.TypeEnd && !r.ownEnd {
			continue
		}
		if err := sink.Event(&ev); err != nil {
			return err
		}
		if err := sink.Flush(); err != nil {
			return err
		}
		if r.each != nil {
			r.each()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if r.wait {
		close(r.started)
		<-ctx.Done()
		return ctx.Err()
	}
	return r.err
}

func (r *fakeRecorder) Info() format.Session      { return fixtureInfo() }
func (r *fakeRecorder) Targets() []record.Target  { return r.targets }
func (r *fakeRecorder) Troubles() []string        { return r.troubles }
func (r *fakeRecorder) Missing() []record.Feature { return r.missing }
func (r *fakeRecorder) Stats() record.Stats       { return r.stats }
func (r *fakeRecorder) ChildExit() (code int, ok bool) {
	return r.child, len(r.options.Command) > 0 && !r.running
}
func (r *fakeRecorder) Close() error { r.closed = true; return nil }

// use makes the environment open this recorder.
func (r *fakeRecorder) use(te *testEnv) {
	te.openRecorder = func(_ context.Context, o record.Options) (recorder, error) {
		r.options = o
		return r, nil
	}
}

func newFakeRecorder(t *testing.T) *fakeRecorder {
	return &fakeRecorder{
		t: t, file: session(t, "shop"), started: make(chan struct{}),
		stats:   record.Stats{Events: 6, Bytes: 431, Conns: 1, Procs: 1},
		targets: []record.Target{{ID: 1, Library: "openssl", Path: "/usr/lib/libssl.so.3"}},
	}
}

// events returns the events of a session file, payloads copied.
func events(t *testing.T, file []byte) []format.Event {
	t.Helper()
	r, err := format.NewReader(bytes.NewReader(file), format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all []format.Event
	var ev format.Event
	for {
		err := r.Next(&ev)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if ev.Flags&format.FlagRepeat != 0 {
			continue // how often definitions are repeated depends on the flushes
		}
		ev.Payload = bytes.Clone(ev.Payload)
		all = append(all, ev)
	}
	if d := r.Damage(); len(d) > 0 {
		t.Fatalf("damage: %v", d)
	}
	return all
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRecordWritesAndPrints: the file holds every event, and the text printed
// meanwhile is what replay prints of the file, for any print flags.
func TestRecordWritesAndPrints(t *testing.T) {
	for _, flags := range [][]string{nil, {"-b"}, {"-c"}, {"-l", "-H", "-b"}, {"-x", "-t", "0"}, {"-b", "-t", "8"}} {
		t.Run(strings.Join(flags, ""), func(t *testing.T) {
			te, rec := newTestEnv(), newFakeRecorder(t)
			rec.use(te)
			file := filepath.Join(t.TempDir(), "a.spl")
			if code := te.run(append([]string{"record", "-o", file, "--print"}, flags...)...); code != exitOK {
				t.Fatalf("exit %d: %s", code, te.err.String())
			}
			live := te.out.String()
			if !rec.closed {
				t.Error("the recorder was not closed")
			}
			if got, want := len(events(t, readFile(t, file))), len(events(t, rec.file)); got != want {
				t.Errorf("%d events in the file, want %d", got, want)
			}
			if code := te.run(append([]string{"replay", file}, flags...)...); code != exitOK {
				t.Fatalf("replay: exit %d: %s", code, te.err.String())
			}
			if diff := cmp.Diff(te.out.String(), live); diff != "" {
				t.Errorf("live text differs from replay (-replay +live):\n%s", diff)
			}
			if live == "" {
				t.Error("nothing was printed")
			}
		})
	}
}

func TestRecordSummary(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	file := filepath.Join(t.TempDir(), "a.spl")
	if code := te.run("record", "-o", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	if te.out.Len() > 0 {
		t.Errorf("stdout: %q, want nothing", te.out.String())
	}
	size := bytesText(uint64(len(readFile(t, file))))
	want := fmt.Sprintf("spliff: recording every process; Ctrl-C to finish\n"+
		"spliff: recorded 6 data events on 1 connection of 1 process, 431 B of plaintext, in %s (%s)\n"+
		"spliff: lost nothing\nspliff: next: spliff show %s\n", file, size, file)
	if diff := cmp.Diff(want, te.err.String()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", fi.Mode(), err)
	}
	all := events(t, readFile(t, file))
	end, err := format.ParseEnd(all[len(all)-1].Payload)
	if err != nil || end.Reason != "command exited" || end.Events != uint64(len(all)-1) {
		t.Errorf("END %+v, %v; want reason %q and %d events", end, err, "command exited", len(all)-1)
	}
}

func TestRecordLossAndHints(t *testing.T) {
	lost := record.Stats{Events: 9, Conns: 2, Procs: 1, LostEvents: 3, LostBytes: 4096,
		Causes: map[format.DropCause]uint64{format.DropRingFull: 2, format.DropFault: 1}}
	tests := []struct {
		name    string
		stats   record.Stats
		targets int
		child   int
		args    []string
		want    []string
	}{
		{"loss", lost, 1, 0, nil, []string{"lost 3 events and 4096 bytes: kernel buffer full (a larger --ring helps) 2, memory not readable 1 (each"}},
		{"no library", record.Stats{}, 0, 0, nil, []string{"no TLS traffic was seen", "no TLS library that can be recorded was found"}},
		{"idle pid", record.Stats{}, 1, 0, []string{"-p", "12"}, []string{"process 12 may be idle", "watched: /usr/lib/libssl.so.3"}},
		{"idle comm", record.Stats{}, 1, 0, []string{"--comm", "nginx"}, []string{"no process named like nginx"}},
		{"idle parent", record.Stats{}, 1, 0, []string{"--ppid", "3"}, []string{"no descendant of 3"}},
		{"idle all", record.Stats{}, 1, 0, nil, []string{"nothing used TLS meanwhile"}},
		{"idle command", record.Stats{}, 1, 7, []string{"--", "wget", "x"}, []string{"wget may use another TLS library", "wget exited with 7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te, rec := newTestEnv(), newFakeRecorder(t)
			rec.stats, rec.targets, rec.child = tt.stats, rec.targets[:tt.targets], tt.child
			rec.troubles = []string{"addresses are missing"}
			rec.use(te)
			file := filepath.Join(t.TempDir(), "a.spl")
			if code := te.run(append([]string{"record", "-o", file}, tt.args...)...); code != exitOK {
				t.Fatalf("exit %d: %s", code, te.err.String())
			}
			for _, w := range append(tt.want, "\nspliff: addresses are missing\n") {
				if !strings.Contains(te.err.String(), w) {
					t.Errorf("stderr %q lacks %q", te.err.String(), w)
				}
			}
			te.run("record", "-q", "-o", file+"2")
			if te.err.Len() > 0 {
				t.Errorf("-q says %q", te.err.String())
			}
		})
	}
}

func TestRecordOptions(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	te.run("record", "-q", "-p", "12,34", "-p", "56", "--ppid", "7", "--comm", "nginx", "--comm", "a,b",
		"--uid", "root,12", "--cgroup", "/a,b", "--container", "3f2a", "--lib", "openssl,gnutls", "--ipc", "--all-processes",
		"--ring", "1MiB", "--max-conns", "9", "--snaplen", "4k", "-o", filepath.Join(t.TempDir(), "a.spl"), "--", "curl", "-o", "x", "https://h/")
	got := rec.options
	got.Args = nil
	want := record.Options{
		PIDs: []uint32{12, 34, 56}, Parents: []uint32{7}, Comms: []string{"nginx", "a,b"},
		Command: []string{"curl", "-o", "x", "https://h/"}, RingBytes: 1 << 20, Snaplen: 4096, Writer: programVersion(),
		UIDs: []uint32{0, 12}, Cgroups: []string{"/a,b"}, Containers: []string{"3f2a"}, Libraries: []string{"openssl", "gnutls"},
		Local: true, AllProcesses: true, MaxConns: 9,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if args := rec.options.Args; len(args) < 3 || args[0] != "spliff" || args[1] != "record" {
		t.Errorf("command line %q", args)
	}

	// Printing, or a session read as it comes, asks for live draining, and the
	// command's own output must not come between.
	for _, args := range [][]string{{"record", "-q"}, {"record", "-q", "-o", "-"}} {
		te := newTestEnv()
		talk, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer talk.Close()
		te.stdout, te.stderr = os.Stdout, talk
		var o record.Options
		te.openRecorder = func(_ context.Context, got record.Options) (recorder, error) {
			o = got
			return nil, record.ErrPermission
		}
		te.run(args...)
		if !o.Live || o.Stdout != talk {
			t.Errorf("%v: Live %v, the command's stdout is %v", args, o.Live, o.Stdout)
		}
	}
}

func TestRecordStreams(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	if code := te.run("record", "-o", "-"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	stream := bytes.Clone(te.out.Bytes())
	if got, want := len(events(t, stream)), len(events(t, rec.file)); got != want {
		t.Errorf("%d events, want %d", got, want)
	}
	te.stdin = bytes.NewReader(stream)
	if code := te.run("show", "-"); code != exitOK || strings.Count(te.out.String(), "\n") != 3 {
		t.Errorf("show -: exit %d, %q, %s", code, te.out.String(), te.err.String())
	}
}

// TestRecordEnds: told to end by a signal or a limit, a recording ends in
// order: exit code 0, an END event with the reason.
func TestRecordEnds(t *testing.T) {
	tests := []struct {
		name, reason string
		args         []string
		signal       os.Signal
	}{
		{"interrupt", "interrupt", nil, os.Interrupt},
		{"terminate", "interrupt", nil, syscall.SIGTERM},
		{"limit", "time limit", []string{"--for", "1ms"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te, rec := newTestEnv(), newFakeRecorder(t)
			rec.wait = true
			rec.use(te)
			if tt.signal != nil {
				go func() { <-rec.started; te.sig <- tt.signal }()
			}
			file := filepath.Join(t.TempDir(), "a.spl")
			if code := te.run(append([]string{"record", "-o", file}, tt.args...)...); code != exitOK {
				t.Fatalf("exit %d: %s", code, te.err.String())
			}
			all := events(t, readFile(t, file))
			end, err := format.ParseEnd(all[len(all)-1].Payload)
			if err != nil || end.Reason != tt.reason {
				t.Errorf("END %+v, %v; want reason %q", end, err, tt.reason)
			}
		})
	}
}

func TestStatusLine(t *testing.T) {
	st := record.Stats{Conns: 2, Procs: 1, Bytes: 3 << 20, LostEvents: 4}
	got := statusLine(st, 3*time.Hour+62*time.Second)
	if want := "03:01:02  2 conns  1 proc  3.0 MiB  lost 4   Ctrl-C to finish"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var term, log bytes.Buffer
	(&status{w: &term, terminal: true}).write("line")
	(&status{w: &log}).write("line")
	if term.String() != "\r\x1b[Kline" || log.String() != "line\n" {
		t.Errorf("terminal %q, log %q", term.String(), log.String())
	}
}

// TestRecordRingSize: a ring that the kernel side cannot have is refused before
// anything is opened.
func TestRecordRingSize(t *testing.T) {
	for size, want := range map[string]string{"63KiB": "at least 64KiB", "64KiB": "", "512MiB": "", "513MiB": "at most 512MiB"} {
		te, rec := newTestEnv(), newFakeRecorder(t)
		rec.use(te)
		code := te.run("record", "--ring", size, "-o", filepath.Join(t.TempDir(), "a.spl"))
		if refused := code == exitUsage; refused != (want != "") || !strings.Contains(te.err.String(), want) {
			t.Errorf("--ring %s: exit %d, said %q, want %q", size, code, te.err.String(), want)
		}
	}
}
