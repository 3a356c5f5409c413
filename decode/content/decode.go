package content

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	kzlib "github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/decode"
)

// Kinds of trouble in a content coding: what Decode's errKind and
// decode.Body.ContentErr say. [decode.AnomalyGap] and [decode.AnomalyLimit]
// are used too.
const (
	// ErrTruncated: the coded data ended early.
	ErrTruncated decode.AnomalyKind = "content-truncated"
	// ErrCorrupt: the data is not what the coding says, or a checksum is wrong.
	ErrCorrupt decode.AnomalyKind = "content-corrupt"
	// ErrTrailing: bytes follow the end of the coded data.
	ErrTrailing decode.AnomalyKind = "content-trailing"
	// ErrUnknown: a coding that is not known here.
	ErrUnknown decode.AnomalyKind = "content-unknown-coding"
	// ErrMismatch: the data is not under the codings that are listed. Those that it
	// is under, if any, were removed all the same.
	ErrMismatch decode.AnomalyKind = "content-coding-mismatch"
	// ErrHeader: the header of gzip data has a wrong checksum, or bits set that have
	// no meaning (RFC 1952 §2.3.1). The data behind it was decoded all the same.
	ErrHeader decode.AnomalyKind = "content-gzip-header"
	// ErrTooMany: more than [MaxCodings] codings.
	ErrTooMany decode.AnomalyKind = "content-too-many-codings"
	// ErrWindow: a window beyond [MaxWindow] was asked for.
	ErrWindow decode.AnomalyKind = "content-window"
)

// Errors of the gzip reader; a layer calls both ErrCorrupt.
var (
	errNotGzip  = errors.New("no gzip header")
	errChecksum = errors.New("gzip checksum or size is wrong")
)

const (
	// MaxCodings is the most codings removed from one body. A longer chain is
	// refused whole: each costs a decoder, and no server applies so many.
	MaxCodings = 4
	// MaxWindow is the most bytes of history a zstd frame may ask for. The
	// coding allows no more (RFC 9659); the frame format allows terabytes.
	MaxWindow = 8 << 20
	// firstRead is the memory first set aside for decoded bytes.
	firstRead = 4 << 10
)

// Decode removes codings, outermost last, from wire and returns at most limit
// decoded bytes. cut is true when there was more. errKind is "" or says what is
// wrong: why decoding stopped early, out then being what came before, or what was
// overlooked in order to go on. With an unknown coding, out is what the codings
// outside it left.
//
// Data that is not under the codings listed is read by its looks, see [ErrMismatch].
// The result aliases wire when no coding had to be removed.
func Decode(codings []string, wire []byte, limit int) (out []byte, cut bool, errKind string) {
	r := undo(codings, wire, limit)
	return r.out, r.cut, string(r.kind)
}

// result is what came of removing codings.
type result struct {
	out   []byte
	cut   bool
	kind  decode.AnomalyKind
	fault int // of the codings removed, outermost first, the one kind is about; -1 none
	bytes int // that it gave
	// removed are the codings that were, outermost last, where kind is ErrMismatch.
	removed []string
}

// undo is Decode.
func undo(codings []string, wire []byte, limit int) result {
	// left = limit+1 in run tells "exactly limit" from "more", and must not wrap.
	limit = min(max(limit, 0), math.MaxInt-1)
	names, known, kind := plan(codings)
	if kind != "" {
		return result{kind: kind}
	}
	r := run(names[:known], wire, limit)
	if known < len(names) && (r.kind == "" || r.kind == ErrHeader) {
		r.kind = ErrUnknown
	}
	if r.kind == ErrUnknown || r.doubtful(names, wire) {
		if g := (guess{wire: wire, limit: limit}); g.read(names) {
			return g.r
		}
	}
	return r
}

// run removes codings that are known, outermost first.
func run(names []string, wire []byte, limit int) (res result) {
	res.fault = -1
	if len(names) == 0 {
		if len(wire) > limit {
			wire, res.cut = wire[:limit:limit], true
		}
		res.out = wire
		return res
	}
	var r io.Reader = bytes.NewReader(wire)
	var layers []*layer
	for i, name := range names {
		l := &layer{coding: name, src: bufio.NewReader(r), left: limit + 1}
		if i < len(names)-1 {
			l.left = innerLimit(limit)
		}
		l.room = l.left
		layers = append(layers, l)
		r = l
	}
	defer func() {
		for _, l := range layers {
			l.close()
		}
	}()
	res.out, res.cut = readUpTo(r, len(wire), limit)
	// From the wire inwards: the first fault is the cause, what follows from it is
	// not told. A layer starved because the one before it reached its bound is
	// cut, not damaged.
	stopped := false
	for i, l := range layers {
		switch {
		case l.kind == ErrTruncated && stopped:
			res.cut = true // it would go on, had its input
			return res
		case l.kind != "":
			res.kind, res.fault, res.bytes = l.kind, i, l.room-l.left
			return res
		}
		stopped = l.left == 0
	}
	for _, l := range layers {
		if l.odd {
			res.kind = ErrHeader
		}
	}
	return res
}

// innerLimit is how much a layer may yield that another layer reads: coded data
// can be a little longer than its content, and is read ahead.
func innerLimit(limit int) int {
	const ahead = 64 << 10
	if limit > math.MaxInt/2 {
		return limit
	}
	return limit + limit/8 + ahead
}

// plan returns the codings to remove, outermost first, and how many of them are
// known before one that is not.
func plan(codings []string) (names []string, known int, refused decode.AnomalyKind) {
	known = -1
	for i := len(codings) - 1; i >= 0; i-- {
		name := strings.ToLower(codings[i])
		if name == "identity" || name == "" {
			continue
		}
		if !isKnown(name) && known < 0 {
			known = len(names)
		}
		if names = append(names, name); len(names) > MaxCodings && known < 0 {
			return nil, 0, ErrTooMany
		}
	}
	if known < 0 {
		known = len(names)
	}
	return names, known, ""
}

// isKnown reports whether a coding, in lower case, can be removed here.
func isKnown(name string) bool {
	switch name {
	case "gzip", "x-gzip", "deflate", "br", "zstd":
		return true
	}
	return false
}

// readUpTo reads limit bytes of r, growing with what comes rather than with
// what is promised.
func readUpTo(r io.Reader, wire, limit int) (out []byte, cut bool) {
	out = make([]byte, 0, min(limit, max(firstRead, min(3*wire, 1<<20))))
	for {
		// One byte more than wanted tells whether there is more.
		if len(out) == limit {
			var one [1]byte
			n, _ := io.ReadFull(r, one[:])
			return out, n > 0
		}
		// Doubling by hand: append may round up past limit.
		if len(out) == cap(out) {
			bigger := make([]byte, len(out), min(limit, 2*cap(out)))
			copy(bigger, out)
			out = bigger
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err != nil {
			return out, false
		}
	}
}

// layer removes one coding. It turns every error into an end of data and
// remembers why; it never yields more than left bytes, so that no layer can do
// work out of proportion to the limit.
type layer struct {
	coding string
	src    *bufio.Reader
	r      io.Reader
	left   int
	room   int // left at first
	kind   decode.AnomalyKind
	odd    bool // something was overlooked, see ErrHeader
	singly bool // see oneByte
	ended  bool
}

func (l *layer) Read(p []byte) (int, error) {
	if l.ended || l.left == 0 {
		return 0, io.EOF
	}
	if l.r == nil {
		if err := l.open(); err != nil {
			return 0, l.end(err)
		}
	}
	// The bound holds for each layer, not for the result alone: a bomb inside a
	// bomb must stop at the first.
	if len(p) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= n
	if err != nil {
		return n, l.end(err)
	}
	return n, nil
}

// end records how the layer ended.
func (l *layer) end(err error) error {
	l.ended = true
	switch {
	case l.kind != "": // a reader of one of our own knew better
	case err == io.EOF:
		if _, err := l.src.Peek(1); err == nil {
			l.kind = ErrTrailing
		}
	case errors.Is(err, io.ErrUnexpectedEOF):
		l.kind = ErrTruncated
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		l.kind = ErrWindow
	default:
		l.kind = ErrCorrupt
	}
	return io.EOF
}

// open begins to decode. Empty data is an empty body in every coding.
func (l *layer) open() error {
	head, err := l.src.Peek(2)
	if len(head) == 0 {
		return io.EOF
	}
	switch l.coding {
	case "gzip", "x-gzip":
		l.r = &members{l: l}
	case "deflate":
		if err == nil && zlibHeader(head) {
			l.r, err = kzlib.NewReader(l.src)
			return noEOF(err)
		}
		l.r = flate.NewReader(l.src)
	case "br":
		l.r = brotli.NewReader(l.src)
		if l.singly {
			l.r = brotli.NewReader(oneByte{l.src})
		}
	case "zstd":
		// Without concurrency the library decodes in the caller's goroutine.
		l.r, err = zstd.NewReader(l.src, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
		return err
	}
	return nil
}

// noEOF turns an end inside a header into what it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// zlibHeader tells zlib data from the raw deflate that some servers send
// (RFC 1950 §2.2; RFC 9110 §8.4.1.2 asks for zlib). As raw deflate its first
// byte would begin a stored block with padding that is not zero.
func zlibHeader(b []byte) bool {
	return b[0]&0x0f == 8 && b[0]>>4 <= 7 && (uint(b[0])<<8|uint(b[1]))%31 == 0
}

// close frees what only zstd holds. It may be called for a layer never opened.
func (l *layer) close() {
	if d, ok := l.r.(*zstd.Decoder); ok {
		d.Close()
	}
}
