package format

import (
	"errors"
	"io"
)

// Report is what reading all of a session tells.
type Report struct {
	Sections []Section // each with its Summary, made from the events; Chunks is nil
	More     int       // sections beyond those that are listed
	Damage   []Damage
	Bytes    int64 // read
	Bare     bool  // the log without our headers: FORMAT.md "Bare files"
}

// Inspect reads a session to its end, proves all that can be proven, and tells
// what is in it. Memory is bounded, whatever the file. It fails as [NewReader]
// does, or with the error of src; then the Report tells what came before.
func Inspect(src io.Reader, o ReaderOptions) (Report, error) {
	o.Check = true
	list := &inspected{room: maxInspected}
	r := newReader(src, o)
	r.proof.list = list
	if err := r.open(); err != nil {
		return Report{}, openError(r, err)
	}
	var bare bareTally
	var ev Event
	err := error(nil)
	for err == nil {
		if err = r.Next(&ev); err != nil {
			break
		}
		if r.bare {
			bare.add(r, list, &ev)
		}
		if ev.Type == TypeSession {
			list.describe(&ev)
		}
	}
	bare.flush(r.proof)
	list.end(r.proof, r.src.off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	file := &r.src
	if r.bare {
		file = r.packed
	}
	return Report{Sections: list.sections, More: list.more, Damage: r.damage, Bytes: file.off, Bare: r.bare}, err
}

const (
	// maxInspected bounds the definitions in all summaries of a Report, in bytes as
	// encoded. Those of later sections are left out.
	maxInspected = 32 << 20
	// maxSections bounds the list of a file made of nothing but sections.
	maxSections = 1 << 16
)

// inspected collects the sections that a prover has gone through.
type inspected struct {
	sections []Section
	open     bool // the last one goes on
	more     int
	room     int
}

func (l *inspected) begin(s Section) {
	if len(l.sections) >= maxSections {
		l.more++
		return
	}
	l.sections = append(l.sections, s)
	l.open = true
}

// describe takes from its SESSION event what a section without a file header says
// of itself.
func (l *inspected) describe(ev *Event) {
	if !l.open || !l.sections[len(l.sections)-1].Headless {
		return
	}
	s := &l.sections[len(l.sections)-1]
	s.Header, _ = ParseSession(ev.Payload)
	s.Member = ev.Flags&FlagRepeat != 0
	s.file.wall, s.file.mono = s.Header.Wall, s.Header.Mono
}

// chunk counts a chunk of the open section.
func (l *inspected) chunk(size int64) {
	if l.open {
		l.sections[len(l.sections)-1].ChunkBytes += size
	}
}

// end closes the open section, which reaches to off.
func (l *inspected) end(p *prover, off int64) {
	if !l.open {
		return
	}
	l.open = false
	s := &l.sections[len(l.sections)-1]
	s.Size, s.Footer = off-s.Offset, p.foot
	s.Summary = p.sum.summary()
	if l.room -= summaryRoom - p.sum.room; l.room < 0 {
		s.Summary.Probes, s.Summary.Known = nil, nil
	}
}

// bareTally sums up a log without chunks, whose sections begin with their SESSION
// events.
type bareTally struct {
	about describer
	head  chunkHeader
	n     int
	raw   int   // bytes of events since the last flush
	lead  int64 // where in the log the section begins
}

// bareBatch is after how many events the ids seen are made a set.
const bareBatch = 1 << 14

func (b *bareTally) add(r *Reader, list *inspected, ev *Event) {
	if ev.Type == TypeSession {
		b.flush(r.proof)
		if list.open {
			list.end(r.proof, list.sections[len(list.sections)-1].Offset)
		}
		s := Section{Headless: true, FirstSeq: ev.Seq}
		*r.proof = prover{sum: newTally(), list: list}
		list.begin(s)
	}
	if b.n == 0 {
		b.about.begin(&b.head)
	}
	b.about.add(&b.head, ev)
	b.about.lastSeq = ev.Seq
	// The payload is lent for this event only.
	for i := range b.about.told {
		r.proof.sum.add(&b.about.told[i])
	}
	b.about.told = b.about.told[:0]
	b.raw += r.pos
	if b.n++; b.n >= bareBatch {
		b.flush(r.proof)
	}
}

// flush hands on what was collected of the events so far. There are no chunks to
// count.
func (b *bareTally) flush(p *prover) {
	if b.n == 0 {
		return
	}
	b.about.end(&b.head)
	p.sum.chunk(&b.head, b.raw, &b.about.about)
	p.sum.chunks = 0
	b.n, b.raw = 0, 0
}
