package format

// metBegin marks a connection that begins in a slice; bits below it are the
// directions of which bytes came.
const metBegin = 1 << 7

// lead says, before the first bytes of a connection that began before a slice,
// that those before them were left out: they are not lost.
func (c *Copier) lead(ev *Event) error {
	m := c.met[ev.Conn]
	switch ev.Type {
	case TypeConn:
		if ev.Flags&FlagRepeat == 0 {
			c.met[ev.Conn] = m | metBegin
		}
	case TypeData:
		bit := uint8(1) << (ev.Dir & 3)
		if m&bit != 0 {
			return nil
		}
		c.met[ev.Conn] = m | bit
		if m&metBegin == 0 {
			return c.leftOut(ev, ev.Dir, ev.Offset)
		}
	case TypeConnEnd:
		delete(c.met, ev.Conn)
		end, err := ParseConnEnd(ev.Payload)
		if err != nil || m&metBegin != 0 {
			return nil
		}
		total := [...]uint64{DirWrite: end.Written, DirRead: end.Read}
		for _, d := range [2]Dir{DirWrite, DirRead} {
			if m&(1<<d) == 0 {
				if err := c.leftOut(ev, d, total[d]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// leftOut writes a DROP event for the first n bytes of a direction.
func (c *Copier) leftOut(ev *Event, d Dir, n uint64) error {
	if n == 0 {
		return nil
	}
	drop := Drop{Cause: DropEdited, Bytes: n}
	return c.append(&Event{Type: TypeDrop, Dir: d, Probe: ev.Probe, CPU: ev.CPU, TID: ev.TID, Conn: ev.Conn,
		Seq: ev.Seq, Time: ev.Time, Payload: drop.AppendTo(nil)})
}
