package content

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"math"
	"runtime"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// streamFree and streamRatio bound the time a stream can take: past the first,
	// what it decodes to must not be more than streamRatio times what was sent.
	streamFree  = 32 << 20
	streamRatio = 64
	// streamPiece is how much is decoded at a time.
	streamPiece = 4 << 10
	// streamMemory is about what the decoder of one coding holds at least, its stack
	// included.
	streamMemory = 64 << 10
)

// Stream removes codings from bytes as they come, where [Decode] wants them all. It
// is not safe for concurrent use. What can be decoded of the bytes so far is given
// out at once: a server that sends events one by one ends a block of its coding
// behind each.
//
// The libraries that undo codings read, and cannot be told to wait. They run in a
// coroutine ([iter.Pull]), that goes on where it was when more bytes are there, and
// at no other time: it is a part of the call, no work beside it. End frees it; so
// does the garbage collector if that is forgotten.
type Stream struct{ *stream }

// stream is what the coroutine knows. The handle around it is for the collector:
// the coroutine's own stack always refers to the stream.
type stream struct {
	next   func() (struct{}, bool)
	stop   func()
	layers []*layer
	in     []byte // borrowed, during a call of Write
	out    func([]byte)
	yield  func(struct{}) bool
	ended  bool // no more bytes come
	wire   uint64
	got    uint64
	kind   decode.AnomalyKind
	done   bool // nothing more is given out
}

// errStopped ends a coroutine that nobody will call again.
var errStopped = errors.New("stopped")

// NewStream returns a stream for codings, outermost last, or nil if one of them is
// not known or there are too many.
func NewStream(codings []string) *Stream {
	names, known, kind := plan(codings)
	if kind != "" || known < len(names) || len(names) == 0 {
		return nil
	}
	s := &stream{}
	var r io.Reader = (*source)(s)
	for _, name := range names {
		// Bytes that are here are decoded: a buffer that waited to be full would keep
		// them back. bufio reads no more than once.
		l := &layer{coding: name, src: bufio.NewReader(r), left: math.MaxInt, singly: true}
		l.room = l.left
		s.layers = append(s.layers, l)
		r = l
	}
	h := &Stream{s}
	s.next, s.stop = iter.Pull(func(yield func(struct{}) bool) { s.run(r, yield) })
	runtime.AddCleanup(h, func(s *stream) { s.stop() }, s)
	return h
}

// run is the coroutine: it reads until the codings end or fail.
func (s *stream) run(r io.Reader, yield func(struct{}) bool) {
	s.yield = yield
	buf := make([]byte, streamPiece)
	defer func() {
		for _, l := range s.layers {
			l.close()
		}
	}()
	for {
		n, err := r.Read(buf)
		s.got += uint64(n)
		if n > 0 && s.out != nil {
			s.out(buf[:n])
		}
		switch {
		case s.got > streamFree && s.got/streamRatio > s.wire:
			s.kind = decode.AnomalyLimit
			return
		case err != nil:
			return
		}
	}
}

// source is the stream as the outermost decoder reads it. Where there are no bytes it
// leaves the coroutine.
type source stream

func (s *source) Read(p []byte) (int, error) {
	for len(s.in) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if !s.yield(struct{}{}) {
			return 0, errStopped
		}
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// oneByte reads a byte at a time. The brotli reader drops what it has decoded of a
// piece of its input in which it finds a fault: how much that is must not depend on how
// bytes came.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// Write takes the next bytes and calls out with what they decode to, in pieces that
// are borrowed for that call. After a fault it does nothing.
func (s *stream) Write(p []byte, out func([]byte)) {
	s.wire += uint64(len(p))
	if s.done || len(p) == 0 {
		return
	}
	s.in, s.out = p, out
	s.step()
	s.in, s.out = nil, nil
}

// step lets the coroutine go on, until it waits again or is done.
func (s *stream) step() {
	if _, more := s.next(); more {
		return
	}
	s.done = true
	for _, l := range s.layers {
		if s.kind == "" && l.kind != "" {
			s.kind = l.kind
		}
	}
}

// End tells that no more bytes come. It calls out with what is left and returns what
// was wrong: an anomaly kind as Decode's, or "".
func (s *stream) End(out func([]byte)) decode.AnomalyKind {
	if s.ended = true; !s.done {
		s.out = out
		s.step()
		s.out = nil
	}
	s.Stop()
	return s.kind
}

// Stop frees the decoders. What is written then is passed over.
func (s *stream) Stop() {
	s.done = true
	s.stop()
	s.layers = nil
}

// Err says what is wrong so far.
func (s *stream) Err() decode.AnomalyKind { return s.kind }

// Kept returns about how many bytes the decoders hold: a window each, that grows with
// what was decoded.
func (s *stream) Kept() int {
	return len(s.layers) * (streamMemory + int(min(s.got, MaxWindow)))
}
