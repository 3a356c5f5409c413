package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// idSet holds the exchange numbers asked for and not seen yet.
type idSet map[uint64]bool

// missing returns the error that names the numbers the session does not have.
func (ids idSet) missing(session string, last uint64) error {
	if len(ids) == 0 {
		return nil
	}
	var names []string
	for id := range ids {
		names = append(names, fmt.Sprint(id))
	}
	slices.Sort(names)
	has := "it has none"
	if last > 0 {
		has = fmt.Sprintf("it has 1 to %d", last)
	}
	return exitError{exitNegative, fmt.Errorf("no exchange %s in %s: %s", strings.Join(names, ", "), session, has)}
}

// pick hands only the exchanges of ids, and what describes the session, to
// sink, and stops reading when it has them all.
//
// Reading on would only find damage behind what was asked for; so the exit code
// tells of what came before it.
func (in *input) pick(ctx context.Context, e *env, o replay.Options, ids idSet, sink export.Sink) error {
	p := &picker{Sink: sink, ids: ids}
	err := in.decode(ctx, e, o, export.Collected(p, export.CollectLimits{}).Item)
	if cerr := sink.Close(); err == nil {
		err = cerr
	}
	if ferr := in.out.Flush(); err == nil {
		err = ferr
	}
	if m := ids.missing(in.name, p.last); m != nil && err == nil {
		return m
	}
	return err
}

// picker lets the exchanges of ids through, and ends the reading after the last. It
// stands behind the collector, which must see the end of every exchange.
type picker struct {
	export.Sink
	ids  idSet
	last uint64 // highest number seen
}

func (p *picker) Item(it *replay.Item) error {
	if it.Kind == replay.ItemExchange {
		p.last = it.Exchange.ID
		if !p.ids[p.last] {
			return nil
		}
		delete(p.ids, p.last)
	}
	if err := p.Sink.Item(it); err != nil {
		return err
	}
	if len(p.ids) == 0 {
		return errEnough
	}
	return nil
}

// detailSink prints each exchange in full.
type detailSink struct {
	out     *output
	o       export.TextOptions
	session *format.Session
}

func (s *detailSink) Item(it *replay.Item) error {
	switch it.Kind {
	case replay.ItemSession:
		s.session = it.Session
	case replay.ItemExchange:
		return export.Detail(s.out, it.Exchange, s.session, s.o)
	}
	return nil
}

// Close has nothing to do: each exchange was written whole.
func (s *detailSink) Close() error { return nil }

// listSink is the table, and counts for the line below it.
type listSink struct {
	export.Sink
	shown, gapped int
}

func (s *listSink) Item(it *replay.Item) error {
	if ex := it.Exchange; it.Kind == replay.ItemExchange {
		s.shown++
		if gapped(ex.Request) || gapped(ex.Response) {
			s.gapped++
		}
	}
	return s.Sink.Item(it)
}

// gapped tells whether bytes of m are missing; a message that is not there has none.
func gapped(m *decode.Message) bool { return m != nil && m.Flags&decode.Gapped != 0 }

// footer is said on a terminal after the list.
func (s *listSink) footer(names []string) string {
	if s.shown == 0 {
		return "no exchange in this session"
	}
	line := count(s.shown, "exchange")
	if s.gapped > 0 {
		line += fmt.Sprintf(" · %d with missing bytes", s.gapped)
	}
	return line + fmt.Sprintf(" · spliff show %s %d for detail", shellWords(names), s.shown)
}
