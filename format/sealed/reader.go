package sealed

import (
	"bytes"
	"errors"
	"io"
)

// Reader decrypts a stream, also one that is cut or damaged. In place of a block
// that does not authenticate it delivers zeros, so that the positions of what
// follows stay right; see Faults. It waits for no more than the block it
// delivers. It is not safe for concurrent use.
type Reader struct {
	payload
	faults
	src   io.Reader
	in    []byte
	out   []byte // buffer of plain
	plain []byte // decrypted, not delivered
	no    int64  // of the next block
	ended bool   // the block before carried the mark of the last
	err   error
}

// NewReader reads the header from src. Errors are those of src, or wrap
// ErrNoIdentity, ErrWrongIdentity or ErrMalformed.
func NewReader(src io.Reader, ids ...Identity) (*Reader, error) {
	p, rest, err := openHeader(src, ids)
	if err != nil {
		return nil, err
	}
	return &Reader{
		payload: p, src: io.MultiReader(bytes.NewReader(rest), src),
		in: make([]byte, sealedLen), out: make([]byte, 0, Block),
	}, nil
}

// Read returns io.EOF at the end, at a premature one too.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		r.next()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// next decrypts one block.
func (r *Reader) next() {
	n, err := io.ReadFull(r.src, r.in)
	off := r.start + r.no*sealedLen
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		r.err = io.EOF
	default:
		r.err = err
		return
	}
	if n == 0 {
		if !r.ended {
			r.add(Fault{Offset: off, End: true})
		}
		return
	}
	plain, last, ok := r.open(r.out, r.in[:n], r.no)
	r.no++
	r.ended = last
	switch {
	case ok:
		r.plain = plain
	case n < sealedLen:
		r.add(Fault{Offset: off, Size: int64(n), End: true, Another: another(r.in[:n])})
	default:
		r.add(Fault{Offset: off, Size: int64(n), Another: another(r.in[:n])})
		r.plain = r.out[:Block]
		clear(r.plain)
	}
}
