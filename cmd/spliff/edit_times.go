package main

import (
	"strings"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// sessionTime reads a time as users write it, for a session that began at start:
// RFC 3339, a date and time or a time of day by the recording host's clock, or an
// offset such as +30s from the start. end is when the session ends, 0 if that is
// not known: a time of day that has passed at the start is one of the next day if
// the session lasts so long.
func sessionTime(s string, h *format.Session, end int64) (int64, error) {
	start := time.Unix(0, h.Wall).In(hostZone(h.UTCOffset))
	if off, ok := strings.CutPrefix(s, "+"); ok {
		d, err := time.ParseDuration(off)
		if err != nil {
			return 0, usagef("not an offset from the start: %q (examples: +30s, +1m30s)", s)
		}
		return start.Add(d).UnixNano(), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UnixNano(), nil
	}
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, start.Location()); err == nil {
			return t.UnixNano(), nil
		}
	}
	for _, form := range []string{"15:04:05", "15:04"} {
		t, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		y, m, d := start.Date()
		at := time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), start.Location())
		if next := at.AddDate(0, 0, 1); at.Before(start) && next.UnixNano() <= end {
			at = next
		}
		return at.UnixNano(), nil
	}
	return 0, usagef("not a time: %q (examples: 15:12:05, 2026-01-12T15:12:05Z, +30s)", s)
}

// hostZone is the recording host's local time.
func hostZone(offset int32) *time.Location {
	// The file may say anything; beyond a day it is no offset of any place.
	if offset < -86400 || offset > 86400 {
		offset = 0
	}
	return time.FixedZone("", int(offset))
}
