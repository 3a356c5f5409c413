package content

import (
	"crypto/sha256"
	"hash"

	"github.com/NoFear0411/spliff/decode"
)

// Sum hashes a body as it was sent. As long as all of the body is kept there is
// nothing to do before its end; from the first byte on that is not kept, bytes are
// hashed as they come. The zero value is ready, and does nothing for bodies that
// are never cut.
type Sum struct{ h hash.Hash }

// Start is called before bytes held of b are dropped, or before a piece of it is
// not kept whole: what is held is hashed.
func (s *Sum) Start(b *decode.Body) {
	if s.h == nil && !b.Cut {
		s.h = sha256.New()
		s.h.Write(b.Data)
	}
}

// Add hashes the next piece, if Start was called.
func (s *Sum) Add(p []byte) {
	if s.h != nil {
		s.h.Write(p)
	}
}

// Finish sets the hash of m's body, unless bytes of it are missing, and makes s
// ready for the next body.
func (s *Sum) Finish(m *decode.Message) {
	b := &m.Body
	h := s.h
	s.h = nil
	switch {
	case b.Size == 0 || b.Lost > 0 || m.Flags&(decode.Gapped|decode.Incomplete|decode.MidStream) != 0:
	case h != nil:
		b.SHA256 = h.Sum(nil)
	case !b.Cut:
		sum := sha256.Sum256(b.Data)
		b.SHA256 = sum[:]
	}
}
