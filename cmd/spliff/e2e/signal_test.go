package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/NoFear0411/spliff/format"
)

// requests is what a round of load asks for.
const requests = 2000

// TestSignalled: a recorder under load is killed, told to end, or stopped for a
// while. Whatever happens to it, the server answers every request; nothing of it
// stays attached a second later; and what did not fit while it was stopped is
// counted exactly.
func TestSignalled(t *testing.T) {
	needRoot(t)
	need(t, "h2load")
	url, root := nginx(t)
	noise(t, root, "random", 1, 700)
	rounds := max(kills(t)/4, 1)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSTOP} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			var lost uint64
			for range rounds {
				lost += signalled(t, url, sig)
			}
			t.Logf("%d recorders, %d requests answered, %d bytes lost and counted", rounds, rounds*requests, lost)
			if sig == syscall.SIGSTOP && lost == 0 {
				t.Error("nothing was lost: the buffer did not fill, so the count shows nothing")
			}
		})
	}
}

// signalled sends one signal to one recorder in the middle of the load.
func signalled(t *testing.T, url string, sig syscall.Signal) (lost uint64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.spl")
	rec := record(t, "-o", file, "--ring", "256KiB", "--ppid", strconv.Itoa(os.Getpid()), "--comm", "nginx", "--comm", "h2load")
	ours := kernelIDs(t, rec.cmd.Process.Pid)
	if len(ours.links) < 5 || len(ours.programs) < 5 {
		t.Fatalf("the recorder holds %v: the test would show nothing", ours)
	}
	load := exec.Command("h2load", "-n", strconv.Itoa(requests), "-c", "4", "--rps", "400", url+"/n0.bin")
	var out bytes.Buffer
	load.Stdout, load.Stderr = &out, &out
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(200+rand.IntN(600)) * time.Millisecond)
	rec.cmd.Process.Signal(sig)
	ended := time.Now()
	if sig != syscall.SIGSTOP {
		select {
		case <-rec.done:
		case <-time.After(time.Minute):
			t.Fatalf("%v: the recorder goes on\n%s", sig, rec.stderr())
		}
		ended = time.Now()
	}
	loaded := make(chan error, 1)
	go func() { loaded <- load.Wait() }()
	if sig != syscall.SIGSTOP {
		ours.gone(t, ended.Add(time.Second))
	}
	select {
	case err := <-loaded:
		if want := fmt.Sprintf("%[1]d succeeded, 0 failed, 0 errored, 0 timeout", requests); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v: not every request was answered: %v\n%s", sig, err, out.String())
		}
	case <-time.After(time.Minute):
		load.Process.Kill()
		t.Fatalf("%v: the load does not end", sig)
	}
	if sig == syscall.SIGSTOP {
		rec.cmd.Process.Signal(syscall.SIGCONT)
		rec.stop()
		ours.gone(t, time.Now().Add(time.Second))
		return balance(t, file)
	}
	return 0
}

// held are ids of programs and links in the kernel.
type held struct {
	programs []ebpf.ProgramID
	links    []link.ID
}

// kernelIDs reads what a process holds, from its open files.
func kernelIDs(t *testing.T, pid int) (h held) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("process %d: no open files, %v", pid, err)
	}
	id := regexp.MustCompile(`(?m)^(prog|link)_id:\s+(\d+)$`)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // closed meanwhile
		}
		isLink := bytes.Contains(b, []byte("link_id:"))
		for _, m := range id.FindAllStringSubmatch(string(b), -1) {
			n, err := strconv.ParseUint(m[2], 10, 32)
			switch {
			case err != nil:
				t.Fatal(err)
			case m[1] == "link":
				h.links = append(h.links, link.ID(n))
			case !isLink:
				h.programs = append(h.programs, ebpf.ProgramID(n))
			}
		}
	}
	return h
}

// gone fails unless the kernel has forgotten all of it at the deadline.
func (h held) gone(t *testing.T, deadline time.Time) {
	t.Helper()
	for {
		var left []string
		for _, id := range h.programs {
			if p, err := ebpf.NewProgramFromID(id); err == nil {
				p.Close()
				left = append(left, fmt.Sprintf("program %d", id))
			}
		}
		for _, id := range h.links {
			if l, err := link.NewFromID(id); err == nil {
				l.Close()
				left = append(left, fmt.Sprintf("link %d", id))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("a second later there are still %s", strings.Join(left, ", "))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// balance checks that the bytes a session has of each connection, and those it
// says are lost, are together what the program moved. It returns those lost.
func balance(t *testing.T, file string) (lost uint64) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := format.NewReader(f, format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	type side struct {
		conn uint32
		dir  format.Dir
	}
	got, ends := map[side]uint64{}, map[uint32]format.ConnEnd{}
	var end *format.End
	var ev format.Event
	for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
		switch at := (side{ev.Conn, ev.Dir}); ev.Type {
		case format.TypeData:
			got[at] += uint64(len(ev.Payload))
		case format.TypeDrop:
			d, err := format.ParseDrop(ev.Payload)
			if err != nil {
				t.Fatal(err)
			}
			got[at] += d.Bytes
			lost += d.Bytes
		case format.TypeConnEnd:
			e, err := format.ParseConnEnd(ev.Payload)
			if err != nil {
				t.Fatal(err)
			}
			ends[ev.Conn] = e
		case format.TypeEnd:
			e, err := format.ParseEnd(ev.Payload)
			if err != nil {
				t.Fatal(err)
			}
			end = &e
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if end == nil || end.LostBytes != lost {
		t.Errorf("END says %+v, %d bytes are named as lost", end, lost)
	}
	for conn, e := range ends {
		if w, rd := got[side{conn, format.DirWrite}], got[side{conn, format.DirRead}]; w != e.Written || rd != e.Read {
			t.Errorf("conn %d: %d written and %d read are recorded or counted, the program moved %d and %d", conn, w, rd, e.Written, e.Read)
		}
	}
	if len(ends) == 0 {
		t.Error("no connection ended: the balance shows nothing")
	}
	return lost
}
