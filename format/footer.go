package format

// Footer frames: FORMAT.md "Footer".
const (
	indexFixedLen   = 32
	entryFixedLen   = 104
	summaryFixedLen = envelopeLen
	trailerFixedLen = 112
	trailerLen      = trailerFixedLen + 4 + crcLen
	backLen         = 4 + crcLen // back and crc32c, by which a trailer is found

	magicSeek     = 0x184D2A5E // skippable frame of a seek table
	magicSeekEnd  = 0x8F92EAB1
	seekFootLen   = 9
	seekEntryLen  = 8
	seekChecksums = 1 << 7
)

// Trailer status.
const (
	statusOpen      = 0 // closed without an END event
	statusEnded     = 1
	statusContinued = 2
)

// indexRoom is how many bytes of index a writer keeps before it leaves out the
// sets: 30 GB or so of session. At maxIndexBytes, ten times as much, it gives up
// the index. Readers then scan the chunk headers.
const (
	indexRoom     = 8 << 20
	maxIndexBytes = 32 << 20
)

// indexWriter collects the footer of a section while it is written.
type indexWriter struct {
	entries []byte
	last    int // where in entries the last one is
	count   uint32
	full    bool   // given up
	seeks   []byte // entries of the seek table
	noSeek  bool
}

// frame notes a frame for the seek table.
func (x *indexWriter) frame(size, raw int) {
	if x.noSeek {
		return
	}
	x.seeks = le.AppendUint32(le.AppendUint32(x.seeks, uint32(size)), uint32(raw))
	if len(x.seeks) > maxIndexBytes {
		x.noSeek, x.seeks = true, nil
	}
}

// chunk notes the chunk whose header is at offset in the section.
func (x *indexWriter) chunk(h *chunkHeader, offset int64) {
	if x.full {
		return
	}
	if len(x.entries) > maxIndexBytes {
		x.full, x.entries = true, nil
		return
	}
	x.count++
	head := h.frameLen()
	short := *h
	if len(x.entries) > indexRoom {
		short.filter, short.connSet, short.pidSet = filterLeftOut, nil, nil
	}
	at := len(x.entries)
	x.last = at
	sets := len(short.connSet) + len(short.pidSet)
	x.entries = append(x.entries, make([]byte, entryFixedLen+pad8(sets))...)
	e := x.entries[at:]
	le.PutUint64(e, uint64(offset))
	short.putFields(e[8 : 8+chunkFields])
	le.PutUint32(e[96:], uint32(head))
	copy(e[entryFixedLen+copy(e[entryFixedLen:], short.connSet):], short.pidSet)
}

// trailer is the parsed trailer of a section.
type trailer struct {
	sectionBack, indexBack, summaryBack uint64
	events, raw                         uint64
	minTime, maxTime                    uint64
	lostEvents, lostBytes               uint64
	chunks, status                      uint32
	section                             uint32
	seekLen, seekCRC                    uint32
}

// trailer returns the counts of t as a trailer has them.
func (t *tally) trailer() trailer {
	v := trailer{events: t.events, raw: t.raw, minTime: t.minTime, maxTime: t.maxTime,
		lostEvents: t.lost.Events, lostBytes: t.lost.Bytes, chunks: t.chunks}
	if v.minTime > v.maxTime {
		v.minTime = 0
	}
	if t.end != nil {
		v.status = statusEnded
		if end, err := ParseEnd(t.end); err == nil && end.Next != 0 {
			v.status = statusContinued
		}
	}
	return v
}

// fill copies to v what the trailer has of it.
func (tr *trailer) fill(v *Summary) {
	v.Events, v.RawBytes, v.MinTime, v.MaxTime, v.Chunks = tr.events, tr.raw, tr.minTime, tr.maxTime, tr.chunks
	v.Lost.Events, v.Lost.Bytes = tr.lostEvents, tr.lostBytes
	for _, d := range v.Drops {
		v.Lost.Drops += d.Drops
	}
}

func (tr *trailer) put(f []byte) {
	clear(f)
	beginEnvelope(f, tagTrailer, trailerFixedLen)
	le.PutUint64(f[16:], tr.sectionBack)
	le.PutUint64(f[24:], tr.indexBack)
	le.PutUint64(f[32:], tr.summaryBack)
	le.PutUint64(f[40:], tr.events)
	le.PutUint64(f[48:], tr.raw)
	le.PutUint64(f[56:], tr.minTime)
	le.PutUint64(f[64:], tr.maxTime)
	le.PutUint64(f[72:], tr.lostEvents)
	le.PutUint64(f[80:], tr.lostBytes)
	le.PutUint32(f[88:], tr.chunks)
	le.PutUint32(f[92:], tr.status)
	le.PutUint32(f[96:], tr.section)
	le.PutUint32(f[100:], tr.seekLen)
	le.PutUint32(f[104:], tr.seekCRC)
	le.PutUint32(f[trailerFixedLen:], uint32(len(f)))
	sealEnvelope(f)
}

func parseTrailer(e envelope) (tr trailer, ok bool) {
	f := e.fixed
	if len(f) < trailerFixedLen {
		return tr, false
	}
	return trailer{
		sectionBack: le.Uint64(f[16:]), indexBack: le.Uint64(f[24:]), summaryBack: le.Uint64(f[32:]),
		events: le.Uint64(f[40:]), raw: le.Uint64(f[48:]), minTime: le.Uint64(f[56:]), maxTime: le.Uint64(f[64:]),
		lostEvents: le.Uint64(f[72:]), lostBytes: le.Uint64(f[80:]),
		chunks: le.Uint32(f[88:]), status: le.Uint32(f[92:]), section: le.Uint32(f[96:]),
		seekLen: le.Uint32(f[100:]), seekCRC: le.Uint32(f[104:]),
	}, true
}

// appendFooter appends the footer of a section that is size bytes long so far.
func (x *indexWriter) appendFooter(dst []byte, t *tally, section uint32, size int64) []byte {
	base := len(dst)
	tr := t.trailer()
	tr.section = section
	indexAt, summaryAt := -1, -1
	if !x.full && indexFixedLen+len(x.entries)+crcLen <= MaxIndex {
		indexAt = len(dst)
		dst = appendFrame(dst, tagIndex, indexFixedLen, x.entries)
		f := dst[indexAt:]
		le.PutUint32(f[16:], x.count)
		le.PutUint32(f[20:], entryFixedLen)
		sealEnvelope(f)
		x.frame(len(f), 0)
	}
	if b := t.appendTo(nil); summaryFixedLen+len(b)+crcLen <= MaxSummary {
		summaryAt = len(dst)
		dst = appendFrame(dst, tagSummary, summaryFixedLen, b)
		sealEnvelope(dst[summaryAt:])
		x.frame(len(dst)-summaryAt, 0)
	}
	at := len(dst)
	tr.sectionBack = uint64(size) + uint64(at-base)
	if indexAt >= 0 {
		tr.indexBack = uint64(at - indexAt)
	}
	if summaryAt >= 0 {
		tr.summaryBack = uint64(at - summaryAt)
	}
	// The table lists the trailer, whose length is known, and the trailer proves the
	// table: nothing else would notice a flipped bit in it.
	x.frame(trailerLen, 0)
	seek := x.seekTable()
	tr.seekLen, tr.seekCRC = uint32(len(seek)), checksum(seek)
	dst = append(dst, make([]byte, trailerLen)...)
	tr.put(dst[at:])
	return append(dst, seek...)
}

// appendFrame appends a frame whose variable part is rest. The caller fills in
// the fields and seals.
func appendFrame(dst []byte, tag uint32, fixed int, rest []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, fixed)...)
	dst = append(append(dst, rest...), make([]byte, crcLen)...)
	beginEnvelope(dst[at:], tag, fixed)
	return dst
}

// seekTable returns the table of the zstd seekable format 0.1.0, nil for none.
func (x *indexWriter) seekTable() []byte {
	if x.noSeek {
		return nil
	}
	b := make([]byte, 0, skipHeadLen+len(x.seeks)+seekFootLen)
	b = le.AppendUint32(b, magicSeek)
	b = le.AppendUint32(b, uint32(len(x.seeks)+seekFootLen))
	b = append(b, x.seeks...)
	b = le.AppendUint32(b, uint32(len(x.seeks)/seekEntryLen))
	b = append(b, 0) // descriptor: no checksums
	return le.AppendUint32(b, magicSeekEnd)
}
