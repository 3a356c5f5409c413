package format

import (
	"fmt"
	"io"
	"math"
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
	raw  []byte
	out  []byte // chunk header and zstd frame
	head chunkHeader
	done chan struct{} // holds one token when out is ready; unused without workers
}

// add takes an event into the header.
func (h *chunkHeader) add(ev *Event) {
	if h.events == 0 {
		h.firstSeq = ev.Seq
		h.minTime, h.maxTime = math.MaxUint64, 0
	}
	h.events++
	if ev.Type < 64 {
		h.types |= 1 << ev.Type
	}
	// A repeat is as old as what it repeats and would widen the range for nothing.
	if ev.Flags&FlagRepeat == 0 {
		h.minTime, h.maxTime = min(h.minTime, ev.Time), max(h.maxTime, ev.Time)
	}
}

func (h *chunkHeader) addPID(pid uint32) {
	if pid == 0 {
		return
	}
	if h.minPID == 0 {
		h.minPID = pid
	}
	h.minPID, h.maxPID = min(h.minPID, pid), max(h.maxPID, pid)
}

// output compresses chunks and writes them in the order they were submitted.
// Buffers circulate: free → the Writer → todo and order → free. There are
// workers+spareChunks of them, so memory is bounded and only taking from free
// can block.
type output struct {
	w       io.Writer
	section uint32
	bytes   int // capacity of a fresh chunk
	workers int

	// Frames below 256 bytes carry their size only as a single segment, frames
	// above the window must not be one.
	narrow, wide *zstd.Encoder

	free        chan *chunk
	todo, order chan *chunk
	finished    chan struct{}

	err  atomic.Pointer[error]
	no   uint32 // of the next chunk; owned by whoever writes
	span uint32 // bytes since the start of the previous chunk header
}

func newOutput(w io.Writer, o WriterOptions, target int, section uint32, headLen int) (*output, error) {
	level := zstd.EncoderLevelFromZstd(max(o.Level, 1))
	workers := max(o.Workers, 0)
	encoder := func(single bool) (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(true),
			zstd.WithEncoderConcurrency(max(workers, 1)), zstd.WithWindowSize(encodeWindow), zstd.WithSingleSegment(single))
	}
	narrow, err := encoder(true)
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	wide, err := encoder(false)
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	n := workers + spareChunks
	out := &output{
		w: w, section: section, bytes: target + 64<<10, workers: workers, narrow: narrow, wide: wide,
		free: make(chan *chunk, n), todo: make(chan *chunk, n), order: make(chan *chunk, n),
		finished: make(chan struct{}),
	}
	for range n {
		out.free <- &chunk{done: make(chan struct{}, 1)}
	}
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

// submit takes a full chunk and returns an empty one.
func (o *output) submit(c *chunk) *chunk {
	if o.workers == 0 {
		o.compress(c)
		o.write(c)
	} else {
		o.todo <- c
		o.order <- c
	}
	return <-o.free
}

// stop waits until everything submitted is written and returns the first error.
func (o *output) stop() error {
	close(o.todo)
	close(o.order)
	<-o.finished
	return o.failure()
}

// failure returns the error of the first write that failed.
func (o *output) failure() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (o *output) compress(c *chunk) {
	enc := o.narrow
	if len(c.raw) > encodeWindow {
		enc = o.wide
	}
	c.out = enc.EncodeAll(c.raw, extend(c.out[:0], chunkHeadLen))
	// The header is completed by write: only there is the chunk's place known.
	frame := c.out[chunkHeadLen:]
	c.head.compLen, c.head.rawLen = uint32(len(frame)), uint32(len(c.raw))
	c.head.frameCRC = checksum(frame)
}

// write completes the header, writes c in one call and recycles it.
func (o *output) write(c *chunk) {
	// After a failed write the file ends torn. A chunk behind that could be found
	// by a reader, but the writer could no longer say how much is missing.
	if o.err.Load() == nil {
		c.head.no, c.head.prevSpan, c.head.section = o.no, o.span, o.section
		c.head.put(c.out)
		if err := writeAll(o.w, c.out); err != nil {
			err = fmt.Errorf("write session: %w", err)
			o.err.Store(&err)
		}
		o.no++
		o.span = uint32(len(c.out))
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
