package format

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// noise is what no compressor makes smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b) // never fails
	return b
}

// TestStored: chunks that would not get smaller are kept as they are, in frames that
// every reader of zstd takes; what gets smaller anywhere is compressed.
func TestStored(t *testing.T) {
	text := bytes.Repeat([]byte("GET /index.html HTTP/1.1\r\n"), 1<<20/26)
	var twice []byte // each byte is as frequent as the others, and what comes comes again
	for rest := noise(1 << 20); len(rest) > 0; rest = rest[512:] {
		twice = append(append(twice, rest[:512]...), rest[:512]...)
	}
	six := noise(2 << 20) // nothing comes again, but two bits of each byte are known: at levels below 6 no matter
	for i := range six {
		six[i] &= 63
	}
	for name, c := range map[string]struct {
		payload []byte
		chunk   int
		most    int // bytes of the file
		stored  bool
	}{
		"noise":           {noise(3 << 20), 1 << 20, 3<<20 + 20<<10, true},
		"in large chunks": {noise(20 << 20), 12 << 20, 20<<20 + 80<<10, true},
		"text":            {text, 1 << 20, 100 << 10, false},
		"all twice":       {twice, 1 << 20, 1100 << 10, false},
		"six bits":        {six, 1 << 20, 1600 << 10, false},
		"some text in it": {append(noise(900<<10), text[:100<<10]...), 1 << 20, 910 << 10, false},
	} {
		for _, workers := range []int{0, 2} {
			var file bytes.Buffer
			w, err := NewWriter(&file, Session{Writer: "t"}, WriterOptions{Level: 6, ChunkBytes: c.chunk, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			const piece = 16<<10 - 3
			for at, seq := 0, uint64(1); at < len(c.payload); at, seq = at+piece, seq+1 {
				ev := Event{Type: TypeData, Dir: DirWrite, Seq: seq, Offset: uint64(at), Payload: c.payload[at:min(at+piece, len(c.payload))]}
				if err := w.Append(&ev); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if file.Len() > c.most {
				t.Errorf("%s: %d bytes, at most %d wanted", name, file.Len(), c.most)
			}
			if got := squeezed(c.payload[:min(len(c.payload), c.chunk)]); got != c.stored {
				t.Errorf("%s: stored %v", name, got)
			}
			var got []byte
			for _, ev := range readAll(t, file.Bytes(), ReaderOptions{Check: true}) {
				got = append(got, ev.Payload...)
			}
			if !bytes.HasSuffix(got, c.payload) {
				t.Errorf("%s: other bytes are read back", name)
			}
			// A tool that knows nothing of us checks the frames' own sums.
			dec, err := zstd.NewReader(&file)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, dec); err != nil || n < int64(len(c.payload)) {
				t.Errorf("%s: another reader of zstd: %d bytes, %v", name, n, err)
			}
			dec.Close()
		}
	}
}
