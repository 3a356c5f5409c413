package content

import (
	"slices"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

const (
	// guessLook is how much of what a coding gives is looked at.
	guessLook = 512
	// guessLeast is the least that is judged where data may only have been cut short.
	guessLeast = 16
	// guessTrial is how much is decoded to see whether a coding fits.
	guessTrial = 64 << 10
)

// guess finds the codings that data is really under. Browsers do so too, each in its
// way: they ignore a coding that is not there, and some a name they do not know.
//
// It believes a coding that is listed if the data decodes; another one by its magic
// number; and raw deflate, which has none, under a name much like it if the data
// decodes to its very end and to something that is known.
type guess struct {
	wire  []byte
	limit int
	r     result
}

// doubtful reports whether the data may not be under one of the codings at all:
// that one gave nothing, or what it was given is plain already.
func (r *result) doubtful(names []string, wire []byte) bool {
	switch r.kind {
	case ErrCorrupt, ErrTrailing:
		if r.bytes == 0 {
			return true
		}
	case ErrTruncated:
	default:
		return false
	}
	head := run(names[:r.fault], wire, guessLook).out
	return (r.kind != ErrTruncated || len(head) >= guessLeast) && (r.bytes == 0 || plain(head))
}

// read tries names, outermost first. It is false where no reading of the data is
// better than none; else g.r has it.
func (g *guess) read(names []string) bool {
	var done []string
	better, skipped := false, false // than what is listed; a coding is not there
	for _, name := range names {
		if len(done) == MaxCodings {
			return false
		}
		head := run(done, g.wire, guessLook).out
		switch alt := byMagic(head); {
		case isKnown(name) && g.fits(done, name):
			done = append(done, name)
		case alt != "" && g.fits(done, alt):
			done, better = append(done, alt), true
		case !isKnown(name) && likeDeflate(name) && g.proves(done, "deflate"):
			done, better = append(done, "deflate"), true
		default:
			better, skipped = better || isKnown(name), true
		}
	}
	if !better || skipped && !plain(run(done, g.wire, guessLook).out) {
		return false
	}
	g.r = run(done, g.wire, g.limit)
	if g.r.kind == "" || g.r.kind == ErrHeader {
		g.r.kind = ErrMismatch
	}
	slices.Reverse(done)
	g.r.removed = done
	return true
}

// fits reports whether data under the codings done is under name too.
func (g *guess) fits(done []string, name string) bool {
	names := append(slices.Clip(done), name)
	r := run(names, g.wire, min(g.limit, guessTrial))
	return r.fault < len(done) || !r.doubtful(names, g.wire)
}

// proves reports whether all of the data decodes under name, and to something known.
func (g *guess) proves(done []string, name string) bool {
	r := run(append(slices.Clip(done), name), g.wire, g.limit)
	return r.kind == "" && !r.cut && len(r.out) > 0 && plain(r.out)
}

// byMagic names the coding of data that says what it is: gzip, zstd, or zlib at one
// of the usual levels (RFC 1950 §2.2).
func byMagic(b []byte) string {
	switch {
	case len(b) >= 3 && string(b[:3]) == "\x1f\x8b\x08":
		return "gzip"
	case len(b) >= 4 && string(b[:4]) == "\x28\xb5\x2f\xfd":
		return "zstd"
	case len(b) >= 2 && b[0] == 0x78 && zlibHeader(b) && b[1]&0x20 == 0:
		return "deflate"
	}
	return ""
}

// likeDeflate reports whether a name that is not known may have been meant to be
// deflate's: with other characters around or inside, or nothing at all.
func likeDeflate(name string) bool {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, name)
	return letters == "" || strings.Contains(letters, "deflate")
}

// plain reports whether b, the beginning of a body, is under no coding: a text, or a
// file that is known and no coding's.
func plain(b []byte) bool {
	if len(b) == 0 || byMagic(b) != "" {
		return false
	}
	return IsText(b, "") || Sniff(b).Name != ""
}

// hinted returns content codings that a header names only in a way that not every
// reader takes for it: a name with other bytes in it, a field behind a bare CR, or one
// without a value. nil if there are none.
func hinted(header []decode.Field) []string {
	var out []string
	for i := range header {
		f := &header[i]
		if !f.Unknown && tokenOf(f.Name) == "content-encoding" {
			out = append(out, strings.ToLower(f.Value))
			continue
		}
		for rest, more := f.Value, true; more && len(out) < listMax; {
			if _, rest, more = strings.Cut(rest, "\r"); !more {
				break
			}
			line, _, _ := strings.Cut(rest, "\r")
			if name, value, ok := strings.Cut(line, ":"); ok && tokenOf(name) == "content-encoding" {
				out = append(out, strings.ToLower(strings.Trim(value, " \t")))
			}
		}
	}
	return out
}

// tokenOf returns a name in lower case without bytes that no name has.
func tokenOf(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r | 0x20
		case r <= ' ' || r >= 0x7f:
			return -1
		}
		return r
	}, name)
}

// hint reads a body whose codings are only hinted at. Nothing but the data itself is
// believed: without proof in it the body is what was sent, and ok is false.
func hint(wire []byte, codings []string, limit int) (r result, ok bool) {
	g := guess{wire: wire, limit: limit}
	for i := range codings {
		codings[i] += "?" // a name that is not known
	}
	slices.Reverse(codings)
	ok = g.read(codings)
	return g.r, ok
}
