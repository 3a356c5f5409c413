package conformance

import "slices"

// Files of several sections, and sessions of several files: FORMAT.md sections 2 and 9.
func sectionCases() []testCase {
	return []testCase{
		{"two-sections", "cat a.spl b.spl", allForms(), func(v variant) outcome { return whole(talk(v), otherSession(v)) }},
		{"same-twice", "cat a.spl a.spl", plainAndFooter(), func(v variant) outcome { return whole(talk(v), talk(v)) }},
		{"two-forms", "one section with a footer, one without", onlyPlain(), func(v variant) outcome {
			o := whole(talk(variant{footer: true, seek: true}), otherSession(v))
			o.footer = none
			return o
		}},
		{"header-only-twice", "two recorders that were killed before their first chunk", plainAndFooter(), func(v variant) outcome {
			a := headerOnly(v)
			return outcome{file: slices.Concat(a.file, a.file), events: slices.Concat(a.events, a.events)}
		}},
		{"member-0", "the first file of a session of three", plainAndFooter(), func(v variant) outcome { return whole(members(v)[0]) }},
		{"member-1", "the second file of a session of three: what it needs is defined in it", plainAndFooter(), func(v variant) outcome { return whole(members(v)[1]) }},
		{"member-2", "the last file of a session of three", plainAndFooter(), func(v variant) outcome { return whole(members(v)[2]) }},
		{"members", "all three files of a session, one after the other", allForms(), func(v variant) outcome { return whole(members(v)...) }},
		{"members-gap", "the second of three files is not there", plainAndFooter(), func(v variant) outcome {
			m := members(v)
			o := whole(m[0], m[2])
			o.damage = []damage{lost("missing", len(m[0].bytes()), 0)}
			return o
		}},
	}
}

// otherSession is a short session with another uuid.
func otherSession(v variant) *section {
	o := plainOptions()
	o.uuid[0] = 0x07
	o.session = list(text(1, "writer", "conformance 1.0"), text(2, "host", "other"), uuid(7, "uuid", o.uuid))
	s := newSection(v, o)
	s.chunk([]event{started(o), at(1, typeClock, clock(wallStart, clockStart)), ended(2, 2)})
	return s.close()
}

// members are the conversation, spread over three files. Ids and seq go on.
func members(v variant) []*section {
	rotated := func(n, next uint64) event {
		return at(n, typeEnd, list(text(1, "reason", "rotated"), number(2, "events", n), number(6, "next", next)))
	}
	var out []*section
	open := func(fileNo uint32, firstSeq uint64) event {
		o := plainOptions()
		o.flags, o.fileNo, o.firstSeq = memberFlag, fileNo, firstSeq
		s := newSection(v, o)
		out = append(out, s)
		return started(o)
	}
	out0 := open(0, 0)
	out[0].chunk([]event{out0, probe(1), proc(2, 101), conn(3, 101), data(4, written, 0, "one"), rotated(5, 1)})
	out1 := open(1, 6)
	out[1].chunk([]event{out1, probe(1).repeated(6), proc(2, 101).repeated(6), conn(3, 101).repeated(6), data(6, written, 3, "two")})
	out[1].chunk([]event{probe(1).repeated(7), proc(2, 101).repeated(7), conn(3, 101).repeated(7), data(7, written, 6, "three"), rotated(8, 2)})
	out2 := open(2, 9)
	out[2].chunk([]event{out2, conn(3, 101).repeated(9), at(9, typeConnEnd, connEnd(1, true, 11, 0, 0, 0)).of(1), proc(2, 101).repeated(10), at(10, typeProcEnd, procEnd(101)), ended(11, 11)})
	for _, s := range out {
		s.close()
	}
	return out
}

// What a reader must not read: FORMAT.md sections 3 and 4.
func refusedCases() []testCase {
	refused := func(o sectionOptions) func(v variant) *section {
		return func(v variant) *section {
			p := plainOptions()
			p.major, p.minor, p.minReader, p.growth = o.major, o.minor, o.minReader, 16
			return conversation(v, p)
		}
	}
	minor := refused(sectionOptions{minor: 9, minReader: 2})
	major := refused(sectionOptions{major: 2})
	alone := func(make func(v variant) *section) func(v variant) outcome {
		return func(v variant) outcome {
			b := make(v).bytes()
			return outcome{file: b, damage: []damage{lost("version", 0, len(b))}, footer: none}
		}
	}
	before := func(make func(v variant) *section) func(v variant) outcome {
		return func(v variant) outcome {
			b, s := make(v).bytes(), otherSession(v)
			return outcome{file: slices.Concat(b, s.bytes()), events: s.events(), damage: []damage{lost("version", 0, len(b))}, footer: none}
		}
	}
	between := func(make func(v variant) *section) func(v variant) outcome {
		return func(v variant) outcome {
			a, b, c := talk(v), make(v).bytes(), otherSession(v)
			return outcome{file: slices.Concat(a.bytes(), b, c.bytes()), events: slices.Concat(a.events(), c.events()),
				damage: []damage{lost("version", len(a.bytes()), len(b))}, footer: none}
		}
	}
	return []testCase{
		{"min-reader", "a section that only readers of 1.2 may read", plainAndFooter(), alone(minor)},
		{"min-reader-first", "a section that only readers of 1.2 may read, then one of 1.0", plainAndFooter(), before(minor)},
		{"min-reader-between", "a section that only readers of 1.2 may read, between two of 1.0", plainAndFooter(), between(minor)},
		{"major", "a section of 2.0", plainAndFooter(), alone(major)},
		{"major-first", "a section of 2.0, then one of 1.0", plainAndFooter(), before(major)},
		{"major-between", "a section of 2.0 between two of 1.0", plainAndFooter(), between(major)},
		{"must-understand", "a frame in the middle of a section that must be understood: what is before it is read", plainAndFooter(), mustUnderstandFrame},
		{"must-understand-then", "a frame that must be understood, then another section", plainAndFooter(), mustUnderstandThen},
	}
}

// sealedFrom is the conversation with a frame that must be understood behind its first chunk.
func sealedFrom(v variant) (s *section, at int) {
	s = newSection(v, plainOptions())
	full := talk(v).parts
	s.chunk(full[slices.IndexFunc(full, func(p part) bool { return p.kind == "chunk" })].events)
	at = s.at(len(s.parts))
	s.put(part{kind: "other", bytes: frame("SPLE", mustUnderstand, make([]byte, 8), []byte("sealed"))})
	s.chunk([]event{at1(12)})
	return s.close(), at
}

func at1(n uint64) event { return at(n, typeTick, body{}) }

func mustUnderstandFrame(v variant) outcome {
	s, at := sealedFrom(v)
	b := s.bytes()
	o := outcome{file: b, events: s.parts[s.find("chunk", 0)].events, damage: []damage{lost("version", at, len(b)-at)}, footer: none}
	if v.footer {
		o.footer = may
	}
	return o
}

func mustUnderstandThen(v variant) outcome {
	o := mustUnderstandFrame(v)
	s := otherSession(v)
	o.file = append(o.file, s.bytes()...)
	o.events = slices.Concat(o.events, s.events())
	return o
}
