package http1

import (
	"strconv"

	"github.com/NoFear0411/spliff/decode"
)

// Kinds of anomaly of HTTP/1. Each is reported once a message.
const (
	// AnomalyBareLF: a line ended in LF without CR (RFC 9112 §2.2).
	AnomalyBareLF decode.AnomalyKind = "h1-bare-lf"
	// AnomalyBareCR: a CR not followed by LF (RFC 9112 §2.2).
	AnomalyBareCR decode.AnomalyKind = "h1-bare-cr"
	// AnomalyControl: a control byte in a start line, field or chunk line.
	AnomalyControl decode.AnomalyKind = "h1-control"
	// AnomalyObsFold: a field continued on the next line (RFC 9112 §5.2).
	AnomalyObsFold decode.AnomalyKind = "h1-obs-fold"
	// AnomalySpaceBeforeColon: white space between name and colon (RFC 9112 §5.1).
	AnomalySpaceBeforeColon decode.AnomalyKind = "h1-space-before-colon"
	// AnomalySpaceBeforeField: the first field line begins with white space (RFC 9112 §2.2).
	AnomalySpaceBeforeField decode.AnomalyKind = "h1-space-before-field"
	// AnomalyBadField: a field line without a colon, or whose name is no token.
	AnomalyBadField decode.AnomalyKind = "h1-bad-field"
	// AnomalyBadStartLine: a request-line or status-line that is not one, or not quite.
	AnomalyBadStartLine decode.AnomalyKind = "h1-bad-start-line"
	// AnomalyBadVersion: not a version of HTTP/1.
	AnomalyBadVersion decode.AnomalyKind = "h1-bad-version"
	// AnomalyBadLength: Content-Length is not one decimal number (RFC 9110 §8.6).
	AnomalyBadLength decode.AnomalyKind = "h1-bad-content-length"
	// AnomalyRepeatedLength: Content-Length was given more than once, each time the same.
	AnomalyRepeatedLength decode.AnomalyKind = "h1-repeated-content-length"
	// AnomalyLengthAndCoding: Content-Length and Transfer-Encoding in one message (RFC 9112 §6.1).
	AnomalyLengthAndCoding decode.AnomalyKind = "h1-content-length-and-transfer-encoding"
	// AnomalyBadCoding: Transfer-Encoding is malformed, unknown, or out of place (RFC 9112 §6.1).
	AnomalyBadCoding decode.AnomalyKind = "h1-bad-transfer-encoding"
	// AnomalyNoHost: a request of HTTP/1.1 without a Host field (RFC 9112 §3.2).
	AnomalyNoHost decode.AnomalyKind = "h1-no-host"
	// AnomalyBadTarget: a request-target in none of the four forms, or with bytes
	// that no URI has (RFC 9112 §3.2, RFC 3986 §2).
	AnomalyBadTarget decode.AnomalyKind = "h1-bad-target"
	// AnomalyRepeatedHost: more than one Host field (RFC 9112 §3.2).
	AnomalyRepeatedHost decode.AnomalyKind = "h1-repeated-host"
	// AnomalyBadChunk: chunked framing is broken (RFC 9112 §7.1).
	AnomalyBadChunk decode.AnomalyKind = "h1-bad-chunk"
	// AnomalyAssumedChunked: a response whose body ends with the connection, as its head
	// does not say properly that it is chunked; but it is, to its end, and was read so.
	AnomalyAssumedChunked decode.AnomalyKind = "h1-assumed-chunked"
	// AnomalyBadTrailer: a trailer field that frames or routes (RFC 9110 §6.5.1).
	AnomalyBadTrailer decode.AnomalyKind = "h1-bad-trailer"
	// AnomalyAfterClose: a message after one with "Connection: close", or one of
	// HTTP/1.0 without "keep-alive" (RFC 9112 §9.3, §9.6).
	AnomalyAfterClose decode.AnomalyKind = "h1-after-close"
	// AnomalyUncertainPair: a response that may answer another request than the
	// one it is shown with, because bytes were lost while a client pipelined.
	AnomalyUncertainPair decode.AnomalyKind = "h1-uncertain-pair"
	// AnomalyBadUpgrade: a 101 nobody asked for, or that names no protocol (RFC 9110 §7.8).
	AnomalyBadUpgrade decode.AnomalyKind = "h1-bad-upgrade"
)

// quoteMax is how much captured text a detail quotes.
const quoteMax = 64

// quote makes captured bytes fit for a detail: escaped, and cut.
func quote[T ~[]byte | ~string](b T) string {
	if len(b) > quoteMax {
		return strconv.Quote(string(b[:quoteMax])) + "…"
	}
	return strconv.Quote(string(b))
}

// note adds an anomaly to the message being read, once a kind. The details of
// later ones are lost on purpose: ten thousand bad lines are one fact.
func (s *stream) note(kind decode.AnomalyKind, detail string) {
	s.msg.Anomalies = s.noteTo(s.msg.Anomalies, kind, detail)
}

// carryOver adds an anomaly to the message that comes next.
func (s *stream) carryOver(kind decode.AnomalyKind, detail string) {
	s.carry = s.noteTo(s.carry, kind, detail)
}

func (s *stream) noteTo(list []decode.Anomaly, kind decode.AnomalyKind, detail string) []decode.Anomaly {
	if len(list) >= s.limits.Anomalies {
		return list
	}
	for i := range list {
		if list[i].Kind == kind {
			return list
		}
	}
	return append(list, decode.Anomaly{Kind: kind, Dir: s.dir, Offset: s.at, Detail: detail})
}
