package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeValue is a flag that holds a number of bytes.
type sizeValue int

// sizeUnits are tried in order, so that a suffix comes before its own tail.
func sizeUnits() []struct {
	suffix string
	factor float64
} {
	return []struct {
		suffix string
		factor float64
	}{
		{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
		{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
		{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30},
		{"b", 1}, {"", 1},
	}
}

// Set parses "65536", "64KiB", "64k" or "1.5MB".
func (v *sizeValue) Set(s string) error {
	low := strings.ToLower(strings.TrimSpace(s))
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(low, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		// The comparison is written so that NaN fails it too.
		if n *= u.factor; err != nil || !(n >= 0 && n <= math.MaxInt32) {
			break
		}
		*v = sizeValue(n)
		return nil
	}
	return fmt.Errorf("not a size below 2 GiB: %q (examples: 65536, 64KiB, 1.5MB)", s)
}

// String returns the size in the largest unit that divides it.
func (v *sizeValue) String() string {
	n := int(*v)
	for _, u := range []struct {
		name   string
		factor int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.factor && n%u.factor == 0 {
			return strconv.Itoa(n/u.factor) + u.name
		}
	}
	return strconv.Itoa(n)
}

// Type names the value in help texts.
func (v *sizeValue) Type() string { return "SIZE" }

// bytesText writes n bytes for people: "84 B", "4.1 KiB".
func bytesText(n uint64) string {
	if n < 1<<10 {
		return strconv.FormatUint(n, 10) + " B"
	}
	// One digit after the point: the list's columns have no room for more.
	f, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if f < 1<<10 {
			break
		}
		f, unit = f/(1<<10), next
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// count writes n things: "1 event", "2 events".
func count[T ~int | ~uint64](n T, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "s") {
		return fmt.Sprintf("%d %ses", n, thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
