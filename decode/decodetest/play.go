package decodetest

import (
	"math/rand/v2"

	"github.com/NoFear0411/spliff/decode"
)

// Unknown is the Gap of a Step when nobody knows how much is missing.
const Unknown = -1

// Step is what happens next to a connection in a test: bytes arrive, or, where
// Gap is not 0, are missing.
type Step struct {
	Dir  decode.Dir
	Data string // empty in a gap
	Gap  int    // bytes missing, or Unknown
}

// Decoder is what the decoders of this module have in common.
type Decoder interface {
	Append(dst []decode.Message, ch decode.Chunk) []decode.Message
	Gap(dst []decode.Message, g decode.Gap) []decode.Message
}

// Cut says how many of the bytes that are left come as the next chunk: at least
// one, at most left. One that draws at random keeps state: make one for each run.
type Cut func(left int) int

// Whole leaves each step in one piece.
func Whole(left int) int { return left }

// Single delivers byte by byte.
func Single(int) int { return 1 }

// Random cuts into pieces of up to most bytes, the same ones for the same seed.
// Small pieces are the likelier: most faults of cutting need a cut in a length,
// a delimiter or a header, and these are short.
func Random(seed uint64, most int) Cut {
	r := rand.New(rand.NewPCG(seed, 1))
	return func(left int) int { return min(left, 1+r.IntN(1+r.IntN(most))) }
}

// NumberedCut is for loops over cuts: 0 is Whole, 1 is Single, others are
// Random with that seed and pieces of up to 300 bytes.
func NumberedCut(n uint64) Cut {
	switch n {
	case 0:
		return Whole
	case 1:
		return Single
	}
	return Random(n, 300)
}

// Feed gives the steps to a decoder and returns its messages; the caller ends
// the connection. Every time is zero, as times are the one thing that may
// depend on how a stream is cut. Each chunk is overwritten once it has been
// taken: a decoder that kept a reference to it then shows other text for other
// cuts.
func Feed(d Decoder, steps []Step, cut Cut) []decode.Message {
	var out []decode.Message
	var off [2]uint64
	for _, s := range steps {
		if s.Gap != 0 {
			off[s.Dir] += uint64(max(0, s.Gap))
			out = d.Gap(out, decode.Gap{Dir: s.Dir, Len: uint64(max(0, s.Gap)), Known: s.Gap > 0})
			continue
		}
		for data := s.Data; data != ""; {
			n := cut(len(data))
			chunk := []byte(data[:n])
			out = d.Append(out, decode.Chunk{Dir: s.Dir, Off: off[s.Dir], Data: chunk})
			off[s.Dir] += uint64(n)
			for i := range chunk {
				chunk[i] = 0xee
			}
			data = data[n:]
		}
	}
	return out
}

// OfKind returns the messages of one kind, in their order.
func OfKind(list []decode.Message, k decode.Kind) []decode.Message {
	var out []decode.Message
	for _, m := range list {
		if m.Kind == k {
			out = append(out, m)
		}
	}
	return out
}
