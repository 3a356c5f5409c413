package main

import (
	"context"
	"io"

	"github.com/NoFear0411/spliff/format"
)

// open opens the session for reading in parts. It is for sources with a size.
func (s *source) open() (*format.File, error) {
	f, err := format.Open(s.at, s.size, format.ReaderOptions{})
	if err != nil {
		return nil, s.why(err)
	}
	return f, nil
}

// until returns the bytes of the session up to the end of ctx.
func (s *source) until(ctx context.Context) io.Reader { return untilReader{ctx, s.r} }

// untilReader ends with its context.
type untilReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (r untilReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
