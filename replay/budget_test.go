package replay

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// collect runs events through an engine with the real decoder.
func collect(t *testing.T, s *script, o Options) ([]*Item, Summary) {
	t.Helper()
	var items []*Item
	e := New(o, func(it *Item) error { items = append(items, it); return nil })
	for i := range s.evs {
		if err := e.Push(&s.evs[i]); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := e.Close()
	if err != nil {
		t.Fatal(err)
	}
	return items, sum
}

// sameForWorkers wants what no worker gives from several, and returns it.
func sameForWorkers(t *testing.T, s *script, o Options) ([]*Item, Summary) {
	t.Helper()
	want, sum := collect(t, s, o)
	for _, o.Workers = range []int{1, 2, 5} {
		if got, gotSum := collect(t, s, o); gotSum != sum || !reflect.DeepEqual(want, got) {
			t.Errorf("%d workers: other items than without (%+v, %+v)", o.Workers, gotSum, sum)
		}
	}
	return want, sum
}

// TestBudget opens 20 uploads of 100 KiB at once under a budget of 1 MiB.
func TestBudget(t *testing.T) {
	const conns, size, piece = 20, 100 << 10, 10 << 10
	body := strings.Repeat("0123456789", size/10)
	s := new(script).session(0)
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	for id := range uint32(conns) {
		s.conn(id+1, format.Conn{PID: id + 1}).write(id+1, 0, head)
	}
	for off := 0; off < size; off += piece {
		for id := range uint32(conns) {
			s.write(id+1, uint64(len(head)+off), body[off:off+piece])
		}
	}
	for id := range uint32(conns) {
		s.read(id+1, 0, "HTTP/1.1 204 No Content\r\n\r\n")
	}
	s.finish()
	items, sum := sameForWorkers(t, s, Options{Budget: 1 << 20, Limits: decode.Limits{Hash: true}})
	if sum.Shed == 0 || sum.Shed >= conns {
		t.Errorf("%d connections lost their bodies", sum.Shed)
	}
	want, whole := sha256.Sum256([]byte(body)), 0
	for _, it := range items {
		if it.Kind != ItemExchange {
			continue
		}
		q := it.Exchange.Request
		if q.Body.Size != size || string(q.Body.SHA256) != string(want[:]) {
			t.Errorf("conn %d: %d bytes, hash %x", it.Conn.ID, q.Body.Size, q.Body.SHA256)
		}
		switch {
		case !q.Body.Cut && string(q.Body.Data) == body:
			whole++
		case q.Body.Data != nil || len(q.Anomalies) != 1:
			t.Errorf("conn %d: %d bytes kept, anomalies %v", it.Conn.ID, len(q.Body.Data), q.Anomalies)
		}
	}
	if whole == 0 || whole == conns {
		t.Errorf("%d bodies whole of %d", whole, conns)
	}
	if _, sum = collect(t, s, Options{}); sum.Shed != 0 {
		t.Errorf("the default budget drops bodies of 2 MiB together")
	}
}

// TestBudgetOfPairs: bodies of requests that wait for their answer count too.
func TestBudgetOfPairs(t *testing.T) {
	const conns, size = 12, 100 << 10
	s := new(script).session(0)
	msg := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size) + strings.Repeat("x", size)
	for id := range uint32(conns) {
		s.conn(id+1, format.Conn{PID: 1}).write(id+1, 0, msg)
	}
	for id := range uint32(conns) {
		s.read(id+1, 0, "HTTP/1.1 204 No Content\r\n\r\n")
	}
	s.finish()
	items, sum := sameForWorkers(t, s, Options{Budget: 1 << 19})
	kept := 0
	for _, it := range items {
		if it.Kind == ItemExchange {
			kept += len(it.Exchange.Request.Body.Data)
		}
	}
	if sum.Shed == 0 || kept > 1<<19 || kept == 0 {
		t.Errorf("%d bytes kept, %d times shed", kept, sum.Shed)
	}
}

// after appends an event at a time of its own.
func (s *script) after(ns uint64, ev format.Event) *script {
	ev.Time = s.evs[len(s.evs)-1].Time + ns
	return s.add(ev)
}

func data(id uint32, dir format.Dir, off uint64, text string) format.Event {
	return format.Event{Type: format.TypeData, Conn: id, Dir: dir, Offset: off, Payload: []byte(text)}
}

// TestIdle: what nobody answers is given up by event time, and says so.
func TestIdle(t *testing.T) {
	const second = 1_000_000_000
	get := "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	q := func(name string) string { return fmt.Sprintf(get, name) }
	tests := []struct {
		name  string
		build func(*script)
		idle  int64
		want  string
	}{
		{"a pending request, by another connection's event", func(s *script) {
			s.write(1, 0, q("slow"))
			s.after(61*second, data(2, format.DirWrite, 0, q("other"))).after(1, data(2, format.DirRead, 0, ok))
			s.after(second, data(1, format.DirRead, 0, ok))
		}, 60 * second, "/slow 0(idle); /other 200; - 200(no-request); "},
		{"in time", func(s *script) {
			s.write(1, 0, q("slow"))
			s.after(59*second, data(2, format.DirWrite, 0, q("other"))).after(1, data(2, format.DirRead, 0, ok))
			s.after(second/2, data(1, format.DirRead, 0, ok))
		}, 60 * second, "/other 200; /slow 200; "},
		{"never", func(s *script) {
			s.write(1, 0, q("slow")).after(1e6*second, data(1, format.DirRead, 0, ok))
		}, -1, "/slow 200; "},
		{"by default", func(s *script) {
			s.write(1, 0, q("slow")).after(1801*second, data(1, format.DirRead, 0, ok))
		}, 0, "/slow 0(idle); - 200(no-request); "},
		{"half a response", func(s *script) {
			s.write(1, 0, q("slow")).read(1, 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
			s.after(61*second, data(2, format.DirWrite, 0, q("other"))).after(1, data(2, format.DirRead, 0, ok))
		}, 60 * second, "/slow 200(idle); /other 200; "},
		{"twice, with life in between", func(s *script) {
			s.write(1, 0, q("a")).after(61*second, data(2, format.DirWrite, 0, "x"))
			n := uint64(len(q("a")))
			s.after(1, data(1, format.DirWrite, n, q("b"))).after(61*second, data(2, format.DirWrite, 1, "x"))
		}, 60 * second, "/a 0(idle); /b 0(idle); "},
		{"an HTTP/2 stream beside a busy one", func(s *script) {
			const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
			// :method GET, :scheme https, :path /, :status 200 of the static table.
			req := func(id string) string { return "\x00\x00\x03\x01\x05\x00\x00\x00" + id + "\x82\x87\x84" }
			resp := func(id string) string { return "\x00\x00\x01\x01\x05\x00\x00\x00" + id + "\x88" }
			s.write(1, 0, preface+req("\x01")).read(1, 0, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
			woff, roff := uint64(len(preface)+12), uint64(9)
			for i := range 5 {
				id := string([]byte{byte(2*i + 3)})
				s.after(20*second, data(1, format.DirWrite, woff, req(id))).after(1, data(1, format.DirRead, roff, resp(id)))
				woff, roff = woff+12, roff+10
			}
		}, 60 * second, "/ 200; / 200; / 0(idle); / 200; / 200; / 200; "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := new(script).session(0).conn(1, format.Conn{PID: 1, Role: format.RoleClient}).conn(2, format.Conn{PID: 2, Role: format.RoleClient})
			tt.build(s)
			items, _ := sameForWorkers(t, s, Options{Limits: decode.Limits{Idle: tt.idle}})
			var b strings.Builder
			for _, it := range items {
				if it.Kind != ItemExchange {
					continue
				}
				x := it.Exchange
				target := "-"
				if x.Request != nil {
					target = x.Request.Target
				}
				b.WriteString(target)
				if x.Response != nil {
					fmt.Fprintf(&b, " %d", x.Response.Status)
					for _, a := range x.Response.Anomalies {
						fmt.Fprintf(&b, "(%s)", a.Kind)
					}
				}
				b.WriteString("; ")
			}
			if b.String() != tt.want {
				t.Errorf("got  %s\nwant %s", b.String(), tt.want)
			}
		})
	}
}
