package eventjson

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the most bytes of one line. It has room for every event of the
// format. A longer one is refused before it is in memory: a file without a
// newline must not take all there is.
const MaxLine = 34 << 20

const lineBuffer = 64 << 10

// mark is U+FEFF, the byte order mark.
const mark = "\xef\xbb\xbf"

// lines reads a text line by line. What gzip packed is unpacked on the way.
type lines struct {
	r   *bufio.Reader
	no  int    // of the line at hand, from 1
	buf []byte // of a line longer than r's buffer
}

func newLines(r io.Reader) (*lines, error) {
	br := bufio.NewReaderSize(r, lineBuffer)
	if head, _ := br.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		br = bufio.NewReaderSize(z, lineBuffer)
	}
	// Editors on Windows begin a text with a mark that says nothing about UTF-8.
	if head, _ := br.Peek(len(mark)); string(head) == mark {
		br.Discard(len(mark))
	}
	return &lines{r: br}, nil
}

// next returns the next line that is not blank. It is valid, and the caller's to
// change, until the next call. At the end the error is io.EOF.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, err
		}
	}
}

func (l *lines) read() ([]byte, error) {
	l.no++
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.buf = append(l.buf[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(l.buf) <= MaxLine {
			line, err = l.r.ReadSlice('\n')
			l.buf = append(l.buf, line...)
		}
		if line = l.buf; len(line) > MaxLine {
			return nil, &LineError{l.no, fmt.Errorf("longer than %d bytes", MaxLine)}
		}
	}
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) && len(line) > 0:
		return line, nil // the last line may lack its newline
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	}
	return nil, fmt.Errorf("read line %d: %w", l.no, err)
}

// wrong says what is wrong with the line at hand.
func (l *lines) wrong(err error) error { return &LineError{l.no, err} }
