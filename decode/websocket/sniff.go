package websocket

const (
	// sniffOffsets is at how many offsets of a direction a chain of frames is looked
	// for, and sniffFrames how many frames of it count.
	sniffOffsets = 1024
	sniffFrames  = 16
)

// Sniff looks for frames in b, what was seen of one direction of a connection whose
// beginning was not. It returns how much speaks for a chain of a client's frames, and
// how much for a server's, in the words of searchScore: two for each frame whose
// payload is what its header says, one for each that merely fits. One of them is
// mostly 0: a client masks its frames (RFC 6455 §5.1).
func Sniff(b []byte) (client, server int) {
	// Which extensions were agreed on is not known. One that compresses is usual.
	c := New(Options{Extensions: Extensions{Deflate: true}})
	for off := range min(len(b), sniffOffsets) {
		if h := &c.half[c.o.Client]; h.firstByte(b[off]) {
			client = max(client, h.evidence(b[off:]))
			server = max(server, c.half[c.o.Client.Other()].evidence(b[off:]))
		}
	}
	return client, server
}

// evidence adds up the frames at the beginning of b that are whole and follow each
// other. A frame that cannot be makes all of them worthless.
func (h *half) evidence(b []byte) int {
	score, message := 0, -1
	for range sniffFrames {
		if len(b) == 0 {
			return score
		}
		f, whole := parseFrame(b)
		if !h.firstByte(b[0]) || whole && !h.follows(&f, &message) {
			return 0
		}
		if !whole || uint64(len(b)-f.size) < f.length {
			return score
		}
		n := weigh(&f, b[f.size:][:f.length])
		if n == 0 {
			return 0
		}
		score += n
		b = b[f.size:][f.length:]
	}
	return score
}

// follows reports whether f can come next. message is whether a fragmented message is
// open before it and then behind it: 1 if so, 0 if not, -1 if that is not known.
func (h *half) follows(f *frame, message *int) bool {
	if !h.plausible(f) || f.op == opContinuation && *message == 0 || f.op != opContinuation && !f.control() && *message == 1 {
		return false
	}
	if !f.control() {
		*message = 1
		if f.fin {
			*message = 0
		}
	}
	return true
}
