package format

import (
	"errors"
	"fmt"
	"io"
)

// Section is what one writer wrote, as its header, footer and chunk headers tell.
type Section struct {
	Offset int64 // of its file header in the file
	Size   int64 // bytes up to the end of its last frame
	Header Session
	// Headless: its file header is lost, so Minor, FileNo, Member and FirstSeq are
	// not known, and Header only if its SESSION event was found.
	Headless bool
	Minor    uint8  // version of the format that its writer had
	FileNo   uint32 // which file of its session it is, if Member
	Member   bool
	FirstSeq uint64 // no event has a smaller number
	// Summary is what its footer tells of its events, nil if it has none.
	Summary    *Summary
	Chunks     []Chunk
	ChunkBytes int64 // of all chunks in the file, headers included
	Footer     Footer

	tag  uint32 // crc of the file header
	file fileHeader
	head int64 // bytes of the file header
}

// Footer says which parts of a footer a section has.
type Footer struct{ Index, Summary, Trailer, SeekTable bool }

func newSection(off, n int64, tag uint32, h *fileHeader) Section {
	s := Section{Offset: off, Size: n, Headless: n == 0, Minor: h.minor, FileNo: h.fileNo, Member: h.member,
		FirstSeq: h.firstSeq, tag: tag, file: *h, head: n}
	// A description that does not parse is no reason to refuse the events.
	s.Header, _ = ParseSession(h.session)
	return s
}

// Wall converts a time of the section's clock to nanoseconds since the Unix epoch.
func (s *Section) Wall(t uint64) int64 { return s.file.wall + int64(t-s.file.mono) }

// File is a session file of known size that can be read anywhere. It is safe for
// concurrent use if its source is.
type File struct {
	at       io.ReaderAt
	size     int64
	o        ReaderOptions
	sections []Section
	damage   []Damage
	indexed  bool
	whole    bool // cannot be read in parts
	header   Session
}

// Open finds the sections and chunks of a session: from the footers at the end of
// each section, or, where there is none or it does not fit, from the headers of
// all chunks. at and size are those of the file; at must stay as it is while the
// File is used.
//
// Open fails with ErrNotSession or ErrVersion as [NewReader] does, or with the error
// of at.
func Open(at io.ReaderAt, size int64, o ReaderOptions) (*File, error) {
	f := &File{at: at, size: size, o: o}
	if f.fromFooters() {
		f.indexed = true
		f.header = f.sections[0].Header
		return f, nil
	}
	return f, f.fromHeaders()
}

// OpenScan is Open without a look at footers.
func OpenScan(at io.ReaderAt, size int64, o ReaderOptions) (*File, error) {
	f := &File{at: at, size: size, o: o}
	return f, f.fromHeaders()
}

// Header returns what the first section says of itself.
func (f *File) Header() Session { return f.header }

// Sections returns the sections in file order. They belong to the File.
func (f *File) Sections() []Section { return f.sections }

// Damage returns what was found wrong so far: what the headers show. Only reading
// all shows all.
func (f *File) Damage() []Damage { return f.damage }

// Indexed reports whether footers told all, so that only the tail was read.
func (f *File) Indexed() bool { return f.indexed }

// Whole reports whether the file can only be read from its start to its end: it
// has no chunk headers, or too many chunks to list.
func (f *File) Whole() bool { return f.whole }

// Size returns the size of the file in bytes.
func (f *File) Size() int64 { return f.size }

// fromHeaders lists the chunks by looking at each header.
func (f *File) fromHeaders() error {
	// A header has some hundred bytes: reading ahead would read the whole file.
	src := &atReader{at: f.at, end: f.size, step: 4 << 10}
	r := newReader(src, f.o)
	r.proof = nil
	r.src.jump = src
	r.scan = &scan{src: src}
	if err := r.open(); err != nil {
		return openError(r, err)
	}
	f.header = r.header
	if r.bare {
		f.whole = true
		return nil
	}
	for err := error(nil); ; err = r.advance() {
		r.synthetic = false
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	f.sections, f.damage = r.scan.sections, append(f.damage, r.damage...)
	if r.scan.over {
		f.whole, f.sections = true, nil
	}
	for i := range f.sections {
		f.summaryOf(&f.sections[i])
	}
	return nil
}

// openError is what a failed open means.
func openError(r *Reader, err error) error {
	file := &r.src
	if r.bare {
		file = r.packed
	}
	if fail := file.failure(); fail != nil && !errors.Is(err, ErrVersion) {
		return fail
	}
	return err
}

// fromFooters lists the chunks by the footers of all sections, last one first. It
// reports false when one of them has none, or one that does not fit: then f is as
// it was but for the damage.
func (f *File) fromFooters() bool {
	var list []Section
	chunks := 0
	for end := f.size; end > 0; {
		s, at, why := f.footer(end)
		if why != "" {
			f.damage = append(f.damage, Damage{Offset: at, Kind: DamageLie, Detail: why})
		}
		if s == nil {
			return false
		}
		list = append(list, *s)
		if chunks += len(s.Chunks) + 1; chunks > maxChunks {
			return false
		}
		end = s.Offset
	}
	if len(list) == 0 {
		return false
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	for i := 1; i < len(list); i++ {
		if what := filesBetween(&list[i-1].file, &list[i].file); what != "" {
			f.damage = append(f.damage, Damage{Offset: list[i].Offset, Kind: DamageMissing, Detail: what})
		}
	}
	f.sections = list
	return true
}

// footer reads the footer of the section that ends at end. s is nil if there is
// none to go by; why, if not empty, says what is wrong with it, and at where.
func (f *File) footer(end int64) (s *Section, at int64, why string) {
	tr, at, ok := f.trailerBefore(end)
	if !ok {
		return nil, 0, ""
	}
	if tr.sectionBack == 0 || tr.sectionBack > uint64(at) {
		return nil, at, "the trailer speaks of a section that cannot be there"
	}
	start := at - int64(tr.sectionBack)
	e, ok := f.frame(start, skipHeadLen+MaxHeader)
	if !ok || e.tag != tagFile || e.crc != tr.section {
		return nil, at, "the trailer is of another section than the one it ends"
	}
	h, err := parseFileHeader(e)
	if err != nil {
		return nil, at, "" // the scan says it
	}
	sec := newSection(start, int64(len(e.fixed)+len(e.rest)+crcLen), e.crc, &h)
	sec.Size = end - start
	if tr.indexBack == 0 || tr.indexBack > tr.sectionBack {
		return nil, at, ""
	}
	indexAt := at - int64(tr.indexBack)
	e, ok = f.frame(indexAt, skipHeadLen+MaxIndex)
	list, parsed := parseIndex(e)
	if !ok || e.tag != tagIndex || !parsed || uint32(len(list)) != tr.chunks {
		return nil, indexAt, "the index cannot be read"
	}
	if !f.take(&sec, list, indexAt) {
		return nil, indexAt, "the index does not fit the section"
	}
	sec.Footer = Footer{Index: true, Trailer: true, SeekTable: tr.seekLen != 0}
	if tr.summaryBack != 0 && tr.summaryBack <= tr.sectionBack {
		f.readSummary(&sec, at-int64(tr.summaryBack), &tr)
	}
	return &sec, at, ""
}

// take turns index entries into the chunks of s. Entries must ascend and leave no
// room between them in which a chunk could be.
func (f *File) take(s *Section, list []entry, end int64) bool {
	next := s.Offset + s.head
	s.Chunks = make([]Chunk, 0, len(list))
	for i := range list {
		x := &list[i]
		size := int64(x.headLen) + int64(x.head.compLen)
		at := s.Offset + x.offset
		if x.offset > f.size || at < next || at+size > end || x.head.no != uint32(i) || x.head.section != s.tag {
			return false
		}
		if at > next && !f.strangers(next, at) {
			return false
		}
		next = at + size
		s.Chunks = append(s.Chunks, chunkOfHeader(&x.head, at, size))
		s.ChunkBytes += size
	}
	return next == end || f.strangers(next, end)
}

// strangers reports whether there is nothing between two places but skippable
// frames of somebody else.
func (f *File) strangers(from, to int64) bool {
	for from < to {
		var b [skipHeadLen]byte
		if readAt(f.at, b[:], from) < len(b) {
			return false
		}
		m := le.Uint32(b[:])
		if m == magicOurs || m&^0xf != magicSkippable {
			return false
		}
		from += frameLen(b[:])
	}
	return from == to
}

// summaryOf reads the summary of a section whose extent is known.
func (f *File) summaryOf(s *Section) {
	tr, at, ok := f.trailerBefore(s.Offset + s.Size)
	if !ok || tr.section != s.tag || tr.sectionBack != uint64(at-s.Offset) {
		return
	}
	s.Footer = Footer{Index: tr.indexBack != 0, Trailer: true, SeekTable: tr.seekLen != 0}
	if tr.summaryBack == 0 || tr.summaryBack > tr.sectionBack {
		return
	}
	f.readSummary(s, at-int64(tr.summaryBack), &tr)
}

func (f *File) readSummary(s *Section, at int64, tr *trailer) {
	e, ok := f.frame(at, skipHeadLen+MaxSummary)
	if !ok || e.tag != tagSummary {
		return
	}
	if sum, err := parseSummary(e.rest); err == nil {
		tr.fill(sum)
		s.Summary, s.Footer.Summary = sum, true
	}
}

// trailerBefore finds the trailer of the section that ends at end, and where it is.
func (f *File) trailerBefore(end int64) (tr trailer, at int64, ok bool) {
	end = f.beforeSeekTable(end)
	var b [backLen]byte
	if end < trailerLen || readAt(f.at, b[:], end-backLen) < len(b) {
		return tr, 0, false
	}
	n := int64(le.Uint32(b[:]))
	if n < trailerLen || n > skipHeadLen+MaxHeader || n > end {
		return tr, 0, false
	}
	e, ok := f.frame(end-n, n)
	if !ok || e.tag != tagTrailer || int64(len(e.fixed)+len(e.rest)+crcLen) != n {
		return tr, 0, false
	}
	tr, ok = parseTrailer(e)
	return tr, end - n, ok
}

// beforeSeekTable returns where a seek table that ends at end begins, or end.
func (f *File) beforeSeekTable(end int64) int64 {
	var b [seekFootLen]byte
	if end < skipHeadLen+seekFootLen || readAt(f.at, b[:], end-seekFootLen) < len(b) || le.Uint32(b[5:]) != magicSeekEnd {
		return end
	}
	each := int64(seekEntryLen)
	if b[4]&seekChecksums != 0 {
		each += 4
	}
	// In 64 bits: the count is 32 bits of whatever the file says.
	n := skipHeadLen + int64(le.Uint32(b[:]))*each + seekFootLen
	var head [skipHeadLen]byte
	if n > end || readAt(f.at, head[:], end-n) < len(head) || le.Uint32(head[:]) != magicSeek || frameLen(head[:]) != n {
		return end
	}
	return end - n
}

// frame reads the frame of ours at off, if it is intact and has at most limit bytes.
func (f *File) frame(off, limit int64) (envelope, bool) {
	var head [envelopeLen]byte
	if off < 0 || readAt(f.at, head[:], off) < len(head) || le.Uint32(head[:]) != magicOurs {
		return envelope{}, false
	}
	n := frameLen(head[:])
	if n > limit || n > f.size-off {
		return envelope{}, false
	}
	b := make([]byte, n)
	if int64(readAt(f.at, b, off)) < n {
		return envelope{}, false
	}
	return parseEnvelope(b)
}

// String names the file's shape, for tests and logs.
func (f *File) String() string {
	chunks := 0
	for i := range f.sections {
		chunks += len(f.sections[i].Chunks)
	}
	return fmt.Sprintf("%d sections, %d chunks, %d bytes", len(f.sections), chunks, f.size)
}
