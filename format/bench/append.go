package main

import (
	"io"

	"github.com/NoFear0411/spliff/format"
)

const (
	// appendRoom is how many bytes of payload are appended to one chunk. The chunk
	// closes at 32 MiB, so nothing is compressed meanwhile.
	appendRoom = 24 << 20
	// appendTimes is how often a round does so: once takes a few milliseconds.
	appendTimes = 4
	// eventHead is what Append puts before the payload of a DATA event. The copy it
	// is compared with leaves the same room, so that both fill the same memory.
	eventHead = 48
)

// appender measures what the goroutine that empties the kernel's ring pays for an
// event: Append, no compression, no write. The payload has to be copied by
// whatever takes it, so a mere copy is measured too, to be subtracted.
type appender struct {
	corpus  *corpus
	n       int // items of the corpus looked at
	data    int // DATA events among them
	payload int64
	w       *format.Writer
	seq     uint64 // of the last event appended
	buf     []byte
}

func newAppender(c *corpus) *appender {
	a := &appender{corpus: c}
	room := 0
	for a.n < len(c.items) && a.payload < appendRoom {
		if it := &c.items[a.n]; it.typ == format.TypeData {
			a.data++
			a.payload += int64(it.size)
			room += eventHead + int(it.size) + 7
		}
		a.n++
	}
	a.buf = make([]byte, room)
	return a
}

// ready empties the chunk, so that the next run fills a buffer used before.
func (a *appender) ready() error {
	if a.w == nil {
		return a.open()
	}
	return a.w.Flush()
}

// open makes the writer, tells it all connections, and fills each of its buffers.
func (a *appender) open() error {
	w, err := format.NewWriter(io.Discard, session(), format.WriterOptions{ChunkBytes: 32 << 20})
	if err != nil {
		return err
	}
	a.w = w
	var ev format.Event
	for i := range a.n {
		switch a.corpus.event(i, &ev); ev.Type {
		case format.TypeData, format.TypeConnEnd:
			continue
		}
		if err := w.Append(&ev); err != nil {
			return err
		}
		a.seq = ev.Seq
	}
	for range 3 {
		if err := a.events(); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// events appends the DATA events.
func (a *appender) events() error {
	var ev format.Event
	for i := range a.n {
		if a.corpus.event(i, &ev); ev.Type != format.TypeData {
			continue
		}
		a.seq++
		ev.Seq = a.seq
		if err := a.w.Append(&ev); err != nil {
			return err
		}
	}
	return nil
}

// copies does all that events does but Append.
func (a *appender) copies() error {
	var ev format.Event
	at := 0
	for i := range a.n {
		if a.corpus.event(i, &ev); ev.Type != format.TypeData {
			continue
		}
		at += eventHead
		at += copy(a.buf[at:], ev.Payload)
		at = (at + 7) &^ 7
	}
	return nil
}
