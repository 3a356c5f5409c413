package export

import (
	"io"
	"strconv"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/replay"
)

// JSONVersion is the "v" of each line. It grows when a reader of the version
// before would be misled; new keys alone do not change it.
const JSONVersion = 1

// JSONOptions say what JSON lines hold.
type JSONOptions struct {
	NoBodies bool // leave body bytes out; sizes stay
}

// jsonLines reuses one buffer: unless the writer has one too, a line is written with
// one Write, so that lines of a pipe that is cut are whole up to the last. Only large
// bodies are written in pieces.
type jsonLines struct{ line jsonLine }

// NewJSON returns a sink that writes one exchange a line, as described by
// exchange.schema.json: each line is valid JSON whatever was captured. A string
// that is not valid UTF-8 is written as {"base64": "…"} in its place, so the
// captured bytes can always be had back. Fields keep their order and repeats.
//
// The sink keeps nothing of an item.
func NewJSON(w io.Writer, o JSONOptions) Sink {
	// As a bufio.Writer has it.
	_, buffered := w.(interface{ Available() int })
	return &jsonLines{jsonLine{w: w, o: o, buffered: buffered}}
}

// Item implements [Sink].
func (j *jsonLines) Item(it *replay.Item) error {
	l := &j.line
	if l.err != nil || it.Kind != replay.ItemExchange {
		return l.err
	}
	l.b = append(l.b[:0], jsonHead...)
	l.uint("", it.Exchange.ID)
	switch {
	case it.Rendered == nil:
		l.exchange(it.Exchange)
		l.own("\n")
	// A buffer joins them itself: the goroutine that all workers wait for copies a line
	// once, not twice.
	case l.buffered:
		l.flush()
		if l.err == nil {
			_, l.err = l.w.Write(it.Rendered)
		}
		return l.err
	default:
		l.b = append(l.b, it.Rendered...)
	}
	l.flush()
	// One large body must not be paid for ever after.
	if cap(l.b) > 1<<20 {
		l.b = nil
	}
	return l.err
}

// Close implements [Sink].
func (j *jsonLines) Close() error { return j.line.err }

// renderBody is the largest body that is rendered by a worker, as sent and decoded: it
// bounds what all of them hold together.
const renderBody = 256 << 10

// RenderJSON returns what [replay.Options].Render takes, so that the lines of NewJSON
// are put together by the engine's workers; the sink adds the number. Up to limit bytes
// of a body are decoded. Exchanges with large bodies, or with messages inside that
// [Collected] adds, are left to the sink and to [Decoded] before it, which must have the
// same limit.
func RenderJSON(o JSONOptions, limit int) func() func([]byte, *replay.Item) []byte {
	return func() func([]byte, *replay.Item) []byte {
		r := &jsonRender{limit: min(limit, renderBody), line: jsonLine{o: o}}
		return r.append
	}
}

// jsonRender renders for one worker.
type jsonRender struct {
	limit    int
	line     jsonLine
	exchange replay.Exchange
	messages [2]decode.Message
}

// append appends the line of an exchange without its head, or nothing.
func (r *jsonRender) append(dst []byte, it *replay.Item) []byte {
	x := &r.exchange
	if *x = *it.Exchange; x.Inner != nil || !r.fill(0, &x.Request) || !r.fill(1, &x.Response) {
		return dst
	}
	l := &r.line
	l.b = dst
	l.exchange(x)
	l.own("\n")
	dst, l.b = l.b, nil
	return dst
}

// fill puts a copy of m, its content decoded, in its place. It is false if that is
// large.
func (r *jsonRender) fill(i int, m **decode.Message) bool {
	if *m == nil {
		return true
	}
	c := &r.messages[i]
	if *c = **m; len(c.Body.Data) > renderBody {
		return false
	}
	content.Fill(c, r.limit)
	*m = c
	// At the limit it may be cut where the sink would go on.
	return len(c.Body.Content) < renderBody && !c.Body.ContentCut
}

// jsonHead stands in front of the number of an exchange.
const jsonHead = `{"v":1,"id":`

// jsonLine puts a line together. It is written by hand and not by encoding/json:
// reflection was most of all the time that a session took. The order of the keys is
// that of the code; exchange.schema.json says the same, and a test compares each
// line with what encoding/json makes of structs.
type jsonLine struct {
	o        JSONOptions
	b        []byte
	w        io.Writer // for what is too large to be held
	buffered bool      // w collects what is written
	err      error     // of w, the first

	clock clock
	tails [64]jsonTail // by connection
	url   []byte       // scratch
}

// jsonTail is what the lines of a connection end in.
type jsonTail struct {
	of   *replay.Conn
	text []byte
}

// flush writes what was put together.
func (l *jsonLine) flush() {
	if l.err == nil {
		_, l.err = l.w.Write(l.b)
	}
	l.b = l.b[:0]
}

// own appends text of our own.
func (l *jsonLine) own(text literal) { l.b = append(l.b, text...) }

// wild appends a key and captured text.
func (l *jsonLine) wild(key literal, text string) {
	l.own(key)
	l.b = appendWild(l.b, text)
}

// some is wild, unless there is no text.
func (l *jsonLine) some(key literal, text string) {
	if text != "" {
		l.wild(key, text)
	}
}

// uint appends a key and a number.
func (l *jsonLine) uint(key literal, n uint64) {
	l.own(key)
	l.b = strconv.AppendUint(l.b, n, 10)
}

// count is uint, unless the number is 0.
func (l *jsonLine) count(key literal, n uint64) {
	if n != 0 {
		l.uint(key, n)
	}
}

// status appends a key and a status, unless it is 0.
func (l *jsonLine) status(key literal, n int) {
	if n != 0 {
		l.own(key)
		l.b = strconv.AppendInt(l.b, int64(n), 10)
	}
}

// seconds appends a key and a time that passed, unless it is not known.
func (l *jsonLine) seconds(key literal, ns int64) {
	if ns >= 0 {
		l.own(key)
		l.b = appendSeconds(l.b, ns)
	}
}

// time appends a key and a wall time.
func (l *jsonLine) time(key literal, at int64) {
	l.own(key)
	l.b = append(l.clock.append(append(l.b, '"'), at), '"')
}

// comma appends what stands between elements of a list.
func (l *jsonLine) comma(i int) {
	if i > 0 {
		l.b = append(l.b, ',')
	}
}

// texts appends a key and a list of captured texts, unless it is empty.
func (l *jsonLine) texts(key literal, list []string) {
	if len(list) == 0 {
		return
	}
	l.own(key)
	for i, text := range list {
		l.comma(i)
		l.wild("", text)
	}
	l.own("]")
}

// fields appends header or trailer fields as pairs: an object would lose order and
// repeats. A third element marks a field that HPACK could not give back.
func (l *jsonLine) fields(key literal, list []decode.Field) {
	l.own(key)
	l.own("[")
	for i := range list {
		f := &list[i]
		l.comma(i)
		l.wild("[", f.Name)
		l.wild(",", f.Value)
		if f.Unknown {
			l.own(`,"unknown"`)
		}
		l.own("]")
	}
	l.own("]")
}

// marks appends the flags of an exchange or message.
func (l *jsonLine) marks(list []mark) {
	if len(list) == 0 {
		return
	}
	l.own(`,"flags":[`)
	for i, m := range list {
		l.comma(i)
		l.own(`"`)
		l.own(m)
		l.own(`"`)
	}
	l.own("]")
}
