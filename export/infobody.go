package export

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/NoFear0411/spliff/format"
)

// contents counts what is in a section.
func (d *info) contents(sum *format.Summary, sec *format.Section) {
	s := &d.s
	d.label("events")
	s.grouped(sum.Events)
	sep := literal(": ")
	for _, t := range slices.Sorted(maps.Keys(sum.Counts)) {
		s.own(sep)
		s.grouped(sum.Counts[t])
		s.own(" ")
		if name := literal(t.Name()); name != "" {
			s.own(name)
		} else {
			s.own("of type ")
			s.number(uint64(t))
		}
		sep = ", "
	}
	s.own("\n")
	d.label("packed")
	s.size(sum.RawBytes)
	if sec.ChunkBytes > 0 && sum.RawBytes > 0 {
		s.own(" in ")
		s.size(uint64(sec.ChunkBytes))
		s.buf = fmt.Appendf(s.buf, ", %.1f %%", 100*float64(sec.ChunkBytes)/float64(sum.RawBytes))
	}
	s.own("\n")
	d.label("plaintext")
	s.size(sum.Written)
	s.own(" written, ")
	s.size(sum.Read)
	s.own(" read, ")
	s.counted(sum.Conns, "connection")
	s.own("\n")
	d.processes(sum)
}

// processes names processes, a few of them unless all are wanted.
func (d *info) processes(sum *format.Summary) {
	s := &d.s
	d.label("processes")
	s.grouped(sum.Procs)
	show := sum.Known
	if !d.o.Verbose {
		// Ancestors are there to be asked for, and come first in the session.
		show = slices.Clone(show)
		slices.SortStableFunc(show, func(a, b format.Proc) int { return cmp.Compare(b2i(a.Context), b2i(b.Context)) })
		show = show[:min(len(show), infoNames)]
	}
	sep := literal(": ")
	for i := range show {
		p := &show[i]
		if d.o.Verbose {
			s.own("\n")
			d.label("")
			d.process(p)
			continue
		}
		s.own(sep)
		s.captured(p.Comm)
		s.own(" (")
		s.number(uint64(p.PID))
		s.own(")")
		sep = ", "
	}
	if more := sum.Procs - min(sum.Procs, uint64(len(show))); more > 0 && len(show) > 0 {
		if d.o.Verbose {
			s.own("\n")
			d.label("")
		} else {
			s.own(" ")
		}
		s.own("and ")
		s.grouped(more)
		s.own(" more")
	}
	s.own("\n")
}

func b2i(v bool) int {
	if v {
		return 1
	}
	return 0
}

func (d *info) process(p *format.Proc) {
	s := &d.s
	s.number(uint64(p.PID))
	s.own("  ")
	s.captured(p.Comm)
	s.own("  ppid ")
	s.number(uint64(p.PPID))
	s.own("  uid ")
	s.number(uint64(p.UID))
	if p.Exe != "" {
		s.own("  ")
		s.captured(p.Exe)
	}
	if p.Cgroup != "" {
		s.own("  cgroup ")
		s.captured(p.Cgroup)
	}
	if len(p.Args) > 0 {
		s.own("  $ ")
		s.words(p.Args)
	}
}

// libraries tells where the bytes were taken from.
func (d *info) libraries(sum *format.Summary) {
	s := &d.s
	for i := range sum.Probes {
		p := &sum.Probes[i]
		d.label("library")
		s.captured(p.Library)
		s.own("  ")
		if p.Path != "" {
			s.captured(p.Path)
			s.own("  ")
		}
		s.counted(uint64(len(p.Sites)), "probe")
		if p.BuildID != "" {
			s.own("  build-id ")
			s.captured(p.BuildID)
		}
		s.own("\n")
		if d.o.Verbose {
			for _, site := range p.Sites {
				d.label("")
				s.captured(site)
				s.own("\n")
			}
		}
	}
}

// unwatched tells of what else the recording would have been: libraries that were
// there, and that nobody listened to.
func (d *info) unwatched(sum *format.Summary) {
	s, show := &d.s, sum.Unwatched
	if !d.o.Verbose {
		show = show[:min(len(show), infoNames)]
	}
	name := literal("unwatched")
	for i := range show {
		u := &show[i]
		d.label(name)
		if u.Library != "" {
			s.captured(u.Library)
			s.own("  ")
		}
		s.captured(u.Path)
		s.own(": ")
		s.captured(u.Reason)
		s.own("\n")
		name = ""
	}
	if more := len(sum.Unwatched) - len(show); more > 0 {
		d.label("")
		s.own("and ")
		s.number(uint64(more))
		s.own(" more\n")
	}
}

// lost tells what the recording says is missing from it.
func (d *info) lost(sum *format.Summary) {
	s := &d.s
	d.label("lost")
	switch {
	case len(sum.Drops) > 0:
	case d.hurt:
		s.own("the recorder lost nothing; see damage\n")
		return
	default:
		s.own("nothing\n")
		d.generated(sum)
		return
	}
	s.style(yellow, func() { d.sum(sum.Lost) })
	s.own("\n")
	for _, c := range sum.Drops {
		d.label("")
		s.own(literal(c.Cause.String()))
		s.own(": ")
		d.sum(c)
		s.own("\n")
	}
	d.generated(sum)
}

// generated tells what the probes made, which is what is there and what was lost, and
// what they left alone on purpose.
func (d *info) generated(sum *format.Summary) {
	s, end := &d.s, sum.End
	if end == nil {
		return
	}
	if len(end.CPUs) > 0 {
		d.label("generated")
		all := end.Generated()
		s.counted(all.Events, "event")
		s.own(", ")
		s.counted(all.Bytes, "byte")
		s.own(" by probes on ")
		s.counted(uint64(len(end.CPUs)), "processor")
		s.own("\n")
	}
	for _, c := range end.CPUs {
		if !d.o.Verbose {
			break
		}
		d.label("")
		s.own("processor ")
		s.number(c.CPU)
		s.own(": ")
		d.count(c.Sent)
		s.own(", and lost ")
		d.count(c.Lost)
		s.own("\n")
	}
	if end.Conns > 0 {
		d.label("left out")
		s.counted(end.Conns, "connection")
		s.own(" over sockets that are no network's: ")
		d.count(end.Local)
		s.own("\n")
	}
}

func (d *info) count(c format.Count) {
	d.s.counted(c.Events, "event")
	d.s.own(" with ")
	d.s.counted(c.Bytes, "byte")
}

// sum writes how much was lost, as far as that is known.
func (d *info) sum(v format.DropSum) {
	s := &d.s
	if v.Events > 0 || v.Bytes == 0 {
		s.counted(v.Events, "event")
	}
	if v.Bytes > 0 {
		if v.Events > 0 {
			s.own(", ")
		}
		s.counted(v.Bytes, "byte")
	}
	s.own(" in ")
	s.counted(v.Drops, "place")
}

// damage tells what is wrong with the file.
func (d *info) damage(f *SessionInfo) {
	s := &d.s
	d.label("damage")
	if !f.Damaged() {
		if f.All {
			s.own("none\n")
		} else {
			s.own("none in headers and footers, chunks not read\n")
		}
		return
	}
	list := f.Damage
	if !d.o.Verbose && len(list) > infoDamage {
		list = list[:infoDamage]
	}
	s.style(red, func() { s.counted(uint64(len(f.Damage)+len(f.Faults)), "place") })
	if len(list) < len(f.Damage) {
		s.own(", the first ")
		s.number(uint64(len(list)))
		s.own(" are")
	}
	s.own("\n")
	for _, v := range f.Faults {
		d.label("")
		s.captured(v)
		s.own("\n")
	}
	for _, v := range list {
		d.label("")
		s.captured(v.String())
		s.own("\n")
	}
}

// InfoOf describes a file by its footers alone. It returns nil if they do not tell
// all, and the file must be read for it.
func InfoOf(f *format.File) *SessionInfo {
	list := f.Sections()
	for i := range list {
		if list[i].Summary == nil {
			return nil
		}
	}
	if f.Whole() || len(list) == 0 {
		return nil
	}
	return &SessionInfo{Size: f.Size(), Sections: list, Damage: f.Damage()}
}

// Damaged reports whether something is wrong with the file.
func (f *SessionInfo) Damaged() bool { return len(f.Damage)+len(f.Faults) > 0 }

// Closed reports whether each section ended with its END event.
func (f *SessionInfo) Closed() bool {
	for i := range f.Sections {
		if s := f.Sections[i].Summary; s == nil || s.End == nil {
			return false
		}
	}
	return len(f.Sections) > 0
}

// onlyMissing reports whether all damage is what is not there, such as a file of a
// session in several: then there is nothing to recover.
func (f *SessionInfo) onlyMissing() bool {
	other := func(d format.Damage) bool { return d.Kind != format.DamageMissing || d.Size != 0 }
	return len(f.Faults) == 0 && len(f.Damage) > 0 && !slices.ContainsFunc(f.Damage, other)
}

// Verdict says in one line whether a file that was read to its end is intact.
func Verdict(w io.Writer, f *SessionInfo, o InfoOptions) error {
	s := screen{color: o.Color, ascii: o.ASCII}
	var events, chunks uint64
	for i := range f.Sections {
		events += f.Sections[i].Summary.Events
		chunks += chunksOf(&f.Sections[i])
	}
	switch {
	case f.onlyMissing():
		s.style(red, func() { s.own("damaged") })
		s.own(": ")
		s.counted(uint64(len(f.Damage)), "place")
		s.own(" where something is not in this file; all that is there is intact, ")
		s.counted(events, "event")
	case f.Damaged():
		s.style(red, func() { s.own("damaged") })
		s.own(": ")
		s.counted(uint64(len(f.Damage)+len(f.Faults)), "place")
		s.own("; spliff recover saves what is intact, ")
		s.counted(events, "event")
	case !f.Closed():
		s.style(yellow, func() { s.own("not closed in order") })
		s.own(": all that is there is intact, ")
		s.counted(events, "event")
		s.own("; its end may be missing")
	default:
		s.style(green, func() { s.own("ok") })
		s.own(": ")
		s.counted(events, "event")
		s.own(" in ")
		s.counted(chunks, "chunk")
		s.own(", all checksums, headers and footers are right")
	}
	s.own("\n")
	return s.flush(w)
}
