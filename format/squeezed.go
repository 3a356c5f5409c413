package format

import (
	"math"

	"github.com/klauspost/compress/s2"
)

// What is looked at of a chunk before it is compressed: so many bytes at so many
// places, a thirty-second of a usual chunk. Smaller chunks are always compressed.
const (
	samplePiece  = 2 << 10
	samplePieces = 16
	sampled      = samplePieces * samplePiece
	sampleFrom   = 8 * sampled

	least = 40 // a compressor is to take off at least one part in so many
)

// squeezed reports whether a compressor would take next to nothing off: downloads of
// what is compressed already, mostly. It would look at every byte, and copy it, for
// nothing. Trying it on the sample would cost half as much as both checksums: its tables
// are out of the processor's cache after each chunk.
func squeezed(raw []byte) bool {
	if len(raw) < sampleFrom {
		return false
	}
	var pieces [samplePieces][]byte
	for i := range pieces {
		// Not from the start: definitions are there, which are no measure of the rest.
		pieces[i] = raw[(2*i+1)*(len(raw)/samplePieces/2):][:samplePiece]
	}
	if !even(pieces[:]) {
		return false
	}
	less := 0 // by what comes again
	for _, p := range pieces {
		if n := s2.EstimateBlockSize(p); n >= 0 {
			less += len(p) - n
		}
	}
	return less < sampled/least
}

// even reports whether the 256 bytes are about as frequent as each other: whether a code
// for bytes would take less than a fortieth off. With n bytes that is 2n·ln 2 times the
// bits it takes off each, by the chi-squared statistic, less what chance gives.
func even(pieces [][]byte) bool {
	const (
		each   = sampled / 256
		chance = 255
		limit  = chance + 2*math.Ln2*sampled*8/least
	)
	var seen [256]int
	for _, p := range pieces {
		for _, b := range p {
			seen[b]++
		}
	}
	squares := 0
	for _, n := range seen {
		squares += (n - each) * (n - each)
	}
	return float64(squares) <= limit*each
}
