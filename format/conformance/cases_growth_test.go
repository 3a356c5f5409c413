package conformance

// What later versions may add: FORMAT.md section 14.
func growthCases() []testCase {
	return []testCase{
		{"unknown-types", "event types that are reserved, free, or private", plainAndFooter(), unknownTypes},
		{"unknown-flags", "flags that 1.0 does not know, of events, elements, frames and the section", plainAndFooter(), unknownFlags},
		{"unknown-tlvs", "elements that 1.0 does not know, in every list there is", plainAndFooter(), unknownTLVs},
		{"unknown-tags", "frames of ours whose tag 1.0 does not know, one of them over 64 KiB", onlyPlain(), unknownTags},
		{"long-headers", "event headers with fields that 1.0 does not know", plainAndFooter(), longHeaders},
		{"long-fixed", "fixed payloads with fields that 1.0 does not know", plainAndFooter(), longFixed},
		{"options", "events with options, none of which must be understood", plainAndFooter(), options},
		{"newer-minor", "a section of 1.7 that any reader of 1.x may read: all headers are longer", allForms(), newerMinor},
		{"filter-kind", "a kind of filter that 1.0 does not know", plainAndFooter(), filterKind},
		{"clock-kind", "time is CLOCK_BOOTTIME", onlyPlain(), clockKind},
	}
}

func unknownTypes(v variant) outcome {
	var evs []event
	for i, typ := range []uint8{typeKeyLog, typeAttach, typeMark, typeTick, 17, 63, 64, 127, 128, 255} {
		e := at(uint64(i+1), typ, body{raw: []byte("text of a type\x00\x01")[:i+6]})
		e.conn, e.dir, e.tid, e.cpu, e.probe = uint32(i%2), uint8(i%4), 77, 3, 9
		evs = append(evs, e)
	}
	evs = append(evs, at(11, 0, body{raw: []byte{1}}), at(12, typeMark, body{}), at(13, typeClock, clock(1, 2)))
	return whole(single(v, evs...))
}

func unknownFlags(v variant) outcome {
	o := plainOptions()
	o.flags, o.envelope = 0xFFFFFFFF&^memberFlag, 0xFFFE
	e := data(3, written, 0, "flags")
	e.flags = 0xFFFF &^ (flagOptions | flagRepeat)
	strange := text(5, "comm", "curl")
	strange.flags = 0xFFFE
	s := newSection(v, o)
	s.chunk([]event{started(o), at(1, typeProc, list(number(1, "pid", 101), strange)), conn(2, 101), e, repeatedMark(4)})
	return whole(s.close())
}

// repeatedMark is a repeat of a type that 1.0 does not repeat.
func repeatedMark(n uint64) event { return at(n, typeMark, body{raw: []byte("x")}).repeated(n) }

func unknownTLVs(v variant) outcome {
	more := []field{unknown(77, ""), unknown(0x8000, "private"), unknown(0xFFFF, "123456789")}
	o := plainOptions()
	o.session = sessionBody().with(append(more, unknown(11, "{}"))...) // reserved there
	s := newSection(v, o)
	probed, process, connected, over := probe(1), proc(2, 101), conn(3, 101), ended(5, 5)
	for _, e := range []*event{&probed, &process, &connected, &over} {
		e.body = e.with(more...)
	}
	// Known elements may come behind unknown ones, and the last of two counts.
	twice := at(4, typeProc, list(unknown(99, "x"), number(1, "pid", 5), text(5, "comm", "old"), number(1, "pid", 102), text(5, "comm", "new")))
	// A value may be longer than its kind, and the last padding may be missing.
	long := conn(4, 101).of(2)
	f := number(3, "generation", 4)
	f.value = append(f.value, 9, 9, 9)
	long.body = list(number(1, "pid", 101), f, text(9, "alpn", "h2"))
	long.raw = long.raw[:len(long.raw)-6]
	s.chunk([]event{started(o), probed, process, connected, twice, long, over})
	return whole(s.close())
}

func unknownTags(v variant) outcome {
	s := newSection(v, plainOptions())
	s.put(part{kind: "other", bytes: frame("SPLX", 0, nil, []byte("unknown"))})
	s.chunk([]event{started(s.opts), at(1, typeTick, body{})})
	s.put(part{kind: "other", bytes: frame("SPLx", 0, make([]byte, 40), make([]byte, 70_000))})
	s.put(part{kind: "other", bytes: frame("SPL\x00", 0, nil, nil)})
	s.chunk([]event{at(2, typeTick, body{})})
	return whole(s.close())
}

func longHeaders(v variant) outcome {
	some := data(3, written, 0, "hlen 14")
	some.extra = []byte("8 bytes.")
	most := at(4, typeClock, clock(wallStart, clockStart))
	most.extra = make([]byte, 254*4-32)
	unknown := at(5, 200, body{raw: []byte("u")})
	unknown.extra = []byte("sixteen bytes...")
	return whole(single(v, proc(1, 101), conn(2, 101), some, most, unknown, at(6, typeTick, body{})))
}

func longFixed(v variant) outcome {
	return whole(single(v, proc(1, 101), conn(2, 101),
		at(3, typeHandshake, handshake(true, 7).longer(8)).of(1),
		at(4, typeDrop, drop(7, 1, 2, 3).longer(1)).of(1),
		at(5, typeClock, clock(-1, 6).longer(24)),
		at(6, typeConnEnd, connEnd(4, false, 1, 2, 3, 4).byCause([3]uint64{1}, [3]uint64{}).longer(9)).of(1),
		at(7, typeProcEnd, procEnd(101).exited(1, 2, 3).longer(16)),
		// Less than all that 1.1 added counts as nothing of it.
		at(8, typeConnEnd, connEnd(4, false, 1, 2, 3, 4).longer(47)).of(1), at(9, typeProcEnd, procEnd(101).longer(23))))
}

func options(v variant) outcome {
	text := data(3, written, 0, "with options")
	text.flags |= flagOptions
	text.options = list(unknown(1, "an option"), unknown(2, "")).raw
	nothing := data(4, written, 12, "")
	nothing.flags |= flagOptions
	unknownType := at(5, 201, body{raw: []byte("seven b")})
	unknownType.flags |= flagOptions
	unknownType.options = list(unknown(1, "last one without padding")).raw
	fixed := at(6, typeClock, clock(1, 2))
	fixed.flags |= flagOptions
	return whole(single(v, proc(1, 101), conn(2, 101), text, nothing, unknownType, fixed))
}

func newerMinor(v variant) outcome {
	o := plainOptions()
	o.minor, o.growth = 7, 24
	return whole(conversation(v, o))
}

func filterKind(v variant) outcome {
	s := newSection(v, plainOptions())
	s.chunk([]event{started(s.opts), data(1, written, 0, "x")}, func(f []byte) { le.PutUint16(f[84-16:], 9) })
	return whole(s.close())
}

func clockKind(v variant) outcome {
	s := single(v, at(1, typeClock, clock(wallStart, clockStart)))
	head := &s.parts[0]
	head.bytes[19] = 2
	reseal(head.bytes)
	tag := le.Uint32(head.bytes[len(head.bytes)-4:])
	c := &s.parts[1]
	le.PutUint32(c.bytes[96:], tag)
	reseal(c.bytes[:c.head])
	return whole(s)
}

// reseal renews the checksum of a frame of ours.
func reseal(f []byte) { le.PutUint32(f[len(f)-4:], checksum(f[:len(f)-4])) }
