package hpack

import "github.com/NoFear0411/spliff/decode"

// Sizes of the dynamic table, in the octets of RFC 7541 §4.1.
const (
	// DefaultTable is the size both sides start with (RFC 9113 §6.5.2).
	DefaultTable = 4096
	// MaxTable is the most that is kept whatever the peers agree on; an encoder
	// allowed gigabytes would otherwise fill the observer's memory. Entries
	// dropped because of it become unknown.
	MaxTable = 1 << 20
	// lateTable is kept while the encoder's size is not known.
	lateTable = 64 << 10

	entryCost = 32 // octets each entry counts besides name and value
)

// table is the dynamic table as far as it was observed.
//
// Invariant: live[len-1] is the newest entry of the encoder's table, live[len-2]
// the one before, and so on. The encoder may have dropped some of the oldest
// (harmless, see the package comment). If tail, it may hold older ones too.
type table struct {
	entries []decode.Field
	head    int  // entries[head:] are live
	size    int  // of the live ones; a lower bound where a name is unknown
	max     int  // the encoder's table size, if exact
	exact   bool // max is certain: seen from the start, or a size update seen since
	tail    bool // entries older than the live ones may exist
}

// live returns how many entries are known.
func (t *table) live() int { return len(t.entries) - t.head }

// forget makes every entry unknown, and the size too: a size update may have
// been among what was lost.
func (t *table) forget() {
	clear(t.entries)
	t.entries, t.head, t.size = t.entries[:0], 0, 0
	t.exact, t.tail = false, true
}

// capacity is how much may be kept.
func (t *table) capacity() int {
	if !t.exact {
		return lateTable
	}
	return min(t.max, MaxTable)
}

// resize follows a dynamic table size update (RFC 7541 §6.3).
func (t *table) resize(max int) {
	t.max, t.exact = max, true
	t.shrink(t.capacity())
	if max < entryCost {
		t.tail = false // no entry fits: surely empty
	}
}

// shrink evicts until at most size octets are kept.
func (t *table) shrink(size int) {
	for t.size > size && t.live() > 0 {
		t.size -= cost(&t.entries[t.head])
		t.entries[t.head] = decode.Field{}
		t.head++
		// If the encoder had to drop an entry we know, it had dropped all
		// older ones before. Not so if only our own bound made us drop it.
		t.tail = !t.exact || t.max > MaxTable
	}
	if t.head > len(t.entries)/2 {
		n := copy(t.entries, t.entries[t.head:])
		clear(t.entries[n:])
		t.entries, t.head = t.entries[:n], 0
	}
}

// insert adds the newest entry (RFC 7541 §4.4).
func (t *table) insert(f decode.Field) {
	c, room := cost(&f), t.capacity()
	if c > room {
		// Too big for the table: the encoder emptied it and added nothing. If
		// its table is larger than ours, it did add; then all that is known is
		// older than an entry we do not keep, and its indexes are off by one.
		t.shrink(-1)
		t.tail = !t.exact || t.max > MaxTable
		return
	}
	t.shrink(room - c)
	f.NeverIndexed = false
	t.entries = append(t.entries, f)
	t.size += c
}

// at returns entry i, 0 being the newest. known is false if it may exist but
// was not seen; ok is false if it cannot exist.
func (t *table) at(i uint64) (f *decode.Field, known, ok bool) {
	n := t.live()
	if i < uint64(n) {
		return &t.entries[len(t.entries)-1-int(i)], true, true
	}
	if !t.tail {
		return nil, false, false
	}
	room := MaxTable
	if t.exact {
		room = t.max
	}
	return nil, false, i < uint64(n)+uint64(max(0, room-t.size)/entryCost)
}

// cost is an entry's size (RFC 7541 §4.1), as far as its parts are known.
func cost(f *decode.Field) int {
	n := len(f.Name) + len(f.Value) + entryCost
	if f.Unknown {
		n -= len(Unknown) // only the name of an inserted entry can be unknown
	}
	return n
}
