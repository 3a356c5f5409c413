package format

// entry is one entry of an index.
type entry struct {
	offset  int64 // of the chunk header, from the start of the section
	headLen int
	head    chunkHeader // its sets alias the index
}

// parseIndex decodes an index frame. ok is false if it does not follow FORMAT.md;
// whether it fits the section is another question.
func parseIndex(e envelope) (list []entry, ok bool) {
	if len(e.fixed) < indexFixedLen {
		return nil, false
	}
	return parseEntries(e.rest, int(le.Uint32(e.fixed[20:])), le.Uint32(e.fixed[16:]))
}

// parseEntries decodes count entries whose fixed parts have fixed bytes.
func parseEntries(b []byte, fixed int, count uint32) ([]entry, bool) {
	if fixed < entryFixedLen || fixed > MaxHeader || uint64(count)*uint64(fixed) > uint64(len(b)) {
		return nil, false
	}
	list := make([]entry, 0, count)
	for range count {
		if len(b) < fixed {
			return nil, false
		}
		x := entry{offset: int64(le.Uint64(b)), headLen: int(le.Uint32(b[96:]))}
		fields := b[8 : 8+chunkFields]
		x.head = parseChunkFields(fields)
		b = b[fixed:]
		n := x.head.takeSets(fields, b)
		if x.offset < 0 || x.headLen < chunkFixedLen+crcLen || x.headLen > skipHeadLen+MaxHeader || pad8(n) > len(b) {
			return nil, false
		}
		b = b[pad8(n):]
		list = append(list, x)
	}
	return list, true
}

// Chunk says where a chunk is and what it is about, as its header tells.
type Chunk struct {
	Offset   int64 // of the chunk header in the file
	Size     int64 // bytes of chunk header and zstd frame
	No       uint32
	Events   uint32 // repeats included
	RawBytes uint32 // of events, before compression
	FirstSeq uint64
	MinTime  uint64 // ns of the section's clock
	MaxTime  uint64
	Types    uint64 // bit t: has an event of type t
	Lost     uint32 // events lost

	frameCRC        uint32
	minPID, maxPID  uint32
	filter          uint16
	connSet, pidSet []byte // encoded: parsed when asked for, most never are
}

func chunkOfHeader(h *chunkHeader, offset, size int64) Chunk {
	return Chunk{Offset: offset, Size: size, No: h.no, Events: h.events, RawBytes: h.rawLen, FirstSeq: h.firstSeq,
		MinTime: h.minTime, MaxTime: h.maxTime, Types: h.types, Lost: h.lost, frameCRC: h.frameCRC,
		minPID: h.minPID, maxPID: h.maxPID, connSet: h.connSet, pidSet: h.pidSet, filter: h.filter}
}

// mayHaveConn reports whether the chunk may be about one of conns.
func (c *Chunk) mayHaveConn(conns idSet) bool {
	if c.filter != filterSet {
		return true
	}
	s, ok := parseIDSet(c.connSet)
	return !ok || s.meets(conns)
}

// mayHavePID reports whether the chunk may name one of pids.
func (c *Chunk) mayHavePID(pids idSet) bool {
	if c.filter == filterSet && len(c.pidSet) > 0 {
		s, ok := parseIDSet(c.pidSet)
		return !ok || s.meets(pids)
	}
	return c.minPID != 0 && pids.meets(idSet{{c.minPID, max(c.minPID, c.maxPID)}})
}
