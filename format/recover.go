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

// frameAt reports whether an intact frame of ours, or the end of the input, is
// at bytes from here. at is within a chunk's limit.
func (r *Reader) frameAt(at int) bool {
	b := r.src.peek(at + envelopeLen)
	if len(b) <= at {
		return r.src.err == io.EOF
	}
	if b = b[at:]; len(b) < envelopeLen || frameLen(b) > skipHeadLen+MaxHeader {
		return false
	}
	b = r.src.peek(at + int(frameLen(b)))
	_, _, ok := headIn(b[at:])
	return ok
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
	if tag != tagFile && (tag != tagChunk || r.sect.refused) || frameLen(b) > skipHeadLen+MaxHeader {
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
	if r.src.off < inside {
		h, isChunk := parseChunkHeader(e)
		if e.tag != tagChunk || !isChunk || !r.sect.known || h.section != r.sect.tag {
			return false, n
		}
	}
	return true, 0
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

// large passes over a frame of n bytes that is ours but too large to be a header:
// an index, or one that a later version writes. Its checksum is proven all the
// same, else a flipped bit in a length could hide chunks.
func (r *Reader) large(n int64, flags uint16) error {
	start := r.src.off
	sum, _ := r.sum(n - crcLen)
	end := r.src.peek(crcLen)
	if len(end) < crcLen {
		if err := r.src.failure(); err != nil {
			return err
		}
		r.src.skip(len(end))
		r.note(Damage{start, r.src.off - start, DamageTorn, "the file ends inside a frame"})
		return nil
	}
	if want := le.Uint32(end); want != sum {
		r.src.skip(crcLen)
		r.note(Damage{start, n, DamageCorrupt, "the checksum of a large frame does not match"})
		return nil
	}
	if flags&mustUnderstand != 0 {
		return r.refuse("a large frame must be understood; update spliff", crcLen)
	}
	r.src.skip(crcLen)
	return nil
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
