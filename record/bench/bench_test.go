//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/record"
)

// TestAnswers: of each end its own answers are counted, whole ones of this server
// alone, however the output is cut; and the end that has fewer is told.
func TestAnswers(t *testing.T) {
	line := func(status int, host, proc string) string {
		return fmt.Sprintf(`{"v":1,"req":{"host":%q},"resp":{"status":%d},"proc":{%s}}`+"\n", host, status, proc)
	}
	const here, nginx, h2load = "127.0.0.1:8443", `"pid":812,"ppid":1,"comm":"nginx"`, `"pid":900,"ppid":812,"comm":"h2load"`
	text := line(200, here, nginx) + line(200, here, h2load) +
		line(200, here, nginx) + line(200, here, h2load) + line(404, here, h2load) +
		line(200, here, nginx) + line(200, "127.0.0.1:9", h2load) +
		line(200, here, `"pid":8123,"ppid":1,"comm":"nginx"`) +
		line(200, here, `"pid":901,"ppid":812,"comm":"curl"`) +
		strings.TrimSpace(line(200, here, h2load))
	s := &server{url: "https://" + here, worker: 812}
	for cut := range text {
		both, alone := answers(s, true), answers(s, false)
		for _, ends := range [][]lineCounter{both, alone} {
			for i := range ends {
				fmt.Fprint(&ends[i], text[:cut])
				fmt.Fprint(&ends[i], text[cut:])
			}
		}
		if both[0].n != 3 || both[1].n != 2 || fewest(both) != 2 {
			t.Fatalf("cut at %d: %d of the server and %d of the client, told are %d", cut, both[0].n, both[1].n, fewest(both))
		}
		if len(alone) != 1 || fewest(alone) != 3 {
			t.Fatalf("cut at %d: %d of the server alone, want 3", cut, fewest(alone))
		}
	}
}

// TestRows: who is measured under which load.
func TestRows(t *testing.T) {
	s := newSuite(t.TempDir(), options{short: 1, long: 3, bulk: 1 << 20})
	for _, l := range s.loads {
		var got []string
		for _, w := range s.watchers {
			if w.looks(l) {
				got = append(got, w.name)
			}
		}
		want := []string{untraced, floorName, spliffName}
		switch {
		case strings.HasSuffix(l.name, "burst"):
			want = append(want, "bpftrace, 200 B a call", "bcc sslsniff")
		case l.name == "HTTP/1 sustained":
			want = append(want, bothName)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", l.name, got, want)
		}
		if l.on == s.programs[1] && (l.goal > 0 || l.floor > 0) {
			t.Errorf("%s: a rate is asked of it", l.name)
		}
	}
	s.stop() // nothing was started
}

// TestGoServer: what the benchmark builds and runs serves the file, on both versions,
// and empty probes find a place for each of spliff's.
func TestGoServer(t *testing.T) {
	for _, need := range []string{"openssl", "h2load", "curl"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skip("SKIP: " + need + " is not installed")
		}
	}
	dir := t.TempDir()
	const bulk = 3<<20 + 7
	if err := writeFiles(dir, bulk); err != nil {
		t.Fatal(err)
	}
	p := &program{start: startGo}
	defer p.stop()
	srv, err := p.running(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.running(dir); again != srv || err != nil {
		t.Errorf("it runs twice: %v", err)
	}
	for _, l := range loads(options{short: 40, long: 120, bulk: bulk}, p, p) {
		if rate, err := l.run(t.Context(), srv); err != nil || rate <= 0 {
			t.Errorf("%s: %.0f a second, %v", l.name, rate, err)
		}
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIP: Go programs are recorded on amd64")
	}
	inv, err := record.Survey(t.Context(), []uint32{uint32(srv.worker)}, nil)
	if err != nil || len(inv.Found) != 1 || inv.Found[0].Problem != "" || len(inv.Found[0].Sites) < 4 {
		t.Fatalf("%+v, %v", inv, err)
	}
	if entry, ret := places(inv.Found[0]); len(entry) != len(inv.Found[0].Sites) || len(ret) > 0 {
		t.Errorf("%d entries and %d returns of the sites %v", len(entry), len(ret), inv.Found[0].Sites)
	}
}

// TestBalance: a figure that is not there is an error, not a zero.
func TestBalance(t *testing.T) {
	written, lost, err := balance([]byte(`{"sections":[{"summary":{"written":7,"lost":{"bytes":3}}}]}`))
	if written != 7 || lost != 3 || err != nil {
		t.Errorf("%d written, %d lost, %v", written, lost, err)
	}
	if _, lost, err = balance([]byte(`{"sections":[{"summary":{"written":7}}]}`)); lost != 0 || err != nil {
		t.Errorf("nothing lost: %d, %v", lost, err)
	}
	for _, bad := range []string{``, `{"sections":[]}`, `{"sections":[{}]}`, `{"lost":{"bytes":3}}`, `{"sections":[{"summary":{"written":7,"lost":{}}}]}`} {
		if _, _, err := balance([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestResident(t *testing.T) {
	if got := residentMiB(os.Getpid()); got < 1 || got > 4096 {
		t.Errorf("our own resident memory is %.1f MiB", got)
	}
	if got := residentMiB(-1); got != 0 {
		t.Errorf("nobody's resident memory is %.1f MiB", got)
	}
}

func TestRandomFile(t *testing.T) {
	name := t.TempDir() + "/r"
	if err := writeRandom(name, 3<<20+7); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil || len(b) != 3<<20+7 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if bytes.Equal(b[:1<<20], b[1<<20:2<<20]) {
		t.Error("a block is repeated: a compressor could find it")
	}
}

// TestTable: a figure that was not taken is not shown, and a goal that is missed is.
func TestTable(t *testing.T) {
	l := &load{name: "HTTP/1 sustained", units: 100, goal: 0.65, floor: 0.85}
	plain := &cell{load: l, watcher: &watcher{name: untraced}, rate: []float64{10, 30, 20}, ratio: []float64{1, 1, 1}, traced: []float64{1, 1, 1}, seen: []seen{unseen, unseen, unseen}}
	ours := &cell{load: l, watcher: &watcher{name: spliffName}, rate: []float64{5, 6, 7}, ratio: []float64{0.5, 0.2, 0.35}, traced: []float64{2, 2, 2},
		seen: []seen{{exchanges: 100, cpu: 1e-3, rss: 40}, {exchanges: 99, lost: 5, cpu: 1e-3, rss: 40}, {exchanges: 100, cpu: 1e-3, rss: 40}}}
	floor := &cell{load: l, watcher: &watcher{name: floorName}, rate: []float64{8, 8, 8}, ratio: []float64{0.8, 0.8, 0.8}, traced: []float64{1, 1, 1}, seen: []seen{unseen, unseen, unseen}}
	both := &cell{load: l, watcher: &watcher{name: bothName, both: true}, rate: []float64{4, 4, 4}, ratio: []float64{0.4, 0.4, 0.4}, traced: []float64{2, 2, 2},
		seen: []seen{{exchanges: 100}, {exchanges: 100}, {exchanges: 98}}}
	golang := &load{name: "HTTP/1 sustained, Go server", units: 100}
	free := &cell{load: golang, watcher: ours.watcher, rate: ours.rate, ratio: ours.ratio, traced: ours.traced, seen: ours.seen}
	freeFloor := &cell{load: golang, watcher: floor.watcher, rate: floor.rate, ratio: floor.ratio, traced: floor.traced, seen: floor.seen}
	other := &cell{load: l, watcher: &watcher{name: "tool", skip: "tool is not installed"}}
	s := &suite{o: options{rounds: 3}, cells: []*cell{plain, floor, ours, both, other, freeFloor, free}}
	var b strings.Builder
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| HTTP/1 sustained | untraced | 20 | 1.00 | 1.00 × |  |  |  |  |",
		"| HTTP/1 sustained | spliff record | 6 | 0.35 | 2.00 × | 99 | 5 | 10.00 µs | 40 |",
		"not measured: tool is not installed",
		"| HTTP/1 sustained, rate of untraced | ≥ 0.65 | 0.35 | **miss** |",
		"| HTTP/1 sustained, rate of empty probes | ≥ 0.85 | 0.75 | **miss** |",
		"| HTTP/1 sustained, exchanges | ≥ 100 | 99 | **miss** |",
		"| HTTP/1 sustained | spliff record, both ends | 4 | 0.40 | 2.00 × | 98 | 0 |",
		"| HTTP/1 sustained, both ends, exchanges | ≥ 100 | 98 | **miss** |",
		"| HTTP/1 sustained, Go server, exchanges | ≥ 100 | 99 | **miss** |",
		"| HTTP/1 sustained, RSS, MiB | ≤ 128 | 40 | pass |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for _, free := range []string{"both ends, rate", "Go server, rate"} {
		if strings.Contains(b.String(), free) {
			t.Errorf("there is %q in\n%s", free, b.String())
		}
	}
}
