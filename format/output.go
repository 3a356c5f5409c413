package format

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// encodeWindow is the zstd window of what we write: larger ones gain 0.5 % and
// cost every reader the memory.
const encodeWindow = 4 << 20

// spareChunks is how many chunks there are beyond one per worker: one that is
// being filled, one that is being written.
const spareChunks = 2

// chunk is a buffer of events on its way to the file.
type chunk struct {
	raw   []byte
	out   []byte // chunk header and zstd frame
	head  chunkHeader
	about describer
	done  chan struct{} // holds one token when out is ready; unused without workers
}

// output compresses chunks and writes them in the order they were submitted.
// Buffers circulate: free → the Writer → todo and order → free. There are at most
// limit of them, so memory is bounded and only taking from free can block.
type output struct {
	bytes   int // capacity of a fresh chunk
	workers int

	encoders

	free        chan *chunk
	todo, order chan *chunk
	finished    chan struct{}
	made, limit int // buffers there are, and may be; the Writer's

	sect    *sectionWriter // owned by whoever writes
	noSeek  bool           // found out late: the section is not the only one of its file
	err     atomic.Pointer[error]
	written atomic.Int64
}

// encoders compress. They may be used from several goroutines at once, and by
// several writers: what they hold is worth more than a short section.
//
// Frames below 256 bytes carry their size only as a single segment, frames above
// the window must not be one.
type encoders struct{ narrow, wide *zstd.Encoder }

func newEncoders(o WriterOptions) (e encoders, err error) {
	encoder := func(single bool) (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(max(o.Level, 1))), zstd.WithEncoderCRC(true),
			zstd.WithEncoderConcurrency(max(o.Workers, 1)), zstd.WithWindowSize(encodeWindow), zstd.WithSingleSegment(single))
	}
	if e.narrow, err = encoder(true); err == nil {
		e.wide, err = encoder(false)
	}
	if err != nil {
		return e, fmt.Errorf("make compressor: %w", err)
	}
	return e, nil
}

func newOutput(o WriterOptions, target int, sect *sectionWriter) (*output, error) {
	workers := max(o.Workers, 0)
	enc := o.encoders
	if enc.narrow == nil {
		var err error
		if enc, err = newEncoders(o); err != nil {
			return nil, err
		}
	}
	n := workers + spareChunks
	if workers > 0 {
		n = max(n, o.QueueBytes/target)
	}
	out := &output{
		bytes: target + 64<<10, workers: workers, encoders: enc,
		free: make(chan *chunk, n), todo: make(chan *chunk, n), order: make(chan *chunk, n),
		finished: make(chan struct{}), limit: n, sect: sect,
	}
	sect.out = out
	return out, nil
}

// start starts the goroutines, if there are to be any.
func (o *output) start() {
	if o.workers == 0 {
		close(o.finished)
		return
	}
	for range o.workers {
		// EncodeAll may be called from several goroutines at once.
		go func() {
			for c := range o.todo {
				o.compress(c)
				c.done <- struct{}{}
			}
		}()
	}
	go func() {
		defer close(o.finished)
		for c := range o.order {
			<-c.done
			o.write(c)
		}
	}()
}

// take returns an empty chunk, or nil if all are on their way and wait is false.
func (o *output) take(wait bool) *chunk {
	select {
	case c := <-o.free:
		return c
	default:
	}
	if o.made < o.limit {
		o.made++
		return &chunk{done: make(chan struct{}, 1)}
	}
	if !wait {
		return nil
	}
	return <-o.free
}

// submit hands a full chunk on.
func (o *output) submit(c *chunk) {
	if o.workers == 0 {
		o.compress(c)
		o.write(c)
		return
	}
	o.todo <- c
	o.order <- c
}

// stop waits until everything submitted is written, ends the section in order and
// returns the first error.
func (o *output) stop() error {
	close(o.todo)
	close(o.order)
	<-o.finished
	o.sect.index.noSeek = o.sect.index.noSeek || o.noSeek
	if o.failure() == nil {
		o.fail(o.sect.finish())
	}
	return o.failure()
}

// failure returns the error of the first write that failed.
func (o *output) failure() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (o *output) fail(err error) {
	if err != nil {
		err = fmt.Errorf("write session: %w", err)
		o.err.Store(&err)
	}
}

// compress makes the zstd frame of c and all of its header that does not depend
// on its place in the file.
func (o *output) compress(c *chunk) {
	// The Writer made these events: they can be read.
	_ = c.about.describe(&c.head, c.raw)
	enc := o.narrow
	if len(c.raw) > encodeWindow {
		enc = o.wide
	}
	head := c.head.frameLen()
	c.out = enc.EncodeAll(c.raw, extend(c.out[:0], head))
	frame := c.out[head:]
	c.head.compLen, c.head.rawLen = uint32(len(frame)), uint32(len(c.raw))
	c.head.frameCRC = checksum(frame)
}

// write writes c and recycles it.
func (o *output) write(c *chunk) {
	// After a failed write the file ends torn. A chunk behind that could be found
	// by a reader, but the writer could no longer say how much is missing.
	if o.err.Load() == nil {
		o.fail(o.sect.chunk(c))
	}
	o.recycle(c)
}

// recycle empties c. One huge event must not keep its buffer for ever.
func (o *output) recycle(c *chunk) {
	if cap(c.raw) > 2*o.bytes {
		c.raw, c.out = nil, nil
	}
	c.raw, c.out, c.head = c.raw[:0], c.out[:0], chunkHeader{}
	o.free <- c
}

// writeAll is one call of Write, a short one an error.
func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
