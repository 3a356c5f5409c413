package tap

import (
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/grpc"
	"github.com/NoFear0411/spliff/decode/sse"
)

// Tap reads one body. Chunks are pieces of it, without the framing of HTTP.
type Tap interface {
	// Append takes the next piece and appends the messages it completes.
	Append(dst []decode.Message, ch decode.Chunk) []decode.Message
	// Gap tells of missing bytes and appends the messages they end.
	Gap(dst []decode.Message, g decode.Gap) []decode.Message
	// End tells that no more comes of the body of m, whose flags are final. It
	// appends what is left, fills in what the body tells of m, and returns what
	// was wrong with it. Nothing may be called after it.
	End(dst []decode.Message, m *decode.Message, at decode.At) ([]decode.Message, []decode.Anomaly)
	// Kept returns how many bytes are held, and Shed drops them.
	Kept() int
	Shed()
}

// Open returns the tap for the body of m, whose head is complete, or nil if it is
// a body like any other.
func Open(m *decode.Message, l *decode.Limits) Tap {
	if l.Inner < 0 {
		return nil
	}
	kind := value(m.Header, "content-type")
	if kind == "" {
		return nil
	}
	var t Tap
	if form := grpc.FormOf(kind); form != grpc.None {
		t = grpc.New(m, form, value(m.Header, "grpc-encoding"), l)
	} else if m.Kind == decode.Response && eventStream(kind) {
		t = sse.New(m, l)
	} else {
		return nil
	}
	return decodedBy(t, content.Of(m))
}

// value returns the first field called name, which is in lower case.
func value(header []decode.Field, name string) string {
	// The length first: this runs for each message that has a body.
	for i := range header {
		if f := &header[i]; len(f.Name) == len(name) && !f.Unknown && strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func eventStream(contentType string) bool {
	const name = "text/event-stream"
	if len(contentType) < len(name) || !strings.EqualFold(contentType[:len(name)], name) {
		return false
	}
	rest := strings.TrimLeft(contentType[len(name):], " \t")
	return rest == "" || rest[0] == ';'
}
