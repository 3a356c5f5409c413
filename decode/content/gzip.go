package content

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// Flags of a gzip header (RFC 1952 §2.3.1).
const (
	gzipHeaderCRC = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
	gzipReserved  = 0xe0

	gzipHeader = 10 // bytes every header has
	gzipFooter = 8
)

// members reads gzip members one after the other (RFC 1952 §2.2). What follows
// the last one and is no member does not spoil those before it.
//
// It is not the library's reader because that refuses a member for its header: the
// RFC has a decompressor do so, and browsers do not. Nothing in the header is
// needed to decode what follows, and the checksum behind it still tells whether that
// came out right.
type members struct {
	l    *layer
	zr   io.ReadCloser // a flate.Resetter too
	open bool
	sum  uint32
	size uint32
}

func (g *members) Read(p []byte) (int, error) {
	for {
		if !g.open {
			if err := g.next(); err != nil {
				return 0, err
			}
		}
		n, err := g.zr.Read(p)
		g.sum = crc32.Update(g.sum, crc32.IEEETable, p[:n])
		g.size += uint32(n)
		if err == io.EOF {
			g.open = false
			err = g.finish()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next opens the next member; io.EOF when there is none.
func (g *members) next() error {
	head, err := g.l.src.Peek(gzipHeader)
	first := g.zr == nil
	switch {
	case len(head) >= 2 && (head[0] != 0x1f || head[1] != 0x8b), len(head) >= 3 && head[2] != 8:
		if first {
			return errNotGzip
		}
		return io.EOF // end notes bytes that are left
	case !first && len(head) < 2:
		return io.EOF
	case err != nil:
		return noEOF(err)
	}
	if err := g.header(); err != nil {
		return err
	}
	if r, ok := g.zr.(flate.Resetter); ok {
		r.Reset(g.l.src, nil) // its error is always nil
	} else {
		g.zr = flate.NewReader(g.l.src)
	}
	g.sum, g.size, g.open = 0, 0, true
	return nil
}

// header passes over a header (RFC 1952 §2.3).
func (g *members) header() error {
	h := gzipHead{src: g.l.src}
	b, _ := h.src.Peek(gzipHeader) // next has seen them
	flags := b[3]
	h.take(gzipHeader)
	if flags&gzipExtra != 0 {
		h.take(int(h.take(1)) | int(h.take(1))<<8)
	}
	if flags&gzipName != 0 {
		h.text()
	}
	if flags&gzipComment != 0 {
		h.text()
	}
	if flags&gzipHeaderCRC != 0 {
		want := uint16(h.sum)
		got := uint16(h.take(1)) | uint16(h.take(1))<<8
		g.l.odd = g.l.odd || got != want
	}
	g.l.odd = g.l.odd || flags&gzipReserved != 0
	return noEOF(h.err)
}

// gzipHead reads a header and sums it up. After an error there are no more bytes.
type gzipHead struct {
	src *bufio.Reader
	sum uint32
	err error
}

// next returns what is at hand, at least one byte unless there is an error. The
// caller says with took how many of them belong to the header.
func (h *gzipHead) next() (b []byte) {
	if h.err == nil {
		b, h.err = h.src.Peek(max(1, h.src.Buffered()))
	}
	return b
}

func (h *gzipHead) took(b []byte) {
	h.sum = crc32.Update(h.sum, crc32.IEEETable, b)
	h.src.Discard(len(b)) // they are buffered: no error
}

// take passes over n bytes and returns the last.
func (h *gzipHead) take(n int) (last byte) {
	for n > 0 {
		b := h.next()
		if len(b) == 0 {
			return 0
		}
		b = b[:min(len(b), n)]
		last = b[len(b)-1]
		n -= len(b)
		h.took(b)
	}
	return last
}

// text passes over a text and the NUL that ends it.
func (h *gzipHead) text() {
	for b := h.next(); len(b) > 0; b = h.next() {
		end := bytes.IndexByte(b, 0)
		if end < 0 {
			h.took(b)
			continue
		}
		h.took(b[:end+1])
		return
	}
}

// finish compares a member with the checksum and size behind it.
func (g *members) finish() error {
	var b [gzipFooter]byte
	if _, err := io.ReadFull(g.l.src, b[:]); err != nil {
		return noEOF(err)
	}
	if binary.LittleEndian.Uint32(b[:4]) != g.sum || binary.LittleEndian.Uint32(b[4:]) != g.size {
		return errChecksum
	}
	return nil
}
