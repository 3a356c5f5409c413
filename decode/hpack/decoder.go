package hpack

import (
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

// Unknown stands in a field's Name or Value for text that could not be known.
// The field's Unknown flag is what to test; the mark is for people.
const Unknown = "‹unknown›"

// Fault says why a block did not decode to its end. The zero value means it did.
type Fault string

// Faults of a block, all of them decoding errors of RFC 7541.
const (
	FaultIndex     Fault = "index refers to no entry"          // §2.3.3, §6.1
	FaultInteger   Fault = "integer too large"                 // §5.1
	FaultHuffman   Fault = "bad Huffman code or padding"       // §5.2
	FaultTruncated Fault = "block ends inside a field"         // §3.1
	FaultSize      Fault = "table size update above the limit" // §6.3
	FaultUpdate    Fault = "table size update after a field"   // §4.2
)

// Options bound what one block can produce. Zero fields mean the defaults of
// [decode.Limits].
type Options struct {
	// Fields is the most fields appended for one block. A one-byte index makes
	// a field, so a block of 1 MiB could make a million.
	Fields int
	// List is the most octets of names and values appended for one block, each
	// field counting 32 more (SETTINGS_MAX_HEADER_LIST_SIZE, RFC 9113 §6.5.2).
	// It stops the HPACK bomb: one large entry referred to again and again.
	List int
}

// Result tells about one block.
type Result struct {
	Fault   Fault // why decoding stopped early, or ""
	Dropped int   // fields decoded but not appended because of Options
	Unknown int   // fields appended that have Unknown set
}

// Decoder decodes the header blocks of one direction of a connection, in order.
// It is not safe for concurrent use.
type Decoder struct {
	opt   Options
	limit int // largest size update accepted
	t     table

	scratch  []byte          // one string being decoded
	once     strings.Builder // strings that only a message refers to
	kept     strings.Builder // strings of dynamic table entries
	slab     int             // size of the next builder
	list     int             // octets appended for this block
	res      Result
	maxField int

	last  decode.Field // the last literal
	arena *arena.Arena
	root  *arena.Line
	chain arena.Chain
}

// SetArena lets strings share memory with those of other decoders, and literals that
// come again and again be known. kind is of what is decoded: literals of one kind are
// likely to follow each other in one order.
func (d *Decoder) SetArena(a *arena.Arena, kind uint8) {
	if d.arena = a; a != nil {
		d.root = a.Root(lineRoots + kind)
	}
}

// lineRoots is the first of two kinds of sequences of literals, see [arena.Arena.Root].
const lineRoots = 4

// New returns a decoder for a direction whose first block is yet to come.
func New(o Options) *Decoder {
	l := decode.Limits{Head: o.List, Fields: o.Fields}.WithDefaults()
	d := &Decoder{opt: Options{Fields: l.Fields, List: l.Head}, limit: MaxTable}
	d.t = table{max: DefaultTable, exact: true}
	return d
}

// SetLimit says that the receiver announced a SETTINGS_HEADER_TABLE_SIZE of n;
// first that nothing it announced before was missed, so that the default of
// [DefaultTable] held until now. Until it is called with first, updates up to [MaxTable] are accepted, because an observer
// may see the sender's blocks before the receiver's settings. Afterwards the
// bound is the largest value announced, at least [DefaultTable]: whether a
// smaller one was acknowledged in time is the endpoints' business.
func (d *Decoder) SetLimit(n uint32, first bool) {
	if first {
		d.limit = DefaultTable
	}
	d.limit = max(d.limit, int(min(n, 1<<31-1)))
}

// Forget makes the whole dynamic table unknown. Call it when a block of this
// direction was lost, and before the first block of a connection joined late.
func (d *Decoder) Forget() { d.t.forget() }

// Decode appends the fields of one whole header block to dst. Fields before a
// fault are right and are kept; the rest of the block is dropped, and the table
// forgotten. The block is not retained; strings of the fields own their memory.
func (d *Decoder) Decode(dst []decode.Field, block []byte) ([]decode.Field, Result) {
	d.res, d.list, d.maxField = Result{}, 0, len(dst)+d.opt.Fields
	sized := true // size updates are allowed
	p := block
	if d.arena != nil {
		d.chain = arena.Begin(d.root)
	}
	for len(p) > 0 && d.res.Fault == "" {
		switch b := p[0]; {
		case b&0x80 != 0: // §6.1
			sized = false
			dst, p = d.indexed(dst, p)
		case b&0x40 != 0: // §6.2.1
			sized = false
			dst, p = d.literal(dst, p, 6, true)
		case b&0x20 != 0: // §6.3
			if !sized {
				d.res.Fault = FaultUpdate
				break
			}
			p = d.update(p)
		default: // §6.2.2, §6.2.3
			sized = false
			if d.arena != nil {
				dst, p = d.plain(dst, p)
			} else {
				dst, p = d.literal(dst, p, 4, false)
			}
		}
	}
	if d.res.Fault != "" {
		d.t.forget()
	}
	if cap(d.scratch) > lateTable {
		d.scratch = nil // one huge string must not be paid for ever after
	}
	return dst, d.res
}

// emit appends f unless a limit forbids.
func (d *Decoder) emit(dst []decode.Field, f *decode.Field) []decode.Field {
	n := len(f.Name) + len(f.Value) + entryCost
	if len(dst) >= d.maxField || n > d.opt.List-d.list {
		d.res.Dropped++
		return dst
	}
	d.list += n
	if f.Unknown {
		d.res.Unknown++
	}
	return append(dst, *f)
}

func (d *Decoder) indexed(dst []decode.Field, p []byte) ([]decode.Field, []byte) {
	i := uint64(p[0] & 0x7f)
	if i == 0x7f {
		i, p = d.integer(p, 7)
	} else {
		p = p[1:]
	}
	if i-1 < staticLen {
		return d.emit(dst, &staticTable[i]), p
	}
	if d.res.Fault != "" {
		return dst, p
	}
	if i == 0 {
		d.res.Fault = FaultIndex
		return dst, p
	}
	f, known, ok := d.t.at(i - staticLen - 1)
	switch {
	case !ok:
		d.res.Fault = FaultIndex
	case known:
		dst = d.emit(dst, f)
	default:
		dst = d.emit(dst, &decode.Field{Name: Unknown, Value: Unknown, Unknown: true})
	}
	return dst, p
}

func (d *Decoder) update(p []byte) []byte {
	n, p := d.integer(p, 5)
	if d.res.Fault != "" {
		return p
	}
	if n > uint64(d.limit) {
		d.res.Fault = FaultSize
		return p
	}
	d.t.resize(int(n))
	return p
}

// literal decodes a literal field whose name index has a prefix of bits.
func (d *Decoder) literal(dst []decode.Field, p []byte, bits uint, index bool) ([]decode.Field, []byte) {
	f := decode.Field{NeverIndexed: p[0]&0xf0 == 0x10}
	b := &d.once
	if index {
		b = &d.kept
	}
	i, p := d.integer(p, bits)
	switch {
	case d.res.Fault != "":
		return dst, p
	case i == 0:
		f.Name, p = d.text(b, p)
	case i <= staticLen:
		f.Name = staticTable[i].Name
	default:
		e, known, ok := d.t.at(i - staticLen - 1)
		switch {
		case !ok:
			d.res.Fault = FaultIndex
		case known:
			f.Name, f.Unknown = e.Name, e.Unknown && e.Name == Unknown
		default:
			f.Name, f.Unknown = Unknown, true
		}
	}
	if d.res.Fault == "" {
		f.Value, p = d.text(b, p)
	}
	if d.res.Fault != "" {
		return dst, p
	}
	if index {
		d.t.insert(f)
	}
	d.last = f
	return d.emit(dst, &f), p
}

// text decodes a string literal (§5.2) into a string carved from b.
func (d *Decoder) text(b *strings.Builder, p []byte) (string, []byte) {
	if len(p) == 0 {
		d.res.Fault = FaultTruncated
		return "", p
	}
	coded := p[0]&0x80 != 0
	n, p := d.integer(p, 7)
	if d.res.Fault != "" {
		return "", p
	}
	if n > uint64(len(p)) {
		d.res.Fault = FaultTruncated
		return "", p
	}
	raw, p := p[:n], p[n:]
	if coded {
		var ok bool
		if d.scratch, ok = appendHuffman(d.scratch[:0], raw); !ok {
			d.res.Fault = FaultHuffman
			return "", p
		}
		raw = d.scratch
	}
	return d.carve(b, raw), p
}

// Strings are carved from builders of at most maxSlab octets, so that a block
// of twenty short strings does not cost twenty allocations. Table entries have
// a builder of their own: they leave in the order they came, so the memory they
// pin is the table's size and two builders, whatever a peer does.
const (
	minSlab = 512
	maxSlab = 4096
)

func (d *Decoder) carve(b *strings.Builder, s []byte) string {
	if len(s) == 0 {
		return ""
	}
	if d.arena != nil && b == &d.once {
		return d.arena.String(s)
	}
	if len(s) > maxSlab/4 {
		return string(s)
	}
	if b.Cap()-b.Len() < len(s) {
		d.slab = min(max(2*d.slab, minSlab, len(s)), maxSlab)
		b.Reset()
		b.Grow(d.slab)
	}
	at := b.Len()
	b.Write(s)
	return b.String()[at:]
}

// integer decodes an integer with a prefix of bits (§5.1). No value above 2³²
// means anything in a block.
func (d *Decoder) integer(p []byte, bits uint) (uint64, []byte) {
	mask := uint64(1)<<bits - 1
	v := uint64(p[0]) & mask
	p = p[1:]
	if v < mask {
		return v, p
	}
	for shift := uint(0); ; shift += 7 {
		if len(p) == 0 {
			d.res.Fault = FaultTruncated
			return 0, p
		}
		b := p[0]
		p = p[1:]
		if shift > 56 {
			d.res.Fault = FaultInteger
			return 0, p
		}
		v += uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	if v > 1<<32 {
		d.res.Fault = FaultInteger
	}
	return v, p
}
