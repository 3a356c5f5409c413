package export

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// Detail writes everything known of one exchange. session, the section it is
// from, gives the local time; it may be nil. Options Hex, Color and ASCII
// count, and bodies are left out unless Bodies is set.
func Detail(w io.Writer, x *replay.Exchange, session *format.Session, o TextOptions) error {
	d := &detail{s: screen{color: o.Color, ascii: o.ASCII, w: w}, o: o, zone: time.UTC}
	if session != nil {
		d.zone = zone(session.UTCOffset)
	}
	// The order is that of the questions: what, who, how, where, how long, what
	// is wrong, and the messages last because they may be long.
	d.title(x)
	d.process(x.Conn)
	d.tls(x.Conn)
	d.network(x)
	d.timing(x)
	d.grpc(x)
	d.hashes(x)
	for _, side := range []struct {
		name literal
		m    *decode.Message
	}{{"request", x.Request}, {"response", x.Response}} {
		if side.m == nil {
			continue
		}
		for _, warning := range warnings(side.m, o.Bodies || o.Hex) {
			d.s.own("    ")
			d.s.style(yellow, func() { d.s.own("⚠ "); d.s.own(side.name); d.s.own(": "); d.s.captured(warning) })
			d.s.own("\n")
		}
	}
	d.request(x.Request)
	d.response(x)
	d.inner(x)
	return d.s.flush(w)
}

// detail builds the whole screen before it writes: one Write, or none. Its
// methods write a line or a block each, in the order Detail calls them.
type detail struct {
	s    screen
	o    TextOptions
	zone *time.Location
}

// title is the exchange in a line, and below it when it began, with the zone:
// a bare local time is of no use in a report.
func (d *detail) title(x *replay.Exchange) {
	s, t := &d.s, timingOf(x)
	s.style(bold, func() {
		s.own("#")
		s.number(x.ID)
		s.own("  ")
		s.captured(methodOf(x))
		s.own(" ")
		if x.Request != nil {
			s.captured(urlOf(x.Request, x.Conn))
		} else {
			s.own("?")
		}
	})
	s.own("  →  ")
	switch r := x.Response; {
	case r != nil:
		s.status(r)
		if r.Reason != "" {
			s.own(" ")
			s.captured(r.Reason)
		}
	case x.Pending:
		s.style(yellow, func() { s.own("no response yet when the recording ended") })
	default:
		s.style(yellow, func() { s.own("no response") })
	}
	if t.total >= 0 {
		s.own("  ")
		s.duration(t.total)
	}
	s.own("\n")
	d.label("time")
	s.buf = time.Unix(0, t.begin).In(d.zone).AppendFormat(s.buf, "2006-01-02 15:04:05.000000 -07:00")
	s.own("\n")
}

// label begins a line of the head; names have at most ten letters.
func (d *detail) label(name literal) {
	d.s.own("    ")
	d.s.style(dim, func() { d.s.own(name) })
	d.s.own(literal(strings.Repeat(" ", 10-len(name))))
}

// process shows the command line as the process may itself have set it: each
// argument is captured text, and no quoting is pretended.
func (d *detail) process(c *replay.Conn) {
	s, p := &d.s, c.Proc
	d.label("process")
	s.captured(p.Comm)
	s.own(" (")
	s.number(uint64(c.PID))
	s.own(")  ppid ")
	s.number(uint64(p.PPID))
	s.own("  uid ")
	s.number(uint64(p.UID))
	d.more("  ", p.Exe)
	d.more("  cgroup ", p.Cgroup)
	s.own("\n")
	if len(p.Args) > 0 {
		d.label("command")
		for i, a := range p.Args {
			if i > 0 {
				s.own(" ")
			}
			s.captured(a)
		}
		s.own("\n")
	}
}

// more writes a captured value with words before it, or nothing if it is empty.
func (d *detail) more(before literal, value string) {
	if value != "" {
		d.s.own(before)
		d.s.captured(value)
	}
}

// tls is left out when nothing is known of it. The library's name is captured
// text, as the recorder took it from a file that the process chose.
func (d *detail) tls(c *replay.Conn) {
	if c.Lib == "" && c.ALPN == "" && c.Version == 0 && c.SNI == "" {
		return
	}
	d.label("tls")
	lib := c.Lib
	if lib == "" {
		lib = "library unknown"
	}
	d.s.captured(lib)
	d.more("   ", tlsVersion(c.Version))
	d.more("   ", cipherSuite(c.Cipher))
	d.more("   ALPN ", c.ALPN)
	d.more("   SNI ", c.SNI)
	d.s.own("\n")
}

// network names the client first, whoever was recorded, as requests travel that
// way. Without a known role the recorded process is taken for the client.
func (d *detail) network(x *replay.Exchange) {
	s, c := &d.s, x.Conn
	d.label("network")
	src, dst := ends(c)
	if src, dst := string(appendAddr(nil, src)), string(appendAddr(nil, dst)); src != "" || dst != "" {
		d.address(src)
		s.own(" → ")
		d.address(dst)
	} else {
		s.own("addresses unknown")
	}
	s.own("  conn ")
	s.number(uint64(c.ID))
	// Both halves have the same numbers; either will do.
	for _, m := range []*decode.Message{x.Request, x.Response} {
		if m == nil {
			continue
		}
		s.own(", exchange ")
		s.number(uint64(m.Exchange))
		if m.Stream != 0 {
			s.own(", stream ")
			s.number(uint64(m.Stream))
		}
		break
	}
	switch c.Role {
	case decode.RoleClient:
		s.own("  recorded at the client")
	case decode.RoleServer:
		s.own("  recorded at the server")
	}
	if c.Cookie != 0 {
		s.own("  cookie 0x")
		s.captured(strings.ToLower(hexOf(c.Cookie)))
	}
	if c.MidStream {
		s.own("  open before the recording")
	}
	s.own("\n")
}

// hexOf writes v without leading zeros.
func hexOf(v uint64) string {
	var s screen
	digits := 1
	for digits < 16 && v>>(4*digits) != 0 {
		digits++
	}
	s.hex("", v, digits)
	return string(s.buf)
}

// address goes through captured although netip wrote it: nothing but own and
// captured text reaches the screen, and no exception needs a proof.
func (d *detail) address(a string) {
	if a == "" {
		a = "?"
	}
	d.s.captured(a)
}

// timing splits the total into what the parties did with it. The parts need not
// add up to it: a response may begin before its request is over.
func (d *detail) timing(x *replay.Exchange) {
	t, s := timingOf(x), &d.s
	d.label("timing")
	// "unknown" rather than nothing: 0 and not known must not look alike.
	part := func(name literal, ns int64) {
		s.own(name)
		if ns < 0 {
			s.own("unknown")
			return
		}
		s.duration(ns)
	}
	part("send ", t.send)
	part(" │ wait ", t.wait)
	part(" │ receive ", t.recv)
	s.own("\n")
}

// hashes gives the SHA-256 of the bodies, as sent and without their codings.
func (d *detail) hashes(x *replay.Exchange) {
	for _, side := range []struct {
		name literal
		m    *decode.Message
	}{{"request, as sent", x.Request}, {"response, as sent", x.Response}} {
		if side.m == nil || side.m.Body.SHA256 == nil {
			continue
		}
		b := &side.m.Body
		d.label("sha256")
		d.s.digest(b.SHA256)
		d.s.own("  ")
		d.s.own(side.name)
		d.s.own("\n")
		if decoded(b) && !b.ContentCut && b.ContentErr == "" {
			sum := sha256.Sum256(b.Content)
			d.label("")
			d.s.digest(sum[:])
			d.s.own("  decoded\n")
		}
	}
}

func (s *screen) digest(sum []byte) { s.buf = hex.AppendEncode(s.buf, sum) }

// request writes the message close to its form on the wire, which is what
// people compare with a specification.
func (d *detail) request(m *decode.Message) {
	if m == nil {
		return
	}
	s := &d.s
	s.own("\n")
	s.style(cyan, func() { s.own("→ "); s.captured(m.Method) })
	s.own(" ")
	s.captured(m.Target)
	s.own(" ")
	s.captured(m.Proto)
	s.own("\n")
	s.fields(pseudo(m))
	s.fields(m.Header)
	d.body(m)
	s.trailer(m)
}

// pseudo gives HTTP/2's :authority its place above the fields, as Host has it.
func pseudo(m *decode.Message) []decode.Field {
	if m.Proto != "HTTP/2" || m.Authority == "" {
		return nil
	}
	return []decode.Field{{Name: ":authority", Value: m.Authority}}
}

// response follows the request without an empty line between: together they are
// the exchange.
func (d *detail) response(x *replay.Exchange) {
	m, s := x.Response, &d.s
	if m == nil {
		return
	}
	if x.Request == nil {
		s.own("\n")
	}
	s.interim(m)
	s.own("← ")
	s.status(m)
	if m.Reason != "" {
		s.own(" ")
		s.captured(m.Reason)
	}
	s.own(" ")
	s.captured(m.Proto)
	s.own("\n")
	s.fields(m.Header)
	d.body(m)
	s.trailer(m)
}

// interim writes the 1xx responses that came before the final one.
func (s *screen) interim(m *decode.Message) {
	for _, i := range m.Interim {
		s.own("← ")
		s.number(uint64(max(i.Status, 0)))
		s.own(" (interim)\n")
		s.fields(i.Header)
	}
}

// body writes the body under a line that names type, size, and size on the wire
// when that is another.
func (d *detail) body(m *decode.Message) {
	b, s := contentOf(&m.Body), &d.s
	if len(b) == 0 || !(d.o.Bodies || d.o.Hex) {
		return
	}
	ctype := header(m, "content-type")
	s.own("─── Body  ")
	s.signature(b, ctype, false)
	s.own(", ")
	s.size(uint64(len(b)))
	if decoded(&m.Body) {
		s.own(" (")
		s.captured(strings.Join(m.Body.Codings, ", "))
		s.own(", ")
		s.size(m.Body.Size)
		s.own(" on the wire)")
	}
	s.own(" ───\n")
	s.content(m, b, &d.o)
	s.rule()
}
