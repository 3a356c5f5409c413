package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/format"
)

// openBodies writes a session of conns connections, all open at once: on each a
// request of up bytes, and a response of down bytes that come a piece at a time,
// in turn with all others. The text takes six times its place in JSON.
func openBodies(t *testing.T, file string, conns, up, down int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Session{Wall: 1768216319e9, Mono: 1}, format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	off := make([][3]uint64, conns+1)
	add := func(ev format.Event) {
		seq++
		ev.Seq, ev.Time = seq, 1+seq
		if ev.Type == format.TypeData {
			ev.Offset = off[ev.Conn][ev.Dir]
			off[ev.Conn][ev.Dir] += uint64(len(ev.Payload))
		}
		if err := w.Append(&ev); err != nil {
			t.Fatal(err)
		}
	}
	const piece = 256 << 10
	text := bytes.Repeat([]byte("<\x01&>"), piece/4)
	r := rand.New(rand.NewPCG(1, 2))
	data := func(id int, dir format.Dir, p []byte) {
		// A reader refuses what compresses a thousand times.
		for i := 0; len(p) == piece && i < 1024; i++ {
			p[i] = byte(' ' + r.IntN(90))
		}
		add(format.Event{Type: format.TypeData, Conn: uint32(id), Dir: dir, Payload: p})
	}
	for id := 1; id <= conns; id++ {
		c := format.Conn{PID: uint32(id), Role: format.RoleClient}
		add(format.Event{Type: format.TypeConn, Conn: uint32(id), Payload: c.AppendTo(nil)})
		data(id, format.DirWrite, fmt.Appendf(nil, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", id, up))
		data(id, format.DirRead, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", down))
	}
	for n := 0; n < max(up, down); n += piece {
		for id := 1; id <= conns; id++ {
			if n < up {
				data(id, format.DirWrite, text)
			}
			if n < down {
				data(id, format.DirRead, text)
			}
		}
	}
	end := format.End{Reason: "test"}
	add(format.Event{Type: format.TypeEnd, Payload: end.AppendTo(nil)})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemory holds what reading a session may take, whatever is open in it at
// once: 40 responses of 30 MiB to requests of 10 MiB, and text of each.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: writes and reads gigabytes")
	}
	file := filepath.Join(t.TempDir(), "open.spl")
	openBodies(t, file, 40, 10<<20, 30<<20)
	for _, args := range [][]string{
		{"show", "--json", file}, {"replay", "-b", file}, {"show", file, "1"}, {"export", "-f", "json", file},
	} {
		t.Run(args[0]+" "+args[1][:2], func(t *testing.T) {
			c := costOf(t, args...)
			if c.Code != 0 {
				t.Fatalf("%v: exit %d\n%s", args, c.Code, c.Stderr)
			}
			mib := c.RSS >> 20
			t.Logf("%d MiB, %v of CPU; %s", mib, c.CPU, strings.TrimSpace(c.Stderr))
			if mib > 512 {
				t.Errorf("%d MiB of memory, at most 512 are allowed", mib)
			}
		})
	}
}

// TestHostileBounds reads each case of the hostile corpus as a session, bodies
// decoded, within the memory and time that the case allows.
func TestHostileBounds(t *testing.T) {
	ran, most := 0, int64(0)
	for _, h := range decodetest.ReadHostile(t) {
		rss, err := strconv.ParseInt(h.Keys["max_rss_mb"], 10, 64)
		if err != nil {
			continue
		}
		seconds, err := strconv.ParseFloat(h.Keys["max_seconds"], 64)
		if err != nil {
			t.Fatal(err)
		}
		ran++
		t.Run(h.Name, func(t *testing.T) {
			dir := filepath.Join(decodetest.Corpus(t, "hostile"), h.Name)
			file := filepath.Join(t.TempDir(), "h.spl")
			must(t, spliff, "import", "-f", "raw", filepath.Join(dir, "c2s.bin"), filepath.Join(dir, "s2c.bin"), "-o", file)
			for _, args := range [][]string{{"show", "--json", file}, {"replay", "-b", file}} {
				c := costOf(t, args...)
				if c.Code != 0 && c.Code != 4 {
					t.Fatalf("%v: exit %d\n%s", args, c.Code, c.Stderr)
				}
				mib, took := c.RSS>>20, c.CPU
				most = max(most, mib)
				if mib > rss || took.Seconds() > seconds {
					t.Errorf("%s: %d MiB and %v of CPU, at most %d and %v s are allowed", args[0], mib, took, rss, seconds)
				}
			}
		})
	}
	t.Logf("%d cases, at most %d MiB", ran, most)
}
