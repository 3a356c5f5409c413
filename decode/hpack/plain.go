package hpack

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

// plain is literal for a field that does not enter the table (RFC 7541 §6.2.2,
// §6.2.3). If its name is not the dynamic table's either, its bytes alone say what it
// is. Some servers send all their fields so, most of them the same each time.
func (d *Decoder) plain(dst []decode.Field, p []byte) ([]decode.Field, []byte) {
	if l := d.chain.Foretold(); l != nil && len(p) >= len(l.Coded) && string(p[:len(l.Coded)]) == l.Coded {
		d.chain.Follow(l)
		return d.emit(dst, &l.Field), p[len(l.Coded):]
	}
	n := plainLen(p)
	if n == 0 {
		return d.literal(dst, p, 4, false)
	}
	l, again := d.arena.Literals.Find(p[:n])
	d.chain.Follow(l)
	if l != nil {
		return d.emit(dst, &l.Field), p[n:]
	}
	dst, rest := d.literal(dst, p, 4, false)
	if again && d.res.Fault == "" && len(p)-len(rest) == n {
		f := d.last
		text := f.Name + f.Value // its own memory
		f.Name, f.Value = text[:len(f.Name)], text[len(f.Name):]
		d.arena.Literals.Keep(&arena.Line{Coded: string(p[:n]), Field: f})
	}
	return dst, rest
}

// plainLen returns how long the literal at the front of p is, or 0 if that is not
// easily told: its name is of the dynamic table, a length takes several bytes, or it
// is cut.
func plainLen(p []byte) int {
	n := 1
	switch i := p[0] & 0x0f; {
	case i == 0x0f:
		if len(p) < 2 || int(p[1])+0x0f > staticLen {
			return 0
		}
		n = 2
	case i == 0:
		if n = skipText(p, n); n == 0 {
			return 0
		}
	}
	return skipText(p, n)
}

// skipText returns where the string at p[at:] ends, or 0.
func skipText(p []byte, at int) int {
	if at >= len(p) {
		return 0
	}
	n := int(p[at] & 0x7f)
	if n == 0x7f || n > len(p)-at-1 {
		return 0
	}
	return at + 1 + n
}
