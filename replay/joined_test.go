package replay

import (
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// secondFile is what the second file of a session holds: a connection that is in
// the middle of a response, and one that ends without a byte.
func secondFile() []format.Event {
	var seq uint64
	var evs []format.Event
	add := func(ev format.Event) {
		seq++
		ev.Seq, ev.Time = seq, seq
		evs = append(evs, ev)
	}
	s := format.Session{UUID: [16]byte{9}}
	add(format.Event{Type: format.TypeSession, Flags: format.FlagRepeat, Payload: s.AppendTo(nil)})
	for id := uint32(1); id <= 2; id++ {
		c := format.Conn{PID: 1, Role: format.RoleClient}
		add(format.Event{Type: format.TypeConn, Flags: format.FlagRepeat, Conn: id, Payload: c.AppendTo(nil)})
	}
	data := func(d format.Dir, off int, text string) {
		add(format.Event{Type: format.TypeData, Dir: d, Conn: 1, Offset: uint64(off), Payload: []byte(text)})
	}
	rest := "the rest of a body"
	data(2, 5000, rest)
	req, resp := "GET /next HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary"
	data(1, 700, req)
	data(2, 5000+len(rest), resp)
	add(format.Event{Type: format.TypeConnEnd, Conn: 1, Payload: (&format.ConnEnd{Reason: format.EndFree,
		Written: uint64(700 + len(req)), Read: uint64(5000 + len(rest) + len(resp))}).AppendTo(nil)})
	add(format.Event{Type: format.TypeConnEnd, Conn: 2, Payload: (&format.ConnEnd{Reason: format.EndFree, Written: 10, Read: 20}).AppendTo(nil)})
	add(format.Event{Type: format.TypeEnd, Payload: (&format.End{Reason: "rotated", Next: 2}).AppendTo(nil)})
	return evs
}

// TestJoinedSession: what is in a file that is not there is not lost.
func TestJoinedSession(t *testing.T) {
	list, sum := exchangesOf(t, secondFile())
	if len(list) != 1 || list[0].Request == nil || list[0].Request.Target != "/next" || list[0].Response == nil || list[0].Response.Body.Size != 6 {
		t.Fatalf("%d exchanges", len(list))
	}
	if sum.Gaps != 0 || sum.LostBytes != 0 || !sum.Closed || sum.Next != 2 {
		t.Errorf("%+v", sum)
	}
	// A hole behind the first bytes is one.
	evs := secondFile()
	evs[5].Offset += 9
	if _, sum := exchangesOf(t, evs); sum.Gaps != 1 || sum.LostBytes != 9 {
		t.Errorf("%+v", sum)
	}
}

// TestJoinedStrip: heads are found by their places in the stream.
func TestJoinedStrip(t *testing.T) {
	evs := secondFile()
	out := stripped(t, evs)
	left := string(plaintext(out))
	if strings.Contains(left, "rest") || strings.Contains(left, "canary") || !strings.Contains(left, "/next") || !strings.Contains(left, "200 OK") {
		t.Errorf("left %q", left)
	}
	want, _ := exchangesOf(t, evs)
	got, sum := exchangesOf(t, out)
	// Begin may differ: of the line that the status line stands in, a part is gone.
	if len(got) != 1 || got[0].Response.End != want[0].Response.End || got[0].Response.Body.Size != 6 || sum.Gaps != 0 {
		t.Errorf("%+v\n got %s\nwant %s", sum, headOf(got[0].Response), headOf(want[0].Response))
	}
}
