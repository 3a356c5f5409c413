package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// plan is the list of chunks that a reader reads instead of all.
type plan struct {
	f    *File
	q    Query
	list []planned
	next int
	done int64 // everything before this place of the file was read or passed over
	src  *atReader
}

// planned is one chunk to be read.
type planned struct {
	sect  int
	chunk *Chunk // nil: the section's header alone
}

// Select returns a reader of the events that q wants, in order, with the
// definitions they need. It reads only chunks that can have some. Each section
// begins with its SESSION event all the same.
//
// The reader is independent of others of the same File.
func (f *File) Select(q Query) *Reader {
	src := &atReader{at: f.at, end: f.size}
	r := newReader(src, f.o)
	r.proof = nil
	r.header = f.header
	if !q.all() {
		r.sel = newSelector(q)
	}
	if f.whole {
		// It was opened once, so it opens again, unless the file has changed.
		r.err = r.open()
		return r
	}
	r.damage = slices.Clone(f.damage)
	r.plan = &plan{f: f, q: q, list: f.choose(q, 0), src: src}
	return r
}

// global are the types of events that may belong to no connection and no process.
const global = ^uint64(1<<TypeData | 1<<TypeConn | 1<<TypeConnEnd | 1<<TypeProc | 1<<TypeProcEnd | 1<<TypeSession | 1<<TypeProbe | 1<<TypeHandshake)

// choose lists the chunks from a place of the file on that may have events of q.
func (f *File) choose(q Query, from int64) []planned {
	var list []planned
	conns, pids := rangesOf(nil, slices.Clone(q.Conns)), rangesOf(nil, slices.Clone(q.PIDs))
	for i := range f.sections {
		s := &f.sections[i]
		if s.Offset >= from {
			list = append(list, planned{sect: i})
		}
		for k := range s.Chunks {
			c := &s.Chunks[k]
			// Chunks may have what is about the recording as a whole.
			end := q.Recording && c.Types&(1<<TypeEnd|1<<TypeUnwatched) != 0
			whole := q.Recording && c.Types&global != 0
			switch {
			case c.Offset < from:
				continue
			case end:
			case len(conns) > 0 && !whole && !c.mayHaveConn(conns),
				len(pids) > 0 && !whole && !c.mayHavePID(pids),
				q.From != 0 && s.Wall(c.MaxTime) < q.From,
				q.To != 0 && s.Wall(c.MinTime) >= q.To:
				continue
			}
			list = append(list, planned{i, c})
		}
	}
	return list
}

// planned goes one chunk or section on.
func (r *Reader) planned() error {
	p := r.plan
	if p.next == len(p.list) {
		return r.finish()
	}
	x := p.list[p.next]
	s := &p.f.sections[x.sect]
	if x.chunk == nil {
		if r.sect.headed && !r.sect.begun {
			return r.finish() // the section before was described, and no more
		}
		p.next++
		return r.plannedSection(s)
	}
	p.next++
	if p.f.indexed && !p.f.isThere(s, x.chunk) {
		return r.replan(x.chunk)
	}
	r.look(x.chunk.Offset, x.chunk.Size)
	err := r.ours()
	p.done = x.chunk.Offset + x.chunk.Size
	return err
}

// plannedSection begins a section.
func (r *Reader) plannedSection(s *Section) error {
	r.plan.done = s.Offset + 1
	if s.head == 0 { // its header is lost
		r.sect = section{start: s.Offset, known: true, tag: s.tag}
		return nil
	}
	r.look(s.Offset, s.head)
	return r.ours()
}

// look shows the reader a part of the file and nothing else.
func (r *Reader) look(off, n int64) {
	src := r.plan.src
	src.off, src.end = off, off+n
	r.src = window{r: src, jump: src, buf: r.src.buf, off: off}
}

// place takes note of a chunk that was read.
func (p *plan) place(r *Reader, h chunkHeader) {
	s := &r.sect
	s.next = h.no + 1
	r.hurt = false
	if !s.begun {
		s.begun = true
		r.synthetic = len(r.raw) < eventHeadLen || Type(r.raw[4]) != TypeSession
	}
}

// isThere reports whether the chunk that the index speaks of is where it says.
func (f *File) isThere(s *Section, c *Chunk) bool {
	e, ok := f.frame(c.Offset, skipHeadLen+MaxHeader)
	if !ok || e.tag != tagChunk {
		return false
	}
	h, ok := parseChunkHeader(e)
	size := int64(len(e.fixed)+len(e.rest)+crcLen) + int64(h.compLen)
	return ok && h.no == c.No && h.section == s.tag && h.frameCRC == c.frameCRC && size == c.Size &&
		h.minTime == c.MinTime && h.maxTime == c.MaxTime && h.minPID == c.minPID && h.maxPID == c.maxPID
}

// replan goes on without the index, which led to a chunk that is not there.
func (r *Reader) replan(c *Chunk) error {
	p := r.plan
	r.note(Damage{Offset: c.Offset, Kind: DamageLie, Detail: fmt.Sprintf("the index speaks of chunk %d here, which is not so", c.No)})
	f, err := OpenScan(p.f.at, p.f.size, p.f.o)
	if err != nil {
		return err
	}
	for _, d := range f.damage {
		r.note(d)
	}
	slices.SortStableFunc(r.damage, func(a, b Damage) int { return cmp.Compare(a.Offset, b.Offset) })
	was := r.sect
	p.f, p.next = f, 0
	p.list = f.choose(p.q, p.done)
	// The section that the reader is in goes on.
	if len(p.list) > 0 && p.list[0].chunk != nil && f.sections[p.list[0].sect].tag != was.tag {
		return r.plannedSection(&f.sections[p.list[0].sect])
	}
	if f.whole {
		return io.EOF
	}
	return nil
}
