package pcapng

import (
	"encoding/binary"
	"net/netip"
)

// TCP flags (RFC 9293 §3.1).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagPSH = 0x08
	flagACK = 0x10
)

const (
	// maxSegment keeps a packet below IPv4's 64 KiB with room for headers.
	maxSegment = 60000
	ttl        = 64
	protoTCP   = 6
	// window, scaled by 2^14, is 1 GiB: never the limit, so that Wireshark does
	// not report windows that fill up in traffic that has no windows.
	window      = 0xffff
	windowShift = 14
)

// segment is one TCP segment to be written.
type segment struct {
	src, dst netip.AddrPort // of the same family
	id       uint16         // IPv4 identification
	seq, ack uint32
	flags    byte
	payload  []byte
}

// synOptions: maximum segment size, no-operation, window scale.
var synOptions = [8]byte{2, 4, maxSegment >> 8, maxSegment & 0xff, 1, 3, 3, windowShift}

// appendHeaders appends the IP and TCP headers of s, with right checksums.
func appendHeaders(dst []byte, s *segment) []byte {
	tcpLen := 20
	if s.flags&flagSYN != 0 {
		tcpLen += len(synOptions)
	}
	if s.src.Addr().Is4() {
		dst = appendIPv4(dst, s, tcpLen+len(s.payload))
	} else {
		dst = appendIPv6(dst, s, tcpLen+len(s.payload))
	}
	at := len(dst)
	be := binary.BigEndian
	dst = be.AppendUint16(dst, s.src.Port())
	dst = be.AppendUint16(dst, s.dst.Port())
	dst = be.AppendUint32(dst, s.seq)
	dst = be.AppendUint32(dst, s.ack)
	dst = append(dst, byte(tcpLen/4)<<4, s.flags)
	dst = be.AppendUint16(dst, window)
	dst = append(dst, 0, 0, 0, 0) // checksum, urgent pointer
	if s.flags&flagSYN != 0 {
		dst = append(dst, synOptions[:]...)
	}
	sum := pseudoSum(s, tcpLen+len(s.payload))
	sum = sumWords(sum, dst[at:])
	sum = sumWords(sum, s.payload)
	be.PutUint16(dst[at+16:], fold(sum))
	return dst
}

func appendIPv4(dst []byte, s *segment, payload int) []byte {
	at := len(dst)
	src, to := s.src.Addr().As4(), s.dst.Addr().As4()
	dst = append(dst, 0x45, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(20+payload))
	dst = binary.BigEndian.AppendUint16(dst, s.id)
	dst = append(dst, 0x40, 0, ttl, protoTCP, 0, 0) // don't fragment
	dst = append(append(dst, src[:]...), to[:]...)
	binary.BigEndian.PutUint16(dst[at+10:], fold(sumWords(0, dst[at:])))
	return dst
}

func appendIPv6(dst []byte, s *segment, payload int) []byte {
	src, to := s.src.Addr().As16(), s.dst.Addr().As16()
	dst = append(dst, 0x60, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(payload))
	dst = append(dst, protoTCP, ttl)
	return append(append(dst, src[:]...), to[:]...)
}

// pseudoSum sums the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1).
func pseudoSum(s *segment, length int) uint64 {
	sum := uint64(protoTCP) + uint64(length)
	for _, a := range [2]netip.Addr{s.src.Addr(), s.dst.Addr()} {
		sum = sumWords(sum, a.AsSlice())
	}
	return sum
}

// sumWords adds b as big-endian 16-bit words; only the last piece of a packet
// may have an odd length. Eight bytes a step, as 32-bit halves in 64 bits.
func sumWords(sum uint64, b []byte) uint64 {
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		sum += v>>32 + v&0xffffffff
		b = b[8:]
	}
	for len(b) >= 2 {
		sum += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
