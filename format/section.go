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

	// Buffers for the chunk being written: its header, its padding, its pieces, and
	// them together for a w that takes no pieces.
	chunkHead, padding []byte
	pieces             [][]byte
	joined             []byte

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

// PieceWriter is a writer that takes a chunk or footer in pieces and passes it on in
// one go, as writev(2) does. What it has to say of counts and errors is as of
// [io.Writer]. It may change pieces, but not what they hold.
type PieceWriter interface {
	WritePieces(pieces [][]byte) (int64, error)
}

// write writes pieces in one call.
func (s *sectionWriter) write(pieces ...[]byte) error {
	whole := int64(0)
	for _, p := range pieces {
		whole += int64(len(p))
	}
	n, err := s.pass(pieces)
	if err == nil && n < whole {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	s.size += whole
	s.out.written.Add(whole)
	return nil
}

func (s *sectionWriter) pass(pieces [][]byte) (int64, error) {
	if w, ok := s.w.(PieceWriter); ok {
		return w.WritePieces(pieces)
	}
	b := pieces[0]
	if len(pieces) > 1 {
		b = s.joined[:0]
		for _, p := range pieces {
			b = append(b, p...)
		}
		s.joined = b
	}
	n, err := s.w.Write(b)
	return int64(n), err
}

// chunk writes a chunk, in the next file if this one is full.
func (s *sectionWriter) chunk(c *chunk) error {
	if s.files != nil && s.no > 0 && s.files.Full(s.size+int64(c.size()+len(s.index.entries)+footerRoom)+s.block) {
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
	n, whole := h.frameLen(), c.size()
	s.chunkHead = extend(s.chunkHead[:0], n)
	h.put(s.chunkHead)
	s.pad(whole)
	offset := s.size
	s.pieces = append(append(s.pieces[:0], s.chunkHead), c.frame...)
	if len(s.padding) > 0 {
		s.pieces = append(s.pieces, s.padding)
	}
	if err := s.write(s.pieces...); err != nil {
		return err
	}
	s.no++
	s.span = uint32(s.size - offset)
	s.index.frame(n, 0)
	s.index.frame(whole-n, int(h.rawLen))
	for rest := s.padding; len(rest) > 0; rest = rest[frameLen(rest):] {
		s.index.frame(int(frameLen(rest)), 0)
	}
	s.index.chunk(h, offset)
	s.sum.chunk(h, int(h.rawLen), &c.about.about)
	return nil
}

// pad makes the padding behind a chunk of n bytes, which pushes it out of the block
// of a cipher: skippable frames up to the end of the block, and one beyond, because
// a block is only written when it is known not to be the last.
func (s *sectionWriter) pad(n int) {
	s.padding = s.padding[:0]
	if s.block <= 0 {
		return
	}
	left := s.block - (s.size+int64(n))%s.block
	switch {
	case left == s.block:
	case left < skipHeadLen:
		s.padding = appendPadding(s.padding, int(left)+skipHeadLen)
		return
	default:
		s.padding = appendPadding(s.padding, int(left))
	}
	s.padding = appendPadding(s.padding, skipHeadLen)
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
	unwatched := s.sum.unwatched
	err := s.alone(Event{Type: TypeEnd, Seq: s.sum.lastSeq, Time: s.sum.maxTime, Payload: end.AppendTo(nil)})
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
	first := []Event{s.head.event()}
	for _, p := range unwatched {
		first = append(first, Event{Type: TypeUnwatched, Flags: FlagRepeat, Seq: seq, Time: first[0].Time, Payload: p})
	}
	return s.alone(first...)
}

// alone writes a chunk of its own.
func (s *sectionWriter) alone(evs ...Event) error {
	c := &chunk{head: chunkHeader{firstSeq: evs[0].Seq}}
	for i := range evs {
		c.raw = appendEvent(c.raw, &evs[i])
	}
	s.out.pack(c)
	return s.put(c)
}
