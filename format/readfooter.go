package format

import "fmt"

// What a reader that reads all does with a footer: it learns nothing from it, and
// says when it does not fit.

// trailer reads a trailer, whose frame is the next n bytes.
func (r *Reader) trailer(e envelope, n int) error {
	tr, ok := parseTrailer(e)
	s := &r.sect
	start := r.src.off
	switch {
	case !ok:
		r.note(Damage{start, int64(n), DamageCorrupt, "a trailer without the fields of 1.0"})
		r.src.skip(n)
		return nil
	case s.known && tr.section == s.tag && tr.chunks > s.next:
		r.absent(missingChunks(s.next, tr.chunks))
		s.next = tr.chunks
	}
	if s.known && tr.section == s.tag {
		r.expect("index", s.indexAt, start, tr.indexBack)
		r.expect("summary", s.summaryAt, start, tr.summaryBack)
	}
	s.indexAt, s.summaryAt = 0, 0
	r.src.skip(n)
	if r.proof != nil {
		r.proof.foot.Trailer = true
		r.proof.trailer(r, &tr, start, n)
	}
	if r.scan != nil {
		r.scan.end(r.src.off)
	}
	s.seek = tr
	return nil
}

// footerFrame takes note of an intact frame at off, which may be of a footer.
func (r *Reader) footerFrame(tag uint32, off int64) {
	switch tag {
	case tagIndex:
		r.sect.indexAt = off
	case tagSummary:
		r.sect.summaryAt = off
	}
}

// expect notes that a frame of the footer is not back bytes before the trailer. A
// flipped bit in its magic number makes it a frame of somebody else's, so that
// nothing but its absence tells.
func (r *Reader) expect(what string, is, trailer int64, back uint64) {
	if back != 0 && (is == 0 || uint64(trailer-is) != back) && !r.hurt {
		r.note(Damage{Offset: trailer, Kind: DamageMissing, Detail: "the " + what + " is not where the trailer says"})
	}
}

// noTrailer notes, at the end of a section, a footer without a trailer.
func (r *Reader) noTrailer() {
	if s := &r.sect; s.indexAt != 0 || s.summaryAt != 0 {
		s.indexAt, s.summaryAt = 0, 0
		r.absent("the trailer of the section is missing")
	}
}

// missingChunks says that the chunks from next up to but without no are not there.
func missingChunks(next, no uint32) string {
	if no-next == 1 {
		return fmt.Sprintf("chunk %d is missing", next)
	}
	return fmt.Sprintf("chunks %d to %d are missing", next, no-1)
}

// seekTable passes over the seek table that the trailer speaks of. It has no
// checksum of its own, so a flipped bit would go unnoticed without the trailer's.
func (r *Reader) seekTable() error {
	n, want := int64(r.sect.seek.seekLen), r.sect.seek.seekCRC
	r.sect.seek.seekLen = 0
	start := r.src.off
	b := r.src.peek(skipHeadLen)
	if err := r.src.failure(); err != nil && len(b) < skipHeadLen {
		return err
	}
	if len(b) == 0 {
		r.note(Damage{start, 0, DamageTorn, "the file ends before its seek table"})
		return nil
	}
	if len(b) < skipHeadLen || le.Uint32(b) != magicSeek || frameLen(b) != n {
		if _, e, ok := headIn(r.src.peek(skipHeadLen + MaxHeader)); ok && e.tag == tagFile {
			r.note(Damage{start, 0, DamageMissing, "the seek table of the section is missing"})
			return nil
		}
		return r.resync(DamageCorrupt, "the seek table is not the one the trailer speaks of", 1, 0)
	}
	sum, got := r.sum(n)
	switch {
	case got < n:
		if err := r.src.failure(); err != nil {
			return err
		}
		r.note(Damage{start, got, DamageTorn, "the file ends inside its seek table"})
	case sum != want:
		r.note(Damage{start, n, DamageCorrupt, "the checksum of the seek table does not match"})
	case r.proof != nil:
		r.proof.foot.SeekTable = true
	}
	if r.scan != nil {
		r.scan.end(r.src.off)
	}
	return nil
}

// missingFiles notes files of a session that lie between the one before and h.
func (r *Reader) missingFiles(h fileHeader) {
	if what := filesBetween(&r.sect.file, &h); r.sect.headed && what != "" {
		r.note(Damage{Offset: r.src.off, Kind: DamageMissing, Detail: what})
	}
}

// filesBetween names the files of one session that lie between two, "" if none.
func filesBetween(was, is *fileHeader) string {
	switch n := int64(is.fileNo) - int64(was.fileNo); {
	case !is.member || was.uuid != is.uuid || n < 2:
		return ""
	case n == 2:
		return fmt.Sprintf("file %d of the session is missing", was.fileNo+1)
	}
	return fmt.Sprintf("files %d to %d of the session are missing", was.fileNo+1, is.fileNo-1)
}
