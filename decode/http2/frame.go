package http2

import (
	"encoding/binary"
	"fmt"
)

// Frame types (RFC 9113 §6), and the extensions that are known to be harmless.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9
	frameAltSvc       = 0xa  // RFC 7838
	frameOrigin       = 0xc  // RFC 8336
	framePriorityUpd  = 0x10 // RFC 9218
)

// Frame flags.
const (
	flagEndStream  = 0x1 // DATA, HEADERS
	flagAck        = 0x1 // SETTINGS, PING
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings (§6.5.2) that an observer needs or checks.
const (
	settingTableSize  = 0x1
	settingPush       = 0x2
	settingWindow     = 0x4
	settingFrameSize  = 0x5
	defaultWindow     = 1<<16 - 1
	minFrameSize      = 1 << 14
	maxFrameSize      = 1<<24 - 1
	frameHeaderLength = 9
)

// Preface is what a client sends first (§3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frame is a frame header (§4.1).
type frame struct {
	length int
	typ    uint8
	flags  uint8
	stream uint32
	rbit   bool // the reserved bit; receivers ignore it, plausibility does not
}

// parseFrame reads the header at the start of b, which must hold all of it.
func parseFrame(b []byte) frame {
	_ = b[8]
	id := binary.BigEndian.Uint32(b[5:])
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		typ:    b[3], flags: b[4],
		stream: id & (1<<31 - 1), rbit: id>>31 != 0,
	}
}

// name is the type's in RFC 9113, or its number.
func (f frame) name() string {
	names := [...]string{
		"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE",
		"PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION",
	}
	if int(f.typ) < len(names) {
		return names[f.typ]
	}
	return fmt.Sprintf("type %#x", f.typ)
}

// has takes a flag that the frame's type defines; bits have other meanings in
// other types (§4.1).
func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// legalFlags holds, for each type of RFC 9113, the flags it defines.
var legalFlags = [...]uint8{
	frameData:         flagEndStream | flagPadded,
	frameHeaders:      flagEndStream | flagEndHeaders | flagPadded | flagPriority,
	framePriority:     0,
	frameReset:        0,
	frameSettings:     flagAck,
	framePush:         flagEndHeaders | flagPadded,
	framePing:         flagAck,
	frameGoAway:       0,
	frameWindow:       0,
	frameContinuation: flagEndHeaders,
}

// wellFormed reports whether a header could begin a frame that a correct sender
// sends: what is looked for after bytes were lost. Far stricter than what is
// accepted while in step.
func (f frame) wellFormed(maxLength int) bool {
	if f.rbit || f.length > maxLength {
		return false
	}
	// Unknown types are legal (§5.5), but random bytes are mostly of such types.
	if int(f.typ) >= len(legalFlags) {
		switch f.typ {
		case frameAltSvc, frameOrigin, framePriorityUpd:
			return f.flags == 0 && f.length > 0 && (f.typ == frameAltSvc || f.stream == 0)
		}
		return false
	}
	if f.flags&^legalFlags[f.typ] != 0 {
		return false
	}
	switch f.typ {
	case frameData:
		return f.stream != 0 && (f.length > 0 || f.flags == flagEndStream)
	case frameHeaders, frameContinuation:
		return f.stream != 0 && f.length > 0
	case framePriority:
		return f.stream != 0 && f.length == 5
	case frameReset:
		return f.stream != 0 && f.length == 4
	// An acknowledgement is empty; settings that set nothing are legal but are
	// nine bytes nearly all zero, as much else is.
	case frameSettings:
		return f.stream == 0 && f.length%6 == 0 && (f.flags == 0) == (f.length > 0)
	case framePush:
		return f.stream&1 == 1 && f.length > 4
	case framePing:
		return f.stream == 0 && f.length == 8
	case frameGoAway:
		return f.stream == 0 && f.length >= 8
	default: // WINDOW_UPDATE
		return f.length == 4
	}
}
