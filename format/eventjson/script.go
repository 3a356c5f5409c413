package eventjson

import (
	"fmt"
	"math"
	"slices"

	"github.com/NoFear0411/spliff/format"
)

// clientPID is the process that stands for the client side of all connections.
const clientPID = 1

// script makes the events of conversations that are known by their bytes only.
// Times are nanoseconds since the Unix epoch: so is the session's clock.
type script struct {
	to     *sections
	out    *format.Writer // nil until the first event, whose time is the session's start
	failed error          // of out, for ever
	seq    uint64
	now    uint64 // time of the latest line that has one
	conns  map[uint32]*talk
	bytes  uint64
	lost   uint64
}

// talk is one connection.
type talk struct {
	info  format.Conn
	begun bool    // its CONN event is written
	ways  [3]half // by format.Dir
	over  bool    // its CONN_END event is written
}

// half is one direction.
type half struct {
	offset uint64 // of the next byte
	lost   uint64
	end    ending // 0: goes on
}

func newScript(to *sections) *script {
	return &script{to: to, conns: map[uint32]*talk{}}
}

// open begins the session.
func (s *script) open() {
	if s.out == nil && s.failed == nil {
		s.failed = s.to.begin(format.Session{Writer: importer, Wall: int64(s.now), Mono: s.now})
		s.out = s.to.cur
	}
}

// add writes one event. A failure is told by failed.
func (s *script) add(ev format.Event) {
	if s.open(); s.failed != nil {
		return
	}
	s.seq++
	ev.Seq, ev.Time = s.seq, s.now
	s.failed = s.out.Append(&ev)
}

// take makes the events of one line. Its error is about the line.
func (s *script) take(m *minimal, seen uint32) error {
	if seen&hasTime != 0 {
		s.now = m.time
	}
	if seen&describes != 0 {
		return s.describe(m)
	}
	t := s.conns[m.conn]
	if t == nil {
		t = s.meet(m.conn)
	}
	w := &t.ways[m.dir]
	if w.end != 0 {
		return fmt.Errorf("conn %d: %s has ended before", m.conn, wayName(m.dir))
	}
	if n := max(m.gap, uint64(len(m.data))); n > math.MaxUint64-w.offset {
		return fmt.Errorf("conn %d: %s has more bytes than can be counted", m.conn, wayName(m.dir))
	}
	s.begin(m.conn, t)
	switch {
	case seen&hasGap != 0:
		s.gap(m.conn, format.Dir(m.dir), w, m.gap)
	case seen&hasEnd != 0:
		w.end = m.end
		s.finish(m.conn, t, false)
	default:
		s.data(m.conn, format.Dir(m.dir), w, m.data)
	}
	return nil
}

// meet begins to follow a connection. Who writes c2s bytes is its client.
func (s *script) meet(conn uint32) *talk {
	t := &talk{info: format.Conn{PID: clientPID, Role: format.RoleClient}}
	s.conns[conn] = t
	return t
}

// describe takes what is known of a connection before its first bytes. The id of
// one that is over may be used again.
func (s *script) describe(m *minimal) error {
	if t := s.conns[m.conn]; t != nil && !t.over {
		return fmt.Errorf("conn %d: described twice, or after its first line", m.conn)
	}
	t := s.meet(m.conn)
	t.info.Local, t.info.Remote, t.info.ALPN = m.client, m.server, m.alpn
	if n := len(t.info.AppendTo(nil)); n > format.MaxDefinition {
		return fmt.Errorf("conn %d: described in %d bytes, at most %d", m.conn, n, format.MaxDefinition)
	}
	return nil
}

// begin writes the CONN event when the first line with a time is there: one that
// describes has none. 0 is no connection in a session, so ids are one higher.
func (s *script) begin(conn uint32, t *talk) {
	if t.begun {
		return
	}
	t.begun = true
	if s.seq == 0 {
		proc := format.Proc{PID: clientPID, Comm: "client"}
		s.add(format.Event{Type: format.TypeProc, Payload: proc.AppendTo(nil)})
	}
	s.add(format.Event{Type: format.TypeConn, Conn: conn + 1, Payload: t.info.AppendTo(nil)})
}

func (s *script) data(conn uint32, dir format.Dir, w *half, data []byte) {
	s.add(format.Event{Type: format.TypeData, Conn: conn + 1, Dir: dir, Offset: w.offset, Payload: data})
	w.offset += uint64(len(data))
	s.bytes += uint64(len(data))
}

// gap says that n bytes are missing, as a recorder does that lost them.
func (s *script) gap(conn uint32, dir format.Dir, w *half, n uint64) {
	drop := format.Drop{Bytes: n, Offset: w.offset}
	s.add(format.Event{Type: format.TypeDrop, Conn: conn + 1, Dir: dir, Payload: drop.AppendTo(nil)})
	w.offset += n
	w.lost += n
	s.lost += min(n, math.MaxUint64-s.lost)
}

// finish writes the CONN_END event once both directions have ended; at the end
// of the text one that was reset is enough. After a reset of what the client
// read nobody knows whether it was whole.
func (s *script) finish(conn uint32, t *talk, last bool) {
	c2s, s2c := &t.ways[format.DirWrite], &t.ways[format.DirRead]
	both := c2s.end != 0 && s2c.end != 0
	if !both && !(last && (c2s.end == endRST || s2c.end == endRST)) {
		return
	}
	t.over = true
	end := format.ConnEnd{Written: c2s.offset, Read: s2c.offset, Lost: [2]uint64{c2s.lost, s2c.lost}}
	if s2c.end == endFIN {
		end.Reason, end.Shutdown = format.EndFree, c2s.end == endFIN
	}
	s.add(format.Event{Type: format.TypeConnEnd, Conn: conn + 1, Payload: end.AppendTo(nil)})
}

// close ends the session in order. Connections that go on stay open: who reads
// it sees that the recording stopped, not they.
func (s *script) close() error {
	ids := make([]uint32, 0, len(s.conns))
	for id := range s.conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		t := s.conns[id]
		s.begin(id, t)
		if !t.over {
			s.finish(id, t, true)
		}
	}
	end := format.End{Reason: "imported", Events: s.seq + 1, Bytes: s.bytes, LostBytes: s.lost}
	s.add(format.Event{Type: format.TypeEnd, Payload: end.AppendTo(nil)})
	return s.failed
}
