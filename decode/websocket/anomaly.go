package websocket

import "github.com/NoFear0411/spliff/decode"

// Kinds of anomaly of WebSocket. Each is reported once a message.
const (
	// AnomalyMask: the client's frame is not masked, or the server's is (RFC 6455 §5.1).
	AnomalyMask decode.AnomalyKind = "ws-mask"
	// AnomalyReserved: a reserved bit is set that nothing negotiated gives a meaning (§5.2).
	AnomalyReserved decode.AnomalyKind = "ws-reserved-bit"
	// AnomalyOpcode: an opcode without a meaning (§5.2).
	AnomalyOpcode decode.AnomalyKind = "ws-opcode"
	// AnomalyLength: a length not in its shortest form, or beyond 63 bits (§5.2).
	AnomalyLength decode.AnomalyKind = "ws-length"
	// AnomalyControl: a control frame that is fragmented or longer than 125 bytes (§5.5).
	AnomalyControl decode.AnomalyKind = "ws-control"
	// AnomalyFragment: a continuation of nothing, or a message that begins before
	// the one before it has ended (§5.4).
	AnomalyFragment decode.AnomalyKind = "ws-fragment"
	// AnomalyUTF8: a text message or the reason of a close that is not UTF-8 (§8.1).
	AnomalyUTF8 decode.AnomalyKind = "ws-utf8"
	// AnomalyClose: a close frame of one byte, or with a code that must not be sent (§7.4).
	AnomalyClose decode.AnomalyKind = "ws-close"
	// AnomalyAfterClose: a frame after the close frame of its direction (§5.5.1).
	AnomalyAfterClose decode.AnomalyKind = "ws-after-close"
	// AnomalyDeflate: a compressed message that could not be inflated (RFC 7692 §7.2.2).
	AnomalyDeflate decode.AnomalyKind = "ws-deflate"
	// AnomalyAssumed: nothing said that the connection is a WebSocket; its bytes do.
	AnomalyAssumed decode.AnomalyKind = "ws-assumed"
)

// note adds an anomaly to list, once a kind.
func (h *half) note(list []decode.Anomaly, kind decode.AnomalyKind, detail string) []decode.Anomaly {
	if len(list) >= h.conn.o.Limits.Anomalies {
		return list
	}
	for i := range list {
		if list[i].Kind == kind {
			return list
		}
	}
	return append(list, decode.Anomaly{Kind: kind, Dir: h.dir, Detail: detail})
}

// mark adds an anomaly to a message.
func (h *half) mark(m *message, kind decode.AnomalyKind, detail string) {
	m.Anomalies = h.note(m.Anomalies, kind, detail)
}

// carryOver adds an anomaly to the message that comes next.
func (h *half) carryOver(kind decode.AnomalyKind, detail string) {
	h.carry = h.note(h.carry, kind, detail)
}

func (h *half) takeCarry() []decode.Anomaly {
	list := h.carry
	h.carry = nil
	return list
}
