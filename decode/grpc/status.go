package grpc

import (
	"strconv"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// Status is the result of a call.
type Status struct {
	Code    string // as sent, decimal by the specification
	Name    string // "NOT_FOUND"; "" for a code that has none
	Message string // percent-decoded; may hold any bytes
}

// StatusOf reads the result of a call from its response: from the trailers, or
// from the header when there was no message. ok is false if there is none.
func StatusOf(m *decode.Message) (s Status, ok bool) {
	for _, fields := range [2][]decode.Field{m.Trailer, m.Header} {
		code, found := field(fields, "grpc-status")
		if !found {
			continue
		}
		text, _ := field(fields, "grpc-message")
		return Status{Code: code, Name: codeName(code), Message: unescape(text)}, true
	}
	return s, false
}

func field(fields []decode.Field, name string) (string, bool) {
	for i := range fields {
		f := &fields[i]
		if len(f.Name) == len(name) && !f.Unknown && strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// codeName names a status code (google.golang.org/grpc/codes has the same list).
func codeName(code string) string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
		"UNAUTHENTICATED",
	}
	n, err := strconv.ParseUint(code, 10, 8)
	if err != nil || n >= uint64(len(names)) {
		return ""
	}
	return names[n]
}

// unescape removes percent encoding. As the specification asks, what is no
// encoding stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
