package export

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// The functions of this file read facts off messages. What they return is
// captured text wherever a message had a hand in it.

// header returns the first field called name, which is in lower case.
func header(m *decode.Message, name string) string {
	// The length first: this runs for each row and most names differ in it.
	for i := range m.Header {
		if len(m.Header[i].Name) == len(name) && strings.EqualFold(m.Header[i].Name, name) {
			return m.Header[i].Value
		}
	}
	return ""
}

// urlOf returns the URL of a request. The scheme is https unless the message
// says otherwise: what was recorded is the plaintext of TLS.
func urlOf(m *decode.Message, c *replay.Conn) string { return string(appendURL(nil, m, c)) }

// appendURL appends what urlOf returns.
func appendURL(b []byte, m *decode.Message, c *replay.Conn) []byte {
	switch {
	case m.Method == "CONNECT" && header(m, ":protocol") == "":
		if m.Target != "" {
			return append(b, m.Target...)
		}
		return appendHost(b, m, c)
	// Absolute form, as a proxy is asked (RFC 9112 §3.2.2): the target is the URL.
	case !strings.HasPrefix(m.Target, "/") && strings.Contains(m.Target, "://"):
		return append(b, m.Target...)
	}
	scheme := m.Scheme
	if scheme == "" {
		scheme = "https"
	}
	if isWebSocket(m) {
		scheme = strings.Replace(scheme, "http", "ws", 1)
	}
	b = append(append(b, scheme...), "://"...)
	b = appendHost(b, m, c)
	if !strings.HasPrefix(m.Target, "/") {
		b = append(b, '/') // "*", or nothing at all
	}
	return append(b, m.Target...)
}

// appendHost appends the authority a request is for, or the best that is known of it.
func appendHost(b []byte, m *decode.Message, c *replay.Conn) []byte {
	if m.Authority != "" {
		return append(b, m.Authority...)
	}
	if unknownFields(m) {
		return append(b, "‹unknown›"...) // it was sent, in a header table we do not have
	}
	if a := serverAddr(c); a.IsValid() {
		return append(b, a.String()...)
	}
	return append(b, '?')
}

// isWebSocket reports whether a request asks for a WebSocket (RFC 6455 §4.1, RFC
// 8441 §4).
func isWebSocket(m *decode.Message) bool {
	return m.Method == "GET" && strings.EqualFold(header(m, "upgrade"), "websocket") ||
		m.Method == "CONNECT" && strings.EqualFold(header(m, ":protocol"), "websocket")
}

func unknownFields(m *decode.Message) bool {
	return slices.ContainsFunc(m.Header, func(f decode.Field) bool { return f.Unknown })
}

// serverAddr is the remote end unless the process is known to be the server.
func serverAddr(c *replay.Conn) netip.AddrPort {
	if c.Role == decode.RoleServer {
		return c.Local
	}
	return c.Remote
}

// ends returns the addresses of a connection ordered by who connected: the client's
// and the server's. Without a role the recorded process is taken for the client.
func ends(c *replay.Conn) (client, server netip.AddrPort) {
	if c.Role == decode.RoleServer {
		return c.Remote, c.Local
	}
	return c.Local, c.Remote
}

// appendAddr appends an address, if it is known. An IPv4 address is one even where
// the socket is IPv6, so that a filter for it finds both. A zone is a name from the
// recording host; it means nothing elsewhere.
func appendAddr(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return b
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()).AppendTo(b)
}

// contentOf returns the body as it is to be looked at: decoded if it could be.
func contentOf(b *decode.Body) []byte {
	if b.Content != nil || (len(b.Codings) == 0 && b.Data == nil) {
		return b.Content
	}
	return b.Data
}

// decoded reports whether content codings were removed from the body.
func decoded(b *decode.Body) bool { return len(b.Codings) > 0 && b.Content != nil }

// noStatus is what stands for the status of a response that has none: it was
// reset before its head, or the head was lost.
func noStatus(m *decode.Message) literal {
	if m.Flags&decode.Reset != 0 {
		return "reset"
	}
	return "-"
}

// timing is what is known of an exchange's times, in nanoseconds; -1 is unknown.
type timing struct {
	begin                   int64 // wall time
	total, send, wait, recv int64
	ttfb                    int64 // request's first byte to the response's first
}

// span is the time between two readings. Times of a hostile or damaged session
// may run backwards: then nothing is known, and nothing is shown.
func span(from, to int64) int64 {
	if from == 0 || to < from {
		return -1
	}
	return to - from
}

// timingOf uses event times only. All of it is seen from the recorded process:
// for a server "wait" is its own work, for a client the network's too.
func timingOf(x *replay.Exchange) timing {
	t := timing{total: -1, send: -1, wait: -1, recv: -1, ttfb: -1}
	if q := x.Request; q != nil {
		t.begin = q.Begin
		t.send = span(q.Begin, q.End.Time)
	}
	if r := x.Response; r != nil {
		t.recv = span(r.Begin, r.End.Time)
		if x.Request == nil {
			t.begin = r.Begin
			t.total = span(r.Begin, max(r.End.Time, lastInner(x)))
			return t
		}
		// A server may answer, and be done, before the request is over (RFC 9113 §8.1).
		t.total = span(x.Request.Begin, max(r.End.Time, x.Request.End.Time, lastInner(x)))
		t.ttfb = span(x.Request.Begin, r.Begin)
		// A response that begins before its request is over leaves no wait.
		t.wait = max(span(x.Request.End.Time, r.Begin), 0)
		if r.Begin == 0 {
			t.wait = -1
		}
	}
	return t
}

// lastInner is when an exchange that went on after its response ended.
func lastInner(x *replay.Exchange) int64 {
	if x.Inner == nil || x.Response.Flags&decode.Continued == 0 {
		return 0
	}
	return x.Inner.End
}

// mark is something a reader must know of an exchange; the names are those of
// the JSON output.
type mark = literal

// marksOf lists what is amiss with an exchange, worst first.
func marksOf(x *replay.Exchange) []mark {
	var fl decode.Flags
	var out []mark
	anomalies := false
	for _, m := range [2]*decode.Message{x.Request, x.Response} {
		if m != nil {
			fl |= m.Flags
			anomalies = anomalies || len(m.Anomalies) > 0
		}
	}
	add := func(on bool, m mark) {
		if on {
			out = append(out, m)
		}
	}
	add(fl&decode.Gapped != 0, "gap")
	add(fl&decode.Incomplete != 0, "incomplete")
	add(fl&decode.MidStream != 0, "midstream")
	add(fl&decode.Reset != 0, "reset")
	add(x.Request == nil, "no-request")
	add(x.Response == nil && x.Pending, "pending")
	add(x.Response == nil && !x.Pending, "no-response")
	add(fl&decode.Upgraded != 0, "upgraded")
	add(fl&decode.Pushed != 0, "pushed")
	add(anomalies, "anomaly")
	return out
}

// zone is the recording host's local time, so that a session shows the same
// times wherever it is read.
func zone(offset int32) *time.Location {
	// The file may say anything; beyond a day it is no offset of any place.
	if offset < -86400 || offset > 86400 {
		offset = 0
	}
	return time.FixedZone("", int(offset))
}
