package conformance

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
)

var le = binary.LittleEndian // as in package format: a name, never assigned

// Event types: FORMAT.md section 7.
const (
	typeData      = 1
	typeConn      = 2
	typeConnEnd   = 3
	typeProc      = 4
	typeProcEnd   = 5
	typeDrop      = 6
	typeClock     = 7
	typeSession   = 8
	typeProbe     = 9
	typeKeyLog    = 10
	typeAttach    = 11
	typeMark      = 12
	typeTick      = 13
	typeEnd       = 14
	typeHandshake = 15
	typeUnwatched = 16
)

const (
	flagOptions = 1 << 1
	flagRepeat  = 1 << 4

	written = 1 // dir of bytes that the process wrote
	read    = 2
)

// body is a payload and what it means. Fields is nil for one that has no
// meaning in 1.0; malformed says that a reader must not make sense of it.
type body struct {
	raw       []byte
	fields    map[string]any
	malformed bool
}

// event is one event of a file, and with body.fields what a reader must say of it.
type event struct {
	typ    uint8
	flags  uint16
	time   uint64
	conn   uint32
	tid    uint32
	seq    uint64
	cpu    uint16
	dir    uint8
	probe  uint8
	offset uint64
	dur    uint32
	body

	extra   []byte // header bytes that 1.0 does not know, a multiple of 8
	options []byte // with flagOptions: the TLVs behind the payload
}

// at returns an event of seq n with a time that follows from it.
func at(n uint64, typ uint8, b body) event {
	return event{typ: typ, seq: n, time: clockStart + 1000*n, body: b}
}

// data is a DATA event of conn 1.
func data(n uint64, dir uint8, offset uint64, payload string) event {
	e := at(n, typeData, body{raw: []byte(payload)})
	e.conn, e.dir, e.offset, e.tid, e.cpu, e.probe, e.dur = 1, dir, offset, 101, 1, 1, 500
	return e
}

// of sets the conn of an event.
func (e event) of(conn uint32) event {
	e.conn = conn
	return e
}

// repeated is e as it stands again before the event with seq n.
func (e event) repeated(n uint64) event {
	e.flags |= flagRepeat
	e.seq = n
	return e
}

func (e event) isRepeat() bool { return e.flags&flagRepeat != 0 }

// pid is the process that the event names, 0 if it names none.
func (e event) pid() uint32 {
	if e.typ != typeProc && e.typ != typeProcEnd && e.typ != typeConn {
		return 0
	}
	n, _ := e.fields["pid"].(uint64)
	return uint32(n)
}

// append encodes e: FORMAT.md section 6.
func (e event) append(dst []byte) []byte {
	head := make([]byte, 32, 64)
	if e.typ == typeData {
		head = head[:48]
		le.PutUint64(head[32:], e.offset)
		le.PutUint32(head[40:], e.dur)
	}
	head = append(head, e.extra...)
	payload := e.raw
	if e.flags&flagOptions != 0 {
		payload = le.AppendUint64(nil, uint64(len(e.raw)))
		payload = append(padded(append(payload, e.raw...)), e.options...)
	}
	le.PutUint32(head, uint32(len(head)+len(payload)))
	head[4], head[5] = e.typ, uint8(len(head)/4)
	le.PutUint16(head[6:], e.flags)
	le.PutUint64(head[8:], e.time)
	le.PutUint32(head[16:], e.conn)
	le.PutUint32(head[20:], e.tid)
	le.PutUint32(head[24:], uint32(e.seq))
	le.PutUint16(head[28:], e.cpu)
	head[30], head[31] = e.dir, e.probe
	return padded(append(append(dst, head...), payload...))
}

// padded appends zeros up to a multiple of 8.
func padded(b []byte) []byte { return append(b, make([]byte, -len(b)&7)...) }

// field is one element of a TLV list: how it is written and what it means.
type field struct {
	num   uint16
	flags uint16
	name  string // "" for one that 1.0 does not know
	value []byte
	means any
	list  bool
}

func number(num uint16, name string, v uint64) field {
	return field{num: num, name: name, value: le.AppendUint64(nil, v), means: v}
}

func signed(num uint16, name string, v int64) field {
	return field{num: num, name: name, value: le.AppendUint64(nil, uint64(v)), means: v}
}

func yes(num uint16, name string) field {
	return field{num: num, name: name, value: le.AppendUint64(nil, 1), means: true}
}

func text(num uint16, name, v string) field {
	return field{num: num, name: name, value: []byte(v), means: textJSON(v)}
}

func item(num uint16, name, v string) field {
	f := text(num, name, v)
	f.list = true
	return f
}

// row is one item of a list of numbers.
func row(num uint16, name string, vs ...uint64) field {
	f := field{num: num, name: name, list: true}
	var means []any
	for _, v := range vs {
		f.value = le.AppendUint64(f.value, v)
		means = append(means, v)
	}
	f.means = means
	return f
}

func uuid(num uint16, name string, v [16]byte) field {
	return field{num: num, name: name, value: v[:], means: hex.EncodeToString(v[:])}
}

func address(num uint16, name, v string) field {
	a := netip.MustParseAddrPort(v)
	b := le.AppendUint16(nil, a.Port())
	b = append(b, byte(4+2*(len(a.Addr().AsSlice())/16)), 0)
	b = append(append(b, a.Addr().AsSlice()...), a.Addr().Zone()...)
	return field{num: num, name: name, value: b, means: v}
}

// unknown is an element that 1.0 does not know.
func unknown(num uint16, value string) field { return field{num: num, value: []byte(value)} }

// list makes a TLV payload.
func list(fs ...field) body {
	b := body{fields: map[string]any{}}
	for _, f := range fs {
		b.raw = le.AppendUint16(b.raw, f.num)
		b.raw = le.AppendUint16(b.raw, f.flags)
		b.raw = le.AppendUint32(b.raw, uint32(len(f.value)))
		b.raw = padded(append(b.raw, f.value...))
		switch {
		case f.list:
			items, _ := b.fields[f.name].([]any)
			b.fields[f.name] = append(items, f.means)
		case f.name != "":
			b.fields[f.name] = f.means
		}
	}
	return b
}

// with is a list with more elements behind those of b.
func (b body) with(fs ...field) body {
	more := list(fs...)
	out := body{raw: slices.Concat(b.raw, more.raw), fields: maps.Clone(b.fields)}
	maps.Copy(out.fields, more.fields)
	return out
}

// longer is b with bytes behind it that 1.0 does not know.
func (b body) longer(n int) body {
	b.raw = append(slices.Clone(b.raw), slices.Repeat([]byte{0xEE}, n)...)
	return b
}

// bad is a payload that its type does not allow.
func bad(raw []byte) body { return body{raw: raw, malformed: true} }

// Fixed payloads: FORMAT.md section 7.

func connEnd(reason uint8, shutdown bool, written, read, lostWritten, lostRead uint64) body {
	raw := []byte{reason, 0, 7: 0}
	if shutdown {
		raw[1] = 1
	}
	for _, v := range []uint64{written, read, lostWritten, lostRead} {
		raw = le.AppendUint64(raw, v)
	}
	return body{raw: raw, fields: map[string]any{"reason": reason, "shutdown": shutdown, "written": written, "read": read,
		"lost_written": lostWritten, "lost_read": lostRead}}
}

// byCause is what 1.1 added to a CONN_END.
func (b body) byCause(written, read [3]uint64) body {
	out := body{raw: slices.Clone(b.raw), fields: maps.Clone(b.fields)}
	for i, dir := range []string{"_written", "_read"} {
		for j, cause := range []string{"ring_full", "fault", "snaplen"} {
			v := [2][3]uint64{written, read}[i][j]
			out.raw = le.AppendUint64(out.raw, v)
			out.fields[cause+dir] = v
		}
	}
	return out
}

// exited is what 1.1 added to a PROC_END.
func (b body) exited(start, time uint64, status uint32) body {
	out := body{raw: slices.Clone(b.raw), fields: maps.Clone(b.fields)}
	out.raw = le.AppendUint32(le.AppendUint64(le.AppendUint64(out.raw, start), time), status)
	out.raw = append(out.raw, 1, 0, 0, 0)
	out.fields["start"], out.fields["time"], out.fields["status"], out.fields["exited"] = start, time, status, true
	return out
}

func procEnd(pid uint32) body {
	return body{raw: le.AppendUint64(nil, uint64(pid)), fields: map[string]any{"pid": uint64(pid)}}
}

func drop(cause uint8, events, size, offset uint64) body {
	raw := []byte{cause, 7: 0}
	for _, v := range []uint64{events, size, offset} {
		raw = le.AppendUint64(raw, v)
	}
	return body{raw: raw, fields: map[string]any{"cause": cause, "events": events, "bytes": size, "offset": offset}}
}

func clock(wall int64, mono uint64) body {
	return body{raw: le.AppendUint64(le.AppendUint64(nil, uint64(wall)), mono), fields: map[string]any{"wall": wall, "mono": mono}}
}

func handshake(ok bool, ns uint64) body {
	raw := []byte{0, 7: 0}
	if ok {
		raw[0] = 1
	}
	return body{raw: le.AppendUint64(raw, ns), fields: map[string]any{"ok": ok, "ns": ns}}
}
