package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/NoFear0411/spliff/format"
	"github.com/foxglove/mcap/go/mcap"
)

// suite is a corpus, the files made of it, and the rows of the table.
type suite struct {
	corpus *corpus
	spl    []byte
	mcap   []byte
	bare   *bare
	sum    uint64 // keeps the compiler from leaving out the reads of payloads

	zstdEncode, splWrite, mcapWrite    row
	zstdDecode, splRead                row
	mcapLexer, mcapReader, mcapIndexed row
	appendEvents, appendCopy           row
}

func newSuite(c *corpus) (*suite, error) {
	s := &suite{corpus: c}
	var spl, mc bytes.Buffer
	if err := writeSpliff(c, &spl); err != nil {
		return nil, err
	}
	if err := writeMCAP(c, &mc); err != nil {
		return nil, err
	}
	s.spl, s.mcap = spl.Bytes(), mc.Bytes()
	b, err := newBare(s.spl)
	if err != nil {
		return nil, err
	}
	s.bare = b
	s.fill()
	return s, nil
}

// fill sets the rows. Files are written to nowhere and read from memory: what a
// disk costs is the same for all.
func (s *suite) fill() {
	spl, mc := int64(len(s.spl)), int64(len(s.mcap))
	whole := func(name string, size int64, run func() error) row {
		return row{name: name, size: size, events: len(s.corpus.items), payload: s.corpus.payload, run: run}
	}
	s.zstdEncode = whole("zstd encode", s.bare.size, s.bare.encode)
	s.splWrite = whole("spliff write", spl, func() error { return writeSpliff(s.corpus, io.Discard) })
	s.mcapWrite = whole("mcap write", mc, func() error { return writeMCAP(s.corpus, io.Discard) })
	s.zstdDecode = whole("zstd decode", s.bare.size, s.bare.decode)
	s.splRead = whole("spliff read", spl, func() error { return readSpliff(s.spl, s.touchEvent) })
	s.mcapLexer = whole("mcap read, lexer", mc, func() error { return lexMCAP(s.mcap, s.touchMessage) })
	s.mcapReader = whole("mcap read, linear", mc, func() error { return readMCAP(s.mcap, false, s.touchMessage) })
	s.mcapIndexed = whole("mcap read, indexed", mc, func() error { return readMCAP(s.mcap, true, s.touchMessage) })
	a := newAppender(s.corpus)
	s.appendEvents = row{name: "spliff Append", events: a.data, payload: a.payload, times: appendTimes, prepare: a.ready, run: a.events}
	s.appendCopy = row{name: "copy", events: a.data, payload: a.payload, times: appendTimes, run: a.copies}
}

func (s *suite) rows() []*row {
	return []*row{&s.zstdEncode, &s.splWrite, &s.mcapWrite, &s.zstdDecode, &s.splRead, &s.mcapLexer, &s.mcapReader, &s.mcapIndexed,
		&s.appendEvents, &s.appendCopy}
}

// touch is what every reader does with a payload.
func (s *suite) touch(p []byte) {
	if len(p) > 0 {
		s.sum += uint64(p[0]) + uint64(p[len(p)-1])
	}
}

func (s *suite) touchEvent(ev *format.Event) error {
	s.touch(ev.Payload)
	return nil
}

func (s *suite) touchMessage(m *mcap.Message) error {
	s.touch(m.Data[prefixLen:])
	return nil
}

// check proves, before anything is timed, that both files hold all of the corpus
// and that all readers give it back.
func (s *suite) check() error {
	n := 0
	err := readSpliff(s.spl, func(ev *format.Event) error {
		var want format.Event
		s.corpus.event(n, &want)
		n++
		payload := bytes.Equal(ev.Payload, want.Payload)
		ev.Payload, want.Payload = nil, nil
		if !payload || fmt.Sprint(*ev) != fmt.Sprint(want) {
			return fmt.Errorf("event %d of the session is %v, want %v", n, *ev, want)
		}
		return nil
	})
	if err == nil && n != len(s.corpus.items) {
		err = fmt.Errorf("the session has %d events, want %d", n, len(s.corpus.items))
	}
	if err != nil {
		return err
	}
	for _, read := range []func(see func(*mcap.Message) error) error{
		func(see func(*mcap.Message) error) error { return lexMCAP(s.mcap, see) },
		func(see func(*mcap.Message) error) error { return readMCAP(s.mcap, false, see) },
		func(see func(*mcap.Message) error) error { return readMCAP(s.mcap, true, see) },
	} {
		if err := s.checkMCAP(read); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) checkMCAP(read func(see func(*mcap.Message) error) error) error {
	n := 0
	next := func() {
		for n < len(s.corpus.items) && s.corpus.items[n].typ == format.TypeConn {
			n++
		}
	}
	err := read(func(m *mcap.Message) error {
		next()
		if n == len(s.corpus.items) {
			return fmt.Errorf("the MCAP file has more messages than the corpus")
		}
		it := &s.corpus.items[n]
		if !bytes.Equal(m.Data, s.corpus.prefixed(n)) || m.LogTime != it.time || m.Sequence != uint32(it.seq) {
			return fmt.Errorf("message %d of the MCAP file is not what was written", n)
		}
		n++
		return nil
	})
	if next(); err == nil && n != len(s.corpus.items) {
		err = fmt.Errorf("the MCAP file has %d events, want %d", n, len(s.corpus.items))
	}
	return err
}
