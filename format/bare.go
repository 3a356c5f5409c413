package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Bare mode reads what `zstd -dc session.spl | zstd` makes: the same log in
// frames of any size without our headers. There are no chunks to fall back on,
// so the first damage ends it.

// openBare starts bare mode if the zstd data that comes next is an event log.
func (r *Reader) openBare() error {
	packed := r.src
	r.packed = &packed
	dec, err := zstd.NewReader(r.packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindow))
	if err != nil {
		return fmt.Errorf("%w (zstd: %w)", ErrNotSession, err)
	}
	// The decompressor passes over skippable frames by itself, ours included.
	r.bare, r.src = true, window{r: dec}
	b := r.src.peek(eventHeadLen)
	if len(b) == eventHeadLen {
		if n, err := eventLen(b); err == nil && n <= pad8(eventHeadLen+MaxDefinition) {
			b = r.src.peek(n)
		}
	}
	if !looksRaw(b) {
		if errors.Is(r.src.err, zstd.ErrWindowSizeExceeded) {
			return fmt.Errorf("%w (its zstd window is over 8 MiB; recompress it without --long or --ultra)", ErrNotSession)
		}
		return fmt.Errorf("%w (zstd data, but not of a session)", ErrNotSession)
	}
	var ev Event
	_, _, err = firstEvent(b, &ev)
	r.header, _ = ParseSession(ev.Payload)
	return err
}

// nextBare is Next in bare mode. r.pos is the length of the last event, which is
// given back only now because its payload was lent.
func (r *Reader) nextBare(ev *Event) error {
	if r.err != nil {
		return r.err
	}
	r.src.skip(r.pos)
	r.pos = 0
	// zstd proves a frame intact only at its end, so events of a damaged frame may
	// have been delivered before it is noticed. With chunks that cannot happen.
	b := r.src.peek(eventHeadLen)
	if len(b) == 0 && r.src.err == io.EOF {
		return r.stop(io.EOF)
	}
	if len(b) < eventHeadLen {
		return r.bareDamage(nil)
	}
	n, err := eventLen(b)
	if err != nil {
		return r.bareDamage(err)
	}
	if b = r.src.peek(n); len(b) < n {
		return r.bareDamage(nil)
	}
	lo, err := parseEvent(b, ev)
	if err != nil {
		return r.bareDamage(err)
	}
	// The upper half was in the chunk headers; what counts is the order.
	if r.seen == 0 || ev.Type == TypeSession {
		r.seq = uint64(lo)
	} else {
		r.seq = widen(r.seq, lo)
	}
	ev.Seq = r.seq
	r.seen, r.pos = 1, n
	return nil
}

// bareDamage ends bare mode. err is nil when the log ended inside an event.
func (r *Reader) bareDamage(err error) error {
	if fail := r.packed.failure(); fail != nil {
		return r.stop(fail)
	}
	d := Damage{Offset: r.packed.off, Kind: DamageCorrupt}
	switch {
	case err != nil:
		d.Detail = fmt.Sprintf("byte %d of the decompressed log: %v", r.src.off, err)
	case r.src.err == io.EOF || errors.Is(r.src.err, io.ErrUnexpectedEOF):
		d.Kind, d.Detail = DamageTorn, "the file ends inside a zstd frame or an event"
	default:
		d.Detail = fmt.Sprintf("zstd: %v", r.src.err)
	}
	r.note(d)
	return r.stop(io.EOF)
}

func (r *Reader) stop(err error) error {
	r.err = err
	return err
}

// bareHeld reports whether the next event is held in memory.
func (r *Reader) bareHeld() bool {
	b := r.src.held()[r.pos:]
	if r.err != nil || len(b) < eventHeadLen {
		return r.err != nil
	}
	n, err := eventLen(b)
	return err == nil && n <= len(b)
}
