package disk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestInUse: two recorders cannot write one file.
func TestInUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.spl")
	s, err := Create(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Append(name, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("append to a file being written: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Append(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again.Discard()
}

// TestGather: more pieces than one call takes, through a pipe that takes a part of
// each, all arrive in order.
func TestGather(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := Stream(w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var unit [][]byte
	var want []byte
	for n := range 3 * maxPieces {
		piece := bytes.Repeat([]byte{byte(n)}, n%700) // some are empty
		unit = append(unit, piece)
		want = append(want, piece...)
	}
	done := make(chan error, 1)
	go func() {
		n, err := s.WritePieces(unit)
		if err == nil && n != int64(len(want)) {
			err = errors.New("not all was taken, and nothing said")
		}
		done <- errors.Join(err, w.Close())
	}()
	got, err := io.ReadAll(r)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrive, not the %d that were written", len(got), len(want))
	}
	if s.Stored() != int64(len(want)) {
		t.Errorf("%d bytes counted", s.Stored())
	}
}

// TestGatherError: a pipe that nobody reads takes nothing, and says so.
func TestGatherError(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if n, err := gather(w, [][]byte{{1}, {2}}); n != 0 || !errors.Is(err, unix.EPIPE) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestUncached: of a large file only the last is kept in memory, without a sync too, of
// one that is complete among several nothing, and the end of a file is there to go on from.
func TestUncached(t *testing.T) {
	dir := t.TempDir()
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil || on.Type == unix.TMPFS_MAGIC {
		t.Skipf("SKIP: files of %s are nowhere but in memory: %v", dir, err)
	}
	write := func(name string, size int, o Options) *Store {
		s, err := Create(filepath.Join(dir, name), o)
		if err != nil {
			t.Fatal(err)
		}
		unit := bytes.Repeat([]byte{7}, 1<<20-100) // so that no unit ends where a page does
		for n := 0; n < size; n += len(unit) {
			if _, err := s.Write(unit); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	stopped := time.Now()
	single := write("a.spl", 64<<20, Options{Sync: SyncChunk})
	behind := write("d.spl", 64<<20, Options{Now: func() time.Time { return stopped }})
	for _, s := range []*Store{single, behind} {
		// A goroutine lets go of it, and of what the disk had not stored then another time.
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			n := resident(t, s.Files()[0])
			if n < recent/2 || time.Now().After(end) {
				t.Fatalf("%s: %d MiB of 64 are in memory", s.Files()[0], n>>20)
			}
			if n <= recent+3*uncacheStep {
				break
			}
			s.cur.f.Uncache(recent, 0)
		}
	}
	several := write("b.spl", 8<<20, Options{Sync: SyncChunk, RotateBytes: 1 << 30})
	if _, err := several.Next(); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, several.Files()[0]); n > 1<<20 {
		t.Errorf("%d MiB of a complete file of 8 are in memory", n>>20)
	}
	none := write("c.spl", 32<<20, Options{Sync: SyncNone})
	if n := resident(t, none.Files()[0]); n < 24<<20 {
		t.Errorf("%d MiB of a file of 32 are in memory: the others show nothing", n>>20)
	}
	for _, s := range []*Store{single, behind, several, none} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReserved: a file that grows fast has room ahead of it, which makes it no longer and
// is gone when it is closed; one that grows slowly has none.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil || on.Type != unix.EXT4_SUPER_MAGIC {
		t.Skipf("SKIP: %s is not on ext4: %v", dir, err)
	}
	for name, c := range map[string]struct {
		each time.Duration // between two units
		room bool
	}{"fast": {time.Millisecond, true}, "slow": {time.Second / 4, false}} {
		now := time.Now()
		path := filepath.Join(dir, name)
		s, err := Create(path, Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		unit := bytes.Repeat([]byte{7}, 1<<20)
		size, room := int64(0), int64(0)
		// The room is asked for by a goroutine, and what one is late for another asks for.
		for range 32 {
			now = now.Add(c.each)
			if _, err := s.Write(unit); err != nil {
				t.Fatal(err)
			}
			size += int64(len(unit))
			time.Sleep(5 * time.Millisecond)
			long, on := occupied(t, path)
			if long != size {
				t.Errorf("%s: %d bytes long, %d were written", name, long, size)
			}
			room = max(room, on-size)
		}
		if got := room >= uncacheStep; got != c.room {
			t.Errorf("%s: room for %d bytes more", name, room)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if long, on := occupied(t, path); long != size || on > size+1<<20 {
			t.Errorf("%s: %d bytes written, then %d long and %d on the disk", name, size, long, on)
		}
	}
}

// occupied returns how long a file is, and how many bytes of the disk it has.
func occupied(t *testing.T, name string) (long, on int64) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Size, st.Blocks * 512
}

// resident returns how many bytes of a file are in memory.
func resident(t *testing.T, name string) (n int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(fi.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	pages := make([]byte, (len(b)+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, p := range pages {
		n += int(p&1) * os.Getpagesize()
	}
	return n
}
