package format

import (
	"errors"
	"io"
)

// atReader reads a part of a file from off on, and can be moved.
type atReader struct {
	at       io.ReaderAt
	off, end int64
	step     int // most bytes of one read; 0: no limit
}

func (a *atReader) Read(p []byte) (int, error) {
	if a.off >= a.end {
		return 0, io.EOF
	}
	if a.step > 0 {
		p = p[:min(len(p), a.step)]
	}
	n, err := a.at.ReadAt(p[:min(int64(len(p)), a.end-a.off)], a.off)
	a.off += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // the next call says so
	}
	return n, err
}

// scan is what a reader that looks at headers only finds.
type scan struct {
	src      *atReader
	sections []Section
	chunks   int // over all sections
	buf      []byte
	over     bool
}

// maxChunks bounds the list of chunks of a file, to some 200 MB of memory. A
// session with more is read from its start to its end.
const maxChunks = 1 << 20

func (s *scan) begin(off int64, n int, tag uint32, h *fileHeader) {
	if len(s.sections) >= maxChunks {
		s.over = true
		return
	}
	s.sections = append(s.sections, newSection(off, int64(n), tag, h))
}

// end notes that the current section reaches to off.
func (s *scan) end(off int64) {
	if n := len(s.sections); n > 0 {
		s.sections[n-1].Size = max(s.sections[n-1].Size, off-s.sections[n-1].Offset)
	}
}

// scanChunk takes note of a chunk and passes over it. When nothing intact stands
// behind it, or it is not the one that comes next, its header alone is not enough:
// then it is looked at as a reader of all would.
func (r *Reader) scanChunk(h chunkHeader, n int, whole int64) error {
	start, s := r.src.off, r.scan
	if start+whole > s.src.end {
		return r.short(whole)
	}
	next := r.sect.known && r.sect.tag == h.section && r.sect.next == h.no
	if !next || !s.frameAt(start+whole) {
		b := r.src.peek(int(whole))
		if int64(len(b)) < whole {
			return r.short(whole)
		}
		if checksum(b[n:]) != h.frameCRC {
			return r.badFrame(h, n, whole)
		}
	}
	r.placeScanned(h)
	r.sect.next = h.no + 1
	r.hurt = false
	if s.chunks++; s.chunks > maxChunks {
		s.over = true
	} else {
		c := chunkOfHeader(&h, start, whole)
		// The header is in a buffer that moves on.
		c.connSet, c.pidSet = append([]byte(nil), c.connSet...), append([]byte(nil), c.pidSet...)
		sec := &s.sections[len(s.sections)-1]
		sec.Chunks = append(sec.Chunks, c)
		sec.ChunkBytes += whole
	}
	r.src.discard(whole)
	s.end(r.src.off)
	return nil
}

// placeScanned is place, for a chunk that was not opened.
func (r *Reader) placeScanned(h chunkHeader) {
	s := &r.sect
	lost := !s.known || s.tag != h.section || h.no < s.next
	switch {
	case lost:
		r.absent("the file header of the section is missing")
		*s = section{start: r.src.off, known: true, tag: h.section}
		r.scan.begin(r.src.off, 0, h.section, &fileHeader{})
	case h.no > s.next:
		r.absent(missingChunks(s.next, h.no))
	}
}

// frameAt is Reader.frameAt for a place in the file, which may be far off.
func (s *scan) frameAt(off int64) bool {
	r := Reader{src: window{r: &atReader{at: s.src.at, off: off, end: s.src.end, step: s.src.step}}}
	r.src.buf = s.buf
	ok := r.frameAt(0)
	s.buf = r.src.buf
	return ok
}

// readAt reads as much of b as there is.
func readAt(at io.ReaderAt, b []byte, off int64) int {
	n, err := at.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	return n
}
