package main

import (
	"context"
	"io"

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

// interruptedReader ends with the context.
type interruptedReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (r interruptedReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
