package export

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/replay"
)

// exchange appends all of a line that follows the number of the exchange. What the
// session does not tell is left out rather than written as 0.
func (l *jsonLine) exchange(x *replay.Exchange) {
	t := timingOf(x)
	l.time(`,"time":`, t.begin)
	l.seconds(`,"dur":`, t.total)
	l.seconds(`,"ttfb":`, t.ttfb)
	l.timing(&t)

	// The response has the last word: after an upgrade to HTTP/2 the two halves
	// differ in protocol and stream.
	var proto string
	var stream, seq uint32
	var lost uint64
	for _, m := range [2]*decode.Message{x.Request, x.Response} {
		if m != nil {
			proto, stream, seq = protoName(m.Proto), m.Stream, m.Exchange
			lost += m.Body.Lost
		}
	}
	l.own(`,"proto":"`)
	l.b = appendText(l.b, proto) // no wild, as it is a name to compare with
	l.own(`"`)
	l.count(`,"stream":`, uint64(stream))
	l.uint(`,"conn":`, uint64(x.Conn.ID))
	l.uint(`,"exchange":`, uint64(seq))
	if x.Request != nil {
		l.request(x.Request, x.Conn)
	}
	if x.Response != nil {
		l.response(x.Response)
	}
	if x.Inner != nil {
		l.inner(x)
	}
	l.conn(x.Conn)
	l.count(`,"lost":`, lost)
	l.marks(marksOf(x))
	l.own("}")
}

func (l *jsonLine) timing(t *timing) {
	l.own(`,"timing":{`)
	at := len(l.b)
	l.seconds(`,"send":`, t.send)
	l.seconds(`,"wait":`, t.wait)
	l.seconds(`,"receive":`, t.recv)
	l.b = dropComma(l.b, at)
	l.own("}")
}

// dropComma removes the comma in front of an object's first key, which is at at.
func dropComma(b []byte, at int) []byte {
	if at == len(b) {
		return b
	}
	return append(b[:at], b[at+1:]...)
}

// request appends a request. Its URL is put together for people and filters; the
// target is what was on the wire. Path and query are cut from it and not decoded:
// what %2e means is for the reader to decide.
func (l *jsonLine) request(m *decode.Message, c *replay.Conn) {
	path, query, _ := strings.Cut(m.Target, "?")
	l.wild(`,"req":{"method":`, m.Method)
	l.url = appendURL(l.url[:0], m, c)
	l.own(`,"url":`)
	l.b = appendWild(l.b, l.url)
	l.wild(`,"target":`, m.Target)
	l.some(`,"scheme":`, m.Scheme)
	l.some(`,"host":`, m.Authority)
	l.some(`,"path":`, path)
	l.some(`,"query":`, query)
	l.wild(`,"proto":`, m.Proto)
	l.message(m)
	l.own("}")
}

// response appends the final response, with the interim ones before it (RFC 9110
// §15.2), which have no body. Its status is absent where none was seen.
func (l *jsonLine) response(m *decode.Message) {
	l.own(`,"resp":{`)
	at := len(l.b)
	l.status(`,"status":`, m.Status)
	l.some(`,"reason":`, m.Reason)
	if s, ok := grpc.StatusOf(m); ok {
		l.wild(`,"grpc":{"status":`, s.Code) // as sent; a number, by the specification
		l.some(`,"name":`, s.Name)
		l.some(`,"message":`, s.Message) // percent-decoded
		l.own("}")
	}
	if len(m.Interim) > 0 {
		l.own(`,"interim":[`)
		for i := range m.Interim {
			l.comma(i)
			l.own(`{"status":`)
			l.status("", m.Interim[i].Status)
			if m.Interim[i].Status == 0 {
				l.own("0")
			}
			l.fields(`,"header":`, m.Interim[i].Header)
			l.own("}")
		}
		l.own("]")
	}
	l.wild(`,"proto":`, m.Proto)
	l.b = dropComma(l.b, at)
	l.message(m)
	l.own("}")
}

// message appends what requests and responses have in common. Size counts the body
// on the wire, lost bytes among it; body.size counts what is given here.
func (l *jsonLine) message(m *decode.Message) {
	b := &m.Body
	l.fields(`,"header":`, m.Header)
	if len(m.Trailer) > 0 {
		l.fields(`,"trailer":`, m.Trailer)
	}
	l.uint(`,"size":`, b.Size)
	if len(b.SHA256) > 0 { // of the body as sent
		l.own(`,"sha256":"`)
		l.b = append(hex.AppendEncode(l.b, b.SHA256), '"')
	}
	l.count(`,"messages":`, m.Inners) // inside the body
	l.content(m)
}

// content appends what is known of the bytes of a message, and what was wrong.
func (l *jsonLine) content(m *decode.Message) {
	b := &m.Body
	l.holes(b)
	if b.Size > 0 && !l.o.NoBodies {
		l.body(m)
	}
	l.anomalies(m.Anomalies)
}

// holes appends where bytes of a body are missing: their offset in the stream of
// body bytes, and how many.
func (l *jsonLine) holes(b *decode.Body) {
	l.count(`,"lost":`, b.Lost)
	if len(b.Gaps) == 0 {
		return
	}
	l.own(`,"gaps":[`)
	for i, g := range b.Gaps {
		l.comma(i)
		l.uint("[", g.Off)
		l.uint(",", g.Len)
		l.own("]")
	}
	l.own("]")
}

// anomalies appends what was wrong. Dir is seen from the recorded process, as
// everything in a session is: "write" is what it sent. Offset counts bytes of that
// direction of the connection.
func (l *jsonLine) anomalies(list []decode.Anomaly) {
	if len(list) == 0 {
		return
	}
	l.own(`,"anomalies":[`)
	for i := range list {
		a := &list[i]
		l.comma(i)
		l.own(`{"kind":"`)
		l.b = appendText(l.b, a.Kind)
		l.own(`","dir":`)
		if a.Dir == decode.Read {
			l.own(`"read"`)
		} else {
			l.own(`"write"`)
		}
		l.uint(`,"offset":`, a.Offset)
		l.some(`,"detail":`, a.Detail)
		l.own("}")
	}
	l.own("]")
}

// conn appends the process as known when the exchange ended, the TLS session and
// the addresses. A connection's is the same for all its exchanges, unless what is
// known of it changed: then it is another *replay.Conn.
func (l *jsonLine) conn(c *replay.Conn) {
	t := &l.tails[c.ID%uint32(len(l.tails))]
	if t.of == c {
		l.b = append(l.b, t.text...)
		return
	}
	at := len(l.b)
	l.proc(c)
	l.own(`,"tls":{`)
	from := len(l.b)
	l.some(`,"lib":`, c.Lib)
	l.some(`,"alpn":`, c.ALPN)
	l.some(`,"version":`, tlsVersion(c.Version))
	l.some(`,"cipher":`, cipherSuite(c.Cipher))
	l.some(`,"sni":`, c.SNI)
	l.b = dropComma(l.b, from)
	l.own("}")
	l.net(c)
	t.of, t.text = c, append(t.text[:0], l.b[at:]...)
}

// proc appends the process. UID is always there: 0 is root, not a gap in what is
// known.
func (l *jsonLine) proc(c *replay.Conn) {
	p := c.Proc
	l.uint(`,"proc":{"pid":`, uint64(c.PID))
	l.count(`,"ppid":`, uint64(p.PPID))
	l.uint(`,"uid":`, uint64(p.UID))
	l.some(`,"comm":`, p.Comm)
	l.some(`,"exe":`, p.Exe)
	l.texts(`,"args":[`, p.Args)
	l.some(`,"cgroup":`, p.Cgroup)
	if len(p.Ancestors) > 0 {
		l.own(`,"ancestors":[`)
		for i, a := range p.Ancestors {
			l.comma(i)
			l.uint(`{"pid":`, uint64(a.PID))
			l.some(`,"comm":`, a.Comm)
			l.own("}")
		}
		l.own("]")
	}
	l.own("}")
}

// net appends the addresses: src is the client's, dst the server's. Without a role
// "role" is absent, to say that the two are a guess. An absent address was not
// recorded. The cookie is the kernel's number of the socket, for joining with what
// other tools saw of it. Midstream says that the connection is older than the recording.
func (l *jsonLine) net(c *replay.Conn) {
	l.own(`,"net":{`)
	at := len(l.b)
	switch c.Role {
	case decode.RoleClient:
		l.own(`,"role":"client"`)
	case decode.RoleServer:
		l.own(`,"role":"server"`)
	}
	src, dst := ends(c)
	l.addr(`,"src":"`, src)
	l.addr(`,"dst":"`, dst)
	l.count(`,"cookie":`, c.Cookie)
	if c.MidStream {
		l.own(`,"midstream":true`)
	}
	l.b = dropComma(l.b, at)
	l.own("}")
}

// addr appends an address, if it is known.
func (l *jsonLine) addr(key literal, a netip.AddrPort) {
	if a.IsValid() {
		l.own(key)
		l.b = append(appendAddr(l.b, a), '"')
	}
}

// protoName is the short name filters use: those of ALPN (RFC 7301 §6). It must be
// UTF-8.
func protoName(proto string) string {
	switch proto {
	case "HTTP/2":
		return "h2"
	case "HTTP/1.1":
		return "http/1.1"
	}
	return strings.ToLower(strings.ToValidUTF8(proto, "?"))
}

// inner appends what happened inside an exchange.
func (l *jsonLine) inner(x *replay.Exchange) {
	in := x.Inner
	l.wild(`,"messages":{"proto":`, in.Proto)
	l.tally(`,"client":{"count":`, in.Client)
	l.tally(`,"server":{"count":`, in.Server)
	if len(in.List) > 0 {
		l.own(`,"list":[`)
		for i, m := range in.List {
			l.comma(i)
			l.nested(m, x.Conn)
		}
		l.own("]")
	}
	if in.Cut {
		l.own(`,"cut":true`)
	}
	l.own("}")
}

// tally appends counts of what one side sent.
func (l *jsonLine) tally(key literal, t replay.Tally) {
	l.uint(key, t.Count)
	l.uint(`,"size":`, t.Size)
	l.uint(`,"wire":`, t.Wire)
	l.own("}")
}

// nested appends a message inside an exchange. Size counts the payload, decoded
// where that was possible; wire what it took in its stream.
func (l *jsonLine) nested(m *decode.Message, c *replay.Conn) {
	l.uint(`{"n":`, m.Number)
	if fromClient(m, c) {
		l.own(`,"from":"client"`)
	} else {
		l.own(`,"from":"server"`)
	}
	l.wild(`,"type":`, m.Type)
	l.time(`,"time":`, m.Begin)
	l.uint(`,"size":`, m.Body.Size)
	l.uint(`,"wire":`, m.Wire)
	l.status(`,"status":`, m.Status)
	l.some(`,"reason":`, m.Reason)
	l.holes(&m.Body)
	if m.Body.Size > 0 && !l.o.NoBodies {
		l.body(m)
	}
	var flags []mark
	for _, f := range [...]struct {
		flag decode.Flags
		mark mark
	}{{decode.Gapped, "gap"}, {decode.Incomplete, "incomplete"}, {decode.MidStream, "midstream"}} {
		if m.Flags&f.flag != 0 {
			flags = append(flags, f.mark)
		}
	}
	l.marks(flags)
	l.anomalies(m.Anomalies)
	l.own("}")
}
