package replay

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/NoFear0411/spliff/format"
)

// Source yields the events of a session in order. *format.Reader is one.
type Source interface {
	// Next fills ev, whose Payload is valid until the next call, and returns
	// io.EOF at the end.
	Next(ev *format.Event) error
	// Buffered reports that Next will not have to wait for input.
	Buffered() bool
}

// Run pushes all events of src through an engine and closes it. Whenever src
// would wait for input, what is known is flushed first, so a session that is
// still being written is shown up to its last event.
//
// The Summary is valid whatever the error. When ctx ends, Run stops before the
// next event, nothing more reaches the sink, and the error is ctx's; it cannot
// interrupt a src that blocks. An error of src other than io.EOF is returned
// after what came before it was handed on.
func Run(ctx context.Context, src Source, o Options, sink func(*Item) error) (Summary, error) {
	e := New(o, sink)
	var ev format.Event
	for {
		if !src.Buffered() {
			if err := e.Flush(); err != nil {
				sum, _ := e.Close()
				return sum, err
			}
		}
		if err := ctx.Err(); err != nil {
			return e.abandon(), err
		}
		err := src.Next(&ev)
		if err == nil {
			err = e.Push(&ev)
			if err == nil {
				continue
			}
			sum, _ := e.Close()
			return sum, err
		}
		sum, cerr := e.Close()
		if !errors.Is(err, io.EOF) {
			cerr = errors.Join(fmt.Errorf("read event: %w", err), cerr)
		}
		return sum, cerr
	}
}
