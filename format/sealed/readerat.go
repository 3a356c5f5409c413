package sealed

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ReaderAt decrypts any part of a file, also of one that is cut or damaged. It is
// safe for concurrent use, if its source is. Like [Reader] it gives zeros for
// what does not authenticate.
type ReaderAt struct {
	payload
	faults
	src  io.ReaderAt
	end  int64 // of the last block in the file
	size int64 // of the plaintext
	held atomic.Pointer[block]
	bufs sync.Pool // of *[sealedLen]byte: encrypted blocks on their way
}

// block is a decrypted block. It is never changed.
type block struct {
	no    int64
	plain []byte
}

// NewReaderAt opens a file of size bytes. It reads the header and the last block,
// which alone says whether the file has its end. Errors are as for [NewReader].
func NewReaderAt(src io.ReaderAt, size int64, ids ...Identity) (*ReaderAt, error) {
	p, _, err := openHeader(io.NewSectionReader(src, 0, size), ids)
	if err != nil {
		return nil, err
	}
	r := &ReaderAt{payload: p, src: src, end: size}
	if size == r.start {
		r.add(Fault{Offset: size, End: true})
		return r, nil
	}
	final := (size - r.start - 1) / sealedLen
	off := r.start + final*sealedLen
	in := make([]byte, size-off)
	if err := r.read(in, off); err != nil {
		return nil, err
	}
	plain, last, ok := r.open(nil, in, final)
	switch {
	case ok:
		r.size = final*Block + int64(len(plain))
		r.held.Store(&block{final, plain})
		if !last {
			r.add(Fault{Offset: size, End: true})
		}
	case len(in) < sealedLen:
		r.size, r.end = final*Block, off
		r.add(Fault{Offset: off, Size: int64(len(in)), End: true, Another: another(in)})
	default:
		r.size = final*Block + Block
		r.add(Fault{Offset: off, Size: sealedLen, Another: another(in)})
		r.add(Fault{Offset: size, End: true})
	}
	return r, nil
}

// Size returns how many bytes can be read.
func (r *ReaderAt) Size() int64 { return r.size }

// ReadAt implements [io.ReaderAt]. Its errors are those of the source, and io.EOF.
func (r *ReaderAt) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read encrypted session: negative offset %d", off)
	}
	for n < len(p) && off < r.size {
		b, err := r.block(off / Block)
		if err != nil {
			return n, err
		}
		k := copy(p[n:], b.plain[off%Block:])
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// block returns a block, zeros if it does not authenticate.
func (r *ReaderAt) block(no int64) (*block, error) {
	if b := r.held.Load(); b != nil && b.no == no {
		return b, nil
	}
	off := r.start + no*sealedLen
	buf, _ := r.bufs.Get().(*[sealedLen]byte)
	if buf == nil {
		buf = new([sealedLen]byte)
	}
	defer r.bufs.Put(buf)
	in := buf[:min(sealedLen, r.end-off)]
	if err := r.read(in, off); err != nil {
		return nil, err
	}
	plain, _, ok := r.open(make([]byte, 0, Block), in, no)
	if !ok {
		r.add(Fault{Offset: off, Size: int64(len(in)), Another: another(in)})
		plain = make([]byte, len(in)-overhead)
	}
	b := &block{no, plain}
	r.held.Store(b)
	return b, nil
}

// read fills b from off. A file that became shorter meanwhile is an error.
func (r *ReaderAt) read(b []byte, off int64) error {
	n, err := r.src.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read encrypted session: %w", err)
}
