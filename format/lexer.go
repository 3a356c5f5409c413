package format

import "fmt"

// Event layout: FORMAT.md "Events".
const (
	eventHeadLen = 32 // common header
	dataHeadLen  = 48 // common header, stream offset, duration, reserved
	optionsHead  = 8  // u32 payload_len, u32 reserved

	flagOptions Flags = 1 << 1
)

// pad8 returns n rounded up to the alignment of events.
func pad8(n int) int { return (n + 7) &^ 7 }

// headLen returns the length of the header that this version writes for t, and
// the least that it accepts: fields are only ever appended.
func headLen(t Type) int {
	if t == TypeData {
		return dataHeadLen
	}
	return eventHeadLen
}

// appendEvent encodes ev, padding included. Bytes of dst beyond its length may
// hold an older chunk, so every byte is written.
func appendEvent(dst []byte, ev *Event) []byte {
	head := headLen(ev.Type)
	n := head + len(ev.Payload)
	at := len(dst)
	dst = extend(dst, pad8(n))
	b := dst[at:]
	le.PutUint32(b, uint32(n))
	b[4] = uint8(ev.Type)
	b[5] = uint8(head / 4)
	le.PutUint16(b[6:], uint16(ev.Flags&^flagOptions))
	le.PutUint64(b[8:], ev.Time)
	le.PutUint32(b[16:], ev.Conn)
	le.PutUint32(b[20:], ev.TID)
	le.PutUint32(b[24:], uint32(ev.Seq))
	le.PutUint16(b[28:], ev.CPU)
	b[30] = uint8(ev.Dir)
	b[31] = ev.Probe
	if ev.Type == TypeData {
		le.PutUint64(b[32:], ev.Offset)
		le.PutUint32(b[40:], ev.Dur)
		le.PutUint32(b[44:], 0)
	}
	copy(b[head:], ev.Payload)
	clear(b[n:])
	return dst
}

// extend lengthens dst by n bytes of unspecified content.
func extend(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		grown := make([]byte, len(dst), max(2*cap(dst), len(dst)+n))
		copy(grown, dst)
		dst = grown
	}
	return dst[:len(dst)+n]
}

// eventLen returns the padded length of the event that starts b, which holds at
// least eight bytes. The length is checked against MaxEvent, not against b.
func eventLen(b []byte) (int, error) {
	n := le.Uint32(b)
	if n < eventHeadLen || n > MaxEvent {
		return 0, fmt.Errorf("event: %w: length %d", ErrMalformed, n)
	}
	return pad8(int(n)), nil
}

// firstEvent fills ev, but for Seq, from the event that starts b, and returns
// its padded length and the low half of its sequence number; both also when the
// event needs a newer reader, ErrVersion.
func firstEvent(b []byte, ev *Event) (n int, seqLo uint32, err error) {
	if len(b) < eventHeadLen {
		return 0, 0, fmt.Errorf("event: %w: %d bytes left", ErrMalformed, len(b))
	}
	n, err = eventLen(b)
	if err != nil {
		return 0, 0, err
	}
	if n > len(b) {
		return 0, 0, fmt.Errorf("event: %w: length %d in %d bytes", ErrMalformed, n, len(b))
	}
	seqLo, err = parseEvent(b[:n], ev)
	return n, seqLo, err
}

// parseEvent fills ev from the event in b, which holds eventLen(b) bytes. All
// but Seq is set; the low half of it is returned. ev.Payload aliases b.
func parseEvent(b []byte, ev *Event) (seqLo uint32, err error) {
	n, head := int(le.Uint32(b)), int(b[5])*4
	t := Type(b[4])
	if head < headLen(t) || head > n || head%8 != 0 {
		return 0, fmt.Errorf("event: %w: type %d with a header of %d bytes in %d", ErrMalformed, t, head, n)
	}
	ev.Type = t
	ev.Flags = Flags(le.Uint16(b[6:]))
	ev.Time = le.Uint64(b[8:])
	ev.Conn = le.Uint32(b[16:])
	ev.TID = le.Uint32(b[20:])
	ev.CPU = le.Uint16(b[28:])
	ev.Dir = Dir(b[30])
	ev.Probe = b[31]
	ev.Offset, ev.Dur = 0, 0
	if t == TypeData {
		ev.Offset = le.Uint64(b[32:])
		ev.Dur = le.Uint32(b[40:])
	}
	ev.Payload = b[head:n:n]
	if ev.Flags&flagOptions != 0 {
		ev.Flags &^= flagOptions
		ev.Payload, err = withoutOptions(ev.Payload)
	}
	return le.Uint32(b[24:]), err
}

// withoutOptions returns the payload in p, which options follow. 1.0 knows no
// option; one that must not be ignored makes the event unreadable.
func withoutOptions(p []byte) ([]byte, error) {
	if len(p) < optionsHead {
		return nil, fmt.Errorf("event options: %w: %d bytes", ErrMalformed, len(p))
	}
	n, body := uint64(le.Uint32(p)), p[optionsHead:]
	if n > uint64(len(body)) {
		return nil, fmt.Errorf("event options: %w: payload of %d bytes in %d", ErrMalformed, n, len(body))
	}
	s := scanner{what: "event options", rest: body[min(pad8(int(n)), len(body)):]}
	for s.next() {
		s.unknown()
	}
	return body[:n:n], s.err
}

// widen returns the 64-bit sequence number nearest to prev whose low half is lo.
func widen(prev uint64, lo uint32) uint64 {
	return prev + uint64(int64(int32(lo-uint32(prev))))
}
