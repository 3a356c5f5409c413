package conformance

import (
	"bytes"
	"slices"
)

// The conversation, struck: FORMAT.md section 10.
func damageCases() []testCase {
	return []testCase{
		{"truncated-header", "cut inside the file header: nothing is left", onlyPlain(), func(v variant) outcome {
			return outcome{file: talk(v).bytes()[:60], err: notSession, footer: none}
		}},
		{"truncated-chunk-header", "cut inside the header of the second chunk", plainAndFooter(), cut("chunk", 1, 50)},
		{"truncated-chunk", "cut inside the second chunk", plainAndFooter(), cut("chunk", 1, 200)},
		{"truncated-first-chunk", "cut inside the first chunk: the SESSION event is made from the file header", plainAndFooter(), cut("chunk", 0, 200)},
		{"truncated-magic", "cut two bytes into a frame", plainAndFooter(), cut("chunk", 2, 2)},
		{"truncated-between", "cut between two chunks: that is a recorder that was killed, and no damage", plainAndFooter(), cut("chunk", 2, 0)},
		{"truncated-index", "cut inside the index", onlyFooter(), cut("index", 0, 70)},
		{"truncated-summary", "cut inside the summary", onlyFooter(), cut("summary", 0, 30)},
		{"truncated-trailer", "cut inside the trailer", onlyFooter(), cut("trailer", 0, 119)},
		{"truncated-seek", "cut inside the seek table", onlyFooter(), cut("seek", 0, 20)},
		{"flipped-header", "a bit flipped in the file header", plainAndFooter(), flip("header", 0, 30)},
		{"flipped-chunk-header", "a bit flipped in the header of the second chunk", plainAndFooter(), flip("chunk", 1, 33)},
		{"flipped-magic", "a bit flipped in the magic of the second chunk", plainAndFooter(), flip("chunk", 1, 1)},
		{"flipped-size", "a bit flipped in the size of the second chunk's header: it reaches beyond the file", plainAndFooter(), flip("chunk", 1, 5)},
		{"flipped-tag", "a bit flipped in the tag of the second chunk's header", plainAndFooter(), flip("chunk", 1, 11)},
		{"flipped-chunk", "a bit flipped in the zstd frame of the second chunk", allForms(), flip("chunk", 1, 160)},
		{"flipped-first-chunk", "a bit flipped in the first chunk: the SESSION event is made from the file header", plainAndFooter(), flip("chunk", 0, 160)},
		{"flipped-last-chunk", "a bit flipped in the last chunk", plainAndFooter(), flip("chunk", 2, 130)},
		{"missing-chunk", "the second chunk is not there", plainAndFooter(), without("missing", "chunk", 1)},
		{"missing-first-chunk", "the first chunk is not there: the SESSION event is made from the file header", plainAndFooter(), without("missing", "chunk", 0)},
		{"missing-last-chunk", "the last chunk is not there, which only a trailer can tell", plainAndFooter(), missingLast},
		{"missing-header", "the file header is not there", plainAndFooter(), without("missing", "header", 0)},
		{"missing-header-and-chunk", "neither file header nor first chunk are there: a SESSION event without elements is made", onlyPlain(), missingStart},
		{"missing-header-second", "the file header of the second section is not there", plainAndFooter(), missingSecondHeader},
		{"missing-chunks-and-header", "a file header whose chunks are not there, then a section without its header", plainAndFooter(), missingMiddle},
		{"struck-chunk-header", "the header of the second chunk is not there, its zstd frame is", plainAndFooter(), struckHeader},
		{"junk-before", "bytes of no meaning before all", plainAndFooter(), junk("header", 0)},
		{"junk-between", "bytes of no meaning between two chunks", plainAndFooter(), junk("chunk", 1)},
		{"junk-behind", "bytes of no meaning behind all", plainAndFooter(), junkBehind},
		{"bytes-lost", "bytes lost in the second chunk: what follows is nearer than its header says", plainAndFooter(), bytesLost},
		{"bytes-added", "bytes added in the second chunk: what follows is farther than its header says", plainAndFooter(), bytesAdded},
		{"foreign-cut", "a skippable frame of somebody else that reaches beyond the file: a torn end", onlyPlain(), foreignCut},
		{"embedded", "a damaged chunk whose plaintext is a session file: nothing of that is an event of this one", plainAndFooter(), embedded},
		{"embedded-header", "the header of a chunk is struck whose plaintext is a session file: a search must not take that for the next section", plainAndFooter(), embeddedHeader},
	}
}

const notSession = "not a session"

// chunksBut returns the events of the chunks of s but those with the numbers
// given, with a SESSION event made from the header if the first is one of them.
func chunksBut(s *section, gone ...int) []event {
	var evs []event
	no := 0
	for _, p := range s.parts {
		if p.kind != "chunk" {
			continue
		}
		if !slices.Contains(gone, no) {
			evs = append(evs, p.events...)
		} else if no == 0 {
			evs = append(evs, started(s.opts))
		}
		no++
	}
	return evs
}

// cut makes a file that ends n bytes into a part.
func cut(kind string, nth, n int) func(v variant) outcome {
	return func(v variant) outcome {
		s := talk(v)
		i := s.find(kind, nth)
		begin := s.at(i)
		o := outcome{file: s.bytes()[:begin+n], footer: none}
		var gone []int
		if kind == "chunk" {
			for no := nth; no < 3; no++ {
				gone = append(gone, no)
			}
		}
		o.events = chunksBut(s, gone...)
		if n > 0 {
			o.damage = []damage{lost("torn", begin, n)}
		}
		return o
	}
}

// flip makes a file with one bit flipped, n bytes into a part.
func flip(kind string, nth, n int) func(v variant) outcome {
	return func(v variant) outcome {
		s := talk(v)
		i := s.find(kind, nth)
		p := s.parts[i]
		o := outcome{file: s.bytes(), damage: []damage{lost("corrupt", s.at(i), len(p.bytes))}, footer: none}
		o.file[s.at(i)+n] ^= 0x10
		if kind == "header" {
			o.events = s.events()
			return o
		}
		o.events = chunksBut(s, nth)
		if v.footer {
			o.footer = may
		}
		return o
	}
}

// without makes a file from which a part was cut out.
func without(what, kind string, nth int) func(v variant) outcome {
	return func(v variant) outcome {
		s := talk(v)
		i := s.find(kind, nth)
		b := s.bytes()
		begin := s.at(i)
		o := outcome{file: slices.Delete(b, begin, begin+len(s.parts[i].bytes)), damage: []damage{lost(what, begin, 0)}, footer: none}
		o.events = s.events()
		if kind == "chunk" {
			o.events = chunksBut(s, nth)
		}
		return o
	}
}

func missingLast(v variant) outcome {
	o := without("missing", "chunk", 2)(v)
	if !v.footer {
		o.damage = nil
		return o
	}
	// The trailer is what tells; the place is where it says so.
	at := int64(bytes.Index(o.file, []byte("SPLT")) - 8)
	o.damage[0].Offset = &at
	return o
}

func missingStart(v variant) outcome {
	s := talk(v)
	made := event{typ: typeSession, body: list()}
	return outcome{file: s.bytes()[s.at(s.find("chunk", 1)):], events: append([]event{made}, chunksBut(s, 0)[1:]...), damage: []damage{lost("missing", 0, 0)}}
}

func missingSecondHeader(v variant) outcome {
	s := talk(v)
	whole, head := s.bytes(), len(s.parts[0].bytes)
	return outcome{file: slices.Concat(whole, whole[head:]), events: slices.Concat(s.events(), s.events()), damage: []damage{lost("missing", len(whole), 0)}, footer: none}
}

func missingMiddle(v variant) outcome {
	a, b := talk(v), otherSession(v)
	head := a.parts[0].bytes
	return outcome{file: slices.Concat(head, b.bytes()[len(b.parts[0].bytes):]), events: append([]event{started(a.opts)}, b.events()...),
		damage: []damage{lost("missing", len(head), 0)}, footer: none}
}

func struckHeader(v variant) outcome {
	s := talk(v)
	i := s.find("chunk", 1)
	begin, p := s.at(i), s.parts[i]
	return outcome{file: slices.Delete(s.bytes(), begin, begin+p.head), events: chunksBut(s, 1), damage: []damage{lost("corrupt", begin, len(p.bytes)-p.head)}, footer: none}
}

// nonsense holds a magic number, but no frame.
func nonsense() []byte { return []byte("\x53\x2a\x4d\x18\x09\x00nonsense, SPLC and SPLF\x53\x2a\x4d") }

func junk(kind string, nth int) func(v variant) outcome {
	return func(v variant) outcome {
		s := talk(v)
		at := s.at(s.find(kind, nth))
		o := outcome{file: slices.Insert(s.bytes(), at, nonsense()...), events: s.events(), damage: []damage{lost("corrupt", at, len(nonsense()))}, footer: none}
		return o
	}
}

func junkBehind(v variant) outcome {
	s := talk(v)
	b := s.bytes()
	return outcome{file: append(b, nonsense()...), events: s.events(), damage: []damage{lost("corrupt", len(s.bytes()), len(nonsense()))}, footer: none}
}

func bytesLost(v variant) outcome {
	s := talk(v)
	i := s.find("chunk", 1)
	begin, n := s.at(i), len(s.parts[i].bytes)
	return outcome{file: slices.Delete(s.bytes(), begin+150, begin+170), events: chunksBut(s, 1), damage: []damage{lost("corrupt", begin, n-20)}, footer: none}
}

func bytesAdded(v variant) outcome {
	s := talk(v)
	i := s.find("chunk", 1)
	begin, n := s.at(i), len(s.parts[i].bytes)
	return outcome{file: slices.Insert(s.bytes(), begin+150, nonsense()...), events: chunksBut(s, 1), damage: []damage{lost("corrupt", begin, n+len(nonsense()))}, footer: none}
}

func foreignCut(v variant) outcome {
	s := talk(v)
	begin := s.at(s.find("chunk", 1))
	bogus := foreign(magicForeign, "somebody")
	le.PutUint32(bogus[4:], 1<<30)
	file := slices.Insert(s.bytes(), begin, bogus...)
	return outcome{file: file, events: s.parts[s.find("chunk", 0)].events, damage: []damage{lost("torn", begin, len(file)-begin)}, footer: none}
}

// withEmbedded has a chunk, its second, that zstd kept as it is, with a session in it.
func withEmbedded(v variant) (s *section, inner []byte) {
	inner = otherSession(variant{}).bytes()
	s = newSection(v, plainOptions())
	s.chunk([]event{started(s.opts)})
	evs := []event{data(1, written, 0, string(inner))}
	raw := evs[0].append(nil)
	s.rawChunk(raw, stored(raw), evs)
	s.chunk([]event{at(2, typeTick, body{})})
	return s.close(), inner
}

func embedded(v variant) outcome {
	s, inner := withEmbedded(v)
	i := s.find("chunk", 1)
	p, begin := s.parts[i], s.at(i)
	// Three bytes more before the embedded file: nothing follows where the header says.
	at := bytes.Index(p.bytes, inner)
	return outcome{file: slices.Insert(s.bytes(), begin+at, 1, 2, 3), events: chunksBut(s, 1), damage: []damage{lost("corrupt", begin, len(p.bytes)+3)}, footer: none}
}

// embeddedHeader strikes the header of that chunk, so that only a search finds the
// next one, and the file header in the plaintext before it.
func embeddedHeader(v variant) outcome {
	s, _ := withEmbedded(v)
	i := s.find("chunk", 1)
	b, begin := s.bytes(), s.at(i)
	b[begin+40] ^= 1
	return outcome{file: b, events: chunksBut(s, 1), damage: []damage{lost("corrupt", begin, len(s.parts[i].bytes))}, footer: may}
}

// stored is one zstd frame of a block that is not compressed. RFC 8878 §3.1.1.
func stored(raw []byte) []byte {
	packed := compress(raw)
	b := le.AppendUint32(nil, 0xFD2FB528)
	b = append(b, 0xA4) // 4 bytes of content size, single segment, checksum
	b = le.AppendUint32(b, uint32(len(raw)))
	head := uint32(len(raw))<<3 | 1
	b = append(b, byte(head), byte(head>>8), byte(head>>16))
	return slices.Concat(b, raw, packed[len(packed)-4:])
}
