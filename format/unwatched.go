package format

// Unwatched is the payload of an UNWATCHED event: a file that was found to hold a TLS
// library, and whose calls are not in the session.
type Unwatched struct {
	Library string // "rustls", "" if only its name spoke for it
	Path    string
	BuildID string // hexadecimal, "" if the file has none
	Reason  string // why, in words
}

// Element types. FORMAT.md "UNWATCHED".
const (
	unwatchedLibrary = iota + 1
	unwatchedPath
	unwatchedBuildID
	unwatchedReason
)

// AppendTo appends the encoded payload to dst.
func (v *Unwatched) AppendTo(dst []byte) []byte {
	dst = appendText(dst, unwatchedLibrary, v.Library)
	dst = appendText(dst, unwatchedPath, v.Path)
	dst = appendText(dst, unwatchedBuildID, v.BuildID)
	return appendText(dst, unwatchedReason, v.Reason)
}

// ParseUnwatched decodes the payload of an UNWATCHED event. The result does not alias p.
func ParseUnwatched(p []byte) (Unwatched, error) {
	var v Unwatched
	s := scanner{what: "unwatched", rest: p}
	for s.next() {
		switch s.typ {
		case unwatchedLibrary:
			v.Library = s.text()
		case unwatchedPath:
			v.Path = s.text()
		case unwatchedBuildID:
			v.BuildID = s.text()
		case unwatchedReason:
			v.Reason = s.text()
		default:
			s.unknown()
		}
	}
	return v, s.err
}
