package http2

import (
	"encoding/binary"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/hpack"
)

// control handles the frames that belong to no message.
func (c *Conn) control(h *half, p []byte) {
	// Lengths are checked first: the payload of a frame that has the right one is
	// whole here, as maxControl is larger.
	f := h.f
	bad := func(why string) { c.notice(h.dir, f.stream, AnomalyBadFrame, why) }
	switch f.typ {
	case framePriority:
		switch {
		case f.length != 5:
			bad("PRIORITY that is not 5 bytes")
		case f.stream == 0:
			bad("PRIORITY on stream 0")
		case priority(p) == f.stream:
			bad("PRIORITY of a stream that depends on itself")
		}
	case frameSettings:
		c.settings(h, p)
	case framePing:
		switch {
		case f.length != 8:
			bad("PING that is not 8 bytes")
		case f.stream != 0:
			bad("PING on a stream")
		}
	case frameGoAway:
		c.goAway(h, p)
	case frameWindow:
		switch {
		case f.length != 4:
			bad("WINDOW_UPDATE that is not 4 bytes")
		case binary.BigEndian.Uint32(p)&(1<<31-1) == 0:
			bad("WINDOW_UPDATE of 0")
		case f.stream != 0 && !c.reg.seen(f.stream) && c.reg.byID[f.stream] == nil && !c.joined && !h.fromPeer:
			// A server's may come before we see the request; a client's not.
			bad("WINDOW_UPDATE of a stream that was not opened")
		default:
			c.widen(h, int64(binary.BigEndian.Uint32(p)&(1<<31-1)))
		}
	}
	// Frames of other types are skipped, as §5.5 asks.
}

// maxWindow is the largest flow-control window (§6.9.1).
const maxWindow = 1<<31 - 1

// checkWindows tells when the DATA frame in hand is larger than what its receiver had
// allowed (§6.9), once a connection or stream. What its sender may send is at most what
// was allowed before: by updates that it had read, if it is the recorded process, else
// by those that had been sent to it. Of the window of a new stream the largest that was
// announced counts, as it is not seen when a smaller one comes into force.
func (c *Conn) checkWindows(h *half) {
	if c.joined {
		return // what there was is not known
	}
	if over := -(defaultWindow + h.window); over > 0 && !h.overran {
		h.overran = true
		c.notice(h.dir, 0, AnomalyFlow, "DATA of %d bytes is %d more than the connection's window", h.f.length, over)
	}
	st := h.data.st
	if st == nil {
		return
	}
	o := &st.slot[h.data.slot]
	if over := -(h.widest + o.window); over > 0 && !o.overran {
		o.overran = true
		c.mark(o, h.dir, AnomalyFlow, "DATA of %d bytes is %d more than the stream's window", h.f.length, over)
	}
}

// widen adds to a window of the other direction.
func (c *Conn) widen(h *half, by int64) {
	to := &c.half[h.dir.Other()]
	if c.joined {
		return // what was there is not known
	}
	if h.f.stream == 0 {
		if to.window += by; defaultWindow+to.window > maxWindow {
			c.notice(h.dir, 0, AnomalyFlow, "WINDOW_UPDATE of %d makes the connection's window larger than 2³¹−1", by)
		}
		return
	}
	if st := c.reg.byID[h.f.stream]; st != nil {
		o := &st.slot[c.slotOf(to.dir)]
		if o.window += by; to.initial+o.window > maxWindow {
			c.notice(h.dir, st.id, AnomalyFlow, "WINDOW_UPDATE of %d makes the stream's window larger than 2³¹−1", by)
		}
	}
}

// priority returns the stream that a priority (§6.3) depends on.
func priority(p []byte) uint32 { return binary.BigEndian.Uint32(p) & (1<<31 - 1) }

// settings follows SETTINGS (§6.5). They bind the other direction's sender once
// acknowledged; an observer that enforces nothing uses them at once.
func (c *Conn) settings(h *half, p []byte) {
	f := h.f
	switch {
	case f.stream != 0:
		c.notice(h.dir, f.stream, AnomalyBadFrame, "SETTINGS on a stream")
		return
	case f.has(flagAck):
		if f.length != 0 {
			c.notice(h.dir, 0, AnomalyBadFrame, "SETTINGS acknowledgement with %d bytes", f.length)
		}
		return
	case f.length%6 != 0:
		c.notice(h.dir, 0, AnomalyBadFrame, "SETTINGS of %d bytes", f.length)
		return
	}
	c.applySettings(h, p)
}

// applySettings takes the settings that one side announced.
func (c *Conn) applySettings(h *half, p []byte) {
	// Settings limit what their sender is to receive: the other direction.
	peer := &c.half[h.dir.Other()]
	if !h.settings && !h.midStream {
		// From here on the sender of the other direction is bound by values
		// that are known: these, or the defaults.
		peer.hp.SetLimit(0, true)
		peer.frameSize = max(peer.frameSize, minFrameSize)
	}
	h.settings = true
	for ; len(p) >= 6; p = p[6:] {
		v := binary.BigEndian.Uint32(p[2:])
		valid := true
		switch binary.BigEndian.Uint16(p) {
		case settingTableSize:
			peer.hp.SetLimit(v, false)
		case settingPush:
			valid = v <= 1
		case settingWindow:
			if valid = v < 1<<31; valid {
				peer.initial = int64(v)
				peer.widest = max(peer.widest, peer.initial)
			}
		case settingFrameSize:
			// The largest ever announced counts: which one is in force depends on
			// an acknowledgement that may have been missed.
			if valid = v >= minFrameSize && v <= maxFrameSize; valid {
				peer.frameSize = max(peer.frameSize, int(v))
			}
		}
		if !valid {
			c.notice(h.dir, 0, AnomalyBadFrame, "setting %d of %d", binary.BigEndian.Uint16(p), v)
		}
	}
}

// settingsLost forgets the limits that SETTINGS in direction h may have raised
// unseen: what goes beyond them is no fault then.
func (c *Conn) settingsLost(h *half) {
	peer := &c.half[h.dir.Other()]
	peer.hp.SetLimit(hpack.MaxTable, false)
	peer.frameSize, h.settings = 0, true
}

// reset ends a stream (§6.4).
func (c *Conn) reset(h *half, p []byte) {
	id := h.f.stream
	code := uint32(0)
	if len(p) == 4 && !h.damaged {
		code = binary.BigEndian.Uint32(p)
	}
	if h.f.length != 4 {
		c.notice(h.dir, id, AnomalyBadFrame, "RST_STREAM of %d bytes", h.f.length)
		return
	}
	if id == 0 {
		c.notice(h.dir, 0, AnomalyBadFrame, "RST_STREAM on stream 0")
		return
	}
	// A stream that has ended may still be reset; the peer could not know.
	st := c.reg.byID[id]
	if st == nil {
		if !c.reg.seen(id) && !c.joined {
			c.notice(h.dir, id, AnomalyBadFrame, "RST_STREAM of a stream that was not opened")
		}
		c.reg.noteReset(id, h.dir)
		return
	}
	c.reg.noteReset(id, h.dir)
	// Counted only for streams that were open: these cost a server work (the
	// attack known as rapid reset, CVE-2023-44487).
	h.flood.reset(c, h)
	c.abandon(st, decode.Reset, AnomalyReset, resetText(code, h.damaged, h.fromPeer))
}

// goodbye is the last GOAWAY that was seen.
type goodbye struct {
	code, last uint32
}

// farewell tells of a GOAWAY with an error in this direction.
func (h *half) farewell() string {
	if h.goAway == nil || h.goAway.code == 0 {
		return ""
	}
	return "; GOAWAY " + resetText(h.goAway.code, false, h.fromPeer)
}

// refused says that a request was not processed, as the server's GOAWAY told
// (§6.8: streams above the last one it names), or returns "".
func (c *Conn) refused(id uint32) string {
	g := c.half[c.client.Other()].goAway
	if g == nil || id&1 == 0 || id <= g.last {
		return ""
	}
	return fmt.Sprintf("GOAWAY %s (%d), last stream %d: the server did not process it", errorName(g.code), g.code, g.last)
}

// goAway describes GOAWAY (§6.8) unless it is an orderly goodbye.
func (c *Conn) goAway(h *half, p []byte) {
	switch {
	case h.f.stream != 0:
		c.notice(h.dir, h.f.stream, AnomalyBadFrame, "GOAWAY on a stream")
		return
	case h.f.length < 8:
		c.notice(h.dir, 0, AnomalyBadFrame, "GOAWAY of %d bytes", h.f.length)
		return
	}
	code := binary.BigEndian.Uint32(p[4:])
	h.goAway = &goodbye{code: code, last: priority(p)}
	if code == 0 {
		return
	}
	debug := p[8:min(len(p), 8+maxTunnelHead)]
	c.notice(h.dir, 0, AnomalyGoAway, "%s (%d), last stream %d, %q",
		errorName(code), code, priority(p), debug)
}

// Floods. The thresholds are far above what correct peers were seen to send.
const (
	floodFrames = 1000           // control frames in a row …
	floodWindow = 60_000_000_000 // … within a minute of event time
	floodResets = 256            // streams reset, and more than half of all
	floodJoins  = 64             // CONTINUATION frames of one block
)

// flood counts one direction's frames that cost a receiver work and carry nothing.
type flood struct {
	inRow  int
	since  int64
	resets int
	told   bool // of resets
}

// countFlood looks at a frame that has ended. A frame that carries something
// begins the count anew; those that answer or only open a window do not count.
func (c *Conn) countFlood(h *half) {
	fl := &h.flood
	switch h.f.typ {
	case frameSettings, framePing:
		if h.f.has(flagAck) {
			return
		}
	case framePriority:
	case frameData:
		if h.f.length > 0 || h.f.has(flagEndStream) {
			fl.inRow = 0
			return
		}
	case frameHeaders, framePush:
		fl.inRow = 0
		return
	default:
		return
	}
	// Event time, not a clock: the same file always gives the same notices.
	if fl.inRow == 0 {
		fl.since = c.at.Time
	}
	fl.inRow++
	if fl.inRow == floodFrames {
		if c.at.Time-fl.since <= floodWindow {
			c.notice(h.dir, 0, AnomalyControlFlood, "%d frames in a row that carry nothing", floodFrames)
			return // inRow goes on past the threshold: one flood, one notice
		}
		fl.inRow = 0
	}
}

// reset counts a reset stream. More than half of all, because a client that
// closes a page full of requests is no attacker.
func (fl *flood) reset(c *Conn, h *half) {
	fl.resets++
	if !fl.told && fl.resets >= floodResets && uint64(fl.resets)*2 > uint64(c.reg.exchanges) {
		fl.told = true
		c.notice(h.dir, 0, AnomalyRapidReset, "%d streams reset of %d", fl.resets, c.reg.exchanges)
	}
}
