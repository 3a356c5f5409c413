package export

import (
	"fmt"

	"github.com/NoFear0411/spliff/decode"
)

// timeFormat is RFC 3339 with all nine digits, so that times sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// latency writes a duration as the live view always has: the unit changes, the
// number of decimals with it.
func (s *screen) latency(ns int64) {
	switch {
	case ns < 1e3:
		s.buf = fmt.Appendf(s.buf, "%dns", ns)
	case ns < 999_950: // what would be written as 1000.0us is 1.00ms
		s.buf = fmt.Appendf(s.buf, "%.1fus", float64(ns)/1e3)
	case ns < 999_995_000:
		s.buf = fmt.Appendf(s.buf, "%.2fms", float64(ns)/1e6)
	default:
		s.buf = fmt.Appendf(s.buf, "%.2fs", float64(ns)/1e9)
	}
}

// duration writes a duration in at most 7 cells, with three digits that count.
func (s *screen) duration(ns int64) {
	switch {
	case ns < 1e3:
		s.buf = fmt.Appendf(s.buf, "%dns", ns)
	case ns < 1e6:
		s.buf = fmt.Appendf(s.buf, "%d", ns/1e3)
		s.own("µs")
	// From here on decimals go as digits come, so that the width holds.
	case ns < 1e8:
		s.buf = fmt.Appendf(s.buf, "%.1fms", float64(ns)/1e6)
	case ns < 1e9:
		s.buf = fmt.Appendf(s.buf, "%dms", ns/1e6)
	case ns < 1e10:
		s.buf = fmt.Appendf(s.buf, "%.2fs", float64(ns)/1e9)
	case ns < 1e11:
		s.buf = fmt.Appendf(s.buf, "%.1fs", float64(ns)/1e9)
	case ns < 3600e9:
		s.buf = fmt.Appendf(s.buf, "%dm%02ds", ns/60e9, ns/1e9%60)
	default:
		s.buf = fmt.Appendf(s.buf, "%dh%02dm", ns/3600e9, ns/60e9%60)
	}
}

// size writes a number of bytes in at most 7 cells, with three digits that count.
func (s *screen) size(n uint64) {
	if n < 1<<10 {
		s.buf = fmt.Appendf(s.buf, "%d B", n)
		return
	}
	v, unit := float64(n)/(1<<10), 0
	// 1023.95 would be written as 1024.0: it is the next unit's 1.
	for units := "KMGTPE"; v >= 1023.5 && unit < len(units)-1; unit++ {
		v /= 1 << 10
	}
	format := "%.1f%ciB"
	if v >= 99.95 {
		format = "%.0f%ciB"
	}
	s.buf = fmt.Appendf(s.buf, format, v, "KMGTPE"[unit])
}

// direction names a direction as the seed did.
func (s *screen) direction(d decode.Dir) {
	if d == decode.Read {
		s.own("READ")
	} else {
		s.own("WRITE")
	}
}
