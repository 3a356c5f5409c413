package format

import "fmt"

// File header: FORMAT.md "File header".
const (
	fileFixedLen   = 80
	clockMonotonic = 1

	sectionMember = 1 << 1 // one of several files of a session
)

// fileHeader is what a reader keeps of a file header. The UUID and clock fields
// of the fixed part are for tools that want no TLVs; the session says the same.
type fileHeader struct {
	major, minor uint8
	fileNo       uint32
	member       bool
	target       uint32 // bytes at which the writer closes a chunk
	firstSeq     uint64
	uuid         [16]byte
	wall         int64
	mono         uint64
	session      []byte // TLVs of the SESSION payload; aliases the frame
}

// append encodes the header. target is the writer's chunk size.
func (h *fileHeader) append(dst []byte, target int) []byte {
	n := fileFixedLen + len(h.session) + crcLen
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	f := dst[at:]
	beginEnvelope(f, tagFile, fileFixedLen)
	f[16], f[17], f[18], f[19] = Major, Minor, 0, clockMonotonic
	if h.member {
		le.PutUint32(f[20:], sectionMember)
	}
	copy(f[24:40], h.uuid[:])
	le.PutUint64(f[40:], uint64(h.wall))
	le.PutUint64(f[48:], h.mono)
	le.PutUint32(f[56:], h.fileNo)
	le.PutUint32(f[60:], uint32(target))
	le.PutUint64(f[64:], h.firstSeq)
	copy(f[fileFixedLen:], h.session)
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
	return fileHeader{
		major: major, minor: f[17],
		fileNo: le.Uint32(f[56:]), member: le.Uint32(f[20:])&sectionMember != 0, target: min(le.Uint32(f[60:]), MaxChunk),
		firstSeq: le.Uint64(f[64:]), uuid: [16]byte(f[24:40]), wall: int64(le.Uint64(f[40:])), mono: le.Uint64(f[48:]),
		session: e.rest,
	}, nil
}

// event returns the SESSION event that begins the section.
func (h *fileHeader) event() Event {
	ev := Event{Type: TypeSession, Seq: h.firstSeq, Time: h.mono, Payload: h.session}
	if h.fileNo > 0 {
		ev.Flags = FlagRepeat
	}
	return ev
}

// Chunk header: FORMAT.md "Chunk header".
const (
	chunkFixedLen = 104
	chunkFields   = chunkFixedLen - envelopeLen // what an index entry has of it

	filterSet     = 1 // conns and pids are there
	filterLeftOut = 2 // in an index: they are in the chunk header alone

	maxConnSet = 2048
	maxPIDSet  = 512
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
	filter           uint16
	prevSpan         uint32
	section          uint32
	connSet, pidSet  []byte // encoded; alias the frame
}

// frameLen returns the length of the header's own frame.
func (h *chunkHeader) frameLen() int {
	return chunkFixedLen + pad8(len(h.connSet)+len(h.pidSet)) + crcLen
}

// put encodes h into f, which has frameLen bytes.
func (h *chunkHeader) put(f []byte) {
	clear(f)
	beginEnvelope(f, tagChunk, chunkFixedLen)
	h.putFields(f[envelopeLen:chunkFixedLen])
	copy(f[chunkFixedLen+copy(f[chunkFixedLen:], h.connSet):], h.pidSet)
	sealEnvelope(f)
}

// putFields encodes the fixed fields into b, which has chunkFields zero bytes.
func (h *chunkHeader) putFields(b []byte) {
	le.PutUint32(b, h.no)
	le.PutUint32(b[4:], h.compLen)
	le.PutUint32(b[8:], h.rawLen)
	le.PutUint32(b[12:], h.events)
	le.PutUint64(b[16:], h.firstSeq)
	le.PutUint64(b[24:], h.minTime)
	le.PutUint64(b[32:], h.maxTime)
	le.PutUint32(b[40:], h.minPID)
	le.PutUint32(b[44:], h.maxPID)
	le.PutUint64(b[48:], h.types)
	le.PutUint32(b[56:], h.frameCRC)
	le.PutUint32(b[60:], h.lost)
	le.PutUint32(b[64:], h.conns)
	le.PutUint16(b[68:], h.filter)
	le.PutUint16(b[70:], uint16(len(h.connSet)))
	le.PutUint16(b[72:], uint16(len(h.pidSet)))
	le.PutUint32(b[76:], h.prevSpan)
	le.PutUint32(b[80:], h.section)
}

// parseChunkHeader reads an envelope tagged SPLC. The lengths in it are claims:
// the caller bounds them before it believes them.
func parseChunkHeader(e envelope) (h chunkHeader, ok bool) {
	if len(e.fixed) < chunkFixedLen {
		return h, false
	}
	h = parseChunkFields(e.fixed[envelopeLen:])
	h.takeSets(e.fixed[envelopeLen:], e.rest)
	return h, true
}

func parseChunkFields(b []byte) chunkHeader {
	return chunkHeader{
		no:       le.Uint32(b),
		compLen:  le.Uint32(b[4:]),
		rawLen:   le.Uint32(b[8:]),
		events:   le.Uint32(b[12:]),
		firstSeq: le.Uint64(b[16:]),
		minTime:  le.Uint64(b[24:]),
		maxTime:  le.Uint64(b[32:]),
		minPID:   le.Uint32(b[40:]),
		maxPID:   le.Uint32(b[44:]),
		types:    le.Uint64(b[48:]),
		frameCRC: le.Uint32(b[56:]),
		lost:     le.Uint32(b[60:]),
		conns:    le.Uint32(b[64:]),
		filter:   le.Uint16(b[68:]),
		prevSpan: le.Uint32(b[76:]),
		section:  le.Uint32(b[80:]),
	}
}

// takeSets finds the sets in rest by the lengths in the fields b, and returns how
// many bytes they take. Sets that do not fit are as good as none.
func (h *chunkHeader) takeSets(b, rest []byte) int {
	conns, pids := int(le.Uint16(b[70:])), int(le.Uint16(b[72:]))
	if conns+pids > len(rest) {
		if h.filter == filterSet {
			h.filter = 0
		}
		return 0
	}
	// The bytes of a filter that only a later version knows are there all the same.
	if h.filter == filterSet {
		h.connSet = rest[:conns:conns]
		h.pidSet = rest[conns : conns+pids : conns+pids]
	}
	return conns + pids
}
