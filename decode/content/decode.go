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
	"github.com/klauspost/compress/gzip"
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
	// ErrTooMany: more than [MaxCodings] codings.
	ErrTooMany decode.AnomalyKind = "content-too-many-codings"
	// ErrWindow: a window beyond [MaxWindow] was asked for.
	ErrWindow decode.AnomalyKind = "content-window"
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
// decoded bytes. cut is true when there was more. errKind is "" or says why
// decoding stopped early; out then holds what came before. With an unknown
// coding, out is what the codings outside it left.
//
// The result aliases wire when no coding had to be removed.
func Decode(codings []string, wire []byte, limit int) (out []byte, cut bool, errKind string) {
	// left = limit+1 below tells "exactly limit" from "more", and must not wrap.
	limit = min(max(limit, 0), math.MaxInt-1)
	names, unknown, kind := plan(codings)
	if kind != "" {
		return nil, false, string(kind)
	}
	if len(names) == 0 {
		if len(wire) > limit {
			wire, cut = wire[:limit:limit], true
		}
		return wire, cut, string(unknown)
	}
	var r io.Reader = bytes.NewReader(wire)
	var layers []*layer
	for i, name := range names {
		l := &layer{coding: name, src: bufio.NewReader(r), left: limit + 1}
		if i < len(names)-1 {
			l.left = innerLimit(limit)
		}
		layers = append(layers, l)
		r = l
	}
	defer func() {
		for _, l := range layers {
			l.close()
		}
	}()
	out, cut = readUpTo(r, len(wire), limit)
	// From the wire inwards: the first fault is the cause, what follows from it is
	// not told. A layer starved because the one before it reached its bound is
	// cut, not damaged.
	stopped := false
	for _, l := range layers {
		switch {
		case l.kind == ErrTruncated && stopped:
			return out, true, "" // it would go on, had its input
		case l.kind != "":
			return out, cut, string(l.kind)
		}
		stopped = l.left == 0
	}
	return out, cut, string(unknown)
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

// plan returns the codings to remove, outermost first.
func plan(codings []string) (names []string, unknown, refused decode.AnomalyKind) {
	for i := len(codings) - 1; i >= 0; i-- {
		switch name := strings.ToLower(codings[i]); name {
		case "gzip", "x-gzip", "deflate", "br", "zstd":
			names = append(names, name)
		case "identity", "":
		default:
			return names, ErrUnknown, ""
		}
		if len(names) > MaxCodings {
			return nil, "", ErrTooMany
		}
	}
	return names, "", ""
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
	kind   decode.AnomalyKind
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

// members reads gzip members one after the other (RFC 1952 §2.2). What follows
// the last one and is no member does not spoil those before it.
type members struct {
	l    *layer
	zr   *gzip.Reader
	open bool
}

func (g *members) Read(p []byte) (int, error) {
	for {
		if !g.open {
			if err := g.next(); err != nil {
				return 0, err
			}
		}
		n, err := g.zr.Read(p)
		if err != io.EOF {
			return n, err
		}
		g.open = false
		if n > 0 {
			return n, nil
		}
	}
}

// next opens the next member; io.EOF when there is none.
func (g *members) next() error {
	if g.zr == nil {
		zr, err := gzip.NewReader(g.l.src)
		if err != nil {
			return noEOF(err)
		}
		g.zr = zr
	} else {
		if head, _ := g.l.src.Peek(2); len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			return io.EOF // end notes bytes that are left
		}
		if err := g.zr.Reset(g.l.src); err != nil {
			return noEOF(err)
		}
	}
	// One member at a time: the library would call bytes behind the last one an
	// error, where this package tells the two apart.
	g.zr.Multistream(false)
	g.open = true
	return nil
}
