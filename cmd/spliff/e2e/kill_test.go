package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// kills is how many recorders TestKilledAtRandom kills: SPLIFF_KILLS, which `make
// soak` sets to 200, else a few.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("SPLIFF_KILLS")
	if s == "" {
		return 8
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("SPLIFF_KILLS: %v", err)
	}
	return n
}

// TestKilledAtRandom kills a recorder under load with SIGKILL at a random moment,
// again and again. All that was in the file just before must be there after, the
// chunks of it be read whole, and at most its end be torn. What was synced is
// part of that: a chunk is synced after it is written.
func TestKilledAtRandom(t *testing.T) {
	needRoot(t)
	need(t, "h2load")
	url, root := nginx(t)
	noise(t, root, "random", 1, 700)
	load, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	// Some thousand requests a second for as long as the test runs.
	cmd := exec.CommandContext(load, "h2load", "-D", "3600", "-c", "4", "--rps", "500", url+"/n0.bin")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cmd.Wait() })

	policies := []string{"none", "interval", "chunk"}
	var events, chunks, torn int
	for i := range kills(t) {
		file := filepath.Join(t.TempDir(), "a.spl")
		rec := record(t, "-o", file, "--sync", policies[i%len(policies)], "--comm", "h2load")
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rec.cmd.Process.Kill()
		<-rec.done
		after, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(after, before) {
			t.Fatalf("kill %d: of %d bytes that were there some are gone", i, len(before))
		}
		n, c, hurt := readKilled(t, after)
		if least, _, _ := readKilled(t, before); n < least {
			t.Errorf("kill %d: %d events, %d were there before", i, n, least)
		}
		events, chunks = events+n, chunks+c
		if hurt {
			torn++
		}
		os.Remove(file)
	}
	if events == 0 {
		t.Error("nothing was recorded")
	}
	t.Logf("%d recorders killed: %d events in %d chunks read back, %d torn ends", kills(t), events, chunks, torn)
}

// readKilled reads what a killed recorder left, and checks what must hold of it.
func readKilled(t *testing.T, b []byte) (events, chunks int, torn bool) {
	t.Helper()
	if len(b) == 0 {
		return 0, 0, false // not even the file header was written
	}
	r, err := format.NewReader(bytes.NewReader(b), format.ReaderOptions{Check: true})
	if err != nil {
		t.Fatal(err)
	}
	var ev format.Event
	for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
		events++
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	switch d := r.Damage(); {
	case len(d) > 1, len(d) == 1 && d[0].Kind != format.DamageTorn:
		t.Fatalf("more than a torn end: %v", d)
	case len(d) == 1:
		torn = true
	}
	f, err := format.Open(bytes.NewReader(b), int64(len(b)), format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Sections() {
		chunks += len(s.Chunks)
	}
	return events, chunks, torn
}
