package replay_test

import (
	"fmt"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// A session of three events: a connection, and what its process wrote and read.
func ExampleEngine() {
	e := replay.New(replay.Options{}, func(it *replay.Item) error {
		if x := it.Exchange; x != nil {
			fmt.Printf("#%d %s %s: %d\n", x.ID, x.Request.Method, x.Request.Target, x.Response.Status)
		}
		return nil
	})
	conn := format.Conn{PID: 812}
	for i, ev := range []format.Event{
		{Type: format.TypeConn, Conn: 1, Payload: conn.AppendTo(nil)},
		{Type: format.TypeData, Conn: 1, Dir: format.DirWrite, Payload: []byte("GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")},
		{Type: format.TypeData, Conn: 1, Dir: format.DirRead, Payload: []byte("HTTP/1.1 204 No Content\r\n\r\n")},
	} {
		ev.Seq = uint64(i)
		if err := e.Push(&ev); err != nil {
			fmt.Println(err)
			return
		}
	}
	sum, err := e.Close()
	fmt.Println(sum.Exchanges, err)
	// Output:
	// #1 GET /a: 204
	// 1 <nil>
}
