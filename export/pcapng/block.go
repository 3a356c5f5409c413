package pcapng

import "encoding/binary"

// Block types and option codes of draft-ietf-opsawg-pcapng §4.
const (
	blockSection   = 0x0A0D0D0A
	blockInterface = 0x00000001
	blockPacket    = 0x00000006
	blockStats     = 0x00000005

	optEnd     = 0
	optComment = 1

	optSectionOS  = 3
	optSectionApp = 4

	optIfName  = 2
	optIfDescr = 3
	optIfTSRes = 9

	optPacketFlags   = 2
	optPacketProcess = 8

	optStatsStart = 2
	optStatsEnd   = 3
	optStatsRecv  = 4
	optStatsDrop  = 5

	linkRaw = 101 // LINKTYPE_RAW: a packet begins with its IP header

	// maxOption bounds one option's text. The format allows 64 KiB; an argument
	// list of that size on each connection would be most of the file.
	maxOption = 4096
)

// Directions in the flags word of a packet (§4.3.1).
const (
	inbound  = 1
	outbound = 2
)

// blocks appends pcapng blocks, little-endian, to a buffer.
type blocks struct {
	buf []byte
	at  int // start of the open block
}

func (b *blocks) u16(v uint16) { b.buf = binary.LittleEndian.AppendUint16(b.buf, v) }
func (b *blocks) u32(v uint32) { b.buf = binary.LittleEndian.AppendUint32(b.buf, v) }
func (b *blocks) u64(v uint64) { b.buf = binary.LittleEndian.AppendUint64(b.buf, v) }

// pad fills up to the 32-bit boundary every block and option ends on.
func (b *blocks) pad() {
	for (len(b.buf)-b.at)%4 != 0 {
		b.buf = append(b.buf, 0)
	}
}

func (b *blocks) begin(typ uint32) {
	b.at = len(b.buf)
	b.u32(typ)
	b.u32(0) // total length, known at the end
}

// end closes the block: its length stands at both ends, so that readers can
// walk backwards.
func (b *blocks) end() {
	n := uint32(len(b.buf) - b.at + 4)
	binary.LittleEndian.PutUint32(b.buf[b.at+4:], n)
	b.u32(n)
}

func (b *blocks) option(code uint16, value []byte) {
	b.u16(code)
	b.u16(uint16(len(value)))
	b.buf = append(b.buf, value...)
	b.pad()
}

// text appends an option with text, which must be UTF-8 already, or nothing
// when there is none.
func (b *blocks) text(code uint16, s string) {
	if s == "" {
		return
	}
	if len(s) > maxOption {
		n := maxOption
		for n > 0 && s[n]&0xc0 == 0x80 {
			n-- // not inside a character
		}
		s = s[:n]
	}
	b.option(code, []byte(s))
}

func (b *blocks) endOptions() { b.u32(optEnd) }

func (b *blocks) section(os, app, comment string) {
	b.begin(blockSection)
	b.u32(0x1A2B3C4D) // byte order mark
	b.u16(1)
	b.u16(0)
	b.u64(^uint64(0)) // section length: not known, the writer may be a pipe
	b.text(optComment, comment)
	b.text(optSectionOS, os)
	b.text(optSectionApp, app)
	b.endOptions()
	b.end()
}

func (b *blocks) iface(name, descr string) {
	b.begin(blockInterface)
	b.u16(linkRaw)
	b.u16(0)
	b.u32(0) // no snap length
	b.text(optIfName, name)
	b.text(optIfDescr, descr)
	b.option(optIfTSRes, []byte{9}) // 10^-9 seconds
	b.endOptions()
	b.end()
}

// meta is what a packet block says beside the packet.
type meta struct {
	time    int64 // nanoseconds since the Unix epoch
	dir     uint32
	pid     uint32 // 0: not said
	comment string
}

func (b *blocks) stamp(ns int64) {
	b.u32(uint32(uint64(ns) >> 32))
	b.u32(uint32(uint64(ns)))
}

// packet writes a packet given in two pieces, headers and payload.
func (b *blocks) packet(m meta, head, payload []byte) {
	b.begin(blockPacket)
	b.u32(0) // interface
	b.stamp(m.time)
	n := uint32(len(head) + len(payload))
	b.u32(n)
	b.u32(n)
	b.buf = append(append(b.buf, head...), payload...)
	b.pad()
	b.text(optComment, m.comment)
	b.option(optPacketFlags, binary.LittleEndian.AppendUint32(nil, m.dir))
	if m.pid != 0 {
		v := binary.LittleEndian.AppendUint32(nil, m.pid)
		b.option(optPacketProcess, append(v, 0, 0, 0, 0)) // thread not known
	}
	b.endOptions()
	b.end()
}

func (b *blocks) stats(first, last int64, packets, dropped uint64) {
	b.begin(blockStats)
	b.u32(0)
	b.stamp(last)
	stamp := func(code uint16, ns int64) {
		v := binary.LittleEndian.AppendUint32(nil, uint32(uint64(ns)>>32))
		b.option(code, binary.LittleEndian.AppendUint32(v, uint32(uint64(ns))))
	}
	stamp(optStatsStart, first)
	stamp(optStatsEnd, last)
	b.option(optStatsRecv, binary.LittleEndian.AppendUint64(nil, packets))
	b.option(optStatsDrop, binary.LittleEndian.AppendUint64(nil, dropped))
	b.endOptions()
	b.end()
}
