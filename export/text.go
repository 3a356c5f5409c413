package export

import (
	"io"
	"time"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/replay"
)

// TextOptions say how text for people looks.
type TextOptions struct {
	Bodies     bool // print bodies, binary ones as the start of a hexdump
	Content    int  // remove their content codings, up to so many bytes; 0: print them as sent
	Hex        bool // print bodies as hexdump, with their file signature
	Compact    bool // one line a message
	Pretty     bool // lay JSON bodies out anew, for a terminal
	Latency    bool // print how long messages took
	Handshakes bool // print TLS handshakes
	Color      bool
	ASCII      bool // the reader's locale is not UTF-8
}

// text is the live view: → and ← lines. A request is printed when it is
// complete, a response when its exchange is, because the response's line needs
// the request's URL; the engine says so right after the response itself. Where the
// exchange goes on after it, the item of the response brings the request along.
type text struct {
	w     io.Writer
	o     TextOptions
	s     screen
	zone  *time.Location
	begun bool // something was printed
	block bool // and the last of it took more than a line
	err   error
}

// NewText returns the sink of the live view and of replay. What it writes for an
// item depends on the items alone; it is one Write, unless its body is large.
func NewText(w io.Writer, o TextOptions) Sink {
	// One line a message leaves no room for a body; a hexdump shows one.
	o.Bodies = (o.Bodies || o.Hex) && !o.Compact
	return &text{w: w, o: o, s: screen{color: o.Color, ascii: o.ASCII, w: w}, zone: time.UTC}
}

// Item implements [Sink].
func (t *text) Item(it *replay.Item) error {
	if t.err != nil {
		return t.err
	}
	switch it.Kind {
	case replay.ItemSession:
		t.zone = zone(it.Session.UTCOffset)
	case replay.ItemMessage:
		t.message(it)
	case replay.ItemExchange:
		t.exchange(it)
	case replay.ItemHandshake:
		if t.o.Handshakes {
			t.handshake(it)
		}
	case replay.ItemDrop:
		t.drop(it)
	}
	// After each item: who watches a recording sees things as they happen.
	t.err = t.s.flush(t.w)
	return t.err
}

// Close implements [Sink].
func (t *text) Close() error { return t.err }

// open begins an item: an empty line sets apart what takes more than a line.
func (t *text) open(block bool, at int64) {
	if t.begun && (block || t.block) {
		t.s.own("\n")
	}
	t.begun, t.block = true, block
	t.s.style(dim, func() { t.s.clock(at, t.zone) })
	t.s.own(" ")
}

// clock writes a time of day to the millisecond.
func (s *screen) clock(at int64, z *time.Location) {
	s.buf = time.Unix(0, at).In(z).AppendFormat(s.buf, "15:04:05.000")
}

// message prints what needs no other half. Responses wait for their exchange.
func (t *text) message(it *replay.Item) {
	switch m := it.Message; m.Kind {
	case decode.Request:
		t.request(it, m)
	case decode.Response:
		// Its exchange may last for hours, and what comes inside it is printed.
		if m.Flags&decode.Continued != 0 {
			t.response(it, m, it.Request)
		}
	case decode.Inner:
		t.inner(it, m)
	case decode.Opaque:
		t.opaque(it, m)
	case decode.Notice:
		t.notice(it, m)
	}
}

// request prints a request under the time its first byte left: the time people
// compare with their own clocks and logs.
func (t *text) request(it *replay.Item, m *decode.Message) {
	s := &t.s
	t.open(!t.o.Compact, when(m, it))
	s.style(cyan, func() { s.own("→ "); s.captured(m.Method) })
	s.own(" ")
	s.captured(urlOf(m, it.Conn))
	t.tail(it.Conn, m, m.Begin, false)
	t.rest(m)
}

// exchange prints the response, or says that there is none: a request whose
// answer is silently absent looks like one that is still to come.
func (t *text) exchange(it *replay.Item) {
	x, s := it.Exchange, &t.s
	if x.Response == nil {
		t.open(false, it.Time)
		s.style(yellow, func() {
			if x.Pending {
				s.own("⚠ no response yet when the recording ended: ")
			} else {
				s.own("⚠ no response: ")
			}
		})
		t.about(x)
		s.own(" ")
		t.who(it.Conn)
		s.stream(x.Request)
		s.own("\n")
		return
	}
	if x.Response.Flags&decode.Continued != 0 {
		t.innerOver(it)
		return
	}
	t.response(it, x.Response, x.Request)
}

// response prints the answer to a request, which may not have been seen.
func (t *text) response(it *replay.Item, m, request *decode.Message) {
	s, from := &t.s, m.Begin
	t.open(!t.o.Compact, when(m, it))
	s.own("← ")
	s.status(m)
	if request != nil {
		s.own(" ")
		s.captured(urlOf(request, it.Conn))
		from = request.Begin
	}
	t.tail(it.Conn, m, from, true)
	t.rest(m)
}

// about names an exchange by its request.
func (t *text) about(x *replay.Exchange) {
	if x.Request != nil {
		t.s.captured(x.Request.Method)
		t.s.own(" ")
		t.s.captured(urlOf(x.Request, x.Conn))
	}
}

// when is the time a message is listed under: that of its first byte.
func when(m *decode.Message, it *replay.Item) int64 {
	if m.Begin != 0 {
		return m.Begin
	}
	return it.Time
}

// status writes a status code. Its class is in the digits; the colour only
// repeats it.
func (s *screen) status(m *decode.Message) {
	code, color := m.Status, green
	switch {
	case code <= 0:
		s.style(yellow, func() { s.own(noStatus(m)) })
		return
	case code >= 400:
		color = red
	case code >= 300:
		color = yellow
	}
	s.style(color, func() { s.number(uint64(code)) })
}

// tail writes what stands after the URL, to the end of the line.
func (t *text) tail(c *replay.Conn, m *decode.Message, from int64, response bool) {
	s := &t.s
	if c.ALPN != "" {
		s.own(" ALPN:")
		s.captured(c.ALPN)
	}
	if response {
		s.grpcTail(m)
		ctype := header(m, "content-type")
		if ctype != "" {
			s.own(" ")
			s.captured(ctype)
		}
		if ctype != "" || m.Body.Size > 0 {
			s.own(" (")
			s.number(m.Body.Size)
			s.own(" bytes)")
		}
	}
	s.own(" ")
	t.who(c)
	// Not when unknown, nor the 0 of a message read in one chunk.
	if d := span(from, m.End.Time); t.o.Latency && d > 0 {
		s.own(" [")
		s.latency(d)
		s.own("]")
	}
	s.stream(m)
	if t.o.Compact {
		for _, w := range warnings(m, false) {
			s.warn(w, "  ")
		}
	}
	s.own("\n")
}

// stream writes the HTTP/2 stream, which HTTP/1 messages do not have.
func (s *screen) stream(m *decode.Message) {
	if m != nil && m.Stream != 0 {
		s.own(" [stream ")
		s.number(uint64(m.Stream))
		s.own("]")
	}
}

// who names the process. A pid without a name is still a fact; a made-up name
// would not be.
func (t *text) who(c *replay.Conn) {
	if c == nil {
		t.s.own("?")
		return
	}
	if c.Proc.Comm != "" {
		t.s.captured(c.Proc.Comm)
		t.s.own(" ")
	}
	t.s.own("(")
	t.s.number(uint64(c.PID))
	t.s.own(")")
}

// warn writes one of warnings, which may quote captured bytes.
func (s *screen) warn(what string, indent literal) {
	s.own(indent)
	s.style(yellow, func() { s.own("⚠ "); s.captured(what) })
}

// undone returns m with its content codings removed, if its body is to be printed:
// a copy, for messages are shared between items.
func (t *text) undone(m *decode.Message) *decode.Message {
	if !t.o.Bodies {
		return m
	}
	c := *m
	content.Fill(&c, t.o.Content)
	return &c
}

// rest writes what comes below the first line of a message.
func (t *text) rest(m *decode.Message) {
	if t.o.Compact {
		return
	}
	m = t.undone(m)
	s := &t.s
	for _, i := range m.Interim {
		s.own("  (interim ")
		s.number(uint64(max(i.Status, 0)))
		s.own(")\n")
		s.fields(i.Header)
	}
	s.fields(m.Header)
	for _, w := range warnings(m, t.o.Bodies) {
		s.warn(w, "  ")
		s.own("\n")
	}
	if t.o.Bodies {
		s.body(m, &t.o)
	}
	s.trailer(m)
}

// fields writes header or trailer fields as they were sent, in their order.
func (s *screen) fields(fs []decode.Field) {
	for i := range fs {
		s.own("  ")
		s.captured(fs[i].Name)
		s.own(": ")
		s.captured(fs[i].Value)
		s.own("\n")
	}
}

// trailer writes trailer fields apart from the header: they came after the body
// and mean other things (RFC 9110 §6.5).
func (s *screen) trailer(m *decode.Message) {
	if len(m.Trailer) > 0 {
		s.own("  (trailer)\n")
		s.fields(m.Trailer)
	}
}

// opaque prints bytes that are not HTTP in the seed's words. The file signature
// is looked for only in protocols nobody knows: a WebSocket frame that begins
// like an image is none.
func (t *text) opaque(it *replay.Item, m *decode.Message) {
	s := &t.s
	t.open(false, when(m, it))
	s.own("[")
	s.direction(m.Dir)
	s.own("] ")
	s.captured(it.Conn.Proc.Comm)
	s.own(" (PID ")
	s.number(uint64(it.Conn.PID))
	s.own(") ")
	s.number(m.Body.Size)
	s.own(" bytes")
	if sig := content.Sniff(m.Body.Data); sig.Name != "" && m.Proto == "unknown" {
		s.own(" [")
		s.captured(sig.Name)
		s.own("]")
	} else if m.Proto != "unknown" && m.Proto != "" {
		s.own(" [")
		s.captured(m.Proto)
		s.own("]")
	}
	for _, w := range warnings(m, false) {
		s.warn(w, "  ")
	}
	s.own("\n")
}

// notice prints what befell a connection rather than one of its messages.
func (t *text) notice(it *replay.Item, m *decode.Message) {
	for _, w := range warnings(m, false) {
		t.open(false, it.Time)
		t.s.warn(w, "")
		t.s.own(" [")
		t.s.direction(m.Dir)
		t.s.own("] ")
		t.who(it.Conn)
		t.s.own("\n")
	}
}

// handshake prints the end of a TLS handshake. Its duration is always shown,
// as the seed did: it is all the line has to say.
func (t *text) handshake(it *replay.Item) {
	s, h := &t.s, it.Handshake
	t.open(false, it.Time)
	if h.OK {
		s.own("🔒 TLS handshake complete")
	} else {
		s.style(red, func() { s.own("🔒 TLS handshake failed") })
	}
	if h.Dur > 0 {
		s.own(" [")
		if h.Bound {
			s.own("at most ")
		}
		// The file may say anything; an int64 must not come out negative.
		s.latency(int64(min(h.Dur, 1<<62)))
		s.own("]")
	}
	s.own(" ")
	t.who(it.Conn)
	s.own("\n")
}

// drop says what was not recorded and why: loss is part of the output, not of a
// log.
func (t *text) drop(it *replay.Item) {
	s, d := &t.s, it.Drop
	t.open(false, it.Time)
	s.style(yellow, func() {
		s.own("⚠ not recorded: ")
		if d.Bytes > 0 {
			s.number(d.Bytes)
			s.own(" bytes, ")
		}
		if d.Events > 0 {
			s.number(d.Events)
			s.own(" events, ")
		}
		s.own(literal(d.Cause.String()))
	})
	if it.Conn != nil {
		s.own(" ")
		t.who(it.Conn)
	}
	s.own("\n")
}
