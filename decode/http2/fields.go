package http2

import (
	"strconv"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// maxInterim bounds the 1xx responses kept of one stream; there is no end to
// what a server may send.
const maxInterim = 64

// pseudo holds the pseudo-header fields of a field section (RFC 9113 §8.3).
type pseudo struct {
	method, scheme, authority, path, status, protocol string
	seen                                              uint8
}

const (
	seenMethod = 1 << iota
	seenScheme
	seenAuthority
	seenPath
	seenStatus
	seenProtocol
)

// set stores a pseudo-header field. ok is false if it is unknown, repeated, or
// belongs to the other kind of message.
func (ps *pseudo) set(f *decode.Field, response bool) (ok bool) {
	var to *string
	var bit uint8
	switch f.Name {
	case ":method":
		to, bit = &ps.method, seenMethod
	case ":scheme":
		to, bit = &ps.scheme, seenScheme
	case ":authority":
		to, bit = &ps.authority, seenAuthority
	case ":path":
		to, bit = &ps.path, seenPath
	case ":status":
		to, bit = &ps.status, seenStatus
	case ":protocol":
		to, bit = &ps.protocol, seenProtocol
	default:
		return false
	}
	if ps.seen&bit != 0 || response != (bit == seenStatus) {
		return false
	}
	*to = f.Value
	ps.seen |= bit
	return true
}

// Contexts of a field section.
const (
	inRequest = iota
	inResponse
	inTrailer
)

// sort splits a section into pseudo-header fields and the rest, which it copies,
// and marks what is wrong with any of them.
func (c *Conn) sort(o *open, fields []decode.Field, where int) (ps pseudo, rest []decode.Field) {
	// A copy, because fields is scratch and the message is kept. An invalid
	// pseudo-header field stays among the others: it was sent, so it is shown.
	out := c.arena.Fields(len(fields))
	crumb, crumbs, regular := -1, 0, false
	for i := range fields {
		f := &fields[i]
		if f.Name != "" && f.Name[0] == ':' {
			ok := where != inTrailer && ps.set(f, where == inResponse)
			if !ok {
				c.mark(o, o.m.Dir, AnomalyPseudo, "%q is unknown, repeated or not for here", f.Name)
			} else if regular {
				c.mark(o, o.m.Dir, AnomalyPseudo, "%q after regular fields", f.Name)
			}
			// :protocol (RFC 8441 §4) has no place of its own in a message.
			if ok && f.Name != ":protocol" {
				continue
			}
		} else if !f.Unknown { // an unknown name may be a pseudo-header field's
			regular = true
			if !c.isPlain(f) {
				c.checkField(o, f, where)
			}
			if f.Name == "cookie" {
				if crumbs++; crumbs == 1 {
					crumb = len(out)
				}
			}
		}
		out = append(out, *f)
	}
	if crumbs > 1 {
		out = joinCookies(out, crumb)
	}
	if len(out) == 0 {
		return ps, nil
	}
	return ps, out
}

// joinCookies undoes the splitting that helps compression (§8.2.3).
func joinCookies(fields []decode.Field, first int) []decode.Field {
	// In place: out never overtakes the field that is read.
	var b strings.Builder
	b.WriteString(fields[first].Value)
	out := fields[:first+1]
	for _, f := range fields[first+1:] {
		if f.Name != "cookie" || f.Unknown {
			out = append(out, f)
			continue
		}
		b.WriteString("; ")
		b.WriteString(f.Value)
		out[first].NeverIndexed = out[first].NeverIndexed || f.NeverIndexed
	}
	out[first].Value = b.String()
	// The strings behind the end would be kept alive by the array.
	clear(fields[len(out):])
	return out
}

// checkedSlots is how many fields are known to be right.
const checkedSlots = 64

// checkedField is a field in which checkField finds nothing, wherever it stands. Its
// text is nearly always the very string that comes again, of the table or of a line
// that is known: to compare it costs nothing then.
type checkedField struct{ name, value string }

// isPlain reports whether there is nothing to be said of a field.
func (c *Conn) isPlain(f *decode.Field) bool {
	if f.Name == "" || len(f.Value) > 512 {
		return false
	}
	slot := uint(len(f.Name))*7 + uint(f.Name[0]) + uint(f.Name[len(f.Name)-1])*3 + uint(len(f.Value))*13
	k := &c.checked[slot%checkedSlots]
	if k.name == f.Name && k.value == f.Value {
		return true
	}
	if isSpecial(f.Name) || !validName(f.Name) || !validValue(f.Value) {
		return false
	}
	*k = checkedField{f.Name, f.Value}
	return true
}

// isSpecial reports whether checkField looks further than at what bytes a field has.
func isSpecial(name string) bool {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te", "content-length":
		return true
	}
	return false
}

// checkField marks what §8.2 forbids in a regular field.
func (c *Conn) checkField(o *open, f *decode.Field, where int) {
	if !validName(f.Name) {
		c.mark(o, o.m.Dir, AnomalyFieldName, "%q", clip(f.Name))
	}
	if !validValue(f.Value) {
		c.mark(o, o.m.Dir, AnomalyFieldValue, "value of %q", clip(f.Name))
	}
	// §8.2.2. They are reported and kept: a gateway that believes them is how
	// requests are smuggled, so a reader must see them.
	switch f.Name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		c.mark(o, o.m.Dir, AnomalyConnField, "%s", f.Name)
	case "te":
		if f.Value != "trailers" {
			c.mark(o, o.m.Dir, AnomalyConnField, "te: %q", clip(f.Value))
		}
	case "content-length":
		if where == inTrailer {
			return
		}
		// 63 bits, so that the length fits where noLength is -1.
		n, err := strconv.ParseUint(f.Value, 10, 63)
		switch {
		case err != nil || f.Value[0] == '+':
			c.mark(o, o.m.Dir, AnomalyLength, "content-length %q", clip(f.Value))
		case o.length == noLength:
			o.length = int64(n)
		case o.length != int64(n):
			c.mark(o, o.m.Dir, AnomalyLength, "content-length %d and %d", o.length, n)
		}
	}
}

// nameBytes are the bytes §8.2.1 allows in a field name: visible ASCII but
// upper case, and a colon only in front (which is a pseudo-header field).
var nameBytes = func() (t [256]bool) {
	for b := 0x21; b < 0x7f; b++ {
		t[b] = b != ':' && (b < 'A' || b > 'Z')
	}
	return t
}()

// validName is false for an empty name.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !nameBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue follows §8.2.1: no NUL, LF or CR, no white space at the ends.
func validValue(s string) bool {
	if s == "" {
		return true
	}
	first, last := s[0], s[len(s)-1]
	if first == ' ' || first == '\t' || last == ' ' || last == '\t' {
		return false
	}
	return strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0
}

// clip keeps anomaly details short.
func clip(s string) string { return s[:min(len(s), 64)] }

// requestHead fills in a request from its field section. That of a CONNECT is
// given out at once: what follows is a tunnel and no body (§8.5).
func (c *Conn) requestHead(h *half, st *stream, o *open, s *section) {
	ps, rest := c.sort(o, s.fields, inRequest)
	m := &o.m
	m.Method, m.Scheme, m.Authority, m.Target = ps.method, ps.scheme, ps.authority, ps.path
	m.Header, m.HeadEnd = rest, c.at
	o.head = true
	st.head, st.connect = ps.method == "HEAD", ps.method == "CONNECT"
	st.protocol = ps.protocol
	c.checkRequest(o, &ps, s)
	if st.connect {
		c.emit(o)
		o.tunnel, o.m = true, decode.Message{}
	}
}

// checkRequest looks for what §8.3.1 and §8.5 require. If fields are missing
// because of us, their absence says nothing.
func (c *Conn) checkRequest(o *open, ps *pseudo, s *section) {
	if !s.whole() {
		return
	}
	need := uint8(seenMethod | seenScheme | seenPath)
	if ps.method == "CONNECT" && ps.seen&seenProtocol == 0 {
		need = seenMethod | seenAuthority
	}
	if ps.seen&need != need {
		c.mark(o, o.m.Dir, AnomalyPseudo, "a required one is missing")
	} else if ps.path == "" && need&seenPath != 0 {
		c.mark(o, o.m.Dir, AnomalyPseudo, ":path is empty")
	}
}

// responseHead fills in a response, or adds an interim one. An interim response
// cannot end the stream (§8.1), so one that does is taken for the final.
func (c *Conn) responseHead(h *half, st *stream, o *open, s *section) {
	length := o.length
	ps, rest := c.sort(o, s.fields, inResponse)
	status, ok := parseStatus(ps.status)
	if !ok && s.whole() {
		c.mark(o, h.dir, AnomalyPseudo, ":status %q", clip(ps.status))
	}
	if status >= 100 && status < 200 && !s.endStream {
		if status == 101 {
			c.mark(o, h.dir, AnomalyPseudo, "status 101 does not exist in HTTP/2")
		}
		o.length = length // not of the final response
		if len(o.m.Interim) >= maxInterim {
			c.mark(o, h.dir, decode.AnomalyLimit, "more than %d interim responses", maxInterim)
			return
		}
		o.m.Interim = append(o.m.Interim, decode.Interim{Status: status, Header: rest, At: c.at})
		return
	}
	if status >= 100 && status < 200 {
		c.mark(o, h.dir, AnomalyPseudo, "an interim response with END_STREAM")
	}
	o.m.Status, o.m.Header, o.m.HeadEnd = status, rest, c.at
	o.head = true
	if st.connect && status >= 200 && status < 300 {
		o.m.Flags |= decode.Upgraded
		c.openTunnel(st, &o.m)
		c.emit(o)
		o.tunnel, o.m = true, decode.Message{}
	}
}

// parseStatus wants exactly three digits (RFC 9110 §15); those above 599 are
// odd but the sender's.
func parseStatus(s string) (int, bool) {
	if len(s) != 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n >= 100
}

// trailers takes a field section after the head (§8.1).
func (c *Conn) trailers(h *half, o *open, s *section) {
	if !s.endStream {
		c.mark(o, h.dir, AnomalyTrailers, "a second field section without END_STREAM")
	}
	// Sections are added up, so the limit is over all of them.
	_, rest := c.sort(o, s.fields, inTrailer)
	if room := c.lim.Fields - len(o.m.Trailer); len(rest) > room {
		c.mark(o, h.dir, decode.AnomalyLimit, "%d trailer fields were not kept", len(rest)-room)
		rest = rest[:room]
	}
	if o.m.Trailer == nil {
		o.m.Trailer = rest
		return
	}
	o.m.Trailer = append(o.m.Trailer, rest...)
}
