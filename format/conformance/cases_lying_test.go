package conformance

// Headers and footers that do not tell what is in the events, behind good
// checksums: FORMAT.md section 8. The events are all there.
func lyingCases() []testCase {
	inIndex := func(lie func(i int, e []byte) bool) func(v variant) outcome {
		return func(v variant) outcome {
			s := unclosed(v)
			s.lie = lie
			return told(s.close(), "index", none)
		}
	}
	return []testCase{
		{"lying-offset", "an index entry that leads into a chunk", onlyFooter(), inIndex(func(i int, e []byte) bool {
			if i == 1 {
				le.PutUint64(e, le.Uint64(e)+8)
			}
			return true
		})},
		{"lying-hidden", "an index that leaves out a chunk", onlyFooter(), inIndex(func(i int, _ []byte) bool { return i != 1 })},
		{"lying-order", "an index whose entries lead to each other's chunk", onlyFooter(), swapped},
		{"lying-time", "an index entry with the time of another chunk", onlyFooter(), func(v variant) outcome {
			o := inIndex(func(i int, e []byte) bool {
				if i == 1 {
					le.PutUint64(e[8+40-16:], clockStart+10_000)
					le.PutUint64(e[8+48-16:], clockStart+11_000)
				}
				return true
			})(v)
			o.footer = may
			return o
		}},
		{"lying-summary", "a summary that counts a DATA event too few", onlyFooter(), func(v variant) outcome {
			s := unclosed(v).close()
			// The first element: type, flags, length, event type, count.
			return tamper(s, "summary", 16+8+8, may)
		}},
		{"lying-trailer", "a trailer that counts an event too few", onlyFooter(), func(v variant) outcome { return tamper(unclosed(v).close(), "trailer", 40, may) }},
		{"lying-section", "a trailer that names another section", onlyFooter(), func(v variant) outcome { return tamper(unclosed(v).close(), "trailer", 96, none) }},
		{"lying-seek", "a seek table that is not the one the trailer speaks of", onlyFooter(), func(v variant) outcome {
			s := unclosed(v).close()
			i := s.find("seek", 0)
			s.parts[i].bytes[8]++
			o := whole(s)
			o.damage = []damage{lost("corrupt", s.at(i), len(s.parts[i].bytes))}
			o.footer = may
			return o
		}},
		{"lying-header-time", "a chunk header, and with it the index, that is wrong about the time of its events", plainAndFooter(), lyingHeader(func(f []byte) { le.PutUint64(f[48-16:], clockStart) })},
		{"lying-header-set", "a set of conns that lacks the one there is", plainAndFooter(), lyingHeader(func(f []byte) { le.PutUint16(f[86-16:], 0) })},
	}
}

// unclosed is a session of three chunks without a footer yet.
func unclosed(v variant) *section {
	s := newSection(v, plainOptions())
	s.chunk([]event{started(s.opts)})
	s.chunk([]event{data(1, written, 0, "one"), data(2, read, 0, "two")})
	s.chunk([]event{at(3, typeClock, clock(wallStart, clockStart)), ended(4, 4)})
	return s
}

// told is the outcome of a section one part of which lies.
func told(s *section, kind, footer string) outcome {
	o := whole(s)
	i := s.find(kind, 0)
	o.lies = []damage{lost("lie", s.at(i), len(s.parts[i].bytes))}
	o.footer = footer
	return o
}

// tamper lowers a number of a part and renews its checksum.
func tamper(s *section, kind string, at int, footer string) outcome {
	b := s.parts[s.find(kind, 0)].bytes
	b[at]--
	reseal(b)
	return told(s, kind, footer)
}

func swapped(v variant) outcome {
	s := unclosed(v)
	first := uint64(s.at(s.find("chunk", 0)))
	second := uint64(s.at(s.find("chunk", 1)))
	s.lie = func(i int, e []byte) bool {
		switch i {
		case 0:
			le.PutUint64(e, second)
		case 1:
			le.PutUint64(e, first)
		}
		return true
	}
	return told(s.close(), "index", none)
}

// lyingHeader makes the second chunk header lie.
func lyingHeader(edit func(f []byte)) func(v variant) outcome {
	return func(v variant) outcome {
		s := newSection(v, plainOptions())
		s.chunk([]event{started(s.opts)})
		s.chunk([]event{data(1, written, 0, "one"), data(2, read, 0, "two")}, edit)
		s.chunk([]event{ended(3, 3)})
		s.close()
		o := whole(s)
		i := s.find("chunk", 1)
		o.lies = []damage{lost("lie", s.at(i), s.parts[i].head)}
		if v.footer {
			o.footer = may
		}
		return o
	}
}
