package format

import (
	"fmt"
	"sync/atomic"
)

// spareChunks is how many chunks there are beyond one per worker: one that is
// being filled, one that is being written.
const spareChunks = 2

// chunk is a buffer of events on its way to the file.
type chunk struct {
	raw   []byte   // events; once packed, the memory of frame
	frame [][]byte // the zstd frame, in pieces
	bones []byte   // what is between the events in frame, if they are not compressed
	head  chunkHeader
	about describer
	done  chan struct{} // holds one token when frame is ready; unused without workers
}

// size is how many bytes a packed chunk has in the file, padding not counted.
func (c *chunk) size() int { return c.head.frameLen() + int(c.head.compLen) }

// output compresses chunks and writes them in the order they were submitted.
// Buffers circulate: free → the Writer → todo and order → free. There are at most
// limit of them, so memory is bounded and only taking from free can block.
type output struct {
	bytes   int // capacity of a fresh chunk
	workers int

	packer // of the goroutine that writes; each worker has its own

	free        chan *chunk
	todo, order chan *chunk
	finished    chan struct{}
	made, limit int // buffers there are, and may be; the Writer's

	sect    *sectionWriter // owned by whoever writes
	noSeek  bool           // found out late: the section is not the only one of its file
	err     atomic.Pointer[error]
	written atomic.Int64
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
		bytes: target + 64<<10, workers: workers, packer: packer{encoders: enc},
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
			p := packer{encoders: o.encoders}
			for c := range o.todo {
				p.pack(c)
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
		o.pack(c)
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
		c.raw = nil
	}
	c.raw, c.frame, c.head = c.raw[:0], c.frame[:0], chunkHeader{}
	o.free <- c
}
