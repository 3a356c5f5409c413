package http2

import (
	"encoding/binary"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
)

// AnomalyGRPC: a gRPC body ends inside a length-prefixed message. Nothing of
// HTTP/2 tells, because the stream itself ends in order.
const AnomalyGRPC decode.AnomalyKind = "grpc-truncated"

// finishBody does what needs the whole body.
func (c *Conn) finishBody(o *open) {
	b := &o.m.Body
	if b.Size > 0 && !b.Cut && o.m.Flags&(decode.Gapped|decode.Incomplete) == 0 && isGRPC(o.m.Header) {
		if n := grpcRest(b.Data); n > 0 {
			c.mark(o, o.m.Dir, AnomalyGRPC, "%d bytes are missing", n)
		}
	}
	content.Fill(&o.m, c.lim.Content)
}

// isGRPC goes by the content type, as gRPC over HTTP/2 defines it. gRPC-Web is
// not meant: its framing holds the trailers too.
func isGRPC(header []decode.Field) bool {
	for i := range header {
		if header[i].Name == "content-type" {
			v, ok := strings.CutPrefix(header[i].Value, "application/grpc")
			return ok && (v == "" || v[0] == '+' || v[0] == ';')
		}
	}
	return false
}

// grpcRest returns how many bytes the last length-prefixed message of a body
// lacks: a flag byte, four bytes of length, the message. Less than a prefix at
// the end says nothing; it may not be gRPC's framing at all.
func grpcRest(p []byte) uint64 {
	for len(p) >= 5 {
		n := uint64(binary.BigEndian.Uint32(p[1:]))
		p = p[5:]
		if n > uint64(len(p)) {
			return n - uint64(len(p))
		}
		p = p[n:]
	}
	return 0
}
