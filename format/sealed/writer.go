package sealed

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age"
)

// Block is how many bytes are encrypted and authenticated together. A block goes
// to the file when a byte follows it, so that a crash takes at most Block bytes
// more than without encryption. A writer that must not lose even those writes
// something that does not matter up to the end of the block and beyond.
const Block = 64 << 10

const (
	overhead  = 16 // of a block: its tag
	sealedLen = Block + overhead
)

// Writer encrypts to a file. It is not safe for concurrent use.
type Writer struct {
	age  io.WriteCloser
	out  bytes.Buffer // what age wrote and dst did not get yet
	dst  io.Writer
	head int64 // bytes before the first block
	n    int64 // bytes written to us
	err  error
}

// NewWriter writes the age header to dst, to be opened by any of the keys to.
func NewWriter(dst io.Writer, to ...Recipient) (*Writer, error) {
	w := &Writer{dst: dst}
	var err error
	if w.age, err = age.Encrypt(&w.out, to...); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	w.head = int64(w.out.Len())
	if err := w.flush(); err != nil {
		return nil, err
	}
	return w, nil
}

// flush hands on what age wrote in one call: it writes a header in dozens of
// pieces and every block by itself.
func (w *Writer) flush() error {
	if w.out.Len() == 0 {
		return nil
	}
	n, err := w.dst.Write(w.out.Bytes())
	if err == nil && n < w.out.Len() {
		err = io.ErrShortWrite
	}
	w.out.Reset()
	w.err = err
	return err
}

// Write encrypts p. After an error nothing more is written.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if _, err := w.age.Write(p); err != nil {
		w.err = err
		return 0, err
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	w.n += int64(len(p))
	return len(p), nil
}

// Close writes the last block. It does not close the file.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.age.Close(); err != nil {
		w.err = err
		return err
	}
	return w.flush()
}

// Held returns how many bytes wait for their block to become full.
func (w *Writer) Held() int64 {
	if w.n == 0 {
		return 0
	}
	return (w.n-1)%Block + 1
}

// Size returns how large the file is when n bytes were written and it is closed.
func (w *Writer) Size(n int64) int64 {
	return w.head + n + overhead*max((n+Block-1)/Block, 1)
}
