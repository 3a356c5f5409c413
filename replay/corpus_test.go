package replay

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/format"
)

// corpusScript appends the conversations of one file, with ids from base.
func corpusScript(t *testing.T, s *script, name string, base uint32) uint32 {
	t.Helper()
	off, ends, top := map[uint32]*[2]uint64{}, map[uint32]int{}, base
	for _, l := range decodetest.ReadCapture(t, name) {
		id := base + l.Conn
		top = max(top, id+1)
		if l.Client != "" {
			off[id] = new([2]uint64)
			local, _ := netip.ParseAddrPort(l.Client)
			remote, _ := netip.ParseAddrPort(l.Server)
			s.conn(id, format.Conn{PID: id%7 + 1, Local: local, Remote: remote})
			continue
		}
		dir := l.Way()
		o := &off[id][dir]
		switch {
		case l.Gap > 0:
			*o += l.Gap
		case l.End != "":
			if ends[id]++; ends[id] == 2 {
				s.end(id, format.ConnEnd{Reason: format.EndFree, Written: off[id][0], Read: off[id][1]})
			}
		default:
			s.add(format.Event{Type: format.TypeData, Dir: format.Dir(dir) + 1, Conn: id, Offset: *o, Payload: l.Data})
			*o += uint64(len(l.Data))
		}
	}
	return top
}

// TestCorpusSameForAnyWorkers runs all conversations, as one session with the
// real decoder: the same items for every number of workers.
func TestCorpusSameForAnyWorkers(t *testing.T) {
	names := decodetest.Captures(t)
	s := new(script).session(0)
	next := uint32(1)
	for _, name := range names {
		next = corpusScript(t, s, name, next)
	}
	s.finish()
	run := func(workers int) ([]*Item, Summary) {
		var items []*Item
		e := New(Options{Workers: workers, Data: true, Limits: decode.Limits{Content: 1 << 20}}, func(it *Item) error {
			items = append(items, it)
			return nil
		})
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
	want, sum := run(0)
	t.Logf("%d files, %+v", len(names), sum)
	if sum.Exchanges < 500 {
		t.Errorf("only %d exchanges in %d files", sum.Exchanges, len(names))
	}
	for _, workers := range []int{0, 1, 2, 8} {
		// Items that are used again are looked at when they come.
		n := 0
		o := Options{Workers: workers, Data: true, Limits: decode.Limits{Content: 1 << 20}, Transient: true}
		// Small batches: what is used again comes from another one, in any order.
		e := newEngine(o, func(it *Item) error {
			if n >= len(want) || !reflect.DeepEqual(it, want[n]) {
				return fmt.Errorf("item %d differs from one that is kept", n)
			}
			n++
			return nil
		}, newConnDecoder, 1+workers*7, 20000)
		for i := range s.evs {
			if err := e.Push(&s.evs[i]); err != nil {
				t.Fatalf("%d workers: %v", workers, err)
			}
			// After a flush several batches are free, and the last of them is used first.
			if i%211 == 210 {
				if err := e.Flush(); err != nil {
					t.Fatalf("%d workers: %v", workers, err)
				}
			}
		}
		if gotSum, err := e.Close(); err != nil || gotSum != sum || n != len(want) {
			t.Errorf("%d workers, transient: %d items of %d, %+v, %v", workers, n, len(want), gotSum, err)
		}
	}
	exchangesOnly(t, s, want, sum)
	for _, workers := range []int{1, 2, 8} {
		got, gotSum := run(workers)
		if gotSum != sum || !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: other items than without workers (%+v)", workers, gotSum)
		}
	}
}

// exchangesOnly plays a session with requests and responses in their exchanges only, and
// most exchanges rendered: what is left is as it was, and nothing is given twice.
func exchangesOnly(t *testing.T, s *script, all []*Item, sum Summary) {
	t.Helper()
	render := func(dst []byte, it *Item) []byte {
		x := it.Exchange
		if x.Inner != nil || x.Request != nil && len(x.Request.Header)%3 == 0 {
			return dst
		}
		return fmt.Appendf(dst, "%v %+v %+v", x.Conn.ID, x.Request, x.Response)
	}
	var want []*Item
	var text []string // by item
	for _, it := range all {
		if it.Kind == ItemMessage && isHalf(it.Message) {
			continue
		}
		want = append(want, it)
		text = append(text, "")
		if it.Kind == ItemExchange {
			text[len(text)-1] = string(render(nil, it))
		}
	}
	for _, workers := range []int{0, 1, 2, 8} {
		n, rendered := 0, 0
		o := Options{Workers: workers, Data: true, Limits: decode.Limits{Content: 1 << 20}, Transient: true, Exchanges: true,
			Render: func() func([]byte, *Item) []byte { return render }}
		e := newEngine(o, func(it *Item) error {
			if n >= len(want) {
				return fmt.Errorf("more than %d items", n)
			}
			expect := *want[n]
			if it.Rendered != nil {
				rendered++
				if string(it.Rendered) != text[n] {
					return fmt.Errorf("item %d was rendered to %s, want %s", n, it.Rendered, text[n])
				}
				x := expect.Exchange
				expect.Rendered = it.Rendered
				expect.Exchange = &Exchange{ID: x.ID, Conn: x.Conn, Pending: x.Pending, noResponse: x.noResponse}
			}
			if !reflect.DeepEqual(it, &expect) {
				return fmt.Errorf("item %d: %+v, want %+v", n, it, &expect)
			}
			n++
			return nil
		}, newConnDecoder, 1+workers*7, 20000)
		for i := range s.evs {
			if err := e.Push(&s.evs[i]); err != nil {
				t.Fatalf("%d workers: %v", workers, err)
			}
		}
		got, err := e.Close()
		if err != nil || got != sum || n != len(want) {
			t.Errorf("%d workers, exchanges only: %d items of %d, %+v, want %+v, %v", workers, n, len(want), got, sum, err)
		}
		if workers > 1 && rendered < 100 {
			t.Errorf("%d workers: %d exchanges were rendered", workers, rendered)
		}
	}
}
