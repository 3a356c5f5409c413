package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/NoFear0411/spliff/decode"
	codings "github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/replay"
)

// runExtract writes one decoded body, byte for byte. The bytes are captured
// data: they go to a file or a pipe, never to a terminal.
func runExtract(ctx context.Context, e *env, names []string, ids idSet, o *showOptions, engine replay.Options) error {
	switch {
	case o.extract == "":
		return usagef("-o is for --extract: the list and the details go to stdout")
	case o.extract != "request" && o.extract != "response":
		return usagef("--extract %s: give request or response", o.extract)
	case len(ids) != 1:
		return usagef("--extract wants the number of one exchange, got %d", len(ids))
	}
	if err := e.refuseTerminal("a body", o.out); err != nil {
		return err
	}
	out, err := e.createOutput(o.out, o.force)
	if err != nil {
		return err
	}
	defer out.discard()
	in, err := o.open(e, names, out)
	if err != nil {
		return err
	}
	defer in.close()
	sink := &extractSink{e: e, out: out, response: o.extract == "response"}
	err = in.pick(ctx, e, engine, ids, export.Decoded(sink, int(o.maxBody)))
	var exit exitError
	damaged := errors.As(err, &exit) && exit.code == exitDamaged
	if err != nil && !damaged {
		return err
	}
	// Damage elsewhere in the session takes nothing from a body that was found.
	if damaged && !sink.found {
		return err
	}
	if ferr := out.finish(); ferr != nil || damaged {
		return errors.Join(ferr, err)
	}
	// The file stays, for what is in it is true; the code tells scripts that it
	// is not the body that was sent.
	if sink.partial {
		return exitError{code: exitDamaged}
	}
	return nil
}

// extractSink writes the body of the one exchange it is given.
type extractSink struct {
	e        *env
	out      *output
	response bool
	found    bool // the exchange was there and has the half asked for
	partial  bool // the body written is not the body sent
}

func (s *extractSink) Item(it *replay.Item) error {
	if it.Kind != replay.ItemExchange {
		return nil
	}
	// An exchange lacks a half when the recording began or ended inside it.
	m, what := it.Exchange.Request, "request"
	if s.response {
		m, what = it.Exchange.Response, "response"
	}
	if m == nil {
		return exitError{exitNegative, fmt.Errorf("exchange %d has no %s", it.Exchange.ID, what)}
	}
	s.found = true
	for _, why := range partial(m) {
		s.partial = true
		s.e.say("spliff: show: the %s body of exchange %d is not whole: %s", what, it.Exchange.ID, why)
	}
	body := m.Body.Content
	if m.Body.ContentErr != "" && len(body) == 0 {
		body = m.Body.Data // as sent: nothing of it could be decoded
	}
	_, err := s.out.Write(body)
	return err
}

// Close has nothing to do: runExtract finishes the output.
func (s *extractSink) Close() error { return nil }

// partial lists why a body as kept differs from the body as sent.
func partial(m *decode.Message) []string {
	var why []string
	if m.Body.Lost > 0 {
		why = append(why, count(m.Body.Lost, "byte")+" missing from the recording")
	}
	if m.Flags&decode.Incomplete != 0 {
		why = append(why, "its end was not seen")
	}
	if m.Body.Cut || m.Body.ContentCut {
		why = append(why, "it is longer than --max-body")
	}
	switch kind := decode.AnomalyKind(m.Body.ContentErr); kind {
	case "":
	case codings.ErrMismatch:
		why = append(why, "its content coding is not the one named ("+m.Body.ContentErr+")")
	case codings.ErrHeader:
		why = append(why, "its gzip header is wrong ("+m.Body.ContentErr+")")
	default:
		why = append(why, "its content coding could not be undone ("+m.Body.ContentErr+")")
	}
	return why
}
