package conformance

import (
	"cmp"
	"hash/crc32"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
)

const (
	magicOurs    = 0x184D2A53
	magicForeign = 0x184D2A5A
	magicSeek    = 0x184D2A5E
	seekFooter   = 0x8F92EAB1

	mustUnderstand = 1 << 0
	memberFlag     = 1 << 1

	wallStart  = 1_790_000_000_000_000_000
	clockStart = 5_000_000_000
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// frame makes a skippable frame of ours: FORMAT.md section 3. fixed are the
// fields from byte 16 on.
func frame(tag string, flags uint16, fixed, variable []byte) []byte {
	b := le.AppendUint32(nil, magicOurs)
	b = le.AppendUint32(b, uint32(8+len(fixed)+len(variable)+4))
	b = append(b, tag...)
	b = le.AppendUint16(b, uint16(16+len(fixed)))
	b = le.AppendUint16(b, flags)
	b = slices.Concat(b, fixed, variable)
	return le.AppendUint32(b, checksum(b))
}

// foreign makes a skippable frame of somebody else.
func foreign(magic uint32, content string) []byte {
	return append(le.AppendUint32(le.AppendUint32(nil, magic), uint32(len(content))), content...)
}

// compress makes one zstd frame as section 5 wants it.
func compress(raw []byte) []byte {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(1<<20), zstd.WithZeroFrames(true))
	if err != nil {
		panic(err) // options are constant
	}
	return enc.EncodeAll(raw, nil)
}

// variant is the form that a session is given: the letters behind the feature.
type variant struct {
	footer  bool // f
	seek    bool // s
	foreign bool // x: frames of others between all parts
	sealed  bool // e: encrypted
}

func (v variant) String() string {
	s := ""
	for _, l := range []struct {
		on     bool
		letter string
	}{{v.footer, "f"}, {v.seek, "s"}, {v.foreign, "x"}, {v.sealed, "e"}} {
		if l.on {
			s += l.letter
		}
	}
	return cmp.Or(s, "plain")
}

// part is a frame, or a chunk header with its zstd frame.
type part struct {
	kind   string // header, chunk, index, summary, trailer, seek, foreign, other
	bytes  []byte
	head   int     // chunk: bytes of its header
	events []event // chunk
	raw    int     // chunk: bytes of events
}

// section puts a section together.
type section struct {
	v     variant
	parts []part
	opts  sectionOptions
	tag   uint32 // crc of the file header
	no    uint32
	span  int // bytes since the last chunk header, 0: there was none

	// What a lying writer does to index entry i; false leaves it out.
	lie func(i int, entry []byte) bool
}

// sectionOptions are what a section says of itself, and what it has that 1.0 does not know.
type sectionOptions struct {
	major, minor, minReader uint8
	flags                   uint32
	uuid                    [16]byte
	fileNo                  uint32
	firstSeq                uint64
	session                 body
	growth                  int    // bytes that each header has more than 1.0
	envelope                uint16 // unknown envelope flags
}

// newSection writes the file header.
func newSection(v variant, o sectionOptions) *section {
	o.major = cmp.Or(o.major, 1)
	f := []byte{o.major, o.minor, o.minReader, 1}
	f = le.AppendUint32(f, o.flags)
	f = append(f, o.uuid[:]...)
	f = le.AppendUint64(f, wallStart)
	f = le.AppendUint64(f, clockStart)
	f = le.AppendUint32(f, o.fileNo)
	f = le.AppendUint32(f, 1<<20)
	f = le.AppendUint64(f, o.firstSeq)
	f = le.AppendUint64(f, 0)
	s := &section{v: v, opts: o}
	b := frame("SPLF", o.envelope, s.grown(f), o.session.raw)
	s.tag = le.Uint32(b[len(b)-4:])
	s.put(part{kind: "header", bytes: b})
	return s
}

// grown appends the fields of a later version.
func (s *section) grown(fixed []byte) []byte {
	return append(fixed, slices.Repeat([]byte{0xEE}, s.opts.growth)...)
}

func (s *section) put(p part) {
	s.parts = append(s.parts, p)
	if s.span > 0 {
		s.span += len(p.bytes)
	}
	if s.v.foreign && p.kind != "foreign" {
		s.put(part{kind: "foreign", bytes: foreign(magicForeign, "of somebody else"[:len(s.parts)%16])})
	}
}

// chunk writes a chunk. edit, if not nil, may tamper with the fields of its
// header, which begin at byte 16.
func (s *section) chunk(evs []event, edit ...func(fields []byte)) {
	var raw []byte
	for _, e := range evs {
		raw = e.append(raw)
	}
	s.rawChunk(raw, compress(raw), evs, edit...)
}

func (s *section) rawChunk(raw, packed []byte, evs []event, edit ...func(fields []byte)) {
	f := le.AppendUint32(nil, s.no)
	f = le.AppendUint32(f, uint32(len(packed)))
	f = le.AppendUint32(f, uint32(len(raw)))
	f = le.AppendUint32(f, uint32(len(evs)))
	st := statsOf(evs)
	for _, v := range []uint64{st.firstSeq, st.minTime, st.maxTime} {
		f = le.AppendUint64(f, v)
	}
	f = le.AppendUint32(f, first(st.pids))
	f = le.AppendUint32(f, last(st.pids))
	f = le.AppendUint64(f, st.types)
	f = le.AppendUint32(f, checksum(packed))
	f = le.AppendUint32(f, uint32(min(st.lostEvents, math.MaxUint32)))
	f = le.AppendUint32(f, uint32(len(st.conns)))
	conns, pids := idSet(st.conns), idSet(st.pids)
	f = le.AppendUint16(f, 1)
	f = le.AppendUint16(f, uint16(len(conns)))
	f = le.AppendUint16(f, uint16(len(pids)))
	f = le.AppendUint16(f, 0)
	f = le.AppendUint32(f, uint32(s.span))
	f = le.AppendUint32(f, s.tag)
	f = le.AppendUint32(f, 0)
	for _, change := range edit {
		change(f)
	}
	head := frame("SPLC", s.opts.envelope, s.grown(f), padded(slices.Concat(conns, pids)))
	s.no++
	s.span = 0
	s.parts = append(s.parts, part{kind: "chunk", bytes: slices.Concat(head, packed), head: len(head), events: evs, raw: len(raw)})
	s.span = len(head) + len(packed)
	if s.v.foreign {
		s.put(part{kind: "foreign", bytes: foreign(magicForeign, "behind a chunk")})
	}
}

// stats is what a chunk header and a trailer say of events.
type stats struct {
	firstSeq, minTime, maxTime, types uint64
	events, lostEvents, lostBytes     uint64
	conns, pids                       []uint32 // distinct, ascending
}

func statsOf(evs []event) stats {
	var st stats
	for i, e := range evs {
		if i == 0 {
			st.firstSeq = e.seq
		}
		if e.typ < 64 {
			st.types |= 1 << e.typ
		}
		if e.conn != 0 {
			st.conns = append(st.conns, e.conn)
		}
		if pid := e.pid(); pid != 0 {
			st.pids = append(st.pids, pid)
		}
		if e.isRepeat() {
			continue
		}
		if st.events == 0 || e.time < st.minTime {
			st.minTime = e.time
		}
		st.maxTime = max(st.maxTime, e.time)
		st.events++
		if e.typ == typeDrop && e.fields != nil {
			st.lostEvents += e.fields["events"].(uint64)
			st.lostBytes += e.fields["bytes"].(uint64)
		}
	}
	slices.Sort(st.conns)
	slices.Sort(st.pids)
	st.conns, st.pids = slices.Compact(st.conns), slices.Compact(st.pids)
	return st
}

func first(ids []uint32) uint32 {
	if len(ids) == 0 {
		return 0
	}
	return ids[0]
}

func last(ids []uint32) uint32 {
	if len(ids) == 0 {
		return 0
	}
	return ids[len(ids)-1]
}

// idSet encodes ascending ids: FORMAT.md "Set of ids".
func idSet(ids []uint32) []byte {
	var b []byte
	low := uint64(0)
	for i := 0; i < len(ids); {
		n := 1
		for i+n < len(ids) && ids[i+n] == ids[i]+uint32(n) {
			n++
		}
		skip := uint64(ids[i]) - low
		if n > 1 {
			b = appendLEB(appendLEB(b, skip*2+1), uint64(n-2))
		} else {
			b = appendLEB(b, skip*2)
		}
		low = uint64(ids[i]) + uint64(n)
		i += n
	}
	return b
}

func appendLEB(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// events returns those of all chunks.
func (s *section) events() []event {
	var evs []event
	for _, p := range s.parts {
		evs = append(evs, p.events...)
	}
	return evs
}

// at returns the offset of a part in the section.
func (s *section) at(i int) int {
	n := 0
	for _, p := range s.parts[:i] {
		n += len(p.bytes)
	}
	return n
}

// bytes is the section as it stands in a file.
func (s *section) bytes() []byte {
	var b []byte
	for _, p := range s.parts {
		b = append(b, p.bytes...)
	}
	return b
}

// find returns the place of the nth part of a kind.
func (s *section) find(kind string, nth int) int {
	for i, p := range s.parts {
		if p.kind != kind {
			continue
		}
		if nth == 0 {
			return i
		}
		nth--
	}
	panic("no such part: " + kind)
}
