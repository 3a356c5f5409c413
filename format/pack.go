package format

import (
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// encodeWindow is the zstd window of what we write: larger ones gain 0.5 % and
// cost every reader the memory.
const encodeWindow = 4 << 20

// encoders compress. They may be used from several goroutines at once, and by
// several writers: what they hold is worth more than a short section.
//
// Frames below 256 bytes carry their size only as a single segment, frames above
// the window must not be one.
type encoders struct{ narrow, wide *zstd.Encoder }

func newEncoders(o WriterOptions) (e encoders, err error) {
	encoder := func(single bool) (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(max(o.Level, 1))), zstd.WithEncoderCRC(true),
			zstd.WithEncoderConcurrency(max(o.Workers, 1)), zstd.WithWindowSize(encodeWindow), zstd.WithSingleSegment(single))
	}
	if e.narrow, err = encoder(true); err == nil {
		e.wide, err = encoder(false)
	}
	if err != nil {
		return e, fmt.Errorf("make compressor: %w", err)
	}
	return e, nil
}

// packer makes zstd frames of chunks. It belongs to one goroutine.
type packer struct {
	encoders
	spare []byte // changes places with a chunk's buffer when it is compressed
	hash  xxhash.Digest
}

// pack replaces the events of c by their zstd frame, and makes all of its header
// that does not depend on its place in the file.
func (p *packer) pack(c *chunk) {
	c.head.rawLen = uint32(len(c.raw))
	if squeezed(c.raw) {
		p.store(c)
		c.describe()
		return
	}
	enc := p.narrow
	if len(c.raw) > encodeWindow {
		enc = p.wide
	}
	frame := enc.EncodeAll(c.raw, p.spare[:0])
	c.describe()
	c.about.keep()
	p.spare, c.raw = c.raw, frame
	c.head.compLen, c.head.frameCRC = uint32(len(frame)), checksum(frame)
	c.frame = append(c.frame[:0], frame)
}

// describe looks at a chunk's events, after who reads all of it in order: another
// processor wrote them, and a look at each is a wait for memory.
func (c *chunk) describe() {
	// The Writer made these events: they can be read.
	_ = c.about.describe(&c.head, c.raw)
}

// maxBlock is the most bytes of a block in a zstd frame (RFC 8878 §3.1.1.2.4).
const maxBlock = 128 << 10

// store makes the frame of blocks that are not compressed (RFC 8878 §3.1.1). Its
// pieces lie where the events are. Block by block the frame's two checksums are made,
// so that the second finds the bytes in the processor's cache.
func (p *packer) store(c *chunk) {
	const (
		descriptor = 2<<6 | 1<<2 // a content size of four bytes, a checksum
		window     = 7 << 3      // 128 KiB
	)
	blocks := (len(c.raw) + maxBlock - 1) / maxBlock
	// Not to move: the pieces point into it.
	c.bones = slices.Grow(c.bones[:0], 10+3*blocks+4)
	c.frame = c.frame[:0]
	c.head.compLen, c.head.frameCRC = 0, 0
	p.hash.Reset()
	add := func(piece []byte) {
		c.frame = append(c.frame, piece)
		c.head.compLen += uint32(len(piece))
		c.head.frameCRC = crc32.Update(c.head.frameCRC, castagnoli, piece)
	}
	bone := func(made []byte) {
		add(made[len(c.bones):])
		c.bones = made
	}
	bone(le.AppendUint32(append(le.AppendUint32(c.bones, magicZstd), descriptor, window), c.head.rawLen))
	for rest := c.raw; len(rest) > 0; {
		n := min(len(rest), maxBlock)
		last := 0
		if n == len(rest) {
			last = 1
		}
		head := n<<3 | last // block type 0: raw
		bone(append(c.bones, byte(head), byte(head>>8), byte(head>>16)))
		add(rest[:n])
		_, _ = p.hash.Write(rest[:n]) // never fails
		rest = rest[n:]
	}
	bone(le.AppendUint32(c.bones, uint32(p.hash.Sum64())))
}
