package websocket

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// windowSize is how far DEFLATE refers back (RFC 1951 §2).
	windowSize = 32 << 10
	// compLeast is how much of a compressed message is held at least, however
	// little of it is to be kept: the messages after it depend on its text.
	compLeast = 1 << 20
	// inflateMax is the most one message is inflated to, unless more is to be kept.
	// A kilobyte can claim a megabyte.
	inflateMax = 64 << 20
	// freeInflate and maxRatio bound the time that one connection can take: past
	// the first, its text must not be more than maxRatio times what was sent.
	freeInflate = 256 << 20
	maxRatio    = 64
	// windowSlack is how much more than a window is held, so that its bytes are not
	// moved for each message.
	windowSlack = 8 << 10
	// inflateQuiet is for how long, in nanoseconds, messages may be apart for the
	// inflater to be kept for the next: making one takes 50 µs, and 40 KiB.
	inflateQuiet = 100e6
	// compKept is the most memory kept for the next compressed message.
	compKept = 4 << 10
)

// tail is what the sender cut off the end of a message (RFC 7692 §7.2.1), and a final
// block, so that the end of the message is told from its being cut short.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// errTooMuch ends the inflation of a message over inflateMax.
var errTooMuch = errors.New("inflates to too much")

// compMax is the most that is held of a compressed message.
func (c *Conn) compMax() int { return max(c.o.Limits.Body, compLeast) }

// inflater is what both directions share: a message is inflated when it is whole,
// in one go.
type inflater struct {
	r         io.ReadCloser // a flate.Resetter too
	src       bytes.Reader
	out       []byte // scratch
	win       []byte // scratch, for directions without takeover
	sent, got uint64 // by the peers, and inflated
	last      int64  // event time of the last message
}

// rest frees what the next message can do without, if this one, at a time, came after
// a silence: a connection that says something now and then holds no inflater.
func (in *inflater) rest(at int64) {
	if at-in.last >= inflateQuiet {
		in.free()
	}
	in.last = at
}

// free frees all but what the messages to come refer to.
func (in *inflater) free() { in.r, in.out, in.win = nil, nil, nil }

// text is what a message inflated to.
type text struct {
	data []byte // at most what was asked for
	size uint64
}

// run inflates one message (RFC 7692 §7.2.2). win is the text that it may refer
// to; what is returned with it added belongs to the caller. comp may be written
// behind its end.
func (in *inflater) run(comp, win []byte, keep int, most uint64) (text, []byte, error) {
	in.src.Reset(append(comp, tail...))
	if in.out == nil {
		in.out = make([]byte, 4096)
	}
	var t text
	for begin := true; ; {
		if begin {
			in.reset(win)
			begin = false
		}
		n, err := in.r.Read(in.out)
		p := in.out[:n]
		win = slide(win, p)
		t.size += uint64(n)
		in.got += uint64(n)
		if room := keep - len(t.data); room > 0 {
			t.data = append(t.data, p[:min(room, n)]...)
		}
		switch {
		case t.size > most:
			return t, win, errTooMuch
		// A final block in the middle is allowed (§7.2.3.4); the window stays. At
		// the end an empty block must follow, which some leave out.
		case errors.Is(err, io.EOF) && in.src.Len() > 0 && in.src.Len() != len(tail):
			begin = true
		case errors.Is(err, io.EOF):
			return t, win, nil
		case err != nil:
			return t, win, err
		}
	}
}

// reset begins anew in the middle of in.src.
func (in *inflater) reset(win []byte) {
	if len(win) > windowSize {
		win = win[len(win)-windowSize:]
	}
	if r, ok := in.r.(flate.Resetter); ok {
		r.Reset(&in.src, win) // its error is always nil
		return
	}
	in.r = flate.NewReaderDict(&in.src, win)
}

// spent reports whether the connection has had its share of inflating.
func (in *inflater) spent() bool {
	return in.got > freeInflate && in.got/maxRatio > in.sent
}

// slide adds p to the window.
func slide(win, p []byte) []byte {
	if len(p) >= windowSize {
		return append(win[:0], p[len(p)-windowSize:]...)
	}
	if len(win)+len(p) > windowSize+windowSlack && len(win) > windowSize {
		win = win[:copy(win, win[len(win)-windowSize:])]
	}
	return append(win, p...)
}

// inflate replaces the payload of a compressed message by its text, or leaves it as
// it was sent and says why.
func (h *half) inflate(msg *message) {
	c, b := h.conn, &msg.Body
	asSent := func(err decode.AnomalyKind, detail string) {
		b.Codings, b.ContentErr = []string{"permessage-deflate"}, string(err)
		b.Data = bytes.Clone(msg.comp[:min(len(msg.comp), max(0, c.o.Limits.Body))])
		b.Cut = b.Size-b.Lost > uint64(len(b.Data))
		h.mark(msg, AnomalyDeflate, detail)
		h.forget()
	}
	switch {
	case msg.Flags&decode.Gapped != 0:
		asSent(decode.AnomalyGap, "bytes of it are missing")
		return
	case msg.Flags&decode.Incomplete != 0:
		asSent(decode.AnomalyTruncated, "its end was not seen")
		return
	case b.Size > uint64(len(msg.comp)):
		asSent(decode.AnomalyLimit, "compressed message too long")
		return
	case c.inf.spent():
		asSent(decode.AnomalyLimit, "too much was inflated before")
		return
	}
	c.inf.sent += uint64(len(msg.comp))
	win := c.inf.win[:0]
	if h.takeover {
		win = h.window
	}
	t, win, err := c.inf.run(msg.comp, win, c.o.Limits.Body, uint64(max(inflateMax, c.o.Limits.Body)))
	if h.takeover {
		h.window = win
	} else {
		c.inf.win = win
	}
	switch {
	case errors.Is(err, errTooMuch):
		h.mark(msg, decode.AnomalyLimit, "inflates to more than is looked at")
		b.ContentErr = string(decode.AnomalyLimit)
		msg.Flags |= decode.Incomplete
		h.forget()
	case err != nil && h.forgot:
		asSent(decode.AnomalyGap, "it refers to text that was not seen")
		return
	case err != nil:
		asSent(AnomalyDeflate, "corrupt")
		return
	}
	b.Data, b.Size, b.Cut = t.data, t.size, t.size > uint64(len(t.data))
}

// forget empties the window of a direction that keeps one: text is missing from it.
// Messages that refer to what came since are still decoded right.
func (h *half) forget() {
	if h.takeover {
		h.window, h.forgot = h.window[:0], true
	}
}
