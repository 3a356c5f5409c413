package locate

import "slices"

// bioFile ends the source path that bio.cc's error reports carry.
const bioFile = "/crypto/bio/bio.cc\x00"

// errLibBIO is ERR_LIB_BIO (err.h).
const errLibBIO = 17

// What a BIO reports that cannot be used (bio.h).
const (
	bioUninitialized     = 114
	bioUnsupportedMethod = 115
)

// bioLines is how many lines of source are between the two reports: "if (!bio->init) {"
// comes after a return and a brace.
const bioLines = 4

// bioWrites returns where the functions begin that write to a BIO: (bio, bytes, length),
// in a library whose bio.cc has these reports. BIO_write and BIO_write_ex are told
// from functions that one of them was made part of, as they call none but ERR_put_error
// by its address.
//
// Three functions of the source report that a BIO cannot be used, in this order:
// BIO_read, BIO_gets and BIO_write (or what it has come to call, BIO_write_ex). In a build
// with another number of them none is taken: to take a read for a write would be to tell
// a session by what another one left in its buffer.
func bioWrites(reports []report, all []*reporter) (starts []uint64) {
	var pairs []uint32 // lines of the first of both
	for _, r := range reports {
		if r.reason == bioUnsupportedMethod && !slices.Contains(pairs, r.line) && slices.ContainsFunc(reports, func(second report) bool {
			return second.reason == bioUninitialized && second.line == r.line+bioLines
		}) {
			pairs = append(pairs, r.line)
		}
	}
	if len(pairs) != 3 {
		return nil
	}
	line := slices.Max(pairs)
	for _, f := range all {
		if slices.Equal(f.lines, []uint32{line, line + bioLines}) && slices.Equal(f.reasons, []uint32{bioUninitialized, bioUnsupportedMethod}) &&
			f.consumes && f.calls == 1 {
			starts = append(starts, f.start)
		}
	}
	return starts
}
