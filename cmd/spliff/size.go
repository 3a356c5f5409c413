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
	n, ok := parseSize(s, math.MaxInt32)
	if !ok {
		return fmt.Errorf("not a size below 2 GiB: %q (examples: 65536, 64KiB, 1.5MB)", s)
	}
	*v = sizeValue(n)
	return nil
}

// parseSize reads a number of bytes, at most most.
func parseSize(s string, most float64) (n float64, ok bool) {
	low := strings.ToLower(strings.TrimSpace(s))
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(low, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		// The comparison is written so that NaN fails it too.
		n *= u.factor
		return n, err == nil && n >= 0 && n <= most
	}
	return 0, false
}

// String returns the size in the largest unit that divides it.
func (v *sizeValue) String() string { return sizeText(int64(*v)) }

func sizeText(n int64) string {
	for _, u := range []struct {
		name   string
		factor int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.factor && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Type names the value in help texts.
func (v *sizeValue) Type() string { return "SIZE" }

// fileSize is a flag that holds a number of bytes of a file.
type fileSize int64

// maxFileSize is beyond any disk, and far from overflow.
const maxFileSize = 1 << 60

// Set parses a size as sizeValue does.
func (v *fileSize) Set(s string) error {
	n, ok := parseSize(s, maxFileSize)
	if !ok {
		return fmt.Errorf("not a size: %q (examples: 100MiB, 2G)", s)
	}
	*v = fileSize(n)
	return nil
}

// String returns the size, "" for none.
func (v *fileSize) String() string {
	if *v == 0 {
		return ""
	}
	return sizeText(int64(*v))
}

// Type names the value in help texts.
func (v *fileSize) Type() string { return "SIZE" }

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

// were is count with its verb.
func were[T ~int | ~uint64](n T, thing string) string {
	if n == 1 {
		return count(n, thing) + " was"
	}
	return count(n, thing) + " were"
}
