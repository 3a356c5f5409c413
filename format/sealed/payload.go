package sealed

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// intro is how every age file begins, in any version.
const intro = "age-encryption.org/"

// IntroLen is how many bytes Is needs.
const IntroLen = len(intro)

// Is reports whether b, the first bytes of a file, are those of an age file.
func Is(b []byte) bool { return bytes.HasPrefix(b, []byte(intro)) }

const nonceLen = 16

// payload opens the blocks of one file. It is safe for concurrent use.
type payload struct {
	aead  cipher.AEAD
	start int64 // of the first block in the file
}

// openHeader reads the header from src and returns what of src was read beyond it.
func openHeader(src io.Reader, ids []Identity) (p payload, rest []byte, err error) {
	if len(ids) == 0 {
		return p, nil, ErrNoIdentity
	}
	// age reads ahead; the copy gives back what it took too much.
	seen := &copier{r: src}
	head, err := age.ExtractHeader(seen)
	if seen.err != nil {
		return p, nil, seen.err
	}
	if err != nil {
		return p, nil, malformed(err)
	}
	key, err := age.DecryptHeader(head, ids...)
	var nobody *age.NoIdentityMatchError
	switch {
	case errors.As(err, &nobody):
		return p, nil, fmt.Errorf("%w (it is for keys of type %s)", ErrWrongIdentity, kinds(nobody.StanzaTypes))
	case err != nil:
		return p, nil, malformed(err)
	}
	rest = seen.b[len(head):]
	if len(rest) < nonceLen {
		more := make([]byte, nonceLen-len(rest))
		n, err := io.ReadFull(src, more)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return p, nil, err
		}
		if rest = append(rest, more[:n]...); len(rest) < nonceLen {
			return p, nil, fmt.Errorf("%w: the file ends before its first block", ErrMalformed)
		}
	}
	// age-encryption.org/v1, "Payload".
	sub, err := hkdf.Key(sha256.New, key, rest[:nonceLen], "payload", chacha20poly1305.KeySize)
	if err != nil {
		return p, nil, fmt.Errorf("derive key: %w", err)
	}
	if p.aead, err = chacha20poly1305.New(sub); err != nil {
		return p, nil, fmt.Errorf("derive key: %w", err)
	}
	p.start = int64(len(head) + nonceLen)
	return p, rest[nonceLen:], nil
}

func malformed(err error) error {
	return fmt.Errorf("%w: %s", ErrMalformed, strings.TrimPrefix(err.Error(), "failed to read header: "))
}

// kinds lists the types of a header's keys, each once. They are a stranger's bytes.
func kinds(types []string) string {
	slices.Sort(types)
	types = slices.Compact(types)
	if len(types) > 4 {
		types = append(types[:4:4], "…")
	}
	return strings.Join(types, ", ")
}

// copier keeps what was read, and an error that is not just the end.
type copier struct {
	r   io.Reader
	b   []byte
	err error
}

func (c *copier) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.b = append(c.b, p[:n]...)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// open decrypts block no into dst[:0], which has room for it. A block that is not
// the last one must not carry the mark of the last, but is accepted with it:
// what follows will not authenticate, and is named.
func (p *payload) open(dst, block []byte, no int64) (plain []byte, last, ok bool) {
	if len(block) < overhead {
		return nil, false, false
	}
	var nonce [chacha20poly1305.NonceSize]byte
	binary.BigEndian.PutUint64(nonce[3:], uint64(no))
	for _, mark := range []byte{0, 1} {
		if mark == 0 && len(block) < sealedLen {
			continue // only the last is short
		}
		nonce[len(nonce)-1] = mark
		if plain, err := p.aead.Open(dst[:0], nonce[:], block, nil); err == nil {
			return plain, mark == 1, true
		}
	}
	return nil, false, false
}
