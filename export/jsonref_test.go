package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// The types of this file say once more what a line of JSON is, in structs that
// encoding/json writes: what the code that writes lines by hand is compared with.

// seconds is a number of nanoseconds, written exactly.
type seconds int64

func (s seconds) MarshalJSON() ([]byte, error) {
	text := fmt.Sprintf("%d.%09d", s/1e9, s%1e9)
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

// elapsed leaves out what is not known.
func elapsed(ns int64) *seconds {
	if ns < 0 {
		return nil
	}
	return (*seconds)(&ns)
}

func jsonTime(at int64) string { return time.Unix(0, at).UTC().Format(timeFormat) }

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()).String()
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

type jsonAncestor struct {
	PID  uint32 `json:"pid"`
	Comm wild   `json:"comm,omitempty"`
}

// jsonProc is the process as known when the exchange ended. UID is always there:
// 0 is root, not a gap in what is known.
type jsonProc struct {
	PID    uint32         `json:"pid"`
	PPID   uint32         `json:"ppid,omitempty"`
	UID    uint32         `json:"uid"`
	Comm   wild           `json:"comm,omitempty"`
	Exe    wild           `json:"exe,omitempty"`
	Args   []wild         `json:"args,omitempty"`
	Cgroup wild           `json:"cgroup,omitempty"`
	Line   []jsonAncestor `json:"ancestors,omitempty"`
}

// jsonTLS is what is known of the TLS session.
type jsonTLS struct {
	Lib  wild `json:"lib,omitempty"`
	ALPN wild `json:"alpn,omitempty"`

	Version wild `json:"version,omitempty"`
	Cipher  wild `json:"cipher,omitempty"`
	SNI     wild `json:"sni,omitempty"`
}

// jsonNet: src is the client's address, dst the server's. An absent one was not
// recorded. The cookie is the kernel's number of the socket, for joining with
// what other tools saw of it.
type jsonNet struct {
	Role   string `json:"role,omitempty"`
	Src    string `json:"src,omitempty"`
	Dst    string `json:"dst,omitempty"`
	Cookie uint64 `json:"cookie,omitempty"`
	Mid    bool   `json:"midstream,omitempty"`
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
			Exe: wild(c.Proc.Exe), Args: wilds(c.Proc.Args), Cgroup: wild(c.Proc.Cgroup), Line: jsonAncestors(c.Proc.Ancestors)},
		TLS:   jsonTLS{Lib: wild(c.Lib), ALPN: wild(c.ALPN), Version: wild(tlsVersion(c.Version)), Cipher: wild(cipherSuite(c.Cipher)), SNI: wild(c.SNI)},
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

// jsonNetOf orders the addresses by who connected. Without a role the recorded
// process is taken for the client, and "role" is absent to say so.
func jsonNetOf(c *replay.Conn) jsonNet {
	n := jsonNet{Cookie: c.Cookie, Mid: c.MidStream}
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

// jsonBody has Text or Base64, one of the two, even when it is empty, and both
// where the text is in another character set.
type jsonBody struct {
	Size    int      `json:"size"` // bytes here, decoded
	Coding  []wild   `json:"coding,omitempty"`
	Removed []string `json:"removed,omitempty"`
	// Decoded: the codings were removed, as far as Error allowed.
	Decoded bool   `json:"decoded,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // of the decoded body, when that is whole
	Cut     bool   `json:"cut,omitempty"`
	Error   string `json:"error,omitempty"`
	// Charset: Text was converted from it, and Base64 is there too.
	Charset string  `json:"charset,omitempty"`
	Text    *wild   `json:"text,omitempty"`
	Base64  *[]byte `json:"base64,omitempty"`
}

// jsonBodyOf gives the decoded bytes if there are any. Text is chosen by the
// bytes alone: a Content-Type may lie, and base64 always survives.
func jsonBodyOf(m *decode.Message) *jsonBody {
	b := &m.Body
	data := contentOf(b)
	j := &jsonBody{Size: len(data), Coding: wilds(b.Codings), Removed: b.Removed, Decoded: decoded(b), Cut: b.Cut || b.ContentCut, Error: b.ContentErr}
	// Only where the body was hashed as sent: then it is whole, and hashes are wanted.
	if j.Decoded && !j.Cut && j.Error == "" && b.SHA256 != nil {
		sum := sha256.Sum256(data)
		j.SHA256 = hex.EncodeToString(sum[:])
	}
	if utf8.Valid(data) {
		text := wild(data)
		j.Text = &text
		return j
	}
	j.Base64 = &data
	if text, charset, ok := content.Text(data, header(m, "content-type")); ok && len(data) < bulkMin {
		t := wild(text)
		j.Text, j.Charset = &t, charset
	}
	return j
}

// jsonInner is what happened inside an exchange.
type jsonInner struct {
	Proto  wild         `json:"proto"`
	Client jsonTally    `json:"client"`
	Server jsonTally    `json:"server"`
	List   []jsonNested `json:"list,omitempty"`
	Cut    bool         `json:"cut,omitempty"`
}

// jsonTally counts what one side sent.
type jsonTally struct {
	Count uint64 `json:"count"`
	Size  uint64 `json:"size"`
	Wire  uint64 `json:"wire"`
}

// jsonNested is one message. Size counts the payload, decoded where that was
// possible; wire what it took in its stream.
type jsonNested struct {
	N         uint64        `json:"n"`
	From      string        `json:"from"`
	Type      wild          `json:"type"`
	Time      string        `json:"time"`
	Size      uint64        `json:"size"`
	Wire      uint64        `json:"wire"`
	Status    int           `json:"status,omitempty"`
	Reason    wild          `json:"reason,omitempty"`
	Lost      uint64        `json:"lost,omitempty"`
	Gaps      []jsonSpan    `json:"gaps,omitempty"`
	Body      *jsonBody     `json:"body,omitempty"`
	Flags     []mark        `json:"flags,omitempty"`
	Anomalies []jsonAnomaly `json:"anomalies,omitempty"`
}

// jsonInnerOf refers to the messages' bytes.
func jsonInnerOf(x *replay.Exchange, o JSONOptions) *jsonInner {
	in := x.Inner
	if in == nil {
		return nil
	}
	j := &jsonInner{Proto: wild(in.Proto), Client: jsonTally(in.Client), Server: jsonTally(in.Server), Cut: in.Cut}
	for _, m := range in.List {
		// The parts that a message inside has in common with one around it.
		part := jsonMessageOf(m, o)
		n := jsonNested{
			N: m.Number, From: "server", Type: wild(m.Type), Time: jsonTime(m.Begin), Size: m.Body.Size, Wire: m.Wire,
			Status: m.Status, Reason: wild(m.Reason), Lost: part.Lost, Gaps: part.Gaps, Body: part.Body, Anomalies: part.Anomalies,
		}
		if fromClient(m, x.Conn) {
			n.From = "client"
		}
		for _, f := range []struct {
			flag decode.Flags
			mark mark
		}{{decode.Gapped, "gap"}, {decode.Incomplete, "incomplete"}, {decode.MidStream, "midstream"}} {
			if m.Flags&f.flag != 0 {
				n.Flags = append(n.Flags, f.mark)
			}
		}
		j.List = append(j.List, n)
	}
	return j
}

// jsonGRPC is the result of a call, from its trailers.
type jsonGRPC struct {
	Status  wild `json:"status"` // as sent; a number, by the specification
	Name    wild `json:"name,omitempty"`
	Message wild `json:"message,omitempty"` // percent-decoded
}

// wantLine is the line of an exchange as encoding/json writes it.
func wantLine(t testing.TB, x *replay.Exchange, o JSONOptions) string {
	t.Helper()
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(jsonExchangeOf(x, o)); err != nil {
		t.Fatal(err)
	}
	return string(inert(buf.Bytes()))
}

func jsonAncestors(list []format.Ancestor) (out []jsonAncestor) {
	for _, a := range list {
		out = append(out, jsonAncestor{a.PID, wild(a.Comm)})
	}
	return out
}
