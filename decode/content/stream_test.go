package content

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/decode"
)

// flusher is what the writers of all codings are.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// flushed applies a coding and returns what has been written after each piece was
// flushed, and at the end.
func flushed(t testing.TB, coding string, pieces ...[]byte) [][]byte {
	t.Helper()
	var out bytes.Buffer
	var w flusher
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, _ = flate.NewWriter(&out, 6)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	}
	var list [][]byte
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		list = append(list, bytes.Clone(out.Bytes()))
		out.Reset()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(list, bytes.Clone(out.Bytes()))
}

func name(coding string) string {
	if coding == "raw" {
		return "deflate"
	}
	return coding
}

// TestStream: what was flushed is given out when its last byte has come, however the
// bytes are cut.
func TestStream(t *testing.T) {
	pieces := [][]byte{[]byte("data: one\n\n"), text(70000), []byte("x"), text(10)}
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		wire := flushed(t, coding, pieces...)
		for _, cut := range []int{1, 2, 1000, 1 << 20} {
			s := NewStream([]string{name(coding)})
			var got, want []byte
			out := func(p []byte) { got = append(got, p...) }
			for i, w := range wire {
				for len(w) > 0 {
					n := min(cut, len(w))
					piece := bytes.Clone(w[:n])
					s.Write(piece, out)
					clear(piece)
					w = w[n:]
				}
				if i < len(pieces) {
					want = append(want, pieces[i]...)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("%s, cut %d: %d bytes after piece %d, want %d", coding, cut, len(got), i+1, len(want))
				}
			}
			if kind := s.End(out); kind != "" || !bytes.Equal(got, want) {
				t.Errorf("%s, cut %d: %q at the end", coding, cut, kind)
			}
		}
	}
}

// TestStreamFaults: chains, what is no coding's data, and what is cut short.
func TestStreamFaults(t *testing.T) {
	want := text(5000)
	gz := coded(t, "gzip", want)
	for name, tt := range map[string]struct {
		codings []string
		wire    []byte
		size    int
		kind    decode.AnomalyKind
	}{
		"chain":        {[]string{"gzip", "br", "identity"}, coded(t, "br", gz), len(want), ""},
		"two members":  {[]string{"x-gzip"}, append(bytes.Clone(gz), gz...), 2 * len(want), ""},
		"nothing":      {[]string{"gzip"}, nil, 0, ""},
		"trailing":     {[]string{"gzip"}, append(bytes.Clone(gz), "more"...), len(want), ErrTrailing},
		"cut short":    {[]string{"gzip"}, gz[:len(gz)-1], len(want), ErrTruncated},
		"no gzip":      {[]string{"gzip"}, []byte("this is none"), 0, ErrCorrupt},
		"a bomb":       {[]string{"gzip"}, coded(t, "gzip", make([]byte, 2*streamFree)), streamFree + streamPiece, decode.AnomalyLimit},
		"window, zstd": {[]string{"zstd"}, []byte("\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"), 0, ErrWindow},
	} {
		s := NewStream(tt.codings)
		n := 0
		s.Write(tt.wire, func(p []byte) { n += len(p) })
		kind := s.End(func(p []byte) { n += len(p) })
		if kind != tt.kind || n > tt.size || n < tt.size && tt.kind != decode.AnomalyLimit {
			t.Errorf("%s: %d bytes, %q, want %d, %q", name, n, kind, tt.size, tt.kind)
		}
		s.Write(gz, func([]byte) { t.Errorf("%s: something comes after the end", name) })
	}
	for _, list := range [][]string{nil, {"identity"}, {"aws"}, {"gzip", "aws"}, {"br", "br", "br", "br", "br"}} {
		if NewStream(list) != nil {
			t.Errorf("a stream for %q", list)
		}
	}
}

// TestStreamFreed: a stream that is ended, stopped or forgotten leaves no coroutine.
func TestStreamFreed(t *testing.T) {
	gz := coded(t, "gzip", text(100))
	before := runtime.NumGoroutine()
	for i := range 60 {
		s := NewStream([]string{"gzip", "zstd"}[:1+i%2])
		s.Write(gz[:20], func([]byte) {})
		switch i % 3 {
		case 0:
			s.End(func([]byte) {})
		case 1:
			s.Stop()
			s.Stop()
		}
	}
	for range 100 {
		if runtime.GC(); runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// FuzzStream wants the same of a stream however it is cut, and the same as Decode
// gives of the whole.
func FuzzStream(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		f.Add(name(coding), bytes.Join(flushed(f, coding, text(300), text(20)), nil), uint8(7))
	}
	f.Add("gzip,br", coded(f, "br", coded(f, "gzip", text(300))), uint8(1))
	f.Fuzz(func(t *testing.T, codings string, wire []byte, cut uint8) {
		list := Codings([]decode.Field{{Name: "Content-Encoding", Value: codings}})
		play := func(cut int) (out []byte, kind decode.AnomalyKind) {
			s := NewStream(list)
			if s == nil {
				return nil, ErrUnknown
			}
			add := func(p []byte) {
				if len(out) < 1<<20 {
					out = append(out, p...)
				}
			}
			for w := wire; len(w) > 0; {
				n := min(cut, len(w))
				s.Write(w[:n], add)
				w = w[n:]
			}
			return out, s.End(add)
		}
		whole, kind := play(max(1, len(wire)))
		cutOut, cutKind := play(1 + int(cut))
		// What a decoder gives of a block that is damaged may depend on how much of it
		// was there; of all before it nothing does.
		if kind != cutKind || !bytes.Equal(whole, cutOut) {
			t.Fatalf("%d bytes %q whole, %d bytes %q cut", len(whole), kind, len(cutOut), cutKind)
		}
		if out, _, errKind := Decode(list, wire, 1<<20); kind == "" && errKind == "" && len(list) > 0 && !bytes.Equal(out, whole[:min(len(whole), 1<<20)]) {
			t.Fatalf("%d bytes in a stream, %d at once", len(whole), len(out))
		}
	})
}

// TestStreamDamaged flips bits all over coded data: what comes before the damage, and
// whether there is one, does not depend on how bytes are cut.
func TestStreamDamaged(t *testing.T) {
	for _, coding := range []string{"gzip", "raw", "br", "zstd"} {
		wire := bytes.Join(flushed(t, coding, text(400), text(300)), nil)
		for at := range wire {
			bad := bytes.Clone(wire)
			bad[at] ^= 1 << (at % 8)
			var first []byte
			var kind decode.AnomalyKind
			for i, cut := range []int{len(bad), 1, 5} {
				s := NewStream([]string{name(coding)})
				var got []byte
				out := func(p []byte) { got = append(got, p...) }
				began := time.Now()
				for w := bad; len(w) > 0; w = w[min(cut, len(w)):] {
					s.Write(w[:min(cut, len(w))], out)
				}
				k := s.End(out)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("%s damaged at %d: took %v", coding, at, took)
				}
				if i == 0 {
					first, kind = got, k
				} else if k != kind || !bytes.Equal(got, first) {
					t.Errorf("%s damaged at %d, cut %d: %d bytes %q, whole %d bytes %q", coding, at, cut, len(got), k, len(first), kind)
				}
			}
		}
	}
}
