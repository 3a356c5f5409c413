package export

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/replay"
)

// JSONVersion is the "v" of each line. It grows when a reader of the version
// before would be misled; new keys alone do not change it.
const JSONVersion = 1

// JSONOptions say what JSON lines hold.
type JSONOptions struct {
	NoBodies bool // leave body bytes out; sizes stay
}

// jsonLines reuses one buffer: a line is written with one Write, so that lines
// of a pipe that is cut are whole up to the last. Only large bodies are written in
// pieces.
type jsonLines struct {
	w   io.Writer
	o   JSONOptions
	buf bytes.Buffer
	enc *json.Encoder
	err error
}

// NewJSON returns a sink that writes one exchange a line, as described by
// exchange.schema.json: each line is valid JSON whatever was captured. A string
// that is not valid UTF-8 is written as {"base64": "…"} in its place, so the
// captured bytes can always be had back. Fields keep their order and repeats.
func NewJSON(w io.Writer, o JSONOptions) Sink {
	j := &jsonLines{w: w, o: o}
	j.enc = json.NewEncoder(&j.buf)
	return j
}

// Item implements [Sink].
func (j *jsonLines) Item(it *replay.Item) error {
	if j.err != nil || it.Kind != replay.ItemExchange {
		return j.err
	}
	line := jsonExchangeOf(it.Exchange, j.o)
	bulk := line.bulks()
	if err := j.enc.Encode(line); err != nil {
		j.err = fmt.Errorf("encode exchange %d: %w", it.Exchange.ID, err)
		return j.err
	}
	j.err = writeBulks(j.w, inert(j.buf.Bytes()), bulk)
	j.buf.Reset()
	// One large body must not be paid for ever after.
	if j.buf.Cap() > 1<<20 {
		j.buf = bytes.Buffer{}
	}
	return j.err
}

// Close implements [Sink].
func (j *jsonLines) Close() error { return j.err }

// inert replaces what a terminal would act on, or not show, by JSON's own
// escapes: a line stays the same value, and safe to look at. encoding/json has
// dealt with C0 and invalid UTF-8; all other text is inside strings.
func inert(line []byte) []byte {
	if !anyOdd(line) {
		return line
	}
	out := make([]byte, 0, len(line)+len(line)/8)
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRune(line[i:])
		switch {
		case !odd(r):
			out = append(out, line[i:i+n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// anyOdd reports whether line holds an odd rune. Nearly every line is plain ASCII,
// which is looked at by byte: decoding runes was a fifth of all the time.
func anyOdd(line []byte) bool {
	for i := 0; i < len(line); {
		if line[i] < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(line[i:])
		if odd(r) {
			return true
		}
		i += n
	}
	return false
}

// odd reports whether r must not stand in a line as itself.
func odd(r rune) bool { return r >= 0x7f && !visible(r) }

// wild is captured text in JSON: a string, or its bytes when it is not UTF-8.
type wild string

// MarshalJSON implements [json.Marshaler].
func (t wild) MarshalJSON() ([]byte, error) {
	if t.plain() {
		b := make([]byte, 0, len(t)+2)
		return append(append(append(b, '"'), t...), '"'), nil
	}
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(struct {
		Base64 []byte `json:"base64"`
	}{[]byte(t)})
}

// plain reports that t needs no escape in a JSON string.
func (t wild) plain() bool {
	for i := range len(t) {
		switch c := t[i]; {
		case c < 0x20 || c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// seconds is a number of nanoseconds, written exactly.
type seconds int64

// MarshalJSON implements [json.Marshaler].
func (s seconds) MarshalJSON() ([]byte, error) {
	text := fmt.Sprintf("%d.%09d", s/1e9, s%1e9)
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

// jsonField is a pair; a third element marks a field HPACK could not give back.
type jsonField []wild

// jsonSpan is a hole of a body: its offset in the stream of body bytes, and its
// length.
type jsonSpan [2]uint64

// jsonExchange and the structs below it are the format: the order of their
// fields is the order of the keys. exchange.schema.json says the same, and a
// test holds the two together.
type jsonExchange struct {
	V      int        `json:"v"`
	ID     uint64     `json:"id"`
	Time   string     `json:"time"`
	Dur    *seconds   `json:"dur,omitempty"`
	TTFB   *seconds   `json:"ttfb,omitempty"`
	Timing jsonTiming `json:"timing"`
	Proto  string     `json:"proto"`
	Stream uint32     `json:"stream,omitempty"`
	Conn   uint32     `json:"conn"`
	Seq    uint32     `json:"exchange"`
	Req    *jsonReq   `json:"req,omitempty"`
	Resp   *jsonResp  `json:"resp,omitempty"`
	Inner  *jsonInner `json:"messages,omitempty"`
	Proc   jsonProc   `json:"proc"`
	TLS    jsonTLS    `json:"tls"`
	Net    jsonNet    `json:"net"`
	Lost   uint64     `json:"lost,omitempty"`
	Flags  []mark     `json:"flags,omitempty"`
}

// jsonTiming leaves out what the session does not tell rather than writing 0.
type jsonTiming struct {
	Send    *seconds `json:"send,omitempty"`
	Wait    *seconds `json:"wait,omitempty"`
	Receive *seconds `json:"receive,omitempty"`
}

// jsonReq is the request. URL is put together for people and filters; the
// target is what was on the wire. Path and query are cut from it and not
// decoded: what %2e means is for the reader to decide.
type jsonReq struct {
	Method wild `json:"method"`
	URL    wild `json:"url"`
	Target wild `json:"target"`
	Scheme wild `json:"scheme,omitempty"`
	Host   wild `json:"host,omitempty"`
	Path   wild `json:"path,omitempty"`
	Query  wild `json:"query,omitempty"`
	jsonMessage
}

// jsonResp is the final response, with the interim ones before it.
type jsonResp struct {
	Status  int           `json:"status,omitempty"` // absent where none was seen
	Reason  wild          `json:"reason,omitempty"`
	GRPC    *jsonGRPC     `json:"grpc,omitempty"`
	Interim []jsonInterim `json:"interim,omitempty"`
	jsonMessage
}

// jsonInterim is a 1xx response (RFC 9110 §15.2), which has no body.
type jsonInterim struct {
	Status int         `json:"status"`
	Header []jsonField `json:"header"`
}

// jsonMessage is what both messages have. Size counts the body on the wire, lost
// bytes among it; body.size counts what is given here.
type jsonMessage struct {
	Proto     wild          `json:"proto"`
	Header    []jsonField   `json:"header"`
	Trailer   []jsonField   `json:"trailer,omitempty"`
	Size      uint64        `json:"size"`
	SHA256    string        `json:"sha256,omitempty"`   // of the body as sent
	Messages  uint64        `json:"messages,omitempty"` // inside the body
	Lost      uint64        `json:"lost,omitempty"`
	Gaps      []jsonSpan    `json:"gaps,omitempty"`
	Body      *jsonBody     `json:"body,omitempty"`
	Anomalies []jsonAnomaly `json:"anomalies,omitempty"`
}

// jsonAnomaly is one thing that was wrong. Dir is seen from the recorded process,
// as everything in a session is: "write" is what it sent. Offset counts bytes of
// that direction of the connection.
type jsonAnomaly struct {
	Kind   decode.AnomalyKind `json:"kind"`
	Dir    string             `json:"dir"`
	Offset uint64             `json:"offset"`
	Detail wild               `json:"detail,omitempty"`
}

// jsonProc is the process as known when the exchange ended. UID is always there:
// 0 is root, not a gap in what is known.
type jsonProc struct {
	PID    uint32 `json:"pid"`
	PPID   uint32 `json:"ppid,omitempty"`
	UID    uint32 `json:"uid"`
	Comm   wild   `json:"comm,omitempty"`
	Exe    wild   `json:"exe,omitempty"`
	Args   []wild `json:"args,omitempty"`
	Cgroup wild   `json:"cgroup,omitempty"`
}

// jsonTLS is what is known of the TLS session.
type jsonTLS struct {
	Lib  wild `json:"lib,omitempty"`
	ALPN wild `json:"alpn,omitempty"`
}

// jsonNet: src is the client's address, dst the server's. An absent one was not
// recorded. The cookie is the kernel's number of the socket, for joining with
// what other tools saw of it.
type jsonNet struct {
	Role   string `json:"role,omitempty"`
	Src    string `json:"src,omitempty"`
	Dst    string `json:"dst,omitempty"`
	Cookie uint64 `json:"cookie,omitempty"`
}

// jsonExchangeOf copies nothing but references; the line is encoded before the
// engine goes on.
func jsonExchangeOf(x *replay.Exchange, o JSONOptions) *jsonExchange {
	c, t := x.Conn, timingOf(x)
	j := &jsonExchange{
		V: JSONVersion, ID: x.ID,
		Time: jsonTime(t.begin),
		Dur:  elapsed(t.total), TTFB: elapsed(t.ttfb),
		Timing: jsonTiming{elapsed(t.send), elapsed(t.wait), elapsed(t.recv)},
		Conn:   c.ID,
		Proc: jsonProc{PID: c.PID, PPID: c.Proc.PPID, UID: c.Proc.UID, Comm: wild(c.Proc.Comm),
			Exe: wild(c.Proc.Exe), Args: wilds(c.Proc.Args), Cgroup: wild(c.Proc.Cgroup)},
		TLS:   jsonTLS{Lib: wild(c.Lib), ALPN: wild(c.ALPN)},
		Net:   jsonNetOf(c),
		Inner: jsonInnerOf(x, o),
		Flags: marksOf(x),
	}
	// The response has the last word: after an upgrade to HTTP/2 the two halves
	// differ in protocol and stream.
	for _, m := range [2]*decode.Message{x.Request, x.Response} {
		if m != nil {
			j.Proto, j.Stream, j.Seq = protoName(m.Proto), m.Stream, m.Exchange
			j.Lost += m.Body.Lost
		}
	}
	if m := x.Request; m != nil {
		path, query, _ := strings.Cut(m.Target, "?")
		j.Req = &jsonReq{
			Method: wild(m.Method), URL: wild(urlOf(m, c)), Target: wild(m.Target), Scheme: wild(m.Scheme),
			Host: wild(m.Authority), Path: wild(path), Query: wild(query), jsonMessage: jsonMessageOf(m, o),
		}
	}
	if m := x.Response; m != nil {
		j.Resp = &jsonResp{Status: m.Status, Reason: wild(m.Reason), jsonMessage: jsonMessageOf(m, o)}
		if s, ok := grpc.StatusOf(m); ok {
			j.Resp.GRPC = &jsonGRPC{wild(s.Code), wild(s.Name), wild(s.Message)}
		}
		for _, i := range m.Interim {
			j.Resp.Interim = append(j.Resp.Interim, jsonInterim{i.Status, jsonFields(i.Header)})
		}
	}
	return j
}

// jsonTime writes a wall time in UTC.
func jsonTime(at int64) string { return time.Unix(0, at).UTC().Format(timeFormat) }

// protoName is the short name filters use: those of ALPN (RFC 7301 §6). Proto is
// no wild, as it is a name to compare with; it must be UTF-8 all the same.
func protoName(proto string) string {
	if proto == "HTTP/2" {
		return "h2"
	}
	return strings.ToLower(strings.ToValidUTF8(proto, "?"))
}

// jsonNetOf orders the addresses by who connected. Without a role the recorded
// process is taken for the client, and "role" is absent to say so.
func jsonNetOf(c *replay.Conn) jsonNet {
	n := jsonNet{Cookie: c.Cookie}
	src, dst := c.Local, c.Remote
	switch c.Role {
	case decode.RoleClient:
		n.Role = "client"
	case decode.RoleServer:
		n.Role = "server"
		src, dst = dst, src
	}
	n.Src, n.Dst = addrText(src), addrText(dst)
	return n
}

// addrText writes an IPv4 address as one even where the socket is IPv6, so that
// a filter for it finds both; "" when nothing is known.
func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	// A zone is a name from the recording host; it means nothing elsewhere.
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()).String()
}

// wilds converts a list; nil stays out of the output through omitempty.
func wilds(in []string) []wild {
	out := make([]wild, len(in))
	for i := range in {
		out[i] = wild(in[i])
	}
	return out
}

// jsonFields keeps order and repeats, which an object would lose.
func jsonFields(fs []decode.Field) []jsonField {
	out := make([]jsonField, len(fs))
	for i := range fs {
		out[i] = jsonField{wild(fs[i].Name), wild(fs[i].Value)}
		if fs[i].Unknown {
			out[i] = append(out[i], "unknown")
		}
	}
	return out
}

// jsonMessageOf refers to m's bytes; they must not change before the line is
// encoded.
func jsonMessageOf(m *decode.Message, o JSONOptions) jsonMessage {
	b := &m.Body
	j := jsonMessage{Proto: wild(m.Proto), Header: jsonFields(m.Header), Size: b.Size, Lost: b.Lost, Messages: m.Inners}
	if b.SHA256 != nil {
		j.SHA256 = hex.EncodeToString(b.SHA256)
	}
	if len(m.Trailer) > 0 {
		j.Trailer = jsonFields(m.Trailer)
	}
	for _, g := range b.Gaps {
		j.Gaps = append(j.Gaps, jsonSpan{g.Off, g.Len})
	}
	for _, a := range m.Anomalies {
		dir := "write"
		if a.Dir == decode.Read {
			dir = "read"
		}
		j.Anomalies = append(j.Anomalies, jsonAnomaly{a.Kind, dir, a.Offset, wild(a.Detail)})
	}
	if b.Size > 0 && !o.NoBodies {
		j.Body = jsonBodyOf(m)
	}
	return j
}
