package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/NoFear0411/spliff/format"
	"github.com/klauspost/compress/zstd"
)

// bigFile is a session too large for what a table is made of: opening it, asking
// it for one connection, and the memory of reading it are measured here.
type bigFile struct {
	f    *os.File
	size int64
	conn uint32 // the connection asked for
	// What a query for conn cannot do without, found by looking into every chunk.
	holding      int   // chunks that hold an event of conn, repeats not counted
	holdingBytes int64 // of their headers and frames
	chunks       int
}

// newBigFile writes a session of size bytes. The file has no name any more when
// it is returned: it goes away with the process, however that ends.
func newBigFile(size int64) (*bigFile, error) {
	f, err := os.CreateTemp("", "bench-*.spl")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w, err := format.NewWriter(f, session(), format.WriterOptions{Workers: runtime.NumCPU()})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := &bigFile{f: f}
	if err := b.fill(w, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

func (b *bigFile) fill(w *format.Writer, size int64) error {
	t := newTraffic()
	var ev format.Event
	for n := 0; b.size < size; n++ {
		t.next(&ev)
		if err := w.Append(&ev); err != nil {
			return err
		}
		if n%1000 == 0 {
			info, err := b.f.Stat()
			if err != nil {
				return err
			}
			b.size = info.Size()
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	// One from the middle: it begins and ends inside the file.
	b.conn = t.last / 2
	info, err := b.f.Stat()
	if err != nil {
		return err
	}
	b.size = info.Size()
	return b.survey()
}

// survey walks the frames of the file (FORMAT.md, "Chunk header" and "Events")
// with nothing of package format, and counts the chunks that hold b.conn.
func (b *bigFile) survey() error {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer dec.Close()
	var head [28]byte
	var raw []byte
	for at := int64(0); at < b.size; {
		if _, err := b.f.ReadAt(head[:], at); err != nil {
			return fmt.Errorf("survey chunks: %w", err)
		}
		n := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[8:12]) != "SPLC" {
			at += n
			continue
		}
		frame := make([]byte, binary.LittleEndian.Uint32(head[20:]))
		if _, err := b.f.ReadAt(frame, at+n); err != nil {
			return fmt.Errorf("survey chunks: %w", err)
		}
		if raw, err = dec.DecodeAll(frame, raw[:0]); err != nil {
			return fmt.Errorf("survey chunks: %w", err)
		}
		b.chunks++
		if holds(raw, b.conn) {
			b.holding++
			b.holdingBytes += n + int64(len(frame))
		}
		at += n + int64(len(frame))
	}
	return nil
}

// holds reports whether the log has an event of conn that is no repeat.
func holds(log []byte, conn uint32) bool {
	for len(log) >= 32 {
		n := (int(binary.LittleEndian.Uint32(log)) + 7) &^ 7
		repeat := binary.LittleEndian.Uint16(log[6:])&uint16(format.FlagRepeat) != 0
		if binary.LittleEndian.Uint32(log[16:]) == conn && !repeat {
			return true
		}
		log = log[n:]
	}
	return false
}

// counter counts what is read of a file.
type counter struct {
	r     io.ReaderAt
	bytes atomic.Int64
}

func (c *counter) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.r.ReadAt(p, at)
	c.bytes.Add(int64(n))
	return n, err
}

// access is one measurement on the big file. read is given the file, warm in the
// page cache, through a counter.
type access struct {
	name string
	read func(b *bigFile, r io.ReaderAt) error
	// goal returns what was measured, what it must be, and whether it is.
	goal func(b *bigFile, m *measured) (got, want string, ok bool)
}

// measured is what one access cost.
type measured struct {
	ms    float64 // CPU time, milliseconds
	bytes int64   // read from the file
	alloc uint64  // bytes allocated in all: more than ever was held at once
}

// accesses are the rows of the second table.
func accesses() []access {
	few := func(b *bigFile, m *measured) (string, string, bool) {
		ratio := float64(m.bytes) / float64(b.holdingBytes)
		return fmt.Sprintf("%.2f × the chunks that hold it", ratio), "≤ 1.5 ×", ratio <= 1.5
	}
	return []access{
		{name: "read all of it", read: readAll, goal: func(_ *bigFile, m *measured) (string, string, bool) {
			const most = 16 << 20 // a chunk, compressed and not, the index, and room to grow
			return fmt.Sprintf("%d KiB allocated", m.alloc>>10), fmt.Sprintf("≤ %d KiB", most>>10), m.alloc <= most
		}},
		{name: "open it, describe it", read: shape(format.Open), goal: within(50)},
		{name: "the same by its chunk headers", read: shape(format.OpenScan), goal: func(*bigFile, *measured) (string, string, bool) {
			return "", "", true
		}},
		{name: "one connection", read: one(format.Open), goal: few},
		{name: "the same by its chunk headers", read: one(format.OpenScan), goal: func(*bigFile, *measured) (string, string, bool) {
			return "", "", true
		}},
	}
}

func within(ms float64) func(*bigFile, *measured) (string, string, bool) {
	return func(_ *bigFile, m *measured) (string, string, bool) {
		return fmt.Sprintf("%.1f ms", m.ms), fmt.Sprintf("≤ %.0f ms", ms), m.ms <= ms
	}
}

// opener is format.Open or format.OpenScan.
type opener func(io.ReaderAt, int64, format.ReaderOptions) (*format.File, error)

// shape opens the file and looks at all that a footer tells.
func shape(open opener) func(b *bigFile, at io.ReaderAt) error {
	return func(b *bigFile, at io.ReaderAt) error {
		f, err := open(at, b.size, format.ReaderOptions{})
		if err != nil {
			return err
		}
		s := f.Sections()
		if len(s) != 1 || len(s[0].Chunks) != b.chunks || s[0].Summary == nil || f.Damage() != nil {
			return fmt.Errorf("describe big file: %v, damage %v", f, f.Damage())
		}
		return nil
	}
}

// one reads the events of one connection.
func one(open opener) func(b *bigFile, at io.ReaderAt) error {
	return func(b *bigFile, at io.ReaderAt) error {
		f, err := open(at, b.size, format.ReaderOptions{})
		if err != nil {
			return err
		}
		r := f.Select(format.Query{Conns: []uint32{b.conn}})
		var ev format.Event
		n := 0
		for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
			if ev.Conn != 0 && ev.Conn != b.conn {
				return fmt.Errorf("query big file: an event of connection %d", ev.Conn)
			}
			n++
		}
		if !errors.Is(err, io.EOF) || r.Damage() != nil || n < b.holding {
			return fmt.Errorf("query big file: %w, %d events, damage %v", err, n, r.Damage())
		}
		return nil
	}
}

// readAll reads every event, front to end.
func readAll(b *bigFile, at io.ReaderAt) error {
	r, err := format.NewReader(io.NewSectionReader(at, 0, b.size), format.ReaderOptions{})
	if err != nil {
		return err
	}
	var ev format.Event
	for err == nil {
		err = r.Next(&ev)
	}
	if !errors.Is(err, io.EOF) || r.Damage() != nil {
		return fmt.Errorf("read big file: %w, damage %v", err, r.Damage())
	}
	return nil
}

// benchBig makes the file and prints the second table.
func benchBig(w io.Writer, size int64, rounds int) error {
	b, err := newBigFile(size)
	if err != nil {
		return err
	}
	defer b.f.Close()
	var out bytes.Buffer
	fmt.Fprintf(&out, "\n%d MiB in %d chunks; connection %d is in %d of them, %d bytes.\n\n", b.size>>20, b.chunks, b.conn, b.holding, b.holdingBytes)
	out.WriteString("| | CPU ms | bytes read | goal | measured | |\n|---|--:|--:|--:|--:|---|\n")
	for _, a := range accesses() {
		if err := a.print(&out, b, rounds); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	_, err = out.WriteTo(w)
	return err
}

// print measures a and adds its line.
func (a *access) print(out io.Writer, b *bigFile, rounds int) error {
	var times []float64
	var m measured
	for range rounds {
		c := counter{r: b.f}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		t, _, err := once(func() error { return a.read(b, &c) })
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		times = append(times, float64(t)/1e6)
		m.bytes, m.alloc = c.bytes.Load(), after.TotalAlloc-before.TotalAlloc
	}
	m.ms = median(times)
	got, want, ok := a.goal(b, &m)
	mark := "pass"
	switch {
	case want == "":
		mark = ""
	case !ok:
		mark = "**miss**"
	}
	_, err := fmt.Fprintf(out, "| %s | %.1f | %d | %s | %s | %s |\n", a.name, m.ms, m.bytes, want, got, mark)
	return err
}
