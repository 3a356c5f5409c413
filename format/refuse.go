package format

import "github.com/klauspost/compress/zstd"

// refuse passes over the rest of a section that this reader may not read, the next
// n bytes first. It goes frame by frame: a search would take a session in captured
// plaintext for the next section.
func (r *Reader) refuse(why string, n int) error {
	start := r.src.off
	r.src.skip(n)
	r.sect = section{}
	for {
		b := r.src.peek(envelopeLen)
		if err := r.src.failure(); err != nil && len(b) < envelopeLen {
			return err
		}
		if len(b) < skipHeadLen {
			break
		}
		m := le.Uint32(b)
		if m == magicOurs && len(b) == envelopeLen && le.Uint32(b[8:]) == tagFile {
			if _, _, ok := headIn(r.src.peek(int(min(frameLen(b), skipHeadLen+MaxHeader)))); ok {
				r.note(Damage{start, r.src.off - start, DamageVersion, why})
				return nil
			}
		}
		if m&^0xf == magicSkippable {
			r.src.discard(frameLen(b))
		} else if m != magicZstd || !r.skipZstd() {
			break
		}
	}
	// Where a part cannot be told nobody knows where the next section begins.
	for len(r.src.peek(1)) > 0 {
		r.src.skip(len(r.src.held()))
	}
	r.note(Damage{start, r.src.off - start, DamageVersion, why})
	return r.src.failure()
}

// skipZstd passes over a zstd frame by the lengths of its blocks, RFC 8878 §3.1.1.
func (r *Reader) skipZstd() bool {
	var h zstd.Header
	if h.Decode(r.src.peek(zstd.HeaderMaxSize)) != nil {
		return false
	}
	r.src.skip(h.HeaderSize)
	for last := false; !last; {
		b := r.src.peek(3)
		if len(b) < 3 {
			return false
		}
		block := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		last = block&1 != 0
		size := int64(block >> 3)
		switch block >> 1 & 3 {
		case 1: // RLE: one byte stands for all
			size = 1
		case 3:
			return false
		}
		if r.src.discard(3+size) < 3+size {
			return false
		}
	}
	return !h.HasCheckSum || r.src.discard(crcLen) == crcLen
}
