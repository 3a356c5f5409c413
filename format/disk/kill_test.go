package disk_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/NoFear0411/spliff/format/disk"
)

// The variables by which TestMain knows that it is to record until it is killed.
const (
	killedWay = "SPLIFF_TEST_WAY"
	killedDir = "SPLIFF_TEST_DIR"
	killedKey = "SPLIFF_TEST_KEY"
)

func TestMain(m *testing.M) {
	if w, err := strconv.Atoi(os.Getenv(killedWay)); err == nil {
		recordForever(ways()[w])
	}
	os.Exit(m.Run())
}

// recordForever records on the real disk and says on stdout what it was told is safe.
func recordForever(w way) {
	id, err := age.ParseX25519Identity(os.Getenv(killedKey))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := w.record(disk.OS(), os.Getenv(killedDir), 1<<30, id, func(out outcome) { fmt.Println(out.acked) })
	fmt.Fprintln(os.Stderr, out.err)
	os.Exit(1)
}

// TestKill kills a process that records, at random moments: everything that it was
// told is safe is read back, and what has its name is whole.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: 200 processes are killed only without -short")
	}
	id := key(t)
	kills := 0
	for i, w := range ways() {
		if w.policy != disk.SyncChunk || w.adds || w.replace {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			for range 50 {
				dir := t.TempDir()
				acked := killOne(t, i, dir, id)
				left := map[string][]byte{}
				names, err := disk.OS().Names(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range names {
					if left[n], err = os.ReadFile(filepath.Join(dir, n)); err != nil {
						t.Fatal(err)
					}
				}
				w.check(t, id, left, acked, w.rotated)
				kills++
			}
		})
	}
	t.Logf("%d processes killed", kills)
}

// killOne returns the last event that the killed process called safe.
func killOne(t *testing.T, way int, dir string, id *age.X25519Identity) (acked int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killedWay, way), killedDir+"="+dir, killedKey+"="+id.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if _, err := fmt.Fscanln(lines, &acked); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { cmd.Process.Kill() })
	for {
		var n int
		_, err := fmt.Fscanln(lines, &n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		acked = n
	}
	cmd.Wait()
	return acked
}
