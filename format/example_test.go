package format_test

import (
	"bytes"
	"fmt"
	"io"
	"log"

	"github.com/NoFear0411/spliff/format"
)

// A session is written event by event and read back the same way; a file that
// was cut short gives what there is, and says so.
func Example() {
	var file bytes.Buffer
	w, err := format.NewWriter(&file, format.Session{Host: "web1"}, format.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	proc := format.Proc{PID: 812, Comm: "curl"}
	conn := format.Conn{PID: 812, Role: format.RoleClient}
	for _, ev := range []format.Event{
		{Type: format.TypeProc, Seq: 1, Payload: proc.AppendTo(nil)},
		{Type: format.TypeConn, Seq: 2, Conn: 1, Payload: conn.AppendTo(nil)},
		{Type: format.TypeData, Seq: 3, Conn: 1, Dir: format.DirWrite, Payload: []byte("GET / HTTP/1.1\r\n\r\n")},
	} {
		if err := w.Append(&ev); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	file.WriteString("torn")
	r, err := format.NewReader(&file, format.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recorded on", r.Header().Host)
	var ev format.Event
	for {
		err := r.Next(&ev)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		if ev.Type == format.TypeData {
			fmt.Printf("%d: conn %d wrote %q\n", ev.Seq, ev.Conn, ev.Payload)
		}
	}
	for _, d := range r.Damage() {
		fmt.Println(d.Kind, d.Size)
	}
	// Output:
	// recorded on web1
	// 3: conn 1 wrote "GET / HTTP/1.1\r\n\r\n"
	// torn 4
}
