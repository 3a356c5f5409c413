package eventjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/NoFear0411/spliff/format"
)

// minimal is a line of the minimal form.
type minimal struct {
	client, server netip.AddrPort
	conn           uint32
	dir            way
	time           uint64
	alpn           string
	data           []byte
	gap            uint64
	end            ending
}

// way is the direction of a line, seen from the network. The client's side
// counts as the process, so the values are those of format.Dir.
type way uint8

func wayName(w way) string {
	switch format.Dir(w) {
	case format.DirWrite:
		return "c2s"
	case format.DirRead:
		return "s2c"
	}
	return ""
}

// ending is how a direction ended.
type ending uint8

const (
	endFIN ending = 1
	endRST ending = 2
)

func endingName(e ending) string {
	switch e {
	case endFIN:
		return "fin"
	case endRST:
		return "rst"
	}
	return ""
}

// Bits of the fields of a minimal line, by their place in fields.
const (
	hasClient = 1 << iota
	hasServer
	hasALPN
	hasConn
	hasDir
	hasTime
	hasData
	hasText
	hasGap
	hasEnd
	describes = hasClient | hasServer | hasALPN
	happens   = hasData | hasText | hasGap | hasEnd
)

// fields goes through the fields of a line; it is only ever read.
func (m *minimal) fields(c *codec, buf *[]byte) {
	c.peer("client", &m.client)
	c.peer("server", &m.server)
	c.text("alpn", &m.alpn)
	small(c, "conn", &m.conn)
	word(c, "dir", &m.dir, wayName)
	c.u64("ts", &m.time)
	if c.wants("data") {
		*buf = readBase64(c.in, (*buf)[:0])
		m.data = *buf
	}
	if c.wants("text") {
		m.data = c.in.text()
	}
	c.u64("gap", &m.gap)
	word(c, "end", &m.end, endingName)
}

// peer reads an address. Tools that split captures write IPv6 without brackets
// too: the port is what follows the last colon.
func (c *codec) peer(name string, v *netip.AddrPort) {
	if !c.wants(name) {
		return
	}
	text := string(c.in.text())
	if a, err := netip.ParseAddrPort(text); err == nil {
		*v = a
		return
	}
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		ip, err := netip.ParseAddr(text[:at])
		port, perr := strconv.ParseUint(text[at+1:], 10, 16)
		if err == nil && perr == nil {
			*v = netip.AddrPortFrom(ip, uint16(port))
			return
		}
	}
	c.in.fail("%s: %q is not an address with a port", name, clip([]byte(text)))
}

// parseMinimal fills m from line, which it changes, and returns the fields that
// were there. m.data lies in the line or in buf.
func parseMinimal(line []byte, m *minimal, buf *[]byte) (seen uint32, err error) {
	if err := checkUTF8(line); err != nil {
		return 0, err
	}
	*m = minimal{}
	in := &scanner{line: line}
	c := codec{in: in}
	c.object(func(c *codec) { m.fields(c, buf) })
	in.end()
	if in.err != nil {
		return 0, in.err
	}
	return c.seen, m.check(c.seen)
}

func (m *minimal) check(seen uint32) error {
	event := seen & happens
	switch {
	case seen&hasConn == 0:
		return errors.New(`no field "conn"`)
	case m.conn == math.MaxUint32:
		return fmt.Errorf("conn: %d is over %d", m.conn, m.conn-1)
	case seen&describes != 0 && seen&(happens|hasDir) != 0:
		return errors.New("a line that describes a connection has no dir, data, text, gap and end")
	case seen&describes != 0:
		return nil
	case event == 0:
		return errors.New("no field says what happened: data, text, gap or end")
	case event&(event-1) != 0:
		return errors.New("more than one of data, text, gap and end")
	case m.dir == 0:
		return errors.New(`no field "dir"`)
	case wayName(m.dir) == "":
		return fmt.Errorf("dir: %d is neither 1 nor 2", m.dir)
	case event == hasGap && m.gap == 0:
		return errors.New("gap: nothing is missing")
	case event == hasEnd && endingName(m.end) == "":
		return fmt.Errorf("end: %d is neither 1 nor 2", m.end)
	case len(m.data) > format.MaxPayload:
		return fmt.Errorf("payload of %d bytes, at most %d", len(m.data), format.MaxPayload)
	}
	return nil
}

// isMinimal tells the two forms apart by the first line. One that is neither is
// taken for an event, so that the error speaks of the form that is documented
// field by field.
func isMinimal(line []byte) bool {
	in := &scanner{line: append([]byte(nil), line...)}
	var event, mini bool
	in.object(func(key []byte) {
		switch string(key) {
		case "seq", "type":
			event = true
		case "client", "server", "alpn", "ts", "data", "gap", "end":
			mini = true
		case "dir":
			start := in.skip()
			dir := bytes.TrimSpace(in.line[start:in.pos])
			mini = mini || len(dir) > 0 && dir[0] == '"' && string(dir) != `"write"` && string(dir) != `"read"`
			return
		}
		in.skip()
	})
	return mini && !event
}

// importMinimal writes the conversations of the text, of which line is the first.
func importMinimal(out *sections, l *lines, line []byte) error {
	s := newScript(out)
	var m minimal
	var buf []byte
	for {
		seen, err := parseMinimal(line, &m, &buf)
		if err == nil {
			err = s.take(&m, seen)
		}
		switch {
		case s.failed != nil:
			return s.failed
		case err != nil:
			return l.wrong(err)
		}
		if line, err = l.next(); errors.Is(err, io.EOF) {
			return s.close()
		} else if err != nil {
			return err
		}
	}
}
