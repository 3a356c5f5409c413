package pcapng

import (
	"bytes"
	"strings"
)

// preface begins every HTTP/2 connection (RFC 9113 §3.4); without it Wireshark
// does not take a stream for HTTP/2. The empty SETTINGS frame must follow it.
const (
	preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

// hasPreface reports whether the client's stream begins with the preface, as
// far as b tells.
func hasPreface(b []byte) bool {
	n := min(len(b), len(preface))
	return n > 0 && strings.HasPrefix(preface, string(b[:n]))
}

// looksH2 reports whether b, the first bytes of one side of a connection whose
// beginning was missed, is a run of HTTP/2 frames (RFC 9113 §4.1): nothing else
// begins with two frame headers that fit each other.
func looksH2(b []byte) bool {
	for frames := 0; ; frames++ {
		if len(b) < 9 {
			return frames > 1 || frames == 1 && len(b) == 0
		}
		length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		typ := b[3]
		zero := bytes.Equal(b[5:9], []byte{0, 0, 0, 0})
		switch {
		case typ > 9, b[5]&0x80 != 0, length > 1<<20:
			return false
		case typ == 4 || typ == 6 || typ == 7: // SETTINGS, PING, GOAWAY
			if !zero {
				return false
			}
		case typ != 8 && zero: // all others but WINDOW_UPDATE belong to a stream
			return false
		}
		if len(b) < 9+length {
			return frames > 0
		}
		b = b[9+length:]
	}
}
