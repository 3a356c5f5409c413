package disk_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/disk"
)

// A session in files of at most 64 KiB, of which the newest two are kept.
func Example() {
	dir, err := os.MkdirTemp("", "spliff-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := disk.Create(filepath.Join(dir, "a.spl"), disk.Options{RotateBytes: 64 << 10, Keep: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Discard()
	w, err := format.NewWriter(store, format.Session{}, format.WriterOptions{Files: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	store.Keep()
	for seq := uint64(1); seq <= 100; seq++ {
		w.Append(&format.Event{Type: format.TypeData, Conn: 1, Dir: format.DirRead, Seq: seq, Payload: payload(seq)})
		w.Flush()
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Close(); err != nil {
		fmt.Println(err)
		return
	}
	left, err := os.ReadDir(dir)
	fmt.Println(len(left), "files are left,", len(store.Files()), "of them the session's", err)
	// Output: 2 files are left, 2 of them the session's <nil>
}
