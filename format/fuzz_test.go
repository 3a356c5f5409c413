package format

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// FuzzReader: no input makes the reader panic, loop, or return anything but
// io.EOF at the end; how the bytes arrive changes nothing.
func FuzzReader(f *testing.F) {
	file, _ := small(f)
	f.Add(file)
	f.Add(file[:len(file)-100])
	f.Add(flip(file, 400))
	f.Add(slices.Concat(file[:1500], file))
	f.Add(zstdOf(f, rawLog(f, file)))
	f.Add(edited(file, func(h []byte) { h[16] = 2 }))
	f.Add(slices.Concat(frames(file)[0], frame("SPLX", mustUnderstand, 8), file))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), ReaderOptions{MaxChunk: 1 << 20})
		if err != nil {
			if !errors.Is(err, ErrNotSession) && !errors.Is(err, ErrVersion) {
				t.Fatalf("open: %v", err)
			}
			return
		}
		want, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		// Only a section refused as a whole gives nothing.
		if len(want) == 0 && len(r.Damage()) == 0 || len(want) > 0 && want[0].Type != TypeSession {
			t.Fatalf("a session of %d events does not begin with SESSION", len(want))
		}
		if n := len(r.Damage()); n > maxDamage {
			t.Fatalf("%d pieces of damage", n)
		}
		again, err := NewReader(&dribble{b}, ReaderOptions{MaxChunk: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := diffEvents(want, got); d != "" {
			t.Fatalf("other events in small pieces (-want +got):\n%s", d)
		}
		if !slices.Equal(r.Damage(), again.Damage()) {
			t.Fatalf("other damage in small pieces: %v, %v", again.Damage(), r.Damage())
		}
	})
}

// dribble gives 7 bytes a time.
type dribble struct{ left []byte }

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 7)], d.left)
	d.left = d.left[n:]
	return n, nil
}

// FuzzSealed gives the reader arbitrary events, chunk header fields and file
// header bytes behind good checksums, which FuzzReader hardly finds.
func FuzzSealed(f *testing.F) {
	file, _ := small(f)
	head := frames(file)[0]
	_, e, _ := headIn(frames(file)[1])
	f.Add(head[envelopeLen:len(head)-crcLen], e.fixed[envelopeLen:], rawLog(f, slices.Concat(frames(file)[:2]...)))
	f.Fuzz(func(t *testing.T, file, fields, raw []byte) {
		if len(file) > 1<<15 || len(raw) > 1<<16 {
			return
		}
		fh := frame("SPLF", 0, len(file))
		copy(fh[envelopeLen:], file)
		le.PutUint16(fh[12:], uint16(min(fileFixedLen, envelopeLen+len(file))))
		reseal(fh)
		chunk := chunkOf(fh, raw, nil, func(h *chunkHeader) {
			var b [chunkFixedLen]byte
			copy(b[envelopeLen:], fields)
			given, _ := parseChunkHeader(envelope{fixed: b[:]})
			h.no, h.events, h.firstSeq = given.no, given.events, given.firstSeq
		})
		r, err := NewReader(bytes.NewReader(slices.Concat(fh, chunk, chunk)), ReaderOptions{})
		if err != nil {
			return
		}
		if _, err := drain(r); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzEvent: an event that parses is the same when written and parsed again.
func FuzzEvent(f *testing.F) {
	f.Add(appendEvent(nil, &Event{Type: TypeData, Payload: []byte("abc")}))
	f.Add(appendEvent(nil, &Event{Type: TypeClock}))
	f.Add(grownEvent("hello", appendTLV(nil, 77, "option")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ev, again Event
		n, lo, err := firstEvent(b, &ev)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		if n > len(b) || len(ev.Payload) > n {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		ev.Seq = uint64(lo)
		out := appendEvent(nil, &ev)
		_, lo2, err := firstEvent(out, &again)
		again.Seq = uint64(lo2)
		if err != nil || diffEvents([]Event{ev}, []Event{again}) != "" {
			t.Fatalf("%v: %+v, then %+v", err, ev, again)
		}
	})
}

// FuzzPayload: no payload parser panics; what one accepts encodes to something
// that parses to the same, and no smaller input makes a larger value.
func FuzzPayload(f *testing.F) {
	for _, p := range payloads() {
		f.Add(p.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		stable(t, b, ParseConn, (*Conn).AppendTo)
		stable(t, b, ParseConnEnd, (*ConnEnd).AppendTo)
		stable(t, b, ParseProc, (*Proc).AppendTo)
		stable(t, b, ParseProcEnd, (*ProcEnd).AppendTo)
		stable(t, b, ParseDrop, (*Drop).AppendTo)
		stable(t, b, ParseClock, (*Clock).AppendTo)
		stable(t, b, ParseSession, (*Session).AppendTo)
		stable(t, b, ParseProbe, (*Probe).AppendTo)
		stable(t, b, ParseUnwatched, (*Unwatched).AppendTo)
		stable(t, b, ParseHandshake, (*Handshake).AppendTo)
		stable(t, b, ParseEnd, (*End).AppendTo)
		findWord(b, connPID)
	})
}

func stable[T any](t *testing.T, b []byte, parse func([]byte) (T, error), encode func(*T, []byte) []byte) {
	v, err := parse(b)
	if err != nil {
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		return
	}
	again, err := parse(encode(&v, nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(v, again); d != "" {
		t.Fatalf("(-first +again):\n%s", d)
	}
}
