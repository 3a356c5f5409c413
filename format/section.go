package format

import (
	"io"
)

// Files is where a session that spans several files goes. Its methods are called
// from the goroutine that writes, between two chunks.
type Files interface {
	// Full reports whether the file must not grow to size bytes. Then the session
	// goes on in the next.
	Full(size int64) bool
	// Next closes the current file, to which all has been written, and returns the
	// one after it.
	Next() (io.Writer, error)
}

// sectionWriter writes the frames of a section, and of those after it when the
// session is spread over files. It belongs to the goroutine that writes.
type sectionWriter struct {
	out    *output
	w      io.Writer
	files  Files // nil: all goes to w
	head   fileHeader
	target int

	block int64 // see WriterOptions.Block

	section uint32 // crc of the file header
	size    int64  // bytes of the section so far
	no      uint32 // of the next chunk
	span    uint32 // bytes since the start of the previous chunk header
	index   indexWriter
	sum     *tally
	noSeek  bool
}

// footerRoom is what a footer takes beyond its index, roughly: a file may exceed
// the limit of its Files by the rest.
const footerRoom = 4 << 10

// begin writes the file header.
func (s *sectionWriter) begin() error {
	b := s.head.append(nil, s.target)
	s.section = le.Uint32(b[len(b)-crcLen:])
	s.size, s.no, s.span = 0, 0, 0
	s.index, s.sum = indexWriter{noSeek: s.noSeek}, newTally()
	s.index.frame(len(b), 0)
	return s.write(b)
}

// write writes b in one call.
func (s *sectionWriter) write(b []byte) error {
	if err := writeAll(s.w, b); err != nil {
		return err
	}
	s.size += int64(len(b))
	s.out.written.Add(int64(len(b)))
	return nil
}

// chunk writes a chunk, in the next file if this one is full.
func (s *sectionWriter) chunk(c *chunk) error {
	if s.files != nil && s.no > 0 && s.files.Full(s.size+int64(len(c.out)+len(s.index.entries)+footerRoom)+s.block) {
		if err := s.rotate(c.head.firstSeq); err != nil {
			return err
		}
	}
	return s.put(c)
}

// put writes a chunk into this file.
func (s *sectionWriter) put(c *chunk) error {
	h := &c.head
	h.no, h.prevSpan, h.section = s.no, s.span, s.section
	n := h.frameLen()
	h.put(c.out[:n])
	offset, whole := s.size, len(c.out)
	c.out = s.pad(c.out)
	if err := s.write(c.out); err != nil {
		return err
	}
	s.no++
	s.span = uint32(len(c.out))
	s.index.frame(n, 0)
	s.index.frame(whole-n, len(c.raw))
	for rest := c.out[whole:]; len(rest) > 0; rest = rest[frameLen(rest):] {
		s.index.frame(int(frameLen(rest)), 0)
	}
	s.index.chunk(h, offset)
	s.sum.chunk(h, len(c.raw), &c.about.about)
	return nil
}

// pad appends to a chunk that is written next what pushes it out of the block of
// a cipher: skippable frames up to the end of the block, and one beyond, because a
// block is only written when it is known not to be the last.
func (s *sectionWriter) pad(chunk []byte) []byte {
	if s.block <= 0 {
		return chunk
	}
	left := s.block - (s.size+int64(len(chunk)))%s.block
	switch {
	case left == s.block:
	case left < skipHeadLen:
		return appendPadding(chunk, int(left)+skipHeadLen)
	default:
		chunk = appendPadding(chunk, int(left))
	}
	return appendPadding(chunk, skipHeadLen)
}

// appendPadding appends a skippable frame of n bytes.
func appendPadding(dst []byte, n int) []byte {
	dst = le.AppendUint32(dst, magicPadding)
	dst = le.AppendUint32(dst, uint32(n-skipHeadLen))
	dst = extend(dst, n-skipHeadLen)
	clear(dst[len(dst)-(n-skipHeadLen):])
	return dst
}

// finish writes the footer, in one call.
func (s *sectionWriter) finish() error {
	return s.write(s.index.appendFooter(nil, s.sum, s.section, s.size))
}

// rotate ends the file in order and goes on in the next one, whose first event
// will have seq or a later number.
func (s *sectionWriter) rotate(seq uint64) error {
	end := End{Reason: "rotated", Events: s.sum.events, Bytes: s.sum.written + s.sum.read,
		LostEvents: s.sum.lost.Events, LostBytes: s.sum.lost.Bytes, Next: s.head.fileNo + 1}
	err := s.alone(&Event{Type: TypeEnd, Seq: s.sum.lastSeq, Time: s.sum.maxTime, Payload: end.AppendTo(nil)})
	if err != nil {
		return err
	}
	if err := s.finish(); err != nil {
		return err
	}
	if s.w, err = s.files.Next(); err != nil {
		return err
	}
	s.head.fileNo++
	s.head.firstSeq = seq
	if err := s.begin(); err != nil {
		return err
	}
	first := s.head.event()
	return s.alone(&first)
}

// alone writes a chunk of one event.
func (s *sectionWriter) alone(ev *Event) error {
	c := &chunk{raw: appendEvent(nil, ev), head: chunkHeader{firstSeq: ev.Seq}}
	s.out.compress(c)
	return s.put(c)
}
