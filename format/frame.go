package format

import (
	"encoding/binary"
	"hash/crc32"
)

var le = binary.LittleEndian

// Magic numbers of the frames a file is made of. RFC 8878 §3.1.1 and §3.1.2:
// the low nibble of a skippable magic is free, 3 is ours.
const (
	magicZstd      = 0xFD2FB528
	magicOurs      = 0x184D2A53
	magicSkippable = 0x184D2A50 // with the low nibble masked off
	magicPadding   = 0x184D2A5A // what stands there means nothing
)

// Tags of our frames, read as little-endian words.
const (
	tagFile  = 'S' | 'P'<<8 | 'L'<<16 | 'F'<<24
	tagChunk = 'S' | 'P'<<8 | 'L'<<16 | 'C'<<24

	tagIndex   = 'S' | 'P'<<8 | 'L'<<16 | 'I'<<24
	tagSummary = 'S' | 'P'<<8 | 'L'<<16 | 'S'<<24
	tagTrailer = 'S' | 'P'<<8 | 'L'<<16 | 'T'<<24
)

// maxFrame returns the most bytes a frame of ours may have after its size field.
func maxFrame(tag uint32) int64 {
	switch tag {
	case tagFile, tagChunk, tagTrailer:
		return MaxHeader
	case tagSummary:
		return MaxSummary
	}
	return MaxIndex // those of later versions too
}

const (
	envelopeLen = 16 // magic to flags
	crcLen      = 4
	skipHeadLen = 8 // magic and size, the part zstd defines

	// mustUnderstand is the envelope flag of frames that change how the rest of a
	// section is to be read, such as sealed chunks.
	mustUnderstand = 1 << 0
)

// checksum is CRC-32C: the one that processors compute in hardware, so that
// proving a chunk intact costs nothing next to decompressing it.
func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// envelope is one of our skippable frames, its checksum proven.
type envelope struct {
	tag   uint32
	flags uint16
	fixed []byte // the whole frame up to fixed_len; fixed[16:] are its fields
	rest  []byte // variable part
	crc   uint32
}

// frameLen returns the whole length of the skippable frame that starts b,
// which holds at least skipHeadLen bytes.
func frameLen(b []byte) int64 { return skipHeadLen + int64(le.Uint32(b[4:])) }

// parseEnvelope checks one whole frame of ours. The result aliases f.
func parseEnvelope(f []byte) (envelope, bool) {
	if len(f) < envelopeLen+crcLen || le.Uint32(f) != magicOurs || frameLen(f) != int64(len(f)) {
		return envelope{}, false
	}
	end := len(f) - crcLen
	fixed := int(le.Uint16(f[12:]))
	crc := le.Uint32(f[end:])
	if fixed < envelopeLen || fixed > end || checksum(f[:end]) != crc {
		return envelope{}, false
	}
	return envelope{
		tag: le.Uint32(f[8:]), flags: le.Uint16(f[14:]),
		fixed: f[:fixed:fixed], rest: f[fixed:end:end], crc: crc,
	}, true
}

// beginEnvelope writes the envelope at the start of f, whose length is final. The
// caller fills in the fields and seals.
func beginEnvelope(f []byte, tag uint32, fixed int) {
	le.PutUint32(f, magicOurs)
	le.PutUint32(f[4:], uint32(len(f)-skipHeadLen))
	le.PutUint32(f[8:], tag)
	le.PutUint16(f[12:], uint16(fixed))
	le.PutUint16(f[14:], 0)
}

// sealEnvelope writes the checksum at the end of f and returns it.
func sealEnvelope(f []byte) uint32 {
	end := len(f) - crcLen
	crc := checksum(f[:end])
	le.PutUint32(f[end:], crc)
	return crc
}
