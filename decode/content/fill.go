package content

import (
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// listMax bounds how many codings are listed of one message: a header may name
// half a million.
const listMax = 32

// Codings returns the content codings of a message with these fields, as
// listed, in the order they were applied. Names keep their case.
func Codings(header []decode.Field) []string {
	return list(nil, header, "content-encoding")
}

// Of returns the codings of a request or response: content codings, and in HTTP/1
// outside them the transfer codings other than chunked (RFC 9112 §7.2).
func Of(m *decode.Message) []string {
	list := Codings(m.Header)
	if strings.HasPrefix(m.Proto, "HTTP/1.") {
		list = transfer(list, m.Header)
	}
	return list
}

// list appends the elements of all fields of one name.
func list(dst []string, header []decode.Field, name string) []string {
	for i := range header {
		f := &header[i]
		if len(f.Name) != len(name) || f.Unknown || !strings.EqualFold(f.Name, name) {
			continue
		}
		v := f.Value
		for more := true; more && len(dst) < listMax; {
			var c string
			c, v, more = strings.Cut(v, ",")
			// RFC 9110 §5.5: CR and NUL in a value are as spaces.
			if c = strings.Trim(c, " \t\r\x00"); c != "" {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// Fill sets the content part of m.Body: Codings, Content, ContentCut and
// ContentErr. limit is decode.Limits.Content; 0 or less leaves m alone.
//
// The codings of a request or response are those of [Of]; where there are none, and
// the head has anomalies, what in it could be taken for some is tried. An Inner
// message has its own in Body.Codings. Bytes after a gap cannot be decoded: decoding
// stops there. Without codings Content aliases Data and is not cut.
func Fill(m *decode.Message, limit int) {
	if limit <= 0 {
		return
	}
	b := &m.Body
	switch m.Kind {
	case decode.Request, decode.Response:
		b.Codings = Of(m)
	case decode.Inner:
		if b.Content != nil {
			return // its decoder has done it
		}
	default:
		return
	}
	if len(b.Codings) == 0 {
		b.Content = b.Data
		if m.Kind != decode.Inner && len(m.Anomalies) > 0 && len(b.Data) > 0 && len(b.Gaps) == 0 {
			if r, ok := hint(b.Data, hinted(m.Header), limit); ok {
				b.Codings = r.removed
				b.Content, b.ContentCut, b.ContentErr, b.Removed = r.out, r.cut, string(r.kind), r.removed
			}
		}
		return
	}
	wire, stop := b.Data, decode.AnomalyKind("")
	if len(b.Gaps) > 0 && b.Gaps[0].Off < uint64(len(wire)) {
		wire, stop = wire[:b.Gaps[0].Off], decode.AnomalyGap
	} else if len(b.Gaps) > 0 {
		stop = decode.AnomalyGap
	}
	if b.Cut && stop == "" {
		stop = decode.AnomalyLimit
	}
	if len(wire) == 0 {
		b.ContentErr = string(stop)
		return
	}
	r := undo(b.Codings, wire, limit)
	b.Content, b.ContentCut, b.ContentErr, b.Removed = r.out, r.cut, string(r.kind), r.removed
	if b.ContentErr == string(ErrTruncated) && stop != "" {
		b.ContentErr = string(stop) // the cause, not the symptom
	}
}

// transfer appends the transfer codings of a message, the final chunked left out.
func transfer(dst []string, header []decode.Field) []string {
	n := len(dst)
	dst = list(dst, header, "transfer-encoding")
	if last := len(dst) - 1; last >= n && strings.EqualFold(dst[last], "chunked") {
		dst = dst[:last]
	}
	if len(dst) == 0 {
		return nil
	}
	return dst
}
