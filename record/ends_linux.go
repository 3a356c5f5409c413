//go:build amd64 || arm64

package record

import (
	"cmp"
	"maps"
	"slices"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

func (t *translator) end(e *bpf.SpliffEvEnd) error {
	c, err := t.known(&e.Hdr)
	if err != nil {
		return err
	}
	if e.Handshake != 0 {
		if err := t.handshake(&e.Hdr, c, format.Handshake{Dur: e.HsDur}); err != nil {
			return err
		}
	}
	return t.finish(&e.Hdr, c, format.ConnEnd{Reason: format.EndReason(e.Reason), Shutdown: e.Shutdown != 0,
		Written: e.Off[0], Read: e.Off[1], Lost: lostBytes(e.Lost), Causes: lostBy(e.Lost)}, e.Cause)
}

// finish ends a connection, naming first what never arrived of it and, by cause,
// why.
func (t *translator) finish(h *bpf.SpliffEvHdr, c *tracked, end format.ConnEnd, cause [2]uint8) error {
	if err := t.trailing(h, c, [2]uint64{end.Written, end.Read}, cause); err != nil {
		return err
	}
	t.buf = end.AppendTo(t.buf[:0])
	err := t.emit(format.TypeConnEnd, h, c, t.buf)
	delete(t.conns, c.seq)
	delete(t.hellos, c.seq)
	if of := t.of[c.info.PID]; of != nil {
		if delete(of, c); len(of) == 0 {
			delete(t.of, c.info.PID)
		}
	}
	if t.at[c.key] == c {
		delete(t.at, c.key)
	}
	return err
}

// trailing names the bytes between what we hold and what the kernel side counted.
func (t *translator) trailing(h *bpf.SpliffEvHdr, c *tracked, offs [2]uint64, cause [2]uint8) error {
	for dir, off := range offs {
		if off > c.next[dir] {
			if err := t.drop(h, c, uint8(dir), causeOf(cause[dir]), off); err != nil {
				return err
			}
		}
	}
	return nil
}

// endOf is how the kernel side's count of a connection reads at its end.
func endOf(k bpf.SpliffConn, why format.EndReason) format.ConnEnd {
	return format.ConnEnd{Reason: why, Shutdown: k.Shutdown != 0, Written: k.Off[0], Read: k.Off[1], Lost: lostBytes(k.Lost), Causes: lostBy(k.Lost)}
}

// buried finishes connections whose end found no room in the ring. One that was
// never announced is introduced first: its bytes are lost, not unheard of.
//
// Of those that ended since the ring was last drained, samples may still wait in it:
// only the ones for which ripe says otherwise are finished.
func (t *translator) buried(now uint64, ended map[sslKey]bpf.SpliffConn, ripe func(id uint64) bool) error {
	for _, key := range slices.SortedFunc(maps.Keys(ended), func(a, b sslKey) int { return cmp.Compare(ended[a].Id, ended[b].Id) }) {
		k := ended[key]
		if !ripe(k.Id) {
			continue
		}
		h := &bpf.SpliffEvHdr{Tgid: key.Tgid, Conn: k.Id, Time: now}
		c, err := t.known(h)
		if err != nil {
			return err
		}
		if err := t.finish(h, c, endOf(k, format.EndReason(k.Ended)), k.Cause); err != nil {
			return err
		}
		t.kernel.forget(key)
	}
	return nil
}

// inKernel returns what the kernel side counted of a connection. One whose
// announcement found no room, while bytes of it did, is looked for by its number.
func (t *translator) inKernel(c *tracked) (bpf.SpliffConn, bool) {
	if c.key == (sslKey{}) {
		key, ok := t.kernel.find(c.seq)
		if !ok {
			return bpf.SpliffConn{}, false
		}
		c.key = key
	}
	k, ok := t.kernel.conn(c.key)
	return k, ok && k.Id == c.seq
}

// open returns the open connections, oldest first: whatever is said of all of them
// is said in the same order every time.
func (t *translator) open() []*tracked { return slices.SortedFunc(maps.Values(t.conns), byID) }

func byID(a, b *tracked) int { return cmp.Compare(a.id, b.id) }

// settle names what is missing at the end of connections that are still open.
func (t *translator) settle(now uint64) error {
	for _, c := range t.open() {
		if k, ok := t.inKernel(c); ok {
			if err := t.trailing(&bpf.SpliffEvHdr{Time: now}, c, k.Off, k.Cause); err != nil {
				return err
			}
		}
	}
	return nil
}

// causeOf picks the cause that matters most when a gap has several: the order of
// lossCauses.
func causeOf(lost uint8) format.DropCause {
	for _, l := range lossCauses {
		if l.located && lost&(1<<l.bit) != 0 {
			return l.cause
		}
	}
	return format.DropUnknown
}
