package format

import (
	"bytes"
	"fmt"
	"math"
)

// DamageLie marks a header, index, summary or trailer that does not tell what is
// in the events. Nothing is lost by it.
const DamageLie DamageKind = "lie"

// prover compares what headers and footers say with the events: the work of
// [ReaderOptions].Check.
type prover struct {
	sum    *tally
	about  describer
	index  indexWriter // as it should be
	broken bool        // something of the section is lost: totals cannot be compared
	foot   Footer      // what was seen of the section's footer
	list   *inspected  // nil: nobody wants to know of the sections
}

func newProver() *prover { return &prover{sum: newTally()} }

// begin starts a section.
func (p *prover) begin(s Section) {
	if p.list != nil {
		p.list.end(p, s.Offset)
		p.list.begin(s)
	}
	*p = prover{sum: newTally(), about: p.about, broken: s.Headless, list: p.list}
	p.index.noSeek = true
}

// chunk checks the chunk that r has just opened, whose header has n bytes.
func (p *prover) chunk(r *Reader, n int) {
	said := r.head
	is := chunkHeader{firstSeq: said.firstSeq}
	err := p.about.describe(&is, r.raw)
	if err != nil {
		p.broken = true // the reader says so itself
	}
	p.sum.chunk(&is, len(r.raw), &p.about.about)
	offset := r.start - r.sect.start
	if p.list != nil {
		p.list.chunk(r.size)
	}
	if what := differs(&said, &is, p.about.conns, p.about.pids, p.spanBefore(said.no, offset)); what != "" && err == nil {
		r.note(Damage{r.start, int64(n), DamageLie, fmt.Sprintf("chunk %d: its header is wrong about %s", said.no, what)})
	}
	p.index.chunk(&said, offset)
	if !p.index.full {
		// A later version's header is longer than the one we would write.
		le.PutUint32(p.index.entries[p.index.last+96:], uint32(n))
	}
}

// spanBefore returns the prev_span of chunk no at offset: the distance to the chunk
// before, math.MaxUint32 if that was not read.
func (p *prover) spanBefore(no uint32, offset int64) uint32 {
	if p.index.count == 0 || p.index.full {
		return math.MaxUint32
	}
	last := p.index.entries[p.index.last:]
	if le.Uint32(last[8:])+1 != no {
		return math.MaxUint32
	}
	return uint32(offset - int64(le.Uint64(last)))
}

// differs names the first field of a chunk header that is not what it should be.
func differs(said, is *chunkHeader, conns, pids idSet, span uint32) string {
	switch {
	case said.minTime != is.minTime || said.maxTime != is.maxTime:
		return "the time of its events"
	case said.minPID != is.minPID || said.maxPID != is.maxPID:
		return "its processes"
	case said.types != is.types:
		return "the types of its events"
	case said.lost != is.lost:
		return "what was lost"
	case said.filter == filterSet && said.conns != is.conns:
		return "how many connections it has"
	case span != math.MaxUint32 && said.prevSpan != span && said.no != 0:
		return "the chunk before it"
	}
	// Sets may be larger than what they describe, and 1.0 files of the first
	// writers have none.
	if said.filter == filterSet {
		if s, ok := parseIDSet(said.connSet); ok && !covers(s, conns) {
			return "its connections"
		}
		if s, ok := parseIDSet(said.pidSet); ok && len(said.pidSet) > 0 && !covers(s, pids) {
			return "its processes"
		}
	}
	return ""
}

// covers reports whether every id of t is in s.
func covers(s, t idSet) bool {
	for _, r := range t {
		if !s.hasRange(r) {
			return false
		}
	}
	return true
}

// proveFooter compares an index or summary, whose frame is the next n bytes.
func (r *Reader) proveFooter(e envelope, n int64) {
	p := r.proof
	what := ""
	p.foot.Index = p.foot.Index || e.tag == tagIndex
	p.foot.Summary = p.foot.Summary || e.tag == tagSummary
	switch {
	case p.broken || !r.sect.known:
		return
	case e.tag == tagIndex && len(e.fixed) >= indexFixedLen && le.Uint32(e.fixed[16:]) > r.sect.next:
		p.broken = true // chunks are missing, as the trailer will say
		return
	case e.tag == tagIndex:
		if !p.sameIndex(e) {
			what = "the index does not list the chunks before it"
		}
	case e.tag == tagSummary:
		if !bytes.Equal(e.rest, p.sum.appendTo(nil)) && !p.sameSummary(e.rest) {
			what = "the summary does not fit the events"
		}
	}
	if what != "" {
		r.note(Damage{r.src.off, n, DamageLie, what})
	}
}

// sameIndex compares entry by entry, but for sets that were left out.
func (p *prover) sameIndex(e envelope) bool {
	got, ok := parseIndex(e)
	if !ok || p.index.full {
		return p.index.full
	}
	want, _ := parseEntries(p.index.entries, entryFixedLen, p.index.count)
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.head.filter == filterLeftOut || w.head.filter == filterLeftOut {
			g.head.filter, w.head.filter = 0, 0
			g.head.connSet, g.head.pidSet, w.head.connSet, w.head.pidSet = nil, nil, nil, nil
		}
		if g.offset != w.offset || g.headLen != w.headLen || !sameHeader(&g.head, &w.head) {
			return false
		}
	}
	return true
}

func sameHeader(a, b *chunkHeader) bool {
	x, y := *a, *b
	if !bytes.Equal(x.connSet, y.connSet) || !bytes.Equal(x.pidSet, y.pidSet) {
		return false
	}
	x.connSet, x.pidSet, y.connSet, y.pidSet = nil, nil, nil, nil
	var p, q [chunkFields]byte
	x.putFields(p[:])
	y.putFields(q[:])
	return p == q
}

// sameSummary compares what a later version may have written with more elements,
// or a writer with fewer definitions.
func (p *prover) sameSummary(b []byte) bool {
	got, err := parseSummary(b)
	if err != nil {
		return false
	}
	want := p.sum.summary()
	if got.Written != want.Written || got.Read != want.Read || got.Procs != want.Procs || got.Conns != want.Conns ||
		len(got.Drops) != len(want.Drops) || len(got.Counts) != len(want.Counts) || got.First != want.First || got.Last != want.Last ||
		(got.End == nil) != (want.End == nil) || got.End != nil && !got.End.same(want.End) {
		return false
	}
	for typ, n := range want.Counts {
		if got.Counts[typ] != n {
			return false
		}
	}
	for i := range want.Drops {
		if got.Drops[i] != want.Drops[i] {
			return false
		}
	}
	return len(got.Probes) <= len(want.Probes) && len(got.Known) <= len(want.Known)
}

// trailer compares the totals of a section.
func (p *prover) trailer(r *Reader, tr *trailer, start int64, n int) {
	if p.broken || !r.sect.headed {
		return // what is missing was said, and is missing from the totals
	}
	want := p.sum.trailer()
	want.sectionBack, want.section = uint64(start-r.sect.start), r.sect.tag
	want.indexBack, want.summaryBack = tr.indexBack, tr.summaryBack
	want.seekLen, want.seekCRC = tr.seekLen, tr.seekCRC
	if *tr != want {
		r.note(Damage{start, int64(n), DamageLie, "the trailer does not fit the section"})
	}
}
