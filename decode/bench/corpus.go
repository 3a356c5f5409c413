package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/NoFear0411/spliff/format"
)

type protocol int

const (
	h1 protocol = iota
	h2
)

func (p protocol) String() string { return [...]string{"HTTP/1.1", "HTTP/2"}[p] }

// alpn is what TLS would have negotiated.
func (p protocol) alpn() string { return [...]string{"http/1.1", "h2"}[p] }

// corpus is a session of traffic, unpacked. All of its memory lies outside the
// heap: the collector sets its pace by what is on it, and a decoder that had
// hundreds of megabytes beside it would be collected after more seldom than one
// that has not.
type corpus struct {
	protocol  protocol
	source    string // where the traffic is from
	file      string // the session
	exchanges int
	bytes     int64 // of plaintext

	items []item
	arena []byte   // payloads, in the order of items
	conns []pair   // the same bytes by connection, as the peers read them
	side  []byte   // memory of conns
	maps  [][]byte // what to unmap
}

// item is a DATA event.
type item struct {
	time, off uint64
	dur       uint32
	conn      uint32
	at        int64 // of its payload in the arena
	size      int32
	dir       format.Dir
	_         [3]byte
}

// pair is both directions of one connection, whole.
type pair struct{ c2s, s2c []byte }

// openCorpus loads the corpus of p, and makes it first if it is not there.
func openCorpus(o options, p protocol) (*corpus, error) {
	source, name, fill := chooseSource(o)
	c := &corpus{protocol: p, source: source, exchanges: o.exchanges}
	c.file = filepath.Join(o.dir, fmt.Sprintf("%s-%s-%d-v%d.spl", name, [...]string{"h1", "h2"}[p], o.exchanges, shapeVersion))
	if _, err := os.Stat(c.file); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "bench: making %s, %s\n", c.file, source)
		if err := makeSession(c.file, p, o.exchanges, fill); err != nil {
			return nil, fmt.Errorf("make corpus: %w", err)
		}
	}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("load %s: %w", c.file, err)
	}
	return c, nil
}

// makeSession writes a session under another name first: a corpus that is there
// is whole.
func makeSession(file string, p protocol, n int, fill func(*recorder, protocol, int) error) error {
	f, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := newRecorder(f, p)
	if err != nil {
		return err
	}
	if err := fill(r, p, n); err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// load reads the session twice: to know how much memory it needs, and to fill it.
func (c *corpus) load() error {
	var n int
	var last uint32
	if err := c.each(func(ev *format.Event) {
		n++
		c.bytes += int64(len(ev.Payload))
		last = max(last, ev.Conn)
	}); err != nil {
		return err
	}
	var err error
	if c.items, err = slab[item](c, n); err != nil {
		return err
	}
	if c.arena, err = slab[byte](c, int(c.bytes)); err != nil {
		return err
	}
	if c.side, err = slab[byte](c, int(c.bytes)); err != nil {
		return err
	}
	size := make([][2]int, last+1)
	at, i := int64(0), 0
	if err := c.each(func(ev *format.Event) {
		copy(c.arena[at:], ev.Payload)
		c.items[i] = item{time: ev.Time, off: ev.Offset, dur: ev.Dur, conn: ev.Conn, at: at, size: int32(len(ev.Payload)), dir: ev.Dir}
		size[ev.Conn][ev.Dir-format.DirWrite] += len(ev.Payload)
		at += int64(len(ev.Payload))
		i++
	}); err != nil {
		return err
	}
	c.split(size)
	return nil
}

// split copies the payloads by connection and direction. The server was recorded:
// what it read is the client's.
func (c *corpus) split(size [][2]int) {
	c.conns = make([]pair, len(size))
	rest := c.side
	for id := range size {
		w, r := size[id][0], size[id][1]
		c.conns[id] = pair{s2c: rest[:0:w], c2s: rest[w : w : w+r]}
		rest = rest[w+r:]
	}
	for i := range c.items {
		it := &c.items[i]
		s := &c.conns[it.conn]
		if it.dir == format.DirRead {
			s.c2s = append(s.c2s, c.payload(it)...)
		} else {
			s.s2c = append(s.s2c, c.payload(it)...)
		}
	}
	c.conns = c.conns[1:] // ids begin at 1
}

func (c *corpus) payload(it *item) []byte { return c.arena[it.at:][:it.size] }

// each calls see for every DATA event of the session.
func (c *corpus) each(see func(*format.Event)) error {
	f, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := format.NewReader(f, format.ReaderOptions{})
	if err != nil {
		return err
	}
	var ev format.Event
	for {
		switch err := r.Next(&ev); {
		case errors.Is(err, io.EOF):
			if r.Damage() != nil {
				return fmt.Errorf("damaged: %v", r.Damage())
			}
			return nil
		case err != nil:
			return err
		}
		if ev.Type == format.TypeData {
			see(&ev)
		}
	}
}

// slab returns memory for n values outside the heap. T has no pointers.
func slab[T any](c *corpus, n int) ([]T, error) {
	var zero T
	b, err := syscall.Mmap(-1, 0, max(n, 1)*int(unsafe.Sizeof(zero)), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map memory: %w", err)
	}
	c.maps = append(c.maps, b)
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), nil
}

func (c *corpus) close() {
	for _, b := range c.maps {
		syscall.Munmap(b)
	}
}
