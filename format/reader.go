package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ReaderOptions bounds a reader, and says how much it doubts.
type ReaderOptions struct {
	// MaxChunk is the most bytes one chunk may decompress to; 0 means the
	// format's own limit, [MaxChunk]. Memory use is about twice this at most,
	// whatever a hostile file claims.
	MaxChunk int
	// MaxExpand bounds what a small file can be made to decompress to: this many
	// times its size, and 64 MiB more. 0 means 1,024; zeros recorded in pieces of
	// 16 KiB reach 668. The attack is a file of kilobytes that keeps its reader busy
	// for hours.
	MaxExpand int
	// Check also compares what headers and footers say with the events, and reports
	// a difference as damage. It costs about a tenth.
	Check bool
}

const (
	defaultExpand = 1024
	expandFloor   = MaxChunk
)

// Reader reads the events of a session file, damaged ones as far as they go. It
// never seeks, so it can read from a pipe, and needs no Close. It is not safe
// for concurrent use.
type Reader struct {
	src       window
	dec       *zstd.Decoder
	maxChunk  int
	maxExpand int64

	header Session
	sect   section
	damage []Damage
	hurt   bool  // damage was noted since the last good chunk
	wasted int64 // bytes looked at in vain; see candidate
	err    error // what Next returns for ever

	// The open chunk. raw[pos:] are its events still to come.
	raw       []byte
	pos       int
	seen      uint32 // events taken from it
	head      chunkHeader
	start     int64 // where it is in the file
	size      int64
	seq       uint64
	synthetic bool // a SESSION event made from the file header comes next
	made      bool // the last event was not in the file

	// In bare mode src holds decompressed events and packed the file.
	bare   bool
	packed *window

	given int64   // bytes of events delivered, for MaxExpand
	proof *prover // with ReaderOptions.Check
	plan  *plan   // of a reader that reads chosen chunks
	scan  *scan   // of a reader that looks at headers only
	sel   *selector
}

// section is what a reader knows of the section it is in.
type section struct {
	start  int64  // where its file header is
	known  bool   // tag is set
	tag    uint32 // checksum of the file header
	headed bool   // the file header itself was read
	begun  bool   // its SESSION event was delivered
	next   uint32 // chunk number that comes next
	file   fileHeader
	// Where intact frames of the footer are, 0 for none seen.
	indexAt, summaryAt int64
	seek               trailer // after the trailer: the seek table it speaks of
}

// NewReader reads the header of the first section. It fails with ErrNotSession,
// whose text says what the input looks like, or with ErrVersion; with the error
// of r if that failed.
//
// A file whose first header is damaged is still read if an intact chunk follows
// near; so is what `zstd -dc old.spl | zstd` makes.
func NewReader(r io.Reader, o ReaderOptions) (*Reader, error) {
	rd := newReader(r, o)
	if err := rd.open(); err != nil {
		return nil, openError(rd, err)
	}
	return rd, nil
}

func newReader(r io.Reader, o ReaderOptions) *Reader {
	rd := &Reader{src: window{r: r}, maxChunk: o.MaxChunk, maxExpand: int64(o.MaxExpand)}
	if o.MaxChunk <= 0 || o.MaxChunk > MaxChunk {
		rd.maxChunk = MaxChunk
	}
	if o.MaxExpand <= 0 {
		rd.maxExpand = defaultExpand
	}
	if o.Check {
		rd.proof = newProver()
	}
	return rd
}

// Header returns what the first section says of itself.
func (r *Reader) Header() Session { return r.header }

// Section returns what is known so far of the section that the last event is of;
// before the first event, of the first section. It has no chunks and no summary.
func (r *Reader) Section() Section {
	n := int64(0)
	if r.sect.headed {
		n = 1
	}
	s := newSection(r.sect.start, n, r.sect.tag, &r.sect.file)
	s.Size = 0
	return s
}

// Damage returns what could not be read so far, in file order. The slice belongs
// to the reader. A file that ends between chunks is not damaged: whether the
// recording was closed in order is told by the END event alone.
func (r *Reader) Damage() []Damage { return r.damage }

// Buffered reports whether Next will return without reading from the source.
func (r *Reader) Buffered() bool {
	if r.bare {
		return r.bareHeld()
	}
	return r.synthetic || r.pos < len(r.raw) || r.err != nil || r.chunkHeld()
}

// Next fills ev with the next event. ev.Payload is valid until the next call.
// Every section begins with its SESSION event; when that was lost, one made from
// the file header takes its place, or an empty one if that was lost too.
//
// Unknown event types are delivered like any other: ignore them.
//
// At the end Next returns io.EOF, after damage too; see Damage. It returns
// another error only when the source failed.
func (r *Reader) Next(ev *Event) error {
	if r.sel != nil {
		return r.sel.next(r, ev)
	}
	return r.next(ev)
}

func (r *Reader) next(ev *Event) error {
	if r.bare {
		return r.nextBare(ev)
	}
	for {
		switch {
		case r.synthetic:
			r.synthetic, r.made = false, true
			*ev = r.sect.file.event()
			return nil
		case r.pos < len(r.raw):
			if r.event(ev) {
				r.made = false
				return nil
			}
		case r.err != nil:
			return r.err
		default:
			r.err = r.advance()
		}
	}
}

// event takes the next event of the open chunk. It returns false, and gives up
// the rest of the chunk, when there is none to be had.
func (r *Reader) event(ev *Event) bool {
	n, lo, err := firstEvent(r.raw[r.pos:], ev)
	if errors.Is(err, ErrVersion) {
		// Its length is good: only this event is for newer readers.
		r.note(Damage{r.start, r.size, DamageVersion, fmt.Sprintf("event %d of chunk %d: %v; update spliff", r.seen, r.head.no, err)})
		r.seq = widen(r.seq, lo)
		r.pos += n
		r.seen++
		r.checkCount()
		return false
	}
	if err != nil {
		r.pos = len(r.raw)
		r.note(Damage{r.start, r.size, DamageCorrupt, fmt.Sprintf("after event %d of chunk %d: %v", r.seen, r.head.no, err)})
		return false
	}
	r.seq = widen(r.seq, lo)
	ev.Seq = r.seq
	r.pos += n
	r.seen++
	r.checkCount()
	return true
}

// checkCount compares, at the end of a chunk, with what its header says.
func (r *Reader) checkCount() {
	if r.pos == len(r.raw) && r.seen != r.head.events {
		r.note(Damage{r.start, r.size, DamageCorrupt, fmt.Sprintf("chunk %d holds %d events, its header says %d", r.head.no, r.seen, r.head.events)})
	}
}

// advance goes one frame on. It returns io.EOF at the end, the source's error
// when that failed, and nil when there is or may be more.
func (r *Reader) advance() error {
	if r.plan != nil {
		return r.planned()
	}
	b := r.src.peek(skipHeadLen)
	if err := r.src.failure(); err != nil && len(b) < skipHeadLen {
		return err
	}
	if r.sect.seek.seekLen != 0 {
		return r.seekTable()
	}
	switch {
	case len(b) == 0:
		return r.finish()
	case len(b) < skipHeadLen:
		return r.resync(DamageTorn, "the file ends inside a frame", 1, 0)
	case le.Uint32(b) == magicOurs:
		return r.ours()
	case le.Uint32(b)&^0xf == magicSkippable:
		return r.foreign(frameLen(b))
	case le.Uint32(b) == magicZstd:
		return r.resync(DamageCorrupt, "a zstd frame without its chunk header", 1, 0)
	}
	return r.resync(DamageCorrupt, "no frame begins here", 1, 0)
}

// finish is the end of the file.
func (r *Reader) finish() error {
	if r.sect.headed && !r.sect.begun {
		r.sect.begun, r.synthetic = true, true
		return nil
	}
	r.noTrailer()
	return io.EOF
}

// foreign skips a skippable frame of somebody else.
func (r *Reader) foreign(n int64) error {
	start := r.src.off
	if got := r.src.discard(n); got < n {
		if err := r.src.failure(); err != nil {
			return err
		}
		r.note(Damage{start, got, DamageTorn, "the file ends inside a skippable frame"})
	}
	return nil
}

// ours reads a frame that has our magic.
func (r *Reader) ours() error {
	b := r.src.peek(envelopeLen)
	if len(b) < envelopeLen {
		return r.short(0)
	}
	n := frameLen(b)
	tag := le.Uint32(b[8:])
	if n > skipHeadLen+maxFrame(tag) || tag&0xffffff != tagFile&0xffffff {
		return r.resync(DamageCorrupt, "a frame of impossible size or name", 1, 0)
	}
	f := r.src.peek(int(n))
	if int64(len(f)) < n {
		return r.short(0)
	}
	e, ok := parseEnvelope(f)
	if !ok {
		return r.resync(DamageCorrupt, "the checksum of a header frame does not match", 1, 0)
	}
	switch e.tag {
	case tagFile:
		return r.begin(e, int(n))
	case tagChunk:
		return r.chunk(e, int(n))
	case tagTrailer:
		return r.trailer(e, int(n))
	}
	r.footerFrame(e.tag, r.src.off)
	if r.proof != nil {
		r.proveFooter(e, n)
	}
	if e.flags&mustUnderstand != 0 {
		return r.refuse(fmt.Sprintf("frame %q must be understood; update spliff", f[8:12]), int(n))
	}
	r.src.skip(int(n))
	return nil
}

// short handles a frame of ours that reaches beyond the end of the input.
func (r *Reader) short(extent int64) error {
	if err := r.src.failure(); err != nil {
		return err
	}
	return r.resync(DamageTorn, "the file ends inside a frame", 1, extent)
}

// begin starts a section. The frame is n bytes long.
func (r *Reader) begin(e envelope, n int) error {
	if r.sect.headed && !r.sect.begun {
		return r.finish()
	}
	r.noTrailer()
	h, err := parseFileHeader(e)
	if err != nil {
		if errors.Is(err, ErrVersion) {
			return r.refuse(err.Error(), n)
		}
		return r.resync(DamageCorrupt, err.Error(), n, 0)
	}
	h.session = append([]byte(nil), h.session...)
	if _, err := ParseSession(h.session); err != nil {
		r.note(Damage{r.src.off, int64(n), DamageCorrupt, err.Error()})
	}
	if r.plan == nil { // else Open has told
		r.missingFiles(h)
	}
	if r.proof != nil {
		r.proof.begin(newSection(r.src.off, int64(n), e.crc, &h))
	}
	r.sect = section{start: r.src.off, known: true, tag: e.crc, headed: true, file: h}
	r.hurt = false
	if r.scan != nil {
		r.scan.begin(r.src.off, n, e.crc, &h)
	}
	r.src.skip(n)
	return nil
}
