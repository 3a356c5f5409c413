package main

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The anchor: the log of the session, which is the very bytes a session
// compresses, in blocks of the size of a chunk, with nothing around them.
const (
	blockSize  = 1 << 20
	zstdWindow = 4 << 20 // as in sessions
)

// bare holds the log and its compressed blocks.
type bare struct {
	log    []byte
	blocks [][]byte
	size   int64 // of all blocks
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	buf    []byte
}

// newBare takes the log out of a session file.
func newBare(session []byte) (*bare, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true),
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithSingleSegment(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	whole, err := zstd.NewReader(bytes.NewReader(session))
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	b := &bare{enc: enc, dec: dec, buf: make([]byte, 0, 2*blockSize)}
	if b.log, err = io.ReadAll(whole); err != nil {
		return nil, err
	}
	for block := range b.each() {
		p := enc.EncodeAll(block, nil)
		b.blocks = append(b.blocks, p)
		b.size += int64(len(p))
	}
	return b, nil
}

// each yields the log a block at a time.
func (b *bare) each() func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for at := 0; at < len(b.log); at += blockSize {
			if !yield(b.log[at:min(at+blockSize, len(b.log))]) {
				return
			}
		}
	}
}

func (b *bare) encode() error {
	for block := range b.each() {
		b.buf = b.enc.EncodeAll(block, b.buf[:0])
	}
	return nil
}

func (b *bare) decode() error {
	for _, p := range b.blocks {
		var err error
		if b.buf, err = b.dec.DecodeAll(p, b.buf[:0]); err != nil {
			return err
		}
	}
	return nil
}
