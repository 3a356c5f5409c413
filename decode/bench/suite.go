package main

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// suite is a corpus and the rows of the table that read it.
type suite struct {
	corpus *corpus
	rows   []*row
	ours   *row // decoding and pairing, no bodies kept
	bodies *row // the same, bodies kept
	std    *row // Go's own
	c      *row // nghttp2; HTTP/2 only
	tshark *row
	show   *row // spliff show --json, the file and all
	one    *row // the same on two cores with one worker, which is none
	two    *row // … with two
	both   *row // two processes of one core each at once, for one of them
}

// newSuite prepares the rows. Those whose tool is not there say so.
func newSuite(c *corpus, o options) (*suite, error) {
	s := &suite{corpus: c}
	s.ours = s.add("spliff: exchanges, no bodies kept", func() error { return s.engine(-1, 0) })
	s.bodies = s.add("spliff: exchanges, bodies kept", func() error { return s.engine(0, 0) })
	if c.protocol == h1 {
		s.std = s.add("Go net/http", s.netHTTP)
	} else {
		s.std = s.add("Go Framer + x/net hpack", s.framer)
		s.c = s.child("nghttp2: frame loop and inflater (C)", s.nghttp2)
		if err := s.prepareNghttp2(o.dir); err != nil {
			s.c.skip = err.Error()
		}
	}
	s.tshark = s.child("tshark", s.runTshark)
	s.show = s.child("`spliff show --json`, one core", func() (cost, error) { return s.runShow(o.spliff, 1, 0) })
	s.one = s.child("`spliff show --json -t 1`, two cores", func() (cost, error) { return s.runShow(o.spliff, 2, 1) })
	s.two = s.child("`spliff show --json -t 2`, two cores", func() (cost, error) { return s.runShow(o.spliff, 2, 2) })
	s.both = s.child("`spliff show --json`, one core each, two at once", func() (cost, error) { return s.runBoth(o.spliff) })
	if o.spliff == "" {
		for _, r := range []*row{s.show, s.one, s.two, s.both, s.tshark} {
			r.skip = "no spliff was named"
		}
	} else if err := s.prepareTshark(o); err != nil {
		s.tshark.skip = err.Error()
	}
	return s, nil
}

// add makes a row of this process.
func (s *suite) add(name string, run func() error) *row {
	return s.child(name, func() (cost, error) { return here(run) })
}

// child makes a row that measures by itself.
func (s *suite) child(name string, run func() (cost, error)) *row {
	r := &row{name: name, exchanges: s.corpus.exchanges, bytes: s.corpus.bytes, run: run}
	s.rows = append(s.rows, r)
	return r
}

// engine decodes the corpus in the order of its events, all connections at once,
// and pairs requests with responses: what every command of spliff does.
func (s *suite) engine(body, workers int) error {
	c := s.corpus
	n := 0
	e := replay.New(replay.Options{Workers: workers, Limits: decode.Limits{Body: body}, Transient: true}, func(it *replay.Item) error {
		if it.Kind == replay.ItemExchange {
			x := it.Exchange
			if x.Request == nil || x.Response == nil || x.Response.Status != 200 || len(x.Request.Header) < 8 {
				return fmt.Errorf("exchange %d is not whole", x.ID)
			}
			n++
		}
		return nil
	})
	ev := format.Event{Type: format.TypeData, Probe: probeOpen, TID: serverPID}
	for i := range c.items {
		it := &c.items[i]
		ev.Seq, ev.Time, ev.Dir, ev.Conn, ev.Offset, ev.Dur = uint64(i+1), it.time, it.dir, it.conn, it.off, it.dur
		ev.Payload = c.payload(it)
		if err := e.Push(&ev); err != nil {
			return err
		}
	}
	if _, err := e.Close(); err != nil {
		return err
	}
	return s.all(n)
}

// all is an error unless n exchanges were found.
func (s *suite) all(n int) error {
	if n != s.corpus.exchanges {
		return fmt.Errorf("%d exchanges, want %d", n, s.corpus.exchanges)
	}
	return nil
}
