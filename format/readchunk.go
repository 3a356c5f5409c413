package format

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// maxComp is the most bytes a chunk of raw bytes may be compressed to: zstd
// falls back to raw blocks, so real frames stay far below.
func maxComp(raw int) int64 { return int64(raw) + int64(raw)/4 + 1024 }

// chunk reads the chunk whose header frame is the next n bytes.
func (r *Reader) chunk(e envelope, n int) error {
	h, ok := parseChunkHeader(e)
	if !ok {
		return r.resync(DamageCorrupt, "a chunk header without the fields of 1.0", n, 0)
	}
	whole := int64(n) + int64(h.compLen)
	if h.rawLen > uint32(r.maxChunk) || int64(h.compLen) > maxComp(r.maxChunk) {
		return r.overLimit(h, whole, fmt.Sprintf("the limit is %d", r.maxChunk))
	}
	if r.scan != nil {
		return r.scanChunk(h, n, whole)
	}
	if r.given+int64(h.rawLen) > r.maxExpand*(r.src.off+whole)+expandFloor {
		return r.overLimit(h, whole, fmt.Sprintf("the limit is %d times the file's size", r.maxExpand))
	}
	b := r.src.peek(int(whole))
	if int64(len(b)) < whole {
		return r.short(whole)
	}
	// Looking so far ahead may have moved what the header's sets point to.
	h.takeSets(b[envelopeLen:], b[le.Uint16(b[12:]):n-crcLen])
	frame := b[n:]
	if checksum(frame) != h.frameCRC {
		return r.badFrame(h, n, whole)
	}
	start := r.src.off
	if err := r.decompress(frame, h.rawLen); err != nil {
		r.raw, r.pos = r.raw[:0], 0
		r.note(Damage{start, whole, DamageCorrupt, fmt.Sprintf("chunk %d: %v", h.no, err)})
		r.src.skip(int(whole))
		return nil
	}
	if s := &r.sect; r.plan == nil && s.headed && !s.begun && s.tag != h.section {
		// The section before had no chunk that is intact, and the header of this
		// one's is lost. Its SESSION event comes first, then this chunk once more.
		r.raw, r.pos = r.raw[:0], 0
		return r.finish()
	}
	// Only now: a chunk that is not readable must not count as present.
	r.place(h)
	r.head, r.start, r.size = h, start, whole
	r.pos, r.seen, r.seq = 0, 0, h.firstSeq
	r.given += int64(h.rawLen)
	r.src.skip(int(whole))
	if r.proof != nil {
		r.proof.chunk(r, n)
	}
	if len(r.raw) == 0 {
		r.checkCount()
	}
	return nil
}

// overLimit passes over a chunk that is larger than this reader accepts.
func (r *Reader) overLimit(h chunkHeader, whole int64, limit string) error {
	start := r.src.off
	got := r.src.discard(whole)
	if err := r.src.failure(); err != nil && got < whole {
		return err
	}
	r.note(Damage{start, got, DamageLimit, fmt.Sprintf("chunk %d claims %d bytes, %d compressed; %s", h.no, h.rawLen, h.compLen, limit)})
	return nil
}

// badFrame passes over a chunk whose zstd frame is not what was written.
//
// Normally a frame follows right behind, which proves that the length is good
// and the harm inside. Only else, when bytes were lost or added, its inside is
// searched: captured plaintext may itself look like chunks.
func (r *Reader) badFrame(h chunkHeader, n int, whole int64) error {
	r.wasted += whole
	detail := fmt.Sprintf("the checksum of chunk %d does not match", h.no)
	if r.frameAt(int(whole)) || r.exhausted() {
		r.note(Damage{r.src.off, whole, DamageCorrupt, detail})
		r.src.skip(int(whole))
		return nil
	}
	return r.resync(DamageCorrupt, detail, n, whole)
}

// decompress fills r.raw from one zstd frame of exactly size bytes.
func (r *Reader) decompress(frame []byte, size uint32) error {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return fmt.Errorf("zstd frame: %w: %w", ErrMalformed, err)
	}
	// Checked here because the decompressor would only notice after the fact, or
	// not at all: a frame without a checksum is legal zstd.
	switch {
	case h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(size):
		return fmt.Errorf("zstd frame: %w: content size is not %d", ErrMalformed, size)
	case !h.HasCheckSum || h.DictionaryID != 0:
		return fmt.Errorf("zstd frame: %w: no checksum, or a dictionary", ErrMalformed)
	}
	if r.dec == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecodeAllCapLimit(true),
			// The frame's own checksum has proven it. Zstd's, over the content, would find a
			// fault of a compressor's memory, and costs 5 %: it is for who wants to be sure.
			zstd.IgnoreChecksum(r.proof == nil))
		if err != nil {
			return fmt.Errorf("make decompressor: %w", err)
		}
		r.dec = dec
	}
	// One buffer for all chunks, with some room so that a slightly larger one
	// does not need a new one.
	if cap(r.raw) < int(size) {
		r.raw = make([]byte, 0, int(size)+int(size)/8)
	}
	raw, err := r.dec.DecodeAll(frame, r.raw[:0])
	if err != nil {
		return fmt.Errorf("zstd frame: %w: %w", ErrMalformed, err)
	}
	if len(raw) != int(size) {
		return fmt.Errorf("zstd frame: %w: %d bytes, not %d", ErrMalformed, len(raw), size)
	}
	r.raw = raw
	return nil
}

// place finds out which section the decompressed chunk belongs to and what is
// missing before it.
func (r *Reader) place(h chunkHeader) {
	s := &r.sect
	if r.plan != nil {
		r.plan.place(r, h)
		return
	}
	switch {
	case !s.known || s.tag != h.section:
		r.absent("the file header of the section is missing")
		*s = section{start: r.src.off, known: true, tag: h.section}
		r.headless()
	case h.no < s.next:
		// The same section again (cat a a), the second header lost.
		r.absent("the file header of the section is missing")
		s.start, s.begun = r.src.off, false
		r.headless()
	case h.no > s.next:
		r.absent(missingChunks(s.next, h.no))
	}
	s.next = h.no + 1
	r.hurt = false
	if !s.begun {
		s.begun = true
		r.synthetic = len(r.raw) < eventHeadLen || Type(r.raw[4]) != TypeSession
	}
}

// headless tells the prover of a section that begins here, with a chunk.
func (r *Reader) headless() {
	if r.proof != nil {
		r.proof.begin(newSection(r.src.off, 0, r.sect.tag, &fileHeader{}))
	}
}

// absent notes that something is not there, unless damage just before explains it.
func (r *Reader) absent(what string) {
	if !r.hurt {
		r.note(Damage{Offset: r.src.off, Kind: DamageMissing, Detail: what})
	}
}

// chunkHeld reports whether the next frame is an intact chunk held in memory.
func (r *Reader) chunkHeld() bool {
	b := r.src.held()
	n, e, ok := headIn(b)
	if !ok || e.tag != tagChunk {
		return false
	}
	h, ok := parseChunkHeader(e)
	whole := int64(n) + int64(h.compLen)
	return ok && h.rawLen <= uint32(r.maxChunk) && whole <= int64(len(b)) && checksum(b[n:whole]) == h.frameCRC
}
