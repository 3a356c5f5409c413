package export

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/replay"
)

const (
	// grpcShown is how many messages of a body are shown.
	grpcShown = 32
	// grpcDecoded is the most a compressed message is decoded to here.
	grpcDecoded = 1 << 20
)

// isGRPC reports a gRPC call by its content type, +proto, +json and web forms
// included.
func isGRPC(m *decode.Message) bool {
	return m != nil && grpc.FormOf(header(m, "content-type")) != grpc.None
}

// grpcStatus is the call's own result as sent, "" if there is none.
func grpcStatus(m *decode.Message) string {
	if !isGRPC(m) {
		return ""
	}
	s, _ := grpc.StatusOf(m)
	return s.Code
}

// grpcResult writes the result of a call by its name, with its message.
func (s *screen) grpcResult(m *decode.Message) {
	r, ok := grpc.StatusOf(m)
	if !ok {
		s.own("no status")
		return
	}
	if r.Name != "" {
		s.captured(r.Name)
	} else {
		s.own("status ")
		s.captured(r.Code)
	}
	if r.Message != "" {
		s.own(" (")
		s.captured(r.Message)
		s.own(")")
	}
}

// grpcTail is the result in the line of a response.
func (s *screen) grpcTail(m *decode.Message) {
	if isGRPC(m) {
		s.own(" grpc:")
		s.grpcResult(m)
	}
}

// grpc writes the result of a call and how many messages it took.
func (d *detail) grpc(x *replay.Exchange) {
	if !isGRPC(x.Request) && !isGRPC(x.Response) {
		return
	}
	s := &d.s
	d.label("grpc")
	if x.Response != nil {
		s.grpcResult(x.Response)
	} else {
		s.own("no status")
	}
	if x.Request != nil {
		s.own("  messages → ")
		s.number(x.Request.Inners)
	}
	if x.Response != nil {
		s.own("  ← ")
		s.number(x.Response.Inners)
	}
	s.own("\n")
}

// grpcBody writes the messages of a gRPC body one by one. It reports false if m's
// body is none.
func (s *screen) grpcBody(m *decode.Message, b []byte) bool {
	form := grpc.FormOf(header(m, "content-type"))
	switch {
	case m.Kind == decode.Inner && m.Proto == "grpc":
		s.protobuf(b)
		return true
	case m.Kind == decode.Inner || form == grpc.None:
		return false
	case form == grpc.WebText:
		b = grpc.Unarmor(b)
	}
	list, all := grpc.Split(b, form, grpcShown)
	if len(list) == 0 {
		return false
	}
	for i, msg := range list {
		if msg.Trailer {
			s.own("trailers:\n")
			s.text(msg.Data)
			continue
		}
		s.own("message ")
		s.number(uint64(i + 1))
		s.own(": ")
		s.number(msg.Size)
		s.own(" bytes")
		data := msg.Data
		if msg.Compressed {
			s.own(", compressed")
			data, _, _ = content.Decode([]string{header(m, "grpc-encoding")}, data, grpcDecoded)
		}
		if uint64(len(msg.Data)) < msg.Size {
			s.own(", cut")
		}
		s.own("\n")
		s.protobuf(data)
	}
	if !all {
		s.own("...\n")
	}
	return true
}

// protobuf writes a message as fields if it is protobuf, else as the text or bytes
// that it is: gRPC carries JSON and others too.
func (s *screen) protobuf(b []byte) {
	if len(b) == 0 {
		return
	}
	if text, ok := grpc.View(b); ok {
		s.text(text)
	} else if content.IsText(b, "") {
		s.text(b)
	} else {
		s.hexdump(b)
	}
}
