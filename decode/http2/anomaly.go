package http2

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// Kinds of anomaly that only HTTP/2 knows. Section numbers are those of RFC 9113.
const (
	AnomalyBadFrame     decode.AnomalyKind = "h2-bad-frame"          // a frame its type's rules forbid (§6)
	AnomalyBadPadding   decode.AnomalyKind = "h2-bad-padding"        // padding longer than the frame (§6.1)
	AnomalyFrameSize    decode.AnomalyKind = "h2-frame-size"         // longer than the receiver allowed (§4.2)
	AnomalyBadPreface   decode.AnomalyKind = "h2-bad-preface"        // the client did not begin with it (§3.4)
	AnomalyStreamID     decode.AnomalyKind = "h2-bad-stream-id"      // opened out of order, or by the wrong side (§5.1.1)
	AnomalyClosed       decode.AnomalyKind = "h2-closed-stream"      // a frame on a stream that had ended (§5.1)
	AnomalyContinuation decode.AnomalyKind = "h2-continuation"       // CONTINUATION missing or out of place (§6.10)
	AnomalyContFlood    decode.AnomalyKind = "h2-continuation-flood" // CVE-2024-27316 and its family (§10.5.1)
	AnomalyControlFlood decode.AnomalyKind = "h2-control-flood"      // frames that only cost work (§10.5)
	AnomalyRapidReset   decode.AnomalyKind = "h2-rapid-reset"        // CVE-2023-44487
	AnomalyHPACK        decode.AnomalyKind = "h2-hpack"              // a block did not decode (§4.3)
	AnomalyHPACKUnknown decode.AnomalyKind = "h2-hpack-unknown"      // fields refer to entries never seen
	AnomalyPseudo       decode.AnomalyKind = "h2-bad-pseudo"         // pseudo-header fields missing, repeated, misplaced (§8.3)
	AnomalyFieldName    decode.AnomalyKind = "h2-bad-field-name"     // §8.2.1
	AnomalyFieldValue   decode.AnomalyKind = "h2-bad-field-value"    // §8.2.1
	AnomalyConnField    decode.AnomalyKind = "h2-connection-field"   // connection-specific field (§8.2.2)
	AnomalyLength       decode.AnomalyKind = "h2-length-mismatch"    // content-length disagrees with DATA (§8.1.1)
	AnomalyTrailers     decode.AnomalyKind = "h2-bad-trailers"       // field section out of place (§8.1)
	AnomalyReset        decode.AnomalyKind = "h2-reset"              // RST_STREAM; Detail has the code (§6.4)
	AnomalyGoAway       decode.AnomalyKind = "h2-goaway"             // GOAWAY with an error (§6.8)
	AnomalyRefused      decode.AnomalyKind = "h2-refused"            // a request above the last stream of a GOAWAY (§6.8)
	AnomalyFlow         decode.AnomalyKind = "h2-flow-control"       // DATA beyond a window (§6.9), or a window beyond 2³¹−1 (§6.9.1)
)

// maxNotices is how many notices of one kind a connection gives; a peer can
// cause one with every nine bytes.
const maxNotices = 16

// notice appends a message about the connection, or about a stream that has no
// open message to carry the anomaly.
func (c *Conn) notice(dir decode.Dir, stream uint32, kind decode.AnomalyKind, format string, args ...any) {
	c.notices[kind]++
	if c.notices[kind] > maxNotices {
		c.silent++
		return
	}
	c.out = append(c.out, decode.Message{
		Kind: decode.Notice, Dir: dir, Stream: stream, Proto: proto,
		Begin: c.start, HeadEnd: c.at, End: c.at,
		Anomalies: []decode.Anomaly{{Kind: kind, Dir: dir, Offset: c.half[dir].frameAt, Detail: detail(format, args)}},
	})
}

// mark adds an anomaly to an open message, within Limits.Anomalies.
func (c *Conn) mark(o *open, dir decode.Dir, kind decode.AnomalyKind, format string, args ...any) {
	if len(o.m.Anomalies) >= c.lim.Anomalies {
		o.more++
		return
	}
	o.m.Anomalies = append(o.m.Anomalies, decode.Anomaly{
		Kind: kind, Dir: dir, Offset: c.half[dir].frameAt, Detail: detail(format, args),
	})
}

// detail takes a text without arguments as it is: a % in it is no verb.
func detail(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// errorName names an error code (§7).
func errorName(code uint32) string {
	names := [...]string{
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
		"SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
		"CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	}
	if int64(code) < int64(len(names)) {
		return names[code]
	}
	return fmt.Sprintf("error %#x", code)
}
