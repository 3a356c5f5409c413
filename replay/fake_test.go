package replay

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// lineDecoder is a decoder of a protocol in which a request is a line that
// begins with Q, a response a line that begins with R, and a lone response one
// with N. It is small enough for a test to know by heart what must come out.
type lineDecoder struct {
	role  decode.Role
	hint  decode.Hint
	part  [2][]byte
	begin [2]int64
	num   [2]uint32 // requests, responses
}

func newLineDecoder(decode.Limits) decoder { return &lineDecoder{} }

func (d *lineDecoder) Hint(h decode.Hint) { d.hint = h }
func (d *lineDecoder) Role() decode.Role  { return d.role }
func (d *lineDecoder) Kept() int          { return len(d.part[0]) + len(d.part[1]) }
func (d *lineDecoder) Shed()              { d.part[0], d.part[1] = d.part[0][:0], d.part[1][:0] }

func (d *lineDecoder) Expire(dst []decode.Message, at decode.At) []decode.Message {
	return append(dst, decode.Message{Kind: decode.Notice, End: at, Anomalies: []decode.Anomaly{{Kind: decode.AnomalyIdle}}})
}

func (d *lineDecoder) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	for _, b := range ch.Data {
		if len(d.part[ch.Dir]) == 0 {
			d.begin[ch.Dir] = ch.Start
		}
		d.part[ch.Dir] = append(d.part[ch.Dir], b)
		if b == '\n' {
			dst = d.line(dst, ch.Dir, ch.At, 0)
		}
	}
	return dst
}

func (d *lineDecoder) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if len(d.part[g.Dir]) > 0 {
		dst = d.line(dst, g.Dir, g.At, decode.Gapped|decode.Incomplete)
	}
	return append(dst, decode.Message{Kind: decode.Notice, Dir: g.Dir, End: g.At,
		Anomalies: []decode.Anomaly{{Kind: decode.AnomalyGap, Dir: g.Dir, Detail: fmt.Sprint(g.Len, g.Known)}}})
}

func (d *lineDecoder) End(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	for dir := range d.part {
		if len(d.part[dir]) > 0 {
			f := decode.Incomplete
			if clean {
				f = decode.UntilClose
			}
			dst = d.line(dst, decode.Dir(dir), at, f)
		}
	}
	return dst
}

func (d *lineDecoder) line(dst []decode.Message, dir decode.Dir, at decode.At, fl decode.Flags) []decode.Message {
	text := string(bytes.TrimSuffix(d.part[dir], []byte("\n")))
	d.part[dir] = d.part[dir][:0]
	m := decode.Message{Dir: dir, Flags: fl, Proto: "line", Begin: d.begin[dir], End: at, Target: text, Body: decode.Body{Size: uint64(len(text))}}
	switch {
	case strings.HasPrefix(text, "Q"):
		m.Kind = decode.Request
		d.num[0]++
		m.Exchange = d.num[0]
		d.setRole(dir == decode.Write)
	case strings.HasPrefix(text, "R"):
		m.Kind = decode.Response
		d.num[1]++
		m.Exchange = d.num[1]
		d.setRole(dir == decode.Read)
	case strings.HasPrefix(text, "N"):
		m.Kind, m.Exchange = decode.Response, 1000
		m.Anomalies = []decode.Anomaly{{Kind: decode.AnomalyNoRequest, Dir: dir}}
	default:
		m.Kind = decode.Opaque
	}
	return append(dst, m)
}

func (d *lineDecoder) setRole(client bool) {
	if d.role == decode.RoleUnknown {
		d.role = decode.RoleServer
		if client {
			d.role = decode.RoleClient
		}
	}
}

// script builds events; each call appends one with the next Seq and Time.
type script struct{ evs []format.Event }

func (s *script) add(ev format.Event) *script {
	ev.Seq = uint64(len(s.evs)) + 1
	if ev.Time == 0 {
		ev.Time = 1000 + ev.Seq
	}
	s.evs = append(s.evs, ev)
	return s
}

func (s *script) session(wall int64) *script {
	v := format.Session{Wall: wall, Mono: 1000}
	return s.add(format.Event{Type: format.TypeSession, Time: 1000, Payload: v.AppendTo(nil)})
}

func (s *script) conn(id uint32, c format.Conn, fl ...format.Flags) *script {
	ev := format.Event{Type: format.TypeConn, Conn: id, Payload: c.AppendTo(nil)}
	for _, f := range fl {
		ev.Flags |= f
	}
	return s.add(ev)
}

func (s *script) proc(p format.Proc, fl ...format.Flags) *script {
	ev := format.Event{Type: format.TypeProc, Payload: p.AppendTo(nil)}
	for _, f := range fl {
		ev.Flags |= f
	}
	return s.add(ev)
}

func (s *script) write(id uint32, off uint64, data string) *script {
	return s.add(format.Event{Type: format.TypeData, Dir: format.DirWrite, Conn: id, Offset: off, Dur: 5, Payload: []byte(data)})
}

func (s *script) read(id uint32, off uint64, data string) *script {
	return s.add(format.Event{Type: format.TypeData, Dir: format.DirRead, Conn: id, Offset: off, Payload: []byte(data)})
}

func (s *script) end(id uint32, e format.ConnEnd) *script {
	return s.add(format.Event{Type: format.TypeConnEnd, Conn: id, Payload: e.AppendTo(nil)})
}

func (s *script) procEnd(pid uint32) *script {
	v := format.ProcEnd{PID: pid}
	return s.add(format.Event{Type: format.TypeProcEnd, Payload: v.AppendTo(nil)})
}

func (s *script) drop(id uint32, d format.Drop) *script {
	return s.add(format.Event{Type: format.TypeDrop, Conn: id, Payload: d.AppendTo(nil)})
}

func (s *script) handshake(id uint32) *script {
	v := format.Handshake{OK: true, Dur: 7}
	return s.add(format.Event{Type: format.TypeHandshake, Conn: id, Payload: v.AppendTo(nil)})
}

func (s *script) probe(id uint8, lib string) *script {
	v := format.Probe{ID: id, Library: lib}
	return s.add(format.Event{Type: format.TypeProbe, Payload: v.AppendTo(nil)})
}

func (s *script) finish() *script {
	v := format.End{Reason: "test"}
	return s.add(format.Event{Type: format.TypeEnd, Payload: v.AppendTo(nil)})
}

// play runs events through an engine with the line decoder.
func play(t *testing.T, evs []format.Event, o Options) ([]*Item, Summary) {
	t.Helper()
	var items []*Item
	e := newEngine(o, func(it *Item) error { items = append(items, it); return nil }, newLineDecoder, batchOps, batchBytes)
	for i := range evs {
		if err := e.Push(&evs[i]); err != nil {
			t.Fatalf("push event %d: %v", i, err)
		}
	}
	sum, err := e.Close()
	if err != nil {
		t.Fatalf("close: %v", err)
	}
	return items, sum
}

// dump writes items one a line, for tests that compare a whole stream.
func dump(items []*Item) string {
	var b strings.Builder
	for _, it := range items {
		dumpItem(&b, it)
	}
	return b.String()
}

func dumpItem(w io.Writer, it *Item) {
	id := uint32(0)
	if it.Conn != nil {
		id = it.Conn.ID
	}
	switch it.Kind {
	case ItemMessage:
		m := it.Message
		kind := map[decode.Kind]string{decode.Request: "request", decode.Response: "response", decode.Opaque: "opaque", decode.Notice: "notice"}[m.Kind]
		fmt.Fprintf(w, "c%d %s %s", id, kind, m.Target)
		if m.Flags != 0 {
			fmt.Fprintf(w, " flags=%d", m.Flags)
		}
		for _, a := range m.Anomalies {
			fmt.Fprintf(w, " %s(%s)", a.Kind, a.Detail)
		}
		fmt.Fprintln(w)
	case ItemExchange:
		name := func(m *decode.Message) string {
			if m == nil {
				return "-"
			}
			return m.Target
		}
		resp := name(it.Exchange.Response)
		if it.Exchange.Pending {
			resp = "pending"
		}
		fmt.Fprintf(w, "c%d exchange %d %s %s\n", id, it.Exchange.ID, name(it.Exchange.Request), resp)
	case ItemData:
		fmt.Fprintf(w, "c%d data client=%t @%d %q\n", id, it.Data.FromClient, it.Data.Off, it.Data.Bytes)
	case ItemConnEnd:
		fmt.Fprintf(w, "c%d end reason=%d\n", id, it.End.Reason)
	case ItemHandshake:
		fmt.Fprintf(w, "c%d handshake role=%d\n", id, it.Conn.Role)
	case ItemDrop:
		fmt.Fprintf(w, "c%d drop cause=%d\n", id, it.Drop.Cause)
	case ItemSession:
		fmt.Fprintf(w, "session\n")
	case ItemEnd:
		fmt.Fprintf(w, "closed %s\n", it.Totals.Reason)
	}
}
