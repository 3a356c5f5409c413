package http2

// Side is which end of a connection sent some bytes.
type Side uint8

// Sides.
const (
	SideUnknown Side = iota
	SideClient
	SideServer
)

// Sniff looks for frames in bytes taken from the middle of one direction, with
// the same strictness as after a gap: at least two frame headers in a chain.
// Once there is one it looks for evidence of the side that sent them: a header
// block that begins with a request's or response's pseudo-header field, or a
// PUSH_PROMISE. It takes time proportional to len(b).
func Sniff(b []byte) (found bool, side Side) {
	for off := 0; len(b)-off >= 2*frameHeaderLength; off++ {
		f := parseFrame(b[off:])
		if f.typ == frameContinuation || !sniffable(f) {
			continue
		}
		// No backtracking: each offset costs two headers at most.
		end := off + frameHeaderLength + f.length
		if end+frameHeaderLength > len(b) || !sniffable(parseFrame(b[end:])) {
			continue
		}
		return true, sniffSide(b[off:])
	}
	return false, SideUnknown
}

// sniffable leaves pushed streams out: even numbers are what arrays of small
// integers look like.
func sniffable(f frame) bool {
	return f.wellFormed(searchFrameSize) && f.stream < searchStreamMax && (f.stream == 0 || f.stream&1 == 1)
}

// sniffSide walks frames until one tells who sent it.
func sniffSide(b []byte) Side {
	for len(b) >= frameHeaderLength {
		f := parseFrame(b)
		b = b[frameHeaderLength:]
		p := b[:min(f.length, len(b))]
		switch f.typ {
		case framePush:
			return SideServer
		case frameHeaders:
			off := 0
			if f.has(flagPadded) {
				off++
			}
			if f.has(flagPriority) {
				off += 5
			}
			if side := blockSide(p[min(off, len(p)):]); side != SideUnknown {
				return side
			}
		}
		if f.length > len(b) {
			break
		}
		b = b[f.length:]
	}
	return SideUnknown
}

// blockSide tells by a header block's first field, if its name is in HPACK's
// static table: entries 1 to 7 are a request's, 8 to 14 are :status.
func blockSide(p []byte) Side {
	for len(p) > 0 && p[0]&0xe0 == 0x20 { // a table size update
		long := p[0]&0x1f == 0x1f
		for p = p[1:]; long && len(p) > 0; p = p[1:] {
			long = p[0]&0x80 != 0
		}
	}
	if len(p) == 0 {
		return SideUnknown
	}
	i := p[0] & 0x0f // literals without indexing
	switch {
	case p[0]&0x80 != 0:
		i = p[0] & 0x7f
	case p[0]&0x40 != 0:
		i = p[0] & 0x3f
	}
	switch {
	case i >= 1 && i <= 7:
		return SideClient
	case i >= 8 && i <= 14:
		return SideServer
	}
	return SideUnknown
}
