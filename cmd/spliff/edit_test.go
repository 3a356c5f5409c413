package main

import (
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

func TestSessionTime(t *testing.T) {
	// 23:50 by the host's clock, two hours west of UTC.
	start := time.Date(2026, 1, 12, 23, 50, 0, 0, time.FixedZone("", -7200))
	h := &format.Session{Wall: start.UnixNano(), UTCOffset: -7200}
	long := start.Add(24 * time.Hour).UnixNano()
	tests := []struct {
		in   string
		end  int64
		want string // in UTC, "" for an error
	}{
		{"+30s", 0, "2026-01-13T01:50:30Z"},
		{"+1m30.5s", 0, "2026-01-13T01:51:30.5Z"},
		{"2026-01-13T01:55:00Z", 0, "2026-01-13T01:55:00Z"},
		{"2026-01-13T03:55:00.25+02:00", 0, "2026-01-13T01:55:00.25Z"},
		{"2026-01-12 23:55:00", 0, "2026-01-13T01:55:00Z"},
		{"2026-01-12T23:55:00.125", 0, "2026-01-13T01:55:00.125Z"},
		{"2026-01-13", 0, "2026-01-13T02:00:00Z"},
		{"23:55:01", 0, "2026-01-13T01:55:01Z"},
		{"23:55", 0, "2026-01-13T01:55:00Z"},
		{"23:55:01.5", 0, "2026-01-13T01:55:01.5Z"},
		{"00:10", long, "2026-01-13T02:10:00Z"}, // the session lasts past midnight
		{"00:10", 0, "2026-01-12T02:10:00Z"},
		{"noon", 0, ""},
		{"+soon", 0, ""},
		{"25:00", 0, ""},
		{"", 0, ""},
	}
	for _, tt := range tests {
		got, err := sessionTime(tt.in, h, tt.end)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%q is taken for %d", tt.in, got)
			}
			continue
		}
		if text := time.Unix(0, got).UTC().Format(time.RFC3339Nano); err != nil || text != tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.in, text, err, tt.want)
		}
	}
}

func TestIDList(t *testing.T) {
	tests := []struct{ in, want string }{
		{"3", "3"}, {"3,8-10", "3,8,9,10"}, {" 1 , 2", "1,2"}, {"4294967295", "4294967295"},
		{"0", ""}, {"2-1", ""}, {"", ""}, {"a", ""}, {"1-", ""}, {"-1", ""}, {"4294967296", ""}, {"1-4294967295", ""},
	}
	for _, tt := range tests {
		var l idList
		err := l.Set(tt.in)
		if (err == nil) != (tt.want != "") || err == nil && l.String() != tt.want {
			t.Errorf("%q: %s, %v, want %q", tt.in, l.String(), err, tt.want)
		}
	}
	var l idList
	if l.Set("1-65536") != nil || l.Set("1") == nil {
		t.Error("the number of numbers is not bounded")
	}
}
