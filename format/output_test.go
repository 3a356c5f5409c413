package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// failing fails every write from the nth on; the failing write takes part of the bytes.
type failing struct {
	bytes.Buffer
	n, calls int
	short    bool
}

func (f *failing) Write(p []byte) (int, error) {
	f.calls++
	if f.calls > f.n {
		k, _ := f.Buffer.Write(p[:len(p)/2])
		if f.short {
			return k, nil
		}
		return k, errDisk
	}
	return f.Buffer.Write(p)
}

// For every N the Nth write fails: the error comes back and stays, nothing is
// written after it, and every chunk before it reads back.
func TestWriteFails(t *testing.T) {
	_, evs := small(t)
	for _, workers := range []int{0, 1, 2} {
		for n := 0; ; n++ {
			out := &failing{n: n, short: n%2 == 1}
			want := errDisk
			if out.short {
				want = io.ErrShortWrite
			}
			err := record(out, evs, workers)
			if err == nil {
				if n < 8 {
					t.Errorf("only %d writes", n)
				}
				break
			}
			if !errors.Is(err, want) {
				t.Fatalf("workers %d write %d: %v, want %v", workers, n, err, want)
			}
			if out.calls != n+1 {
				t.Errorf("workers %d: %d writes after write %d failed", workers, out.calls-n-1, n)
			}
			if n == 0 {
				continue
			}
			got, damage := read(t, out.Bytes())
			if len(damage) != 1 || damage[0].Kind != DamageTorn {
				t.Errorf("workers %d write %d: damage %v, want one torn", workers, n, damage)
			}
			if d := diffEvents(evs[:len(originals(got))], originals(got)); d != "" {
				t.Errorf("workers %d write %d (-want +got):\n%s", workers, n, d)
			}
		}
	}
}

// record writes evs as a recorder does and checks that an error is sticky.
func record(out io.Writer, evs []Event, workers int) error {
	w, err := NewWriter(out, testSession(), WriterOptions{Workers: workers})
	if err != nil {
		return err
	}
	for i := range evs {
		if err = w.Append(&evs[i]); err == nil && i%7 == 6 {
			err = w.Flush()
		}
		if err != nil {
			if again := w.Append(&evs[i]); again != err {
				return fmt.Errorf("append after an error: %v", again)
			}
			if again := w.Flush(); again != err {
				return fmt.Errorf("flush after an error: %v", again)
			}
			if again := w.Close(); again != err {
				return fmt.Errorf("close after an error: %v", again)
			}
			return err
		}
	}
	err = w.Close()
	if again := w.Close(); again != err {
		return fmt.Errorf("second close: %v, first: %v", again, err)
	}
	return err
}

func TestNoGoroutineLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	_, evs := small(t)
	for range 20 {
		write(t, evs, WriterOptions{Workers: 3}, nil)
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// The stock tool accepts the file, decompresses it to the log, and what it
// makes of the log is readable again.
func TestStockZstd(t *testing.T) {
	tool, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("zstd is not installed")
	}
	rng := rand.New(rand.NewPCG(3, 3))
	evs := randomEvents(rng, 2000)
	evs = append(evs, Event{Type: TypeData, Seq: evs[len(evs)-1].Seq, Payload: make([]byte, 9<<20)})
	name := filepath.Join(t.TempDir(), "x.spl")
	file := write(t, evs, WriterOptions{Level: 3}, func(i int) bool { return i%500 == 0 })
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-t", name).CombinedOutput(); err != nil {
		t.Fatalf("zstd -t: %v: %s", err, out)
	}
	log, err := exec.Command(tool, "-dc", name).Output()
	if err != nil {
		t.Fatalf("zstd -dc: %v", err)
	}
	if !bytes.Equal(log, rawLog(t, file)) {
		t.Error("zstd -dc gives another log")
	}
	want, _ := read(t, file)
	for _, args := range [][]string{{"-c"}, {"-c", "-19"}, {"-c", "--no-check"}} {
		cmd := exec.Command(tool, args...)
		cmd.Stdin = bytes.NewReader(log)
		again, err := cmd.Output()
		if err != nil {
			t.Fatalf("zstd %v: %v", args, err)
		}
		got, damage := read(t, again)
		if damage != nil || len(got) != len(want) {
			t.Fatalf("zstd %v: %d events, damage %v, want %d", args, len(got), damage, len(want))
		}
		for i := range got {
			// Only the low half of seq survives outside the chunk headers.
			if uint32(got[i].Seq) != uint32(want[i].Seq) {
				t.Fatalf("event %d: seq %d, want %d", i, got[i].Seq, want[i].Seq)
			}
			got[i].Seq = want[i].Seq
		}
		if d := diffEvents(want, got); d != "" {
			t.Errorf("zstd %v (-want +got):\n%s", args, d)
		}
	}
}
