package format

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// traffic is 64 MiB or so of events with the kind of payload HTTP has: half
// text of few words, half already compressed.
func traffic(n int) []Event {
	rng := rand.New(rand.NewPCG(11, 12))
	words := bytes.Fields([]byte("content-type: text/html; charset=utf-8 accept-encoding: gzip, deflate, br GET POST /index.html HTTP/1.1 200 OK cache-control: no-cache <div class= </div> <p> the of and to in is \"id\": \"name\": null, true, 1234567 2026-01-01T00:00:00Z"))
	evs := make([]Event, n)
	for i := range evs {
		var p []byte
		size := 200 + rng.IntN(1600)
		if i%2 == 0 {
			for len(p) < size {
				p = append(append(p, words[rng.IntN(len(words))]...), ' ')
			}
		} else {
			for len(p) < size {
				p = append(p, byte(rng.Uint32()))
			}
		}
		evs[i] = Event{Type: TypeData, Dir: 1 + Dir(i%2), Conn: 1 + uint32(rng.IntN(200)), Probe: 1, TID: 4000,
			Seq: uint64(i + 1), Time: uint64(i) * 1000, Offset: uint64(i), Dur: 5000, Payload: p}
	}
	return evs
}

func definitionsOf(w *Writer, b *testing.B) {
	for id := uint32(1); id <= 200; id++ {
		pid := 100 + id/8
		for _, ev := range []Event{
			{Type: TypeProc, Payload: (&Proc{PID: pid, Comm: "curl"}).AppendTo(nil)},
			{Type: TypeConn, Conn: id, Payload: (&Conn{PID: pid, SSL: uint64(id), ALPN: "h2"}).AppendTo(nil)},
		} {
			if err := w.Append(&ev); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchWrite(b *testing.B, w io.Writer, evs []Event, o WriterOptions) {
	s, err := NewWriter(w, Session{}, o)
	if err != nil {
		b.Fatal(err)
	}
	definitionsOf(s, b)
	for i := range evs {
		if err := s.Append(&evs[i]); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func payloadBytes(evs []Event) (n int64) {
	for i := range evs {
		n += int64(len(evs[i].Payload))
	}
	return n
}

func BenchmarkWrite(b *testing.B) {
	evs := traffic(60_000)
	for _, workers := range []int{0, 1} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(payloadBytes(evs))
			b.ReportAllocs()
			for b.Loop() {
				benchWrite(b, io.Discard, evs, WriterOptions{Workers: workers})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(evs)), "ns/event")
		})
	}
}

// BenchmarkAppend is what the consumer of the kernel ring pays per event: no
// compression, no write.
func BenchmarkAppend(b *testing.B) {
	ev := Event{Type: TypeData, Conn: 1, Payload: make([]byte, 1000)}
	w, err := NewWriter(io.Discard, Session{}, WriterOptions{ChunkBytes: maxTarget})
	if err != nil {
		b.Fatal(err)
	}
	definitionsOf(w, b)
	empty := len(w.cur.raw)
	w.cur.raw = extend(w.cur.raw, 1<<20)[:empty]
	b.ReportAllocs()
	for b.Loop() {
		if len(w.cur.raw) > 1<<20 {
			w.cur.raw = w.cur.raw[:empty]
		}
		if err := w.Append(&ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	evs := traffic(60_000)
	var buf bytes.Buffer
	benchWrite(b, &buf, evs, WriterOptions{})
	b.SetBytes(payloadBytes(evs))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(buf.Bytes()), ReaderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var ev Event
		for err == nil {
			err = r.Next(&ev)
		}
		if err != io.EOF || r.Damage() != nil {
			b.Fatal(err, r.Damage())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(evs)), "ns/event")
}

// BenchmarkZstd is the anchor: the same bytes compressed and decompressed with
// nothing around them.
func BenchmarkZstd(b *testing.B) {
	var buf bytes.Buffer
	evs := traffic(60_000)
	benchWrite(b, &buf, evs, WriterOptions{})
	log := rawLog(b, buf.Bytes())
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(encodeWindow))
	if err != nil {
		b.Fatal(err)
	}
	var packed [][]byte
	for at := 0; at < len(log); at += defaultChunk {
		packed = append(packed, enc.EncodeAll(log[at:min(at+defaultChunk, len(log))], nil))
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(payloadBytes(evs))
		var dst []byte
		for b.Loop() {
			for at := 0; at < len(log); at += defaultChunk {
				dst = enc.EncodeAll(log[at:min(at+defaultChunk, len(log))], dst[:0])
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(payloadBytes(evs))
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			b.Fatal(err)
		}
		var dst []byte
		for b.Loop() {
			for _, p := range packed {
				if dst, err = dec.DecodeAll(p, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
