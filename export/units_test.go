package export

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnits(t *testing.T) {
	var got []string
	for _, ns := range []int64{0, 999, 63_100, 999_940, 15_000_000, 294_290_000, 1_204_000_000} {
		var l, d screen
		l.latency(ns)
		d.duration(ns)
		got = append(got, string(l.buf)+" "+string(d.buf))
	}
	want := []string{"0ns 0ns", "999ns 999ns", "63.1us 63µs", "999.9us 999µs", "15.00ms 15.0ms", "294.29ms 294ms", "1.20s 1.20s"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	got = nil
	for _, n := range []uint64{0, 1023, 4200, 3 << 20, 5 << 40} {
		var s screen
		s.size(n)
		got = append(got, string(s.buf))
	}
	if d := cmp.Diff([]string{"0 B", "1023 B", "4.1KiB", "3.0MiB", "5.0TiB"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for ns := int64(1); ns < 1<<61; ns *= 3 {
		var s screen
		if s.duration(ns); cells(s.buf) > widthTook && ns < 100*3600e9 {
			t.Errorf("%d ns takes more than its column: %s", ns, s.buf)
		}
	}
}

func TestUnitEdges(t *testing.T) {
	for ns, want := range map[int64][2]string{ // latency, duration
		1:                    {"1ns", "1ns"},
		1_000:                {"1.0us", "1µs"},
		1_000_000:            {"1.00ms", "1.0ms"},
		99_949_999:           {"99.95ms", "99.9ms"},
		100_000_000:          {"100.00ms", "100ms"},
		999_999_999:          {"1.00s", "999ms"},
		10_000_000_000:       {"10.00s", "10.0s"},
		100_000_000_000:      {"100.00s", "1m40s"},
		3_599_999_999_999:    {"3600.00s", "59m59s"},
		3_600_000_000_000:    {"3600.00s", "1h00m"},
		90_061_000_000_000:   {"90061.00s", "25h01m"},
		359_999_000_000_000:  {"359999.00s", "99h59m"},
		3_600_000_000_000_00: {"360000.00s", "100h00m"},
	} {
		var l, d, ascii screen
		ascii.ascii = true
		l.latency(ns)
		d.duration(ns)
		ascii.duration(ns)
		if string(l.buf) != want[0] || string(d.buf) != want[1] {
			t.Errorf("%d ns: %s and %s, want %s and %s", ns, l.buf, d.buf, want[0], want[1])
		}
		if got, want := string(ascii.buf), strings.ReplaceAll(want[1], "µ", "u"); got != want {
			t.Errorf("%d ns in ASCII: %s, want %s", ns, got, want)
		}
	}
	for n, want := range map[uint64]string{1: "1 B", 1 << 10: "1.0KiB", 1<<20 - 1: "1.0MiB", 1 << 20: "1.0MiB", 1<<30 - 1: "1.0GiB", 1 << 30: "1.0GiB", 150000: "146KiB", 102348: "99.9KiB", 102349: "100KiB", 1<<64 - 1: "16.0EiB"} {
		var s screen
		if s.size(n); string(s.buf) != want {
			t.Errorf("%d bytes: %s, want %s", n, s.buf, want)
		}
	}
}

// TestSizeWidth: the column of the table is as wide as the widest size.
func TestSizeWidth(t *testing.T) {
	for n := uint64(1); n < 1<<63; n += n/16 + 1 {
		var s screen
		s.size(n)
		if len(s.buf) > widthSize {
			t.Fatalf("%d bytes: %q is wider than %d", n, s.buf, widthSize)
		}
	}
}
