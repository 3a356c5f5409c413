package conformance

import "slices"

// testCase makes the files <name>-<variant>.spl.
type testCase struct {
	name     string
	why      string
	variants []variant
	make     func(v variant) outcome
}

// outcome is a file and what a reader must make of it.
type outcome struct {
	file   []byte
	events []event
	damage []damage
	lies   []damage
	footer string // "" for: agrees if the variant has one
	err    string
}

// The forms that most cases are made in.
func plainAndFooter() []variant { return []variant{{}, {footer: true, seek: true}} }

func allForms() []variant {
	return []variant{{}, {footer: true}, {footer: true, seek: true}, {foreign: true}, {footer: true, seek: true, foreign: true}}
}

func onlyPlain() []variant { return []variant{{}} }

func onlyFooter() []variant { return []variant{{footer: true, seek: true}} }

// What a footer is good for in a file.
const (
	agrees = "agrees" // the file opens by its end, and that says what a scan says
	may    = "may"    // whether it opens by its end depends on how much a reader checks then
	none   = "none"   // the file must be scanned
)

// cases are all there are.
func cases() []testCase {
	return slices.Concat(plainCases(), growthCases(), payloadCases(), sectionCases(), refusedCases(), damageCases(), brokenCases(), bareCases(), contentCases(), lyingCases(), sealedCases())
}

// whole is the outcome of sections that are as they should be.
func whole(ss ...*section) outcome {
	var o outcome
	for _, s := range ss {
		o.file = append(o.file, s.bytes()...)
		o.events = append(o.events, s.events()...)
	}
	return o
}

// lost is damage at a place in a file.
func lost(kind string, offset, size int) damage {
	at, n := int64(offset), int64(size)
	return damage{Kind: kind, Offset: &at, Size: &n}
}

// sessionUUID is that of all sessions but the second of a file.
func sessionUUID() [16]byte { return [16]byte{0x5e, 0x55, 0x10, 6: 0x40, 8: 0x80, 15: 1} }

// sessionBody is the SESSION payload of a conformance file.
func sessionBody() body {
	return list(
		text(1, "writer", "conformance 1.0"), text(2, "host", "vm"), text(3, "kernel", "Linux 6.1"), text(4, "arch", "x86_64"),
		item(5, "command", "spliff"), item(5, "command", "record"), text(6, "filter", "pid 101"),
		uuid(7, "uuid", sessionUUID()), signed(8, "wall", wallStart), number(9, "mono", clockStart), signed(10, "utc_offset", -3600),
	)
}

func plainOptions() sectionOptions {
	return sectionOptions{uuid: sessionUUID(), session: sessionBody()}
}

// started is the SESSION event of a section.
func started(o sectionOptions) event {
	e := at(o.firstSeq, typeSession, o.session)
	e.time = clockStart
	if o.fileNo > 0 {
		e.flags = flagRepeat
	}
	return e
}

// The definitions that most sessions have.
func probe(n uint64) event {
	return at(n, typeProbe, list(number(1, "id", 1), text(2, "library", "openssl"), text(3, "path", "/usr/lib/libssl.so.3"), item(5, "site", "SSL_read+0: symbol")))
}

func proc(n uint64, pid uint64) event {
	return at(n, typeProc, list(number(1, "pid", pid), text(5, "comm", "curl"), item(7, "arg", "curl"), item(7, "arg", "")))
}

func conn(n uint64, pid uint64) event {
	e := at(n, typeConn, list(number(1, "pid", pid), number(5, "role", 1), address(8, "remote", "192.0.2.1:443"), text(9, "alpn", "http/1.1")))
	e.conn, e.tid, e.probe = 1, 101, 1
	return e
}

func ended(n uint64, count uint64) event {
	return at(n, typeEnd, list(text(1, "reason", "interrupt"), number(2, "events", count)))
}

// conversation is the session that most cases are about: one connection in three
// chunks, which stand alone because definitions are repeated.
func conversation(v variant, o sectionOptions) *section {
	s := newSection(v, o)
	hand := at(4, typeHandshake, handshake(true, 2_000_000)).of(1)
	request := data(5, written, 0, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	s.chunk([]event{started(o), probe(1), proc(2, 101), conn(3, 101), hand, request})
	gap := at(7, typeDrop, drop(1, 1, 10, 19)).of(1)
	gap.dir = read
	over := at(9, typeConnEnd, connEnd(1, true, 35, 29, 0, 10)).of(1)
	s.chunk([]event{probe(1).repeated(6), proc(2, 101).repeated(6), conn(3, 101).repeated(6), data(6, read, 0, "HTTP/1.1 200 OK\r\n\r\n"), gap,
		at(8, typeClock, clock(wallStart+8000, clockStart+8000)), over})
	s.chunk([]event{proc(2, 101).repeated(10), at(10, typeProcEnd, procEnd(101)), ended(11, 11)})
	return s.close()
}

// talk is the conversation as it should be.
func talk(v variant) *section { return conversation(v, plainOptions()) }

// single is a session of one chunk, with the events given after the SESSION event.
func single(v variant, evs ...event) *section {
	s := newSection(v, plainOptions())
	s.chunk(append([]event{started(s.opts)}, evs...))
	return s.close()
}

func plainCases() []testCase {
	return []testCase{
		{"conversation", "one connection in three chunks; definitions are repeated in each", allForms(), func(v variant) outcome { return whole(talk(v)) }},
		{"header-only", "the recorder was killed before its first chunk: the SESSION event is made from the file header", plainAndFooter(), headerOnly},
		{"empty", "a session of a SESSION and an END event", plainAndFooter(), func(v variant) outcome { return whole(single(v, ended(1, 1))) }},
		{"no-end", "a writer that was told no END event closes all the same: status 0", plainAndFooter(), func(v variant) outcome {
			return whole(single(v, at(1, typeClock, clock(wallStart, clockStart))))
		}},
		{"many-chunks", "two dozen chunks of one event", append(plainAndFooter(), variant{footer: true, foreign: true}), manyChunks},
		{"big-chunk", "3 MiB of events in one chunk", plainAndFooter(), bigChunk},
		{"large-event", "a DATA event of 200,000 bytes between small ones", onlyPlain(), largeEvent},
		{"seq-wide", "seq beyond 32 bits, and across the border of them inside a chunk", plainAndFooter(), wideSeq},
		{"many-conns", "conns and processes with gaps between their numbers: sets of several ranges, some of many ids", plainAndFooter(), manyConns},
		{"undefined-conn", "events of a conn, a process and a probe that no event describes", plainAndFooter(), undefinedConn},
	}
}

func headerOnly(v variant) outcome {
	s := newSection(v, plainOptions()).close()
	return outcome{file: s.bytes(), events: []event{started(s.opts)}}
}

func manyChunks(v variant) outcome {
	s := newSection(v, plainOptions())
	s.chunk([]event{started(s.opts)})
	for n := uint64(1); n < 24; n++ {
		s.chunk([]event{at(n, typeClock, clock(wallStart+int64(n), clockStart+n))})
	}
	return whole(s.close())
}

func bigChunk(v variant) outcome {
	pattern := slices.Repeat([]byte("sixteen bytes..."), 1<<16)
	evs := []event{proc(1, 101), conn(2, 101)}
	for i := range uint64(3) {
		evs = append(evs, data(3+i, written, i<<20, string(pattern)))
	}
	return whole(single(v, evs...))
}

func largeEvent(v variant) outcome {
	return whole(single(v, proc(1, 101), conn(2, 101), data(3, written, 0, "a"), data(4, written, 1, string(make([]byte, 200_000))), data(5, written, 200_001, "b")))
}

func wideSeq(v variant) outcome {
	const border = 1 << 32
	o := plainOptions()
	o.firstSeq = border - 2
	s := newSection(v, o)
	s.chunk([]event{started(o), at(border-1, typeTick, body{}), at(border, typeTick, body{}), at(border, typeTick, body{}), at(border+5, typeTick, body{})})
	s.chunk([]event{at(7*border+1, typeTick, body{}), at(7*border+1<<31, typeTick, body{})})
	return whole(s.close())
}

func manyConns(v variant) outcome {
	s := newSection(v, plainOptions())
	evs := []event{started(s.opts)}
	n := uint64(1)
	for _, pid := range []uint64{7, 300, 301, 302, 4_000_000} {
		evs = append(evs, proc(n, pid))
		n++
	}
	s.chunk(evs)
	evs = nil
	for _, id := range []uint32{1, 2, 3, 5, 200, 201, 4_294_967_295} {
		evs = append(evs, conn(n, 300).of(id), data(n+1, written, 0, "x").of(id))
		n += 2
	}
	s.chunk(append([]event{proc(3, 300).repeated(evs[0].seq)}, evs...))
	return whole(s.close())
}

func undefinedConn(v variant) outcome {
	orphan := conn(2, 999).of(8)
	orphan.probe = 77
	return whole(single(v, data(1, read, 1000, "mid-stream").of(7), orphan, at(3, typeProcEnd, procEnd(998)), at(4, typeConnEnd, connEnd(0, false, 0, 0, 0, 0)).of(6)))
}
