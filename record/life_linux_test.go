package record

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// lives collects what a session says of processes, as a reader of it would.
type lives struct {
	*tally
	said []format.Proc
	at   []uint64 // time of each
	gone map[format.Ancestor]format.ProcEnd
}

func newLives(t *testing.T) *lives {
	return &lives{tally: newTally(t), gone: map[format.Ancestor]format.ProcEnd{}}
}

func (l *lives) Event(e *format.Event) error {
	switch e.Type {
	case format.TypeProc:
		p, err := format.ParseProc(e.Payload)
		if err != nil {
			return err
		}
		l.said, l.at = append(l.said, p), append(l.at, e.Time)
	case format.TypeProcEnd:
		p, err := format.ParseProcEnd(e.Payload)
		if err != nil {
			return err
		}
		key := format.Ancestor{PID: p.PID, Start: p.Start}
		if _, twice := l.gone[key]; twice {
			l.t.Errorf("process %d ended twice", p.PID)
		}
		l.gone[key] = p
	}
	return l.tally.Event(e)
}

// of returns what was said of the processes whose command line holds text.
func (l *lives) of(text string) (said []format.Proc) {
	for _, p := range l.said {
		if strings.Contains(strings.Join(p.Args, " "), text) {
			said = append(said, p)
		}
	}
	return said
}

// TestOrphan: of a program that its parents left long before it made a call, the
// session says who started it, what they were and how they ended.
func TestOrphan(t *testing.T) {
	needCapture(t)
	url := server(t)
	l := newLives(t)
	mark := fmt.Sprintf("orphan-%d", os.Getpid())
	inner := "sleep 0.3; exec curl -sk -A " + mark + " -o /dev/null " + url + "/251"
	duringLives(t, Options{}, l, func() {
		// The outer shell, a shell that ends at once, and one that becomes curl.
		cmd := exec.Command("sh", "-c", "# "+mark+"\n(sh -c '"+inner+"' &)\nsleep 0.8\nexit 3")
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 3 {
			t.Fatalf("shell: %v", err)
		}
	})
	curls := slices.DeleteFunc(l.of("-A "+mark), func(p format.Proc) bool { return p.Comm != "curl" })
	if len(curls) == 0 {
		t.Fatalf("curl was not told of: %+v", l.said)
	}
	curl := curls[len(curls)-1]
	var names []string
	for _, a := range curl.Ancestors[:min(len(curl.Ancestors), 3)] {
		names = append(names, a.Comm)
	}
	if want := []string{"sh", "sh", filepath.Base(os.Args[0])[:min(len(filepath.Base(os.Args[0])), 15)]}; !slices.Equal(names, want) {
		t.Fatalf("curl descends from %q, want %q: %+v", names, want, curl)
	}
	if last := curl.Ancestors[len(curl.Ancestors)-1]; last.PID != 1 || last.Comm == "" {
		t.Errorf("the last ancestor is %+v, want init", last)
	}
	outer := l.of("exit 3")
	if len(outer) == 0 || !outer[0].Context || outer[0].PID != curl.Ancestors[1].PID || outer[0].Start != curl.Ancestors[1].Start {
		t.Fatalf("the outer shell: %+v, want it as an ancestor: %+v", outer, curl.Ancestors)
	}
	if end := l.gone[format.Ancestor{PID: outer[0].PID, Start: outer[0].Start}]; !end.Exited || end.Status != 3<<8 {
		t.Errorf("the outer shell ended with %+v, want exit code 3", end)
	}
	// The shell between was gone before anybody asked.
	between := l.gone[format.Ancestor{PID: curl.Ancestors[0].PID, Start: curl.Ancestors[0].Start}]
	if !between.Exited || between.Status != 0 || between.Time <= between.Start || between.Time >= curl.Start+uint64(300*time.Millisecond) {
		t.Errorf("the shell between ended with %+v, curl is %+v", between, curl)
	}
	if end := l.gone[format.Ancestor{PID: curl.PID, Start: curl.Start}]; !end.Exited || end.Status != 0 {
		t.Errorf("curl ended with %+v", end)
	}
	for _, c := range l.conns {
		if c.PID == curl.PID && c.Start != curl.Start {
			t.Errorf("connection %+v of process %+v", c, curl)
		}
	}
}

// TestLives: births, programs and ends of every selected process, also of those that
// are over in a moment, use no TLS, and are killed.
func TestLives(t *testing.T) {
	needCapture(t)
	l := newLives(t)
	o := Options{Command: []string{"sh", "-c", "/bin/true life; /bin/false life; sh -c 'kill -9 $$' life; exit 0"}, Live: true}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args, exe string
		status    uint32
	}{{"/bin/true life", "true", 0}, {"/bin/false life", "false", 1 << 8}, {"sh -c kill -9 $$ life", "sh", 9}} {
		said := slices.DeleteFunc(l.of(tt.args), func(p format.Proc) bool { return strings.Join(p.Args, " ") != tt.args })
		if len(said) != 1 {
			t.Errorf("%s: %+v, want its exec", tt.args, said)
			continue
		}
		p := said[0]
		if p.Origin != format.OriginExec || p.Context || !filepath.IsAbs(p.Exe) || p.UID != uint32(os.Getuid()) || p.CgroupID == 0 || len(p.Ancestors) < 2 || p.Ancestors[0].Comm != "sh" {
			t.Errorf("%s: %+v", tt.args, p)
		}
		if born := slices.IndexFunc(l.said, func(b format.Proc) bool { return b.PID == p.PID && b.Origin == format.OriginFork }); born < 0 ||
			l.said[born].Start != p.Start || l.at[born] > p.Start+uint64(50*time.Millisecond) || l.at[born]+uint64(50*time.Millisecond) < p.Start {
			t.Errorf("%s: no birth at %d", tt.args, p.Start)
		}
		if end, ok := l.gone[format.Ancestor{PID: p.PID, Start: p.Start}]; !ok || !end.Exited || end.Status != tt.status {
			t.Errorf("%s: ended %v with %+v, want %d", tt.args, ok, end, tt.status)
		}
	}
}

// duringLives is during for lives.
func duringLives(t *testing.T, o Options, l *lives, f func()) {
	t.Helper()
	ended := make(chan error, 1)
	o.Live = true
	ctx, cancel := cancelable(t)
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() { ended <- s.Run(ctx, l) }()
	f()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func forkOf(pid, ppid uint32, start, pstart uint64, selected uint8) []byte {
	e := bpf.SpliffEvFork{Hdr: hdr(bpf.SpliffEvKindEV_FORK, 0), Start: start, Pstart: pstart, Ppid: ppid, Selected: selected}
	e.Hdr.Tgid = pid
	copy(e.Comm[:], fmt.Sprintf("p%d", pid))
	return sampleOf(e, "")
}

// TestNumbersUsedAgain: a number is a process only together with its start, and a
// chain of parents that never ends is cut.
func TestNumbersUsedAgain(t *testing.T) {
	l := newLives(t)
	tr := newTestTranslator(t, noKernel{}, 0)
	tr.sink, tr.some = l, true
	feed := func(samples ...[]byte) {
		for _, s := range samples {
			if err := tr.sample(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	// 50 makes 100 and ends; another 50 is no ancestor of 100. Word of the end of 100 is lost.
	feed(forkOf(50, 1, 10, 1, 0), forkOf(100, 50, 20, 10, 0))
	e := bpf.SpliffEvExit{Hdr: hdr(bpf.SpliffEvKindEV_EXIT, 0), Start: 10}
	e.Hdr.Tgid = 50
	feed(sampleOf(e, ""), forkOf(50, 1, 30, 1, 1), forkOf(100, 50, 900, 30, 0), procSample(), connSample(7, 0xa0))
	var last format.Proc
	for _, p := range l.said {
		if p.PID == 100 {
			last = p
		}
	}
	if len(last.Ancestors) != 1 || last.Ancestors[0] != (format.Ancestor{PID: 50, Start: 30, Comm: "p50"}) || last.Start != 900 {
		t.Errorf("process 100: %+v", last)
	}
	// A third 100 ends the second, and its connection with it.
	feed(forkOf(100, 50, 2000, 30, 1))
	if end, ok := l.gone[format.Ancestor{PID: 100, Start: 900}]; !ok || end.Exited || l.ends[1].Reason != format.EndExit {
		t.Errorf("the second 100 ended %v %+v, its connection with %+v", ok, end, l.ends[1])
	}
	for i := range uint32(1000) {
		feed(forkOf(1000+i+1, 1000+i, 5000+uint64(i)+1, 5000+uint64(i), 1))
	}
	depth := 0
	for p := tr.procs.by[2000]; p.parent != nil; p = p.parent {
		depth++
	}
	if depth != format.MaxAncestors {
		t.Errorf("a chain of %d is kept, want %d", depth, format.MaxAncestors)
	}
	if n := len(l.said[len(l.said)-1].Ancestors); n != format.MaxAncestors {
		t.Errorf("%d ancestors are told, want %d", n, format.MaxAncestors)
	}
}
