package decode

// Anomaly is a departure from the protocol that was seen and described. The
// decoder goes on after it.
type Anomaly struct {
	Kind AnomalyKind
	Dir  Dir
	// Offset is where it was found in the stream of Dir: the first byte of the
	// line, frame or head in question, or of the hole.
	Offset uint64
	Detail string // a few words for people; may quote captured bytes, so escape before display
}

// AnomalyKind names a kind of anomaly. Kinds are stable: they appear in JSON output.
type AnomalyKind string

// Kinds shared by all protocols. Each protocol package adds its own next to its parser.
const (
	AnomalyGap        AnomalyKind = "gap"         // bytes are missing
	AnomalyLimit      AnomalyKind = "limit"       // a limit of Limits was reached
	AnomalyTruncated  AnomalyKind = "truncated"   // the stream ended inside a message
	AnomalyResync     AnomalyKind = "resync"      // bytes were skipped to find the next message
	AnomalyNoRequest  AnomalyKind = "no-request"  // a response without a request
	AnomalyNoResponse AnomalyKind = "no-response" // the connection ended before the response
	AnomalyMidStream  AnomalyKind = "mid-stream"  // the capture began inside the connection
	AnomalyLate       AnomalyKind = "late"        // bytes came after their connection's end
	AnomalyIdle       AnomalyKind = "idle"        // given up: nothing came for longer than Limits.Idle
	AnomalyBudget     AnomalyKind = "budget"      // a body was dropped: too many were being kept at once
)
