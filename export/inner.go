package export

import (
	"fmt"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/replay"
)

// The functions of this file show messages inside an exchange, whatever protocol
// they are of.

// previewBytes is how much of a payload stands on the message's own line.
const previewBytes = 72

// fromClient reports whether the client sent m.
func fromClient(m *decode.Message, c *replay.Conn) bool {
	return (m.Dir == decode.Read) == (c.Role == decode.RoleServer)
}

// arrow shows who sent a message, as it does for requests and responses.
func (s *screen) arrow(client bool) {
	if client {
		s.own("→ ")
	} else {
		s.own("← ")
	}
}

// kind names a message: "websocket text", "websocket close 1000 normal closure".
func (s *screen) kind(m *decode.Message) {
	s.captured(m.Type)
	if m.Status != 0 {
		s.own(" ")
		s.number(uint64(max(m.Status, 0)))
	}
	if m.Reason != "" {
		s.own(" ")
		s.captured(m.Reason)
	}
}

// inner prints a message inside an exchange.
func (t *text) inner(it *replay.Item, m *decode.Message) {
	m = t.undone(m)
	s := &t.s
	body := t.o.Bodies && len(contentOf(&m.Body)) > 0
	t.open(body, when(m, it))
	s.style(cyan, func() { s.arrow(fromClient(m, it.Conn)); s.captured(m.Proto) })
	s.own(" ")
	s.kind(m)
	s.own(" (")
	s.number(m.Body.Size)
	s.own(" bytes)")
	if it.Request != nil {
		s.own(" ")
		s.captured(urlOf(it.Request, it.Conn))
	}
	s.own(" ")
	t.who(it.Conn)
	s.stream(m)
	for _, w := range warnings(m, t.o.Bodies) {
		s.warn(w, "  ")
	}
	s.own("\n")
	if body {
		s.body(m, &t.o)
	}
}

// innerOver says that nothing more comes inside an exchange whose response was
// printed when it came.
func (t *text) innerOver(it *replay.Item) {
	x, s := it.Exchange, &t.s
	t.open(false, it.Time)
	s.own("⇅ ")
	s.tally(x.Inner)
	s.own(" messages")
	if x.Request != nil {
		s.own(" ")
		s.captured(urlOf(x.Request, it.Conn))
	}
	s.own(" ")
	t.who(it.Conn)
	if d := timingOf(x).total; t.o.Latency && d > 0 {
		s.own(" [")
		s.latency(d)
		s.own("]")
	}
	s.stream(x.Response)
	s.own("\n")
}

// tally writes how many messages the client and the server sent.
func (s *screen) tally(in *replay.Inner) {
	if in == nil {
		s.own("0/0")
		return
	}
	s.number(in.Client.Count)
	s.own("/")
	s.number(in.Server.Count)
}

// inner lists the messages of an exchange below its halves.
func (d *detail) inner(x *replay.Exchange) {
	in, s := x.Inner, &d.s
	if in == nil {
		return
	}
	s.own("─── Messages  ")
	s.captured(in.Proto)
	for _, side := range []struct {
		name literal
		t    replay.Tally
	}{{" from the client", in.Client}, {" from the server", in.Server}} {
		s.own(", ")
		s.number(side.t.Count)
		s.own(side.name)
		if side.t.Count > 0 {
			s.own(" (")
			s.size(side.t.Size)
			s.own(")")
		}
	}
	s.own(" ───\n")
	for _, m := range in.List {
		d.innerLine(m, x.Conn)
	}
	if left := in.Client.Count + in.Server.Count - uint64(len(in.List)); left > 0 {
		s.own("… (")
		s.number(left)
		s.own(" more messages)\n")
	}
	s.rule()
}

// innerLine is one message: time, sender, type, size, and the beginning of the
// payload; with Hex the payload follows as hexdump.
func (d *detail) innerLine(m *decode.Message, c *replay.Conn) {
	s, b := &d.s, contentOf(&m.Body)
	s.own("  ")
	s.style(dim, func() { s.clock(m.Begin, d.zone) })
	s.own("  ")
	s.style(cyan, func() { s.arrow(fromClient(m, c)) })
	s.kind(m)
	s.own("  ")
	s.size(m.Body.Size)
	if len(b) > 0 && !d.o.Hex && (d.o.Bodies || d.o.Hex) {
		s.own("  ")
		s.preview(b)
	}
	for _, w := range warnings(m, d.o.Bodies || d.o.Hex) {
		s.warn(w, "  ")
	}
	s.own("\n")
	if len(b) > 0 && d.o.Hex {
		s.hexdump(b)
	}
}

// preview writes the beginning of a payload on one line.
func (s *screen) preview(b []byte) {
	if !content.IsText(b, "") {
		for _, c := range b[:min(len(b), previewBytes/3)] {
			s.buf = fmt.Appendf(s.buf, "%02x ", c)
		}
		s.buf = s.buf[:len(s.buf)-1]
		if len(b) > previewBytes/3 {
			s.own(" …")
		}
		return
	}
	var line screen
	line.ascii = s.ascii
	line.captured(strings.Join(strings.Fields(string(b[:min(len(b), 4*previewBytes)])), " "))
	text := cut(line.buf, previewBytes, s.ellipsis())
	if len(b) > 4*previewBytes && cells(text) < previewBytes {
		text = append(text, s.ellipsis()...)
	}
	s.buf = append(s.buf, text...)
}
