package eventjson

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// rawPiece is the most bytes of one DATA event made of a raw file: what a TLS
// record holds at most (RFC 8446 §5.1), so that sizes look as recorded ones do.
const rawPiece = 16 << 10

// ImportRaw writes a session of one connection to w: all that c2s gives, written
// by the client's process, then all that s2c gives, read by it. The alpn is what
// the handshake would have agreed upon, "" for not known.
//
// Raw bytes have no times: one event comes a microsecond after the other, from
// 1970-01-01T00:00:00Z, so that nobody takes them for a recording.
func ImportRaw(w io.Writer, c2s, s2c io.Reader, alpn string, o format.WriterOptions) error {
	out := &sections{w: w, o: o}
	return out.done(importRaw(newScript(out), c2s, s2c, alpn))
}

func importRaw(s *script, c2s, s2c io.Reader, alpn string) error {
	const conn = 0
	if err := s.describe(&minimal{conn: conn, alpn: alpn}); err != nil {
		return err
	}
	t := s.conns[conn]
	s.begin(conn, t)
	buf := make([]byte, rawPiece)
	for i, r := range [2]io.Reader{c2s, s2c} {
		dir := format.Dir(i + 1)
		for {
			n, err := io.ReadFull(r, buf)
			if n > 0 {
				s.now = s.seq * uint64(time.Microsecond)
				s.data(conn, dir, &t.ways[dir], buf[:n])
			}
			if s.failed != nil {
				return s.failed
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("read raw bytes: %w", err)
			}
		}
		t.ways[dir].end = endFIN
	}
	s.now = s.seq * uint64(time.Microsecond)
	s.finish(conn, t, false)
	return s.close()
}
