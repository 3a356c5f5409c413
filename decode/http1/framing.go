package http1

import (
	"fmt"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// body says where the body of a message ends.
type body struct {
	kind   bodyKind
	length uint64
	hinted bool // bodyClose: some would say that it is chunked
}

type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyClose
	bodyUnknown // framing is broken
)

// frame applies RFC 9112 §6.3 from its third rule on: the method and status
// that mean "no body" are the caller's.
func (s *stream) frame(f *facts) body {
	request := s.kind == decode.Request
	if f.codings > 0 {
		if f.lengths > 0 {
			s.note(AnomalyLengthAndCoding, fmt.Sprintf("%d and %s", f.length, quote(f.coding)))
		}
		if s.msg.Proto == "HTTP/1.0" {
			s.note(AnomalyBadCoding, "in HTTP/1.0")
		}
		switch chunked := s.chunkedLast(f.coding); {
		case chunked:
			return body{kind: bodyChunked}
		case request:
			s.note(AnomalyBadCoding, "not chunked: "+quote(f.coding))
			return body{kind: bodyUnknown}
		}
		return body{kind: bodyClose, hinted: true}
	}
	switch {
	case f.badLength:
		return body{kind: bodyUnknown}
	case f.lengths > 0 && f.length > 0:
		return body{kind: bodyLength, length: f.length}
	case f.lengths > 0 || request:
		return body{}
	}
	return body{kind: bodyClose, hinted: f.hinted}
}

// chunkedLast reports whether a list of transfer codings ends in chunked. The
// name must be exact: "\vchunked" and "xchunked" have been taken for it by one
// party and not by the next, which is how requests are smuggled.
func (s *stream) chunkedLast(list string) bool {
	chunked, whole := false, list
	for more := true; more; {
		var v string
		v, list, more = strings.Cut(list, ",")
		v = strings.Trim(v, " \t")
		if v == "" && strings.Trim(whole, ", \t") != "" {
			s.note(AnomalyBadCoding, "an empty element")
			continue // RFC 9110 §5.6.1.2
		}
		if chunked {
			s.note(AnomalyBadCoding, "chunked is not last")
		}
		chunked = strings.EqualFold(v, "chunked")
		if !chunked && !knownCoding(v) {
			s.note(AnomalyBadCoding, quote(v))
		}
	}
	return chunked
}

// knownCoding reports whether v is a registered transfer coding other than
// chunked (RFC 9112 §7.2).
func knownCoding(v string) bool {
	switch strings.ToLower(v) {
	case "gzip", "x-gzip", "deflate", "compress", "x-compress":
		return true
	}
	return false
}

// authority returns the scheme, if the target has one, and the authority a
// request is for: that of the target, else Host (RFC 9112 §3.3).
func authority(method, target, host string) (scheme, auth string) {
	if method == "CONNECT" {
		return "", target
	}
	if target == "" || target[0] == '/' || target[0] == '*' {
		return "", host
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || scheme == "" || tokenLen([]byte(scheme)) != len(scheme) {
		return "", host
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme, rest
}
