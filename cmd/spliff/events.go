package main

import (
	"context"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/eventjson"
	"github.com/NoFear0411/spliff/replay"
)

// exportEvents writes the events of the input as lines. They are written as they
// are, so nothing decodes them.
func (in *input) exportEvents(ctx context.Context, e *env) error {
	ctx, stop := e.interruptible(ctx, in.patient, in.out.discard)
	defer stop()
	sum, err := eventjson.Export(in.out, interruptedSource{ctx, in})
	if err != nil {
		return err
	}
	if err := in.out.Flush(); err != nil {
		return err
	}
	return in.verdict(e, replay.Summary{Closed: sum.Closed}, true)
}

// interruptedSource ends with the context: the loop over events is elsewhere.
type interruptedSource struct {
	ctx context.Context
	in  *input
}

// Next implements [eventjson.Source].
func (s interruptedSource) Next(ev *format.Event) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return s.in.Next(ev)
}
