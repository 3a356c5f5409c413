package format

import (
	"errors"
	"fmt"
	"io"
)

const (
	firstBuffer = 64 << 10
	// readAhead is the buffer size up to which reading ahead may grow it. What was
	// read is then still in a near cache when it is checked and decompressed.
	readAhead = 256 << 10
	maxEmpty  = 100 // reads of nothing in a row before the source counts as broken
)

// window shows a stream a piece at a time. It never reads more often than it
// must, so it shows what came through a pipe as soon as it came.
type window struct {
	r        io.Reader
	jump     *atReader // r, if it can be moved
	buf      []byte
	pos, end int   // buf[pos:end] is unread
	off      int64 // position of buf[pos] in the stream
	err      error // of r, for ever
}

// peek returns the next n bytes, fewer only when the stream ends before. They
// are valid until the next peek or discard. n must be bounded by the caller;
// the buffer grows only as bytes arrive, so a length that lies costs nothing.
func (w *window) peek(n int) []byte {
	for empty := 0; w.end-w.pos < n && w.err == nil; {
		w.makeRoom(n)
		// One Read at a time: a pipe must not be waited for once n bytes are here.
		k, err := w.r.Read(w.buf[w.end:])
		if k < 0 || k > len(w.buf)-w.end {
			k, err = 0, errors.New("reader returned an impossible count")
		}
		w.end += k
		w.err = err
		if k > 0 {
			empty = 0
		} else if empty++; empty == maxEmpty && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	return w.buf[w.pos:min(w.end, w.pos+n)]
}

// makeRoom makes room for at least one byte on the way to n unread ones. A
// stream that keeps filling the buffer gets a larger one, up to readAhead: so
// that a file is read in large pieces, and of a slow pipe only what came.
func (w *window) makeRoom(n int) {
	if w.end < len(w.buf) {
		return
	}
	size := max(min(2*len(w.buf), max(n, readAhead)+firstBuffer), firstBuffer)
	next := w.buf
	if size > len(w.buf) {
		next = make([]byte, size)
	}
	w.end = copy(next, w.buf[w.pos:w.end])
	w.buf, w.pos = next, 0
}

// held returns what can be had without reading.
func (w *window) held() []byte { return w.buf[w.pos:w.end] }

// skip drops n held bytes.
func (w *window) skip(n int) {
	w.pos += n
	w.off += int64(n)
}

// discard drops n bytes, reading as needed, and returns how many there were.
func (w *window) discard(n int64) int64 {
	left := n
	if held := int64(w.end - w.pos); w.jump != nil && left > held {
		far := min(left-held, w.jump.end-w.jump.off)
		w.jump.off += far
		w.pos, w.end = 0, 0
		w.off += held + far
		return held + far
	}
	for left > 0 {
		if w.pos == w.end && len(w.peek(1)) == 0 {
			break
		}
		k := int(min(left, int64(w.end-w.pos)))
		w.skip(k)
		left -= int64(k)
	}
	return n - left
}

// failure returns the error of the source when it is not just its end.
func (w *window) failure() error {
	if w.err == nil || w.err == io.EOF {
		return nil
	}
	return fmt.Errorf("read session: %w", w.err)
}

// Read makes a window an [io.Reader] of what is left, held bytes first.
func (w *window) Read(p []byte) (int, error) {
	if w.pos == w.end {
		if w.err != nil {
			return 0, w.err
		}
		w.peek(1)
	}
	n := copy(p, w.held())
	w.skip(n)
	if n == 0 && len(p) > 0 {
		return 0, w.err
	}
	return n, nil
}
