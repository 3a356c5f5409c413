package sealed_test

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/NoFear0411/spliff/format/sealed"
)

// A file that is cut gives what authenticates, and says that it has no end.
func Example() {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	w, err := sealed.NewWriter(&file, key.Recipient())
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Write(make([]byte, 3*sealed.Block))
	w.Close()

	cut := file.Bytes()[:file.Len()-10]
	r, err := sealed.NewReaderAt(bytes.NewReader(cut), int64(len(cut)), key)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, r.Size()))
	fmt.Println(n/sealed.Block, "blocks", err)
	fmt.Println(len(r.Faults()), "fault, at the end:", r.Faults()[0].End)
	// Output:
	// 2 blocks <nil>
	// 1 fault, at the end: true
}
