package websocket

import (
	"encoding/binary"
	"fmt"
)

// Opcodes (RFC 6455 §11.8).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// Reserved bits, as they stand in the first byte of a frame.
const (
	rsv1 = 0x40
	rsv  = 0x70
)

const (
	// headerMax is the longest frame header: two bytes, eight of length, a mask.
	headerMax = 14
	// controlMax is the most a control frame may carry (§5.5).
	controlMax = 125
)

// frame is a frame header (§5.2).
type frame struct {
	fin    bool
	rsv    byte // as in the first byte
	op     byte
	masked bool
	key    [4]byte
	length uint64
	size   int  // bytes of the header
	long   bool // the length has a shorter form, or its highest bit is set
}

// control reports whether the opcode is a control frame's, a reserved one included.
func (f *frame) control() bool { return f.op&8 != 0 }

// reserved reports whether the opcode has no meaning.
func (f *frame) reserved() bool { return f.op > opPong || f.op > opBinary && f.op < opClose }

// parseFrame reads a header at the front of b. Without enough bytes ok is false
// and size is how many are needed at least.
func parseFrame(b []byte) (f frame, ok bool) {
	if len(b) < 2 {
		return frame{size: 2}, false
	}
	f = frame{fin: b[0]&0x80 != 0, rsv: b[0] & rsv, op: b[0] & 15, masked: b[1]&0x80 != 0, size: 2}
	short := b[1] & 0x7f
	switch short {
	case 126:
		f.size += 2
	case 127:
		f.size += 8
	}
	keyAt := f.size
	if f.masked {
		f.size += 4
	}
	if len(b) < f.size {
		return f, false
	}
	switch short {
	case 126:
		f.length = uint64(binary.BigEndian.Uint16(b[2:]))
		f.long = f.length < 126
	case 127:
		f.length = binary.BigEndian.Uint64(b[2:])
		f.long = f.length < 1<<16 || f.length>>63 != 0
	default:
		f.length = uint64(short)
	}
	if f.masked {
		copy(f.key[:], b[keyAt:])
	}
	return f, true
}

// opcodeName is the Type of a message that begins with the opcode.
func opcodeName(op byte) string {
	switch op {
	case opContinuation:
		return "continuation"
	case opText:
		return "text"
	case opBinary:
		return "binary"
	case opClose:
		return "close"
	case opPing:
		return "ping"
	case opPong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", op)
}

// CloseName returns the meaning of a close code, in the words of the IANA
// registry (RFC 6455 §11.7), "" if it has none.
func CloseName(code int) string {
	switch code {
	case 1000:
		return "normal closure"
	case 1001:
		return "going away"
	case 1002:
		return "protocol error"
	case 1003:
		return "unsupported data"
	case 1005:
		return "no status received"
	case 1006:
		return "abnormal closure"
	case 1007:
		return "invalid frame payload data"
	case 1008:
		return "policy violation"
	case 1009:
		return "message too big"
	case 1010:
		return "mandatory extension"
	case 1011:
		return "internal error"
	case 1012:
		return "service restart"
	case 1013:
		return "try again later"
	case 1014:
		return "bad gateway"
	case 1015:
		return "TLS handshake failure"
	}
	switch {
	case code >= 3000 && code < 4000:
		return "registered"
	case code >= 4000 && code < 5000:
		return "private use"
	}
	return ""
}

// sendable reports whether a close frame may hold the code (§7.4.1, §7.4.2).
func sendable(code int) bool {
	return code != 1005 && code != 1006 && code != 1015 && CloseName(code) != ""
}

// unmask applies a masking key to b (§5.3). pos is b's offset in the payload.
func unmask(b []byte, key [4]byte, pos uint64) {
	if key == [4]byte{} {
		return
	}
	var k [8]byte
	for i := range k {
		k[i] = key[(pos+uint64(i))&3]
	}
	word := binary.LittleEndian.Uint64(k[:])
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
	}
	for i := range b {
		b[i] ^= k[i]
	}
}
