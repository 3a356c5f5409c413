package format

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Finding the way again after damage: FORMAT.md "Recovery".

// wasteFactor bounds the work a file can ask for with headers that turn out
// wrong: about so many bytes are checksummed for each byte of the file.
const (
	wasteFactor = 8
	wasteFloor  = 64 << 20
)

// exhausted reports that enough has been looked at in vain; from then on lengths
// of bad frames are believed, which makes progress certain.
func (r *Reader) exhausted() bool { return r.wasted > wasteFactor*r.src.off+wasteFloor }

// headIn returns the intact header frame that starts b, and its length.
func headIn(b []byte) (n int, e envelope, ok bool) {
	if len(b) < envelopeLen || le.Uint32(b) != magicOurs || frameLen(b) > skipHeadLen+MaxHeader {
		return 0, e, false
	}
	n = int(frameLen(b))
	if n > len(b) {
		return n, e, false
	}
	e, ok = parseEnvelope(b[:n])
	return n, e, ok
}

// maxStrangers is how many bytes of other people's frames may stand between a
// chunk and what proves its length.
const maxStrangers = 128 << 10

// frameAt reports whether an intact frame of ours, or the end of the input, is
// at bytes from here, other skippable frames aside. at is within a chunk's limit.
func (r *Reader) frameAt(at int) bool {
	for limit := at + maxStrangers; at <= limit; {
		b := r.src.peek(at + envelopeLen)
		if len(b) <= at {
			return len(b) == at && r.src.err == io.EOF
		}
		if b = b[at:]; len(b) < skipHeadLen {
			return false
		}
		if m := le.Uint32(b); m != magicOurs && m&^0xf == magicSkippable {
			at += int(min(frameLen(b), maxStrangers+1))
			continue
		}
		if len(b) < envelopeLen || le.Uint32(b) != magicOurs || frameLen(b) > skipHeadLen+maxFrame(le.Uint32(b[8:])) {
			return false
		}
		n := int(frameLen(b))
		b = r.src.peek(at + n)
		_, ok := parseEnvelope(b[min(at, len(b)):])
		return ok && len(b) == at+n
	}
	return false
}

// resync notes damage from here to the next intact header, looking from bytes
// on. extent, if not 0, is the length a trustworthy header gives the damaged
// chunk: within it only chunks of the same section are believed, because
// captured plaintext can look like any other.
func (r *Reader) resync(kind DamageKind, detail string, from int, extent int64) error {
	start := r.src.off
	// Going on behind the first byte at least makes sure that this ends.
	r.src.skip(from)
	magic := [4]byte{0x53, 0x2a, 0x4d, 0x18}
	for {
		if len(r.src.peek(envelopeLen)) < envelopeLen {
			if err := r.src.failure(); err != nil {
				return err
			}
			r.src.skip(len(r.src.held()))
			break
		}
		b := r.src.held()
		i := bytes.Index(b, magic[:])
		if i < 0 {
			// The last bytes may be the start of a magic number.
			r.src.skip(len(b) - (len(magic) - 1))
			continue
		}
		r.src.skip(i)
		ok, jump := r.candidate(start + extent)
		if ok {
			r.src.skip(r.goesOn(start))
			// Something intact follows, so the file did not end there.
			if kind == DamageTorn {
				kind = DamageCorrupt
				detail = "a frame reaches beyond the next"
			}
			break
		}
		r.src.skip(jump)
	}
	r.note(Damage{start, r.src.off - start, kind, detail})
	return nil
}

// candidate reports whether reading can go on at the magic number that comes
// next, and how far to skip if not. Before inside, a position in the file, only
// chunks of this section count.
func (r *Reader) candidate(inside int64) (ok bool, jump int) {
	b := r.src.peek(envelopeLen)
	if len(b) < envelopeLen {
		return false, len(b)
	}
	tag := le.Uint32(b[8:])
	if tag != tagFile && tag != tagChunk && tag != tagTrailer || frameLen(b) > skipHeadLen+MaxHeader {
		return false, 1
	}
	b = r.src.peek(int(frameLen(b)))
	n, e, ok := headIn(b)
	if !ok {
		r.wasted += int64(len(b))
		if r.exhausted() {
			return false, len(b)
		}
		return false, 1
	}
	if e.tag == tagTrailer {
		return r.ends(e, r.src.off), n
	}
	if r.src.off < inside {
		h, isChunk := parseChunkHeader(e)
		if e.tag != tagChunk || !isChunk || !r.sect.known || h.section != r.sect.tag {
			return false, n
		}
	}
	return true, 0
}

// ends reports whether a frame at off is the trailer of the section.
func (r *Reader) ends(e envelope, off int64) bool {
	tr, ok := parseTrailer(e)
	return ok && r.sect.headed && tr.section == r.sect.tag && tr.sectionBack == uint64(off-r.sect.start)
}

// goesOn returns how far it is from a file header that a search has found to a
// frame which proves that the section is not over: then what looked like a file
// header was captured plaintext, in the chunk that begins at lost, the place of
// the damage. It returns 0 where nothing proves that.
//
// Whoever chose the plaintext cannot make such a frame: it names the checksum of
// the section's file header, in which is a random number.
func (r *Reader) goesOn(lost int64) int {
	b := r.src.peek(envelopeLen)
	if le.Uint32(b[8:]) != tagFile || !r.sect.headed {
		return 0
	}
	limit := 2*int(r.sect.file.target) + MaxEvent
	for at := int(frameLen(b)); at < limit && !r.exhausted(); {
		b = r.src.peek(at + sniffLen)
		i := bytes.Index(b[min(at, len(b)):], []byte{0x53, 0x2a, 0x4d, 0x18})
		r.wasted += int64(min(max(i, 0), sniffLen))
		if i < 0 {
			if len(b) < at+sniffLen {
				return 0
			}
			r.wasted += sniffLen
			at += sniffLen - 3
			continue
		}
		at += i
		if _, e, ok := headIn(r.src.peek(at + skipHeadLen + MaxHeader)[at:]); ok {
			off := r.src.off + int64(at)
			h, isChunk := parseChunkHeader(e)
			if e.tag == tagTrailer && r.ends(e, off) ||
				e.tag == tagChunk && isChunk && h.section == r.sect.tag && off-int64(h.prevSpan) == lost {
				return at
			}
		}
		at++
	}
	return 0
}

// sum reads past n bytes and returns their checksum, and how many there were.
func (r *Reader) sum(n int64) (sum uint32, got int64) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for got < n {
		b := r.src.peek(int(min(n-got, MaxHeader)))
		if len(b) == 0 {
			break
		}
		sum = crc32.Update(sum, table, b)
		got += int64(len(b))
		r.src.skip(len(b))
	}
	return sum, got
}

// sniffLen is how much of an input is searched for an intact header when it
// does not begin with one.
const sniffLen = 2 * MaxHeader

// open finds the beginning of the first section.
func (r *Reader) open() error {
	for {
		b := r.src.peek(eventHeadLen)
		if len(b) < skipHeadLen {
			return notSession(b)
		}
		switch m := le.Uint32(b); {
		case m == magicZstd:
			return r.openBare()
		case m == magicOurs, m&^0xf != magicSkippable:
			return r.openHeader()
		}
		// A tool put a frame of its own in front.
		if n := frameLen(b); r.src.discard(n) < n || len(r.src.peek(1)) == 0 {
			return fmt.Errorf("%w (nothing but zstd skippable frames)", ErrNotSession)
		}
	}
}

// openHeader reads the file header, or finds an intact frame if it is damaged.
func (r *Reader) openHeader() error {
	b := r.src.peek(envelopeLen)
	if len(b) == envelopeLen && le.Uint32(b) == magicOurs && frameLen(b) <= skipHeadLen+MaxHeader {
		n, e, ok := headIn(r.src.peek(int(frameLen(b))))
		if ok && e.tag == tagFile {
			h, err := parseFileHeader(e)
			if errors.Is(err, ErrVersion) {
				return err
			}
			if err != nil {
				return fmt.Errorf("%w (%w)", ErrNotSession, err)
			}
			// A description that does not parse is no reason to refuse the events.
			r.header, _ = ParseSession(h.session) // begin notes the damage
			return r.begin(e, n)
		}
		if ok && e.tag == tagChunk {
			return r.openChunk()
		}
	}
	b = r.src.peek(sniffLen)
	for i := 1; ; i++ {
		k := bytes.Index(b[min(i, len(b)):], []byte{0x53, 0x2a, 0x4d, 0x18})
		if k < 0 {
			return notSession(b)
		}
		i += k
		if _, e, ok := headIn(b[i:]); ok && (e.tag == tagFile || e.tag == tagChunk) {
			r.note(Damage{0, int64(i), DamageCorrupt, "the file header is damaged"})
			r.src.skip(i)
			return r.openChunk()
		}
	}
}

// openChunk opens the first intact chunk, for its SESSION event.
func (r *Reader) openChunk() error {
	for len(r.raw) == 0 && !r.synthetic && (r.scan == nil || r.scan.chunks == 0) {
		if err := r.advance(); err != nil {
			return fmt.Errorf("%w (its header is damaged and no chunk is intact)", ErrNotSession)
		}
	}
	if !r.synthetic {
		var ev Event
		if _, _, err := firstEvent(r.raw, &ev); err == nil && ev.Type == TypeSession {
			r.header, _ = ParseSession(ev.Payload)
		}
		return nil
	}
	r.header, _ = ParseSession(r.sect.file.session)
	return nil
}
