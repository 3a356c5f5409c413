package conn

import (
	"bytes"

	"github.com/NoFear0411/spliff/decode/http2"
)

// verdict is what the first bytes of one direction are.
type verdict uint8

const (
	undecided  verdict = iota
	h2Client           // an HTTP/2 client's preface (RFC 9113 §3.4)
	h2Server           // an HTTP/2 server's first SETTINGS
	h1Request          // an HTTP/1 request line
	h1Response         // an HTTP/1 status line
	neither            // none of these, whatever follows
)

// maxSettings is the longest first SETTINGS frame believed: 40 settings, of
// which RFC 9113 defines six.
const maxSettings = 240

// judge gives the verdict on a direction that begins with b. A verdict other
// than undecided stands whatever follows b. from is how far an earlier call
// with a shorter b looked for the end of the first line; the new value is
// returned, so that growing b byte by byte costs no more than reading it once.
func judge(b []byte, from int) (verdict, int) {
	if v := judgeH2(b); v != neither {
		return v, from
	}
	// A server ignores empty lines in front of a request (RFC 9112 §2.2).
	start := 0
	for start < len(b) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	line := b[start:]
	const status = "HTTP/1."
	if n := min(len(line), len(status)); string(line[:n]) == status[:n] {
		if n == len(status) {
			return h1Response, from
		}
		return undecided, from
	}
	if knownMethod(line) {
		return h1Request, from
	}
	from = max(from, start)
	end := bytes.IndexByte(b[from:], '\n')
	switch {
	case end >= 0:
		line = b[start : from+end]
		if isText(line) && bytes.Contains(line, []byte(" HTTP/")) {
			return h1Request, from
		}
		return neither, from
	case !isText(line):
		return neither, from
	}
	return undecided, len(b)
}

// judgeH2 tells neither as soon as b cannot begin an HTTP/2 direction.
func judgeH2(b []byte) verdict {
	if n := min(len(b), len(http2.Preface)); string(b[:n]) == http2.Preface[:n] {
		if n == len(http2.Preface) {
			return h2Client
		}
		return undecided
	}
	// Length, type 4, no flags, stream 0.
	const header = 9
	for i := 0; i < min(len(b), header); i++ {
		switch {
		case i == 2 && (b[2] > maxSettings || b[2]%6 != 0), i == 3 && b[3] != 4, i != 2 && i != 3 && b[i] != 0:
			return neither
		}
	}
	if len(b) < header {
		return undecided
	}
	return h2Server
}

// isText reports whether the first bytes could be of a line, carriage return
// included. It looks no further, so that the cost of a long line stays linear.
func isText(line []byte) bool {
	for _, c := range line[:min(len(line), 16)] {
		if c < 0x20 && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// knownMethod reports whether line begins with a registered method, a space,
// and what may begin a target.
func knownMethod(line []byte) bool {
	sp := bytes.IndexByte(line[:min(len(line), 17)], ' ')
	if sp < 0 || sp+1 >= len(line) || line[sp+1] <= ' ' {
		return false
	}
	switch string(line[:sp]) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
		"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH":
		return true
	}
	return false
}

// maxStartLine bounds what late looks at: it holds bytes back while it does.
const maxStartLine = 4096

// late is judge for a direction whose beginning is long past: only a whole and
// exact start line convinces.
func late(b []byte) verdict {
	if n := min(len(b), len(http2.Preface)); string(b[:n]) == http2.Preface[:n] {
		if n == len(http2.Preface) {
			return h2Client
		}
		return undecided
	}
	if !isUpper(b[:min(len(b), 1)]) {
		return neither
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if len(line) > maxStartLine || !isText(line) {
		return neither
	}
	if !whole {
		return undecided
	}
	part := bytes.SplitN(line, []byte(" "), 3)
	if len(part) != 3 {
		return neither
	}
	switch {
	case isVersion(part[0]) && len(part[1]) == 3 && part[1][0] >= '1' && part[1][0] <= '5':
		return h1Response
	case bytes.HasSuffix(part[2], []byte("\r")) && isVersion(part[2][:len(part[2])-1]) && isUpper(part[0]):
		return h1Request
	}
	return neither
}

func isVersion(b []byte) bool {
	return string(b) == "HTTP/1.1" || string(b) == "HTTP/1.0"
}

func isUpper(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
