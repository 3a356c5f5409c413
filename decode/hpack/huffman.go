package hpack

import (
	"encoding/binary"
	"slices"
)

// huffBits is the width of the lookup table's index. Most pairs of the symbols
// used in header fields have at most 12 bits together.
const huffBits = 12

// The longest code has 30 bits and belongs to EOS among others.
const (
	huffMax = 30
	huffEOS = 256
)

// huffLen holds the code length of each symbol, RFC 7541 Appendix B. The code
// is canonical, so the lengths define it; EOS has 30 bits.
var huffLen = [257]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
}

// pair is one slot of the lookup table: the one or two symbols that the slot's
// bits begin with. n 0 means that the first code is longer than huffBits.
type pair struct {
	sym  [2]uint8
	n    uint8
	bits uint8
}

// huffCode holds what decoding needs; it is read-only once built.
type huffCode struct {
	pairs [1 << huffBits]pair
	first [huffMax + 1]uint32 // first code of each length
	count [huffMax + 1]uint32 // codes of each length
	base  [huffMax + 1]uint32 // index in order of the first code's symbol
	order [257]uint16         // symbols in order of their codes
}

var huff = buildHuffman()

func buildHuffman() *huffCode {
	h := new(huffCode)
	for _, l := range huffLen {
		h.count[l]++
	}
	code, base := uint32(0), uint32(0)
	for l := 1; l <= huffMax; l++ {
		code <<= 1
		h.first[l], h.base[l] = code, base
		code += h.count[l]
		base += h.count[l]
	}
	next := h.base
	for sym, l := range huffLen {
		h.order[next[l]] = uint16(sym)
		next[l]++
	}
	for i := range h.pairs {
		h.pairs[i] = h.pairAt(uint32(i))
	}
	return h
}

// pairAt finds the codes that the huffBits bits of v begin with.
func (h *huffCode) pairAt(v uint32) pair {
	var p pair
	for p.n < 2 {
		left := uint64(v) << (64 - huffBits) << p.bits
		sym, l := h.code(left)
		if l == 0 || int(p.bits)+l > huffBits {
			break
		}
		p.sym[p.n] = uint8(sym)
		p.n++
		p.bits += uint8(l)
	}
	return p
}

// code returns the symbol whose code acc begins with (most significant bit
// first), and the code's length. Every bit string begins with some code.
func (h *huffCode) code(acc uint64) (sym, bits int) {
	for l := 5; l <= huffMax; l++ {
		if d := uint32(acc>>(64-l)) - h.first[l]; d < h.count[l] {
			return int(h.order[h.base[l]+d]), l
		}
	}
	return 0, 0
}

// appendHuffman appends the text that src codes. It reports false for an EOS
// symbol and for padding that is longer than 7 bits or not all ones
// (RFC 7541 §5.2). The shortest code has 5 bits, which bounds the output.
func appendHuffman(dst, src []byte) ([]byte, bool) {
	dst = slices.Grow(dst, len(src)*8/5+2)
	out, o := dst[:cap(dst)], len(dst)
	var acc uint64 // bits not yet decoded, left-aligned
	n := 0         // how many of them count
	for i := 0; ; {
		if len(src)-i >= 8 {
			// Bits past n are OR-ed in again by the next refill, unchanged.
			acc |= binary.BigEndian.Uint64(src[i:]) >> n
			k := (63 - n) >> 3
			i += k
			n += k << 3
		} else {
			if i < len(src) {
				acc &^= ^uint64(0) >> n
			}
			for ; n <= 56 && i < len(src); i++ {
				acc |= uint64(src[i]) << (56 - n)
				n += 8
			}
		}
		for n >= huffMax {
			if p := &huff.pairs[acc>>(64-huffBits)]; p.n > 0 {
				out[o], out[o+1] = p.sym[0], p.sym[1]
				o += int(p.n)
				acc <<= p.bits
				n -= int(p.bits)
				continue
			}
			sym, l := huff.code(acc)
			if sym == huffEOS || l == 0 {
				return dst, false
			}
			out[o] = uint8(sym)
			o++
			acc <<= l
			n -= l
		}
		if i == len(src) {
			return huffTail(out, o, acc, n)
		}
	}
}

// huffTail decodes the last n < huffMax bits into out[o:].
func huffTail(out []byte, o int, acc uint64, n int) ([]byte, bool) {
	for n > 0 {
		// Ones after the end make the padding look like the start of EOS.
		acc |= ^uint64(0) >> n
		sym, l := huff.code(acc)
		if l > n || l == 0 {
			break
		}
		out[o] = uint8(sym)
		o++
		acc <<= l
		n -= l
	}
	return out[:o], n < 8 && acc|^uint64(0)>>n == ^uint64(0)
}
