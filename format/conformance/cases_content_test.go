package conformance

import (
	"bytes"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A footer that is struck, or lies: FORMAT.md section 8.
func brokenCases() []testCase {
	return []testCase{
		{"flipped-index", "a bit flipped in the index", onlyFooter(), flipFooter("index", 0, 60)},
		{"flipped-summary", "a bit flipped in the summary", onlyFooter(), flipFooter("summary", 0, 40)},
		{"flipped-trailer", "a bit flipped in the trailer", onlyFooter(), flipFooter("trailer", 0, 50)},
		{"flipped-back", "a bit flipped in the trailer's own length", onlyFooter(), flipFooter("trailer", 0, 113)},
		{"missing-index", "the index is not there, the trailer says where it should be", onlyFooter(), missingFooter("index")},
		{"missing-summary", "the summary is not there, the trailer says where it should be", onlyFooter(), missingFooter("summary")},
		{"missing-trailer", "the trailer is not there, index and summary are", onlyFooter(), func(v variant) outcome {
			o := without("missing", "trailer", 0)(v)
			o.damage = []damage{lost("missing", len(o.file), 0)}
			return o
		}},
		{"missing-seek", "the file ends before its seek table", onlyFooter(), func(v variant) outcome {
			o := without("torn", "seek", 0)(v)
			o.footer = may
			return o
		}},
		{"missing-seek-between", "the seek table is not there, another section follows", onlyFooter(), func(v variant) outcome {
			o, s := without("missing", "seek", 0)(v), otherSession(v)
			o.file, o.events = slices.Concat(o.file, s.bytes()), slices.Concat(o.events, s.events())
			o.footer = may
			return o
		}},
		{"foreign-index", "a bit flipped in the magic of the index makes it somebody else's", onlyFooter(), turned("index")},
		{"foreign-summary", "a bit flipped in the magic of the summary makes it somebody else's", onlyFooter(), turned("summary")},
		{"foreign-trailer", "a bit flipped in the magic of the trailer makes it somebody else's", onlyFooter(), turned("trailer")},
	}
}

// missingFooter cuts out a part that the trailer speaks of, which shows there.
func missingFooter(kind string) func(v variant) outcome {
	return func(v variant) outcome {
		o, s := without("missing", kind, 0)(v), talk(v)
		o.damage = []damage{lost("missing", s.at(s.find("trailer", 0))-len(s.parts[s.find(kind, 0)].bytes), 0)}
		return o
	}
}

// turned flips the lowest bit of the magic of a part of the footer: the frame is
// then one that a reader must skip.
func turned(kind string) func(v variant) outcome {
	return func(v variant) outcome {
		s := talk(v)
		o := whole(s)
		o.file[s.at(s.find(kind, 0))] ^= 1
		at := s.at(s.find("trailer", 0))
		if kind == "trailer" {
			at = len(o.file)
		}
		o.damage, o.footer = []damage{lost("missing", at, 0)}, none
		if kind == "summary" {
			o.footer = may
		}
		return o
	}
}

func flipFooter(kind string, nth, n int) func(v variant) outcome {
	return func(v variant) outcome {
		o := flip(kind, nth, n)(v)
		o.events, o.footer = talk(v).events(), none
		// Of a footer the trailer alone is looked for, and the seek table is behind it.
		end := len(o.file)
		if kind != "trailer" {
			end = talk(v).at(talk(v).find("trailer", 0))
		}
		o.damage[0] = lost("corrupt", int(*o.damage[0].Offset), end-int(*o.damage[0].Offset))
		if kind == "summary" {
			o.footer = may
		}
		return o
	}
}

// Files without our headers: FORMAT.md section 11.
func bareCases() []testCase {
	return []testCase{
		{"bare", "zstd -dc a.spl | zstd", onlyPlain(), func(v variant) outcome {
			log, evs := logOf(talk(v))
			return outcome{file: compress(log), events: evs}
		}},
		{"bare-frames", "several frames that end inside events, and skippable frames of others", onlyPlain(), func(v variant) outcome {
			log, evs := logOf(talk(v))
			file := slices.Concat(foreign(magicForeign, "x"), compress(log[:100]), foreign(magicSeek, ""), compress(log[100:777]), compress(nil), compress(log[777:]))
			return outcome{file: file, events: evs}
		}},
		{"bare-two", "zstd -dc a.spl b.spl | zstd", onlyPlain(), func(v variant) outcome {
			a, evs := logOf(talk(v))
			b, more := logOf(otherSession(v))
			return outcome{file: compress(slices.Concat(a, b)), events: slices.Concat(evs, more)}
		}},
		{"bare-truncated", "cut inside its second frame", onlyPlain(), bareTruncated},
		{"bare-torn-event", "the log ends inside an event", onlyPlain(), func(v variant) outcome {
			log, evs := logOf(talk(v))
			return outcome{file: compress(log[:len(log)-8]), events: evs[:len(evs)-1], damage: []damage{{Kind: "torn"}}}
		}},
		{"bare-bad-event", "an event of impossible length", onlyPlain(), func(v variant) outcome {
			log, evs := logOf(single(v, at(1, typeTick, body{})))
			return outcome{file: compress(append(log, bytes.Repeat([]byte{0xFF}, 40)...)), events: evs, damage: []damage{{Kind: "corrupt"}}}
		}},
		{"bare-other", "zstd data that is no session", onlyPlain(), func(variant) outcome {
			return outcome{file: compress([]byte("some text that is long enough to be taken for an event if nobody looks")), err: notSession}
		}},
		{"log", "an uncompressed log", onlyPlain(), func(v variant) outcome {
			log, _ := logOf(talk(v))
			return outcome{file: log, err: notSession}
		}},
		{"zero-bytes", "an empty file", onlyPlain(), func(variant) outcome { return outcome{err: notSession} }},
		{"foreign-only", "nothing but skippable frames of others", onlyPlain(), func(variant) outcome { return outcome{file: foreign(magicForeign, "x"), err: notSession} }},
	}
}

// logOf is what zstd -dc gives for a section.
func logOf(s *section) (log []byte, evs []event) {
	evs = s.events()
	for _, e := range evs {
		log = e.append(log)
	}
	return log, evs
}

func bareTruncated(v variant) outcome {
	log, evs := logOf(talk(v))
	n := 0
	keep := 0
	for ; keep < 6; keep++ {
		n += len(evs[keep].append(nil))
	}
	second := compress(log[n:])
	return outcome{file: slices.Concat(compress(log[:n]), second[:len(second)/2]), events: evs[:keep], damage: []damage{{Kind: "torn"}}}
}

// What is wrong behind good checksums: FORMAT.md section 10, rule 4.
func contentCases() []testCase {
	cases := []testCase{}
	for _, c := range []struct {
		name, why string
		kind      string
		keep      int // events of the second chunk that are there
		make      func(s *section)
	}{
		{"event-length", "an event that is longer than its chunk", "corrupt", 1, badEvent(func(e []byte) { le.PutUint32(e, 64) })},
		{"event-length-huge", "an event of 2 GiB", "corrupt", 1, badEvent(func(e []byte) { le.PutUint32(e, 1<<31) })},
		{"event-length-small", "an event that is shorter than its header", "corrupt", 1, badEvent(func(e []byte) { le.PutUint32(e, 31) })},
		{"event-hlen-odd", "a header of nine words", "corrupt", 1, badEvent(func(e []byte) { e[5] = 9 })},
		{"event-hlen-short", "a DATA event with the header of another", "corrupt", 1, badEvent(func(e []byte) { e[4] = typeData })},
		{"count-more", "the header counts an event more", "corrupt", 2, tampered(func(f []byte) { le.PutUint32(f[28-16:], 3) })},
		{"count-less", "the header counts an event less", "corrupt", 2, tampered(func(f []byte) { le.PutUint32(f[28-16:], 1) })},
		{"raw-len", "raw_len is not the content size of the zstd frame", "corrupt", 0, tampered(func(f []byte) { le.PutUint32(f[24-16:], 72) })},
		{"raw-len-limit", "raw_len is over 64 MiB", "limit", 0, tampered(func(f []byte) { le.PutUint32(f[24-16:], 64<<20+1) })},
		{"no-checksum", "a zstd frame without a checksum", "corrupt", 0, packedAs(zstd.WithEncoderCRC(false))},
		{"two-frames", "two zstd frames in one chunk", "corrupt", 0, twoFrames},
		{"sets-too-long", "sets of ids that do not fit into their frame: the chunk may hold anything", "", 2, tampered(func(f []byte) { le.PutUint16(f[86-16:], 500) })},
	} {
		cases = append(cases, testCase{c.name, c.why, onlyPlain(), func(v variant) outcome {
			s := newSection(v, plainOptions())
			s.chunk([]event{started(s.opts)})
			c.make(s)
			s.chunk([]event{at(3, typeTick, body{})})
			o := outcome{file: s.close().bytes()}
			p := s.parts[2]
			o.events = slices.Concat(s.parts[1].events, p.events[:c.keep], s.parts[3].events)
			if c.kind != "" {
				o.damage = []damage{lost(c.kind, s.at(2), len(p.bytes))}
			}
			return o
		}})
	}
	return append(cases, testCase{"option-critical", "an event with an option that must be understood is passed over, the one behind it is read", onlyPlain(), criticalOption})
}

// pair are the events of the second chunk.
func pair() []event { return []event{at(1, typeTick, body{}), at(2, typeTick, body{})} }

func badEvent(tamper func(e []byte)) func(s *section) {
	return func(s *section) {
		evs := pair()
		raw := evs[0].append(nil)
		n := len(raw)
		raw = evs[1].append(raw)
		tamper(raw[n:])
		s.rawChunk(raw, compress(raw), evs)
	}
}

func criticalOption(v variant) outcome {
	s := newSection(v, plainOptions())
	s.chunk([]event{started(s.opts)})
	evs := pair()
	must := unknown(1, "must")
	must.flags = 1
	evs[0].flags, evs[0].options = flagOptions, list(must).raw
	s.chunk(evs)
	s.chunk([]event{at(3, typeTick, body{})})
	o := outcome{file: s.close().bytes()}
	o.events = slices.Concat(s.parts[1].events, evs[1:], s.parts[3].events)
	o.damage = []damage{lost("version", s.at(2), len(s.parts[2].bytes))}
	return o
}

func tampered(edit func(f []byte)) func(s *section) {
	return func(s *section) { s.chunk(pair(), edit) }
}

func rawPair() (evs []event, raw []byte) {
	evs = pair()
	return evs, evs[1].append(evs[0].append(nil))
}

func packedAs(o zstd.EOption) func(s *section) {
	return func(s *section) {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true), o)
		if err != nil {
			panic(err) // options are constant
		}
		evs, raw := rawPair()
		s.rawChunk(raw, enc.EncodeAll(raw, nil), evs)
	}
}

func twoFrames(s *section) {
	evs, raw := rawPair()
	s.rawChunk(raw, slices.Concat(compress(raw[:32]), compress(raw[32:])), evs)
}
