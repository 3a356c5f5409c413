package arena

import (
	"math/bits"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// slab is how much text shares an allocation, and so what a short string may
	// keep alive.
	slab = 4 << 10
	// fieldsLeast is the room of a list of fields that is made.
	fieldsLeast = 24
	// spareMost bounds how many lists, and how many bodies of a size, wait to be used
	// again.
	spareMost = 512
	// BodyMost is the largest body whose memory is used again.
	BodyMost = 1 << bodyTop
	bodyTop  = 15
	bodyLow  = 6
)

// Arena is used by one goroutine. A nil Arena allocates, and recycles nothing.
type Arena struct {
	text   strings.Builder
	fields [][]decode.Field
	bodies [bodyTop + 1][][]byte // by the logarithm of their size
	// Lines are field lines of HTTP/1, Literals those of HPACK: the same bytes may mean
	// something in each.
	Lines, Literals Lines
	roots           [roots]Line
	words           [wordSlots]word
}

// wordSlots is how many texts are known that come again and again.
const wordSlots = 512

// word is such a text, and the hash of one that came once.
type word struct {
	text string
	seen uint32
}

// roots is how many sequences of lines are told apart.
const roots = 8

// Root returns where the sequences of a kind begin, for [Begin]; which kinds there
// are is for the decoders to agree on.
func (a *Arena) Root(kind uint8) *Line { return &a.roots[kind%roots] }

// String returns b as a string.
func (a *Arena) String(b []byte) string {
	if a == nil || len(b) > slab/4 {
		return string(b)
	}
	if len(b) == 0 {
		return ""
	}
	if a.text.Cap()-a.text.Len() < len(b) {
		a.text.Reset()
		a.text.Grow(slab)
	}
	at := a.text.Len()
	a.text.Write(b)
	return a.text.String()[at:]
}

// Word is String for text that often comes again.
func (a *Arena) Word(b []byte) string {
	if a == nil || len(b) > lineMost {
		return a.String(b)
	}
	h := hash(b)
	w := &a.words[h%wordSlots]
	switch {
	case w.text == string(b):
	case w.seen == uint32(h>>32):
		w.text = string(b)
	default:
		w.seen = uint32(h >> 32)
		return a.String(b)
	}
	return w.text
}

// Fields returns an empty list with room for n fields, not cleared.
func (a *Arena) Fields(n int) []decode.Field {
	if a == nil {
		return make([]decode.Field, 0, n)
	}
	if last := len(a.fields) - 1; last >= 0 {
		list := a.fields[last]
		a.fields = a.fields[:last]
		if cap(list) >= n {
			return list
		}
	}
	return make([]decode.Field, 0, max(n, fieldsLeast))
}

// Bytes returns an empty buffer with room for n bytes. How much room is a function
// of n alone.
func (a *Arena) Bytes(n int) []byte {
	if a == nil || n <= 1<<bodyLow || n > BodyMost {
		return make([]byte, 0, n)
	}
	class := bits.Len(uint(n - 1))
	list := a.bodies[class]
	if last := len(list) - 1; last >= 0 {
		b := list[last]
		a.bodies[class] = list[:last]
		return b[:0]
	}
	return make([]byte, 0, 1<<class)
}

// Recycle takes back what Fields and Bytes gave for the request or response m, which
// nobody looks at any more. It may be given any message that owns its memory.
func (a *Arena) Recycle(m *decode.Message) {
	if m.Kind != decode.Request && m.Kind != decode.Response {
		return
	}
	for _, list := range [2][]decode.Field{m.Header, m.Trailer} {
		if c := cap(list); c >= fieldsLeast && c <= 4*fieldsLeast && len(a.fields) < spareMost {
			a.fields = append(a.fields, list[:0])
		}
	}
	b := m.Body.Data
	if c := cap(b); c > 1<<bodyLow && c <= BodyMost && c&(c-1) == 0 {
		if class := bits.Len(uint(c - 1)); len(a.bodies[class]) < spareMost {
			a.bodies[class] = append(a.bodies[class], b[:0])
		}
	}
}
