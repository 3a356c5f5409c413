package locate

import (
	"encoding/binary"
	"io"
)

// windowSize is how much of a file is held at once.
const windowSize = 64 << 10

// window reads a part of a file through a buffer. A hostile table can send every
// look-up to another place, each of which reads a whole window: budget bounds
// them, and when it is used up everything reads as absent.
type window struct {
	r          io.ReaderAt
	base, size uint64 // the part of the file, which offsets count from
	budget     int    // windows that may still be read

	buf []byte
	at  uint64 // offset of buf
}

func newWindow(r io.ReaderAt, base, size uint64) *window {
	// Sequential use reads each window once, and a second user of the part beside it
	// again; the rest is for tables that jump a little.
	return &window{r: r, base: base, size: size, budget: 8*int(size/windowSize) + 64}
}

// bytes returns n bytes at off, valid until the next call, or nil where there are
// none. n is at most windowSize.
func (w *window) bytes(off, n uint64) []byte {
	if n > windowSize || off > w.size || n > w.size-off {
		return nil
	}
	if off < w.at || off+n > w.at+uint64(len(w.buf)) {
		if w.budget == 0 {
			return nil
		}
		w.budget--
		if w.buf == nil {
			w.buf = make([]byte, windowSize)
		}
		w.buf = w.buf[:min(windowSize, w.size-off)]
		w.at = off
		got, err := w.r.ReadAt(w.buf, int64(w.base+off))
		if err != nil && err != io.EOF {
			got = 0
		}
		w.buf = w.buf[:got]
		if uint64(got) < n {
			return nil
		}
	}
	return w.buf[off-w.at:][:n]
}

func (w *window) u32(off uint64) (uint32, bool) {
	b := w.bytes(off, 4)
	if b == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

func (w *window) u64(off uint64) (uint64, bool) {
	b := w.bytes(off, 8)
	if b == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// each calls f with consecutive pieces of the part, each of which begins with the
// last overlap bytes of the one before, until f returns false. off is where the
// piece begins. The piece is valid during the call.
func each(r io.ReaderAt, base, size uint64, overlap int, f func(off uint64, piece []byte) bool) error {
	const step = 1 << 20
	buf := make([]byte, overlap+step)
	kept := 0
	for off := uint64(0); off < size; {
		n := min(step, size-off)
		got, err := r.ReadAt(buf[kept:kept+int(n)], int64(base+off))
		if err != nil && err != io.EOF {
			return err
		}
		piece := buf[:kept+got]
		if !f(off-uint64(kept), piece) || got < int(n) {
			return nil
		}
		off += n
		kept = copy(buf, piece[max(0, len(piece)-overlap):])
	}
	return nil
}
