package format

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var le = binary.LittleEndian

// Magic numbers of the frames a file is made of. RFC 8878 §3.1.1 and §3.1.2:
// the low nibble of a skippable magic is free, 3 is ours.
const (
	magicZstd      = 0xFD2FB528
	magicOurs      = 0x184D2A53
	magicSkippable = 0x184D2A50 // with the low nibble masked off
)

// Tags of our frames, read as little-endian words.
const (
	tagFile  = 'S' | 'P'<<8 | 'L'<<16 | 'F'<<24
	tagChunk = 'S' | 'P'<<8 | 'L'<<16 | 'C'<<24
)

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
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}

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

// File header: FORMAT.md "File header".
const (
	fileFixedLen   = 80
	clockMonotonic = 1
)

// fileHeader is what a reader keeps of a file header. The UUID and clock fields
// of the fixed part are for tools that want no TLVs; the session says the same.
type fileHeader struct {
	firstSeq uint64
	mono     uint64
	session  []byte // TLVs of the SESSION payload; aliases the frame
}

// appendFileHeader encodes the header of a section. session is the encoded
// SESSION payload of s.
func appendFileHeader(dst []byte, s *Session, session []byte, target int) []byte {
	n := fileFixedLen + len(session) + crcLen
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	f := dst[at:]
	beginEnvelope(f, tagFile, fileFixedLen)
	f[16], f[17], f[18], f[19] = Major, Minor, 0, clockMonotonic
	copy(f[24:40], s.UUID[:])
	le.PutUint64(f[40:], uint64(s.Wall))
	le.PutUint64(f[48:], s.Mono)
	le.PutUint32(f[60:], uint32(target))
	copy(f[fileFixedLen:], session)
	sealEnvelope(f)
	return dst
}

// parseFileHeader reads an envelope tagged SPLF. It fails with ErrVersion for a
// section this reader must refuse; bytes 16–18 mean the same in every version.
func parseFileHeader(e envelope) (fileHeader, error) {
	f := e.fixed
	if len(f) < 19 {
		return fileHeader{}, fmt.Errorf("file header: %w: %d fixed bytes", ErrMalformed, len(f))
	}
	major, minReader := f[16], f[18]
	if major > Major || major == Major && minReader > Minor {
		return fileHeader{}, fmt.Errorf("%w: it needs format %d.%d, this program reads up to %d.%d; update spliff",
			ErrVersion, major, minReader, Major, Minor)
	}
	if major < Major || len(f) < fileFixedLen {
		return fileHeader{}, fmt.Errorf("file header: %w: version %d.%d, %d fixed bytes", ErrMalformed, major, f[17], len(f))
	}
	return fileHeader{firstSeq: le.Uint64(f[64:]), mono: le.Uint64(f[48:]), session: e.rest}, nil
}

// Chunk header: FORMAT.md "Chunk header".
const (
	chunkFixedLen = 104
	chunkHeadLen  = chunkFixedLen + crcLen // as written by 1.0: no variable part
)

// chunkHeader describes the zstd frame that follows it. Everything but lengths
// and checksums is for choosing chunks without decompressing them; a reader that
// reads all does not depend on it.
type chunkHeader struct {
	no               uint32
	compLen, rawLen  uint32
	events           uint32
	firstSeq         uint64
	minTime, maxTime uint64
	minPID, maxPID   uint32
	types            uint64
	frameCRC         uint32
	lost             uint32
	conns            uint32
	prevSpan         uint32
	section          uint32
}

// put encodes h into the first chunkHeadLen bytes of f.
func (h *chunkHeader) put(f []byte) {
	f = f[:chunkHeadLen]
	clear(f)
	beginEnvelope(f, tagChunk, chunkFixedLen)
	le.PutUint32(f[16:], h.no)
	le.PutUint32(f[20:], h.compLen)
	le.PutUint32(f[24:], h.rawLen)
	le.PutUint32(f[28:], h.events)
	le.PutUint64(f[32:], h.firstSeq)
	le.PutUint64(f[40:], h.minTime)
	le.PutUint64(f[48:], h.maxTime)
	le.PutUint32(f[56:], h.minPID)
	le.PutUint32(f[60:], h.maxPID)
	le.PutUint64(f[64:], h.types)
	le.PutUint32(f[72:], h.frameCRC)
	le.PutUint32(f[76:], h.lost)
	le.PutUint32(f[80:], h.conns)
	le.PutUint32(f[92:], h.prevSpan)
	le.PutUint32(f[96:], h.section)
	sealEnvelope(f)
}

// parseChunkHeader reads an envelope tagged SPLC. The lengths in it are claims:
// the caller bounds them before it believes them.
func parseChunkHeader(e envelope) (h chunkHeader, ok bool) {
	f := e.fixed
	if len(f) < chunkFixedLen {
		return h, false
	}
	return chunkHeader{
		no:       le.Uint32(f[16:]),
		compLen:  le.Uint32(f[20:]),
		rawLen:   le.Uint32(f[24:]),
		events:   le.Uint32(f[28:]),
		firstSeq: le.Uint64(f[32:]),
		minTime:  le.Uint64(f[40:]),
		maxTime:  le.Uint64(f[48:]),
		minPID:   le.Uint32(f[56:]),
		maxPID:   le.Uint32(f[60:]),
		types:    le.Uint64(f[64:]),
		frameCRC: le.Uint32(f[72:]),
		lost:     le.Uint32(f[76:]),
		conns:    le.Uint32(f[80:]),
		prevSpan: le.Uint32(f[92:]),
		section:  le.Uint32(f[96:]),
	}, true
}
