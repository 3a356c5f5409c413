package record

import "encoding/binary"

// isDTLS reports whether what goes over a connection begins as a record of DTLS.
func isDTLS(b []byte) bool { return len(b) > 1 && b[1] == 0xfe }

// firstDTLSMessage is firstMessage for DTLS (RFC 6347 §4.1, §4.2.2): each record and each
// fragment of a message says what it is. A server's first message may ask the client
// to begin again (§4.2.1); it says nothing else and is passed over.
func firstDTLSMessage(b []byte) (typ byte, body []byte, whole bool) {
	const (
		recordHeader   = 13
		fragmentHeader = 12
		verifyRequest  = 3
	)
	var msg []byte
	begun, seq, length := false, uint16(0), 0
	for len(b) >= recordHeader && b[0] == 22 && isDTLS(b) {
		n := int(binary.BigEndian.Uint16(b[11:]))
		b = b[recordHeader:]
		rest := b[:min(n, len(b))]
		for len(rest) >= fragmentHeader {
			h := rest
			off, size := messageLen(h[5:]), messageLen(h[8:])
			rest = rest[fragmentHeader:]
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			switch at := binary.BigEndian.Uint16(h[4:]); {
			case h[0] == verifyRequest:
				continue
			case !begun && off == 0:
				begun, typ, seq, length = true, h[0], at, messageLen(h)
				msg = part
			case begun && at == seq && off == len(msg):
				msg = append(msg[:len(msg):len(msg)], part...) // what it is a part of stays as it is
			}
			if begun && len(msg) >= length {
				return typ, msg[:length], true
			}
		}
		if n > len(b) {
			break
		}
		b = b[n:]
	}
	return typ, msg, false
}
