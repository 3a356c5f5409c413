package conformance

import (
	"maps"
	"slices"
)

// close writes what the variant wants behind the chunks: FORMAT.md section 8.
func (s *section) close() *section {
	if s.v.footer {
		index := s.at(len(s.parts))
		s.put(part{kind: "index", bytes: s.index()})
		summary := s.at(len(s.parts))
		s.put(part{kind: "summary", bytes: frame("SPLS", s.opts.envelope, s.grown(nil), s.summary())})
		// The trailer speaks of the seek table, which lists the trailer.
		long := len(s.trailer(index, summary, nil))
		var seek []byte
		if s.v.seek {
			seek = s.seekTable(long)
		}
		s.put(part{kind: "trailer", bytes: s.trailer(index, summary, seek)})
		if s.v.foreign {
			// Nothing may stand between the trailer and its end of the file.
			s.parts = s.parts[:len(s.parts)-1]
		}
	}
	if s.v.seek {
		s.parts = append(s.parts, part{kind: "seek", bytes: s.seekTable(0)})
	}
	return s
}

// index makes the SPLI frame.
func (s *section) index() []byte {
	var entries []byte
	count, no := 0, -1
	for i, p := range s.parts {
		if p.kind != "chunk" {
			continue
		}
		no++
		e := le.AppendUint64(nil, uint64(s.at(i)))
		e = append(e, p.bytes[16:104]...)
		e = le.AppendUint32(e, uint32(p.head))
		e = le.AppendUint32(e, 0)
		sets := int(le.Uint16(p.bytes[86:])) + int(le.Uint16(p.bytes[88:]))
		fixed := int(le.Uint16(p.bytes[12:]))
		if s.lie != nil && !s.lie(no, e) {
			continue
		}
		entries = append(append(entries, s.grown(e)...), padded(p.bytes[fixed:fixed+sets:fixed+sets])...)
		count++
	}
	f := le.AppendUint32(nil, uint32(count))
	f = le.AppendUint32(f, uint32(104+s.opts.growth))
	f = le.AppendUint64(f, 0)
	return frame("SPLI", s.opts.envelope, s.grown(f), entries)
}

// summary makes the elements of the SPLS frame.
func (s *section) summary() []byte {
	counts, drops := map[uint64]uint64{}, map[uint64][3]uint64{}
	probes, procs := map[uint64][]byte{}, map[uint64][]byte{}
	var bytes [3]uint64
	all := statsOf(s.events())
	var clocks, end []byte
	var unwatched []field
	for _, e := range s.events() {
		switch {
		case e.typ == typeProbe && e.fields["id"] != nil:
			probes[e.fields["id"].(uint64)] = e.raw
		case e.typ == typeProc && len(e.raw) > 0:
			procs[uint64(e.pid())] = e.raw
		case e.typ == typeUnwatched && len(e.raw) > 0:
			f := unknown(11, string(e.raw))
			if !slices.ContainsFunc(unwatched, func(o field) bool { return string(o.value) == string(f.value) }) {
				unwatched = append(unwatched, f)
			}
		}
		if e.isRepeat() {
			continue
		}
		counts[uint64(e.typ)]++
		switch e.typ {
		case typeData:
			bytes[e.dir%3] += uint64(len(e.raw))
		case typeDrop:
			c := uint64(e.raw[0])
			d := drops[c]
			drops[c] = [3]uint64{d[0] + 1, d[1] + e.fields["events"].(uint64), d[2] + e.fields["bytes"].(uint64)}
		case typeClock:
			if clocks == nil {
				clocks = slices.Concat(e.raw[:16], e.raw[:16])
			}
			copy(clocks[16:], e.raw[:16])
		case typeEnd:
			end = append([]byte{}, e.raw...)
		}
	}
	var fs []field
	for _, t := range slices.Sorted(maps.Keys(counts)) {
		fs = append(fs, words(1, t, counts[t]))
	}
	for _, c := range slices.Sorted(maps.Keys(drops)) {
		fs = append(fs, words(2, c, drops[c][0], drops[c][1], drops[c][2]))
	}
	fs = append(fs, words(3, bytes[written]), words(4, bytes[read]))
	for _, id := range slices.Sorted(maps.Keys(probes)) {
		fs = append(fs, unknown(5, string(probes[id])))
	}
	for _, pid := range slices.Sorted(maps.Keys(procs)) {
		fs = append(fs, unknown(6, string(procs[pid])))
	}
	fs = append(fs, words(7, uint64(len(all.pids))), words(8, uint64(len(all.conns))))
	if clocks != nil {
		fs = append(fs, unknown(9, string(clocks)))
	}
	if end != nil {
		fs = append(fs, unknown(10, string(end)))
	}
	return list(append(fs, unwatched...)...).raw
}

// words is an element of numbers.
func words(num uint16, vs ...uint64) field {
	f := field{num: num}
	for _, v := range vs {
		f.value = le.AppendUint64(f.value, v)
	}
	return f
}

// trailer makes the SPLT frame, which stands at the end of what is there.
func (s *section) trailer(index, summary int, seek []byte) []byte {
	at := s.at(len(s.parts))
	st := statsOf(s.events())
	raw, status := 0, uint32(0)
	st.minTime, st.maxTime = 0, 0
	chunks := 0
	for _, p := range s.parts {
		if p.kind != "chunk" {
			continue
		}
		low, high := le.Uint64(p.bytes[40:]), le.Uint64(p.bytes[48:])
		if high != 0 && (st.maxTime == 0 || low < st.minTime) {
			st.minTime = low
		}
		st.maxTime = max(st.maxTime, high)
		raw += p.raw
		chunks++
		for _, e := range p.events {
			if e.typ == typeEnd {
				status = 1
				if _, goesOn := e.fields["next"]; goesOn {
					status = 2
				}
			}
		}
	}
	var f []byte
	for _, v := range []uint64{uint64(at), uint64(at - index), uint64(at - summary), st.events, uint64(raw), st.minTime, st.maxTime, st.lostEvents, st.lostBytes} {
		f = le.AppendUint64(f, v)
	}
	f = le.AppendUint32(f, uint32(chunks))
	f = le.AppendUint32(f, status)
	f = le.AppendUint32(f, s.tag)
	seekCRC := uint32(0)
	if seek != nil {
		seekCRC = checksum(seek)
	}
	for _, v := range []uint32{uint32(len(seek)), seekCRC, 0} {
		f = le.AppendUint32(f, v)
	}
	f = s.grown(f)
	back := 16 + len(f) + 4 + 4
	return frame("SPLT", s.opts.envelope, f, le.AppendUint32(nil, uint32(back)))
}

// seekTable makes the frame that lists all before it for readers of the zstd
// seekable format. more, if not 0, is the length of one frame that is still to come.
func (s *section) seekTable(more int) []byte {
	var rows []byte
	count := 0
	add := func(packed, raw int) {
		rows = le.AppendUint32(le.AppendUint32(rows, uint32(packed)), uint32(raw))
		count++
	}
	for _, p := range s.parts {
		if p.kind == "chunk" {
			add(p.head, 0)
			add(len(p.bytes)-p.head, p.raw)
		} else {
			add(len(p.bytes), 0)
		}
	}
	if more > 0 {
		add(more, 0)
	}
	rows = le.AppendUint32(rows, uint32(count))
	rows = le.AppendUint32(append(rows, 0), seekFooter)
	return foreign(magicSeek, string(rows))
}
