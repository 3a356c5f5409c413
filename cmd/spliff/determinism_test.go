package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/format"
)

// sessionText is about how much plaintext one session of this test has: byte by
// byte that many events are written and read.
const sessionText = 120 << 10

// corpusSessions makes sessions of what the corpora captured, by corpus.
func corpusSessions(t *testing.T) map[string][]format.Event {
	t.Helper()
	out := make(map[string][]format.Event)
	dir := t.TempDir()
	byCorpus := make(map[string]int)
	for i, name := range decodetest.Captures(t) {
		text := decodetest.Bytes(t, name)
		corpus := strings.Split(name[strings.Index(name, "_chunks/")+len("_chunks/"):], "/")[0]
		if len(text) > sessionText || byCorpus[corpus] > sessionText || corpus == "suricata-verify" && i%7 != 0 {
			continue
		}
		byCorpus[corpus] += len(text)
		spl := filepath.Join(dir, "c.spl")
		if code, _, errs := runQuiet(t, "import", "-f", "events", name, "-o", spl, "--force"); code != 0 {
			t.Fatalf("%s: import: exit %d: %s", name, code, errs)
		}
		out[corpus] = append(out[corpus], readEvents(t, spl)...)
	}
	return out
}

func readEvents(t *testing.T, name string) []format.Event {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := format.NewReader(f, format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []format.Event
	for {
		var ev format.Event
		if err := r.Next(&ev); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ev.Payload = bytes.Clone(ev.Payload)
		out = append(out, ev)
	}
}

// writeCut writes events as a session, the bytes of each in pieces that cut
// gives. Sections become sections of one file.
func writeCut(t *testing.T, name string, events []format.Event, cut decodetest.Cut) {
	t.Helper()
	var file bytes.Buffer
	var w *format.Writer
	seq := uint64(0)
	add := func(ev format.Event) {
		seq++
		ev.Seq = seq
		if err := w.Append(&ev); err != nil {
			t.Fatalf("append %v: %v", ev.Type, err)
		}
	}
	for _, ev := range events {
		switch ev.Type {
		case format.TypeSession:
			s, err := format.ParseSession(ev.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if w != nil {
				closeWriter(t, w)
			}
			if w, err = format.NewWriter(&file, s, format.WriterOptions{NoSeekTable: true}); err != nil {
				t.Fatal(err)
			}
			seq = 0
		case format.TypeEnd:
		case format.TypeData:
			for data := ev.Payload; len(data) > 0; {
				n := cut(len(data))
				piece := ev
				piece.Payload = data[:n]
				add(piece)
				data, ev.Offset = data[n:], ev.Offset+uint64(n)
			}
		default:
			add(ev)
		}
	}
	closeWriter(t, w)
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func closeWriter(t *testing.T, w *format.Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// jsonSum returns the SHA-256 of show --json.
func jsonSum(t *testing.T, name string, workers, procs int) (sum [sha256.Size]byte, lines int) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	code, out, errs := runQuiet(t, "show", name, "--json", "-t", fmt.Sprint(workers))
	if code != exitOK && code != exitDamaged {
		t.Fatalf("show %s -t %d: exit %d: %s", name, workers, code, errs)
	}
	return sha256.Sum256([]byte(out)), strings.Count(out, "\n")
}

// TestShowIsDeterministic: the same bytes of show --json for 0 to 16 workers,
// any cut of the recorded bytes into events, and any number of processors.
func TestShowIsDeterministic(t *testing.T) {
	showIsDeterministic(t, "demo", readEvents(t, filepath.Join("..", "..", "testdata", "sessions", "demo.spl")))
}

// TestShowOfCorporaIsDeterministic is the same of captured sessions.
func TestShowOfCorporaIsDeterministic(t *testing.T) {
	for corpus, events := range corpusSessions(t) {
		showIsDeterministic(t, corpus, events)
	}
}

func showIsDeterministic(t *testing.T, source string, events []format.Event) {
	t.Helper()
	procs := []int{1, 2, 4}
	name := filepath.Join(t.TempDir(), "cut.spl")
	writeCut(t, name, events, decodetest.Whole)
	want, lines := jsonSum(t, name, 0, 1)
	same := func(what string, workers, procs int) {
		t.Helper()
		if got, _ := jsonSum(t, name, workers, procs); got != want {
			t.Errorf("%s, %s, %d workers, GOMAXPROCS %d: other output", source, what, workers, procs)
		}
	}
	for workers := 1; workers <= 16; workers++ {
		same("whole", workers, procs[workers%len(procs)])
	}
	for what, cut := range map[string]decodetest.Cut{
		"1 byte": decodetest.Single, "7 bytes": pieces(7), "1400 bytes": pieces(1400), "16384 bytes": pieces(16384),
		"at random": decodetest.Random(11, 3000),
	} {
		writeCut(t, name, events, cut)
		for i, workers := range []int{0, 1, 3, 16} {
			same(what, workers, procs[i%len(procs)])
		}
	}
	t.Logf("%s: %d events, %d exchanges", source, len(events), lines)
	if lines < 3 {
		t.Errorf("%s: %d exchanges prove little", source, lines)
	}
}

// pieces cuts into pieces of n bytes.
func pieces(n int) decodetest.Cut { return func(left int) int { return min(left, n) } }
