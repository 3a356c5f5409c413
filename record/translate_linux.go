//go:build amd64 || arm64

package record

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// kernelState is what the translator asks of the kernel side beyond its samples.
// It is a seam: tests feed samples without a kernel.
type kernelState interface {
	conn(key sslKey) (bpf.SpliffConn, bool)
	forget(key sslKey)
	// find looks for the key of a connection by its number.
	find(id uint64) (sslKey, bool)
}

// tracked is a connection that has been announced and has not ended.
type tracked struct {
	id    uint32 // in the session
	seq   uint64 // of the kernel side
	key   sslKey // Ssl is 0 while its announcement has not come
	info  format.Conn
	probe uint8
	next  [2]uint64 // stream offset after the last byte that reached us, by direction
}

// sslKey names a session object for ever: numbers and addresses are used again, but
// not by the same program of the same process.
type sslKey = bpf.SpliffConnKey

// object names what generations are counted of: an address in a process.
type object struct {
	pid uint32
	ssl uint64
}

// translator turns samples of the ring into events: it numbers them, names
// connections, and turns every jump of a stream offset into a DROP. Its sums may
// be read from other goroutines; the rest belongs to the one that drains.
type translator struct {
	sink   Sink
	kernel kernelState
	toMono int64 // to add to CLOCK_BOOTTIME

	seq    uint64
	lastID uint32
	conns  map[uint64]*tracked // by the kernel side's number
	at     map[sslKey]*tracked
	of     map[uint32]map[*tracked]bool // of each process
	gen    map[object]uint32
	procs  *processes
	all    bool              // the life of every process is told
	some   bool              // that of every process that filters select
	hellos map[uint64]*hello // of handshakes that are not over, by the kernel side's number of the connection
	opened map[uint64]*hello // clients' hellos that came to sockets of no session yet, by the sockets' cookies

	loaded   func(pid uint32) // told of newly mapped files
	unlinked func(pid uint32) // told of sessions of which no socket is known

	dropped              uint64        // bytes named by DROP events
	events, bytes, total atomic.Uint64 // DATA events, their bytes, connections
	nprocs               atomic.Int64

	ev  format.Event // reused: Sink may not keep it
	buf []byte
}

func newTranslator(k kernelState, procs *processes, bootAhead int64) *translator {
	return &translator{
		kernel: k, procs: procs, toMono: -bootAhead,
		conns: map[uint64]*tracked{}, at: map[sslKey]*tracked{}, of: map[uint32]map[*tracked]bool{}, gen: map[object]uint32{},
		hellos: map[uint64]*hello{}, opened: map[uint64]*hello{}, loaded: func(uint32) {}, unlinked: func(uint32) {},
	}
}

// as views a sample as one of the structs of event.h. Ring samples are 8-aligned.
func as[T any](sample []byte) (*T, bool) {
	var t T
	if uintptr(len(sample)) < unsafe.Sizeof(t) {
		return nil, false
	}
	return (*T)(unsafe.Pointer(&sample[0])), true
}

// sample translates one sample. One that is shorter than its struct can only come
// from another version of the object; it is left out.
func (t *translator) sample(b []byte) error {
	h, ok := as[bpf.SpliffEvHdr](b)
	if !ok {
		return nil
	}
	switch bpf.SpliffEvKind(h.Kind) {
	case bpf.SpliffEvKindEV_DATA:
		if e, ok := as[bpf.SpliffEvData](b); ok && uintptr(len(b))-unsafe.Sizeof(*e) >= uintptr(h.Len) {
			return t.data(e, b[unsafe.Sizeof(*e):][:h.Len])
		}
	case bpf.SpliffEvKindEV_CONN:
		if e, ok := as[bpf.SpliffEvConn](b); ok {
			return t.conn(e)
		}
	case bpf.SpliffEvKindEV_END:
		if e, ok := as[bpf.SpliffEvEnd](b); ok {
			return t.end(e)
		}
	case bpf.SpliffEvKindEV_HANDSHAKE:
		if e, ok := as[bpf.SpliffEvHandshake](b); ok {
			c, err := t.known(h)
			if err != nil {
				return err
			}
			delete(t.hellos, h.Conn)
			return t.handshake(h, c, format.Handshake{OK: true, Dur: e.Dur})
		}
	case bpf.SpliffEvKindEV_PROC:
		if e, ok := as[bpf.SpliffEvProc](b); ok {
			return t.program(e)
		}
	case bpf.SpliffEvKindEV_FORK:
		if e, ok := as[bpf.SpliffEvFork](b); ok {
			return t.fork(e)
		}
	case bpf.SpliffEvKindEV_HELLO, bpf.SpliffEvKindEV_EXTENSIONS, bpf.SpliffEvKindEV_OPENING:
		if e, ok := as[bpf.SpliffEvHello](b); ok && uintptr(len(b))-unsafe.Sizeof(*e) >= uintptr(h.Len) {
			return t.hello(e, b[unsafe.Sizeof(*e):][:h.Len])
		}
	case bpf.SpliffEvKindEV_UNLINKED:
		t.unlinked(h.Tgid)
	case bpf.SpliffEvKindEV_EXIT:
		if e, ok := as[bpf.SpliffEvExit](b); ok {
			return t.exit(e)
		}
	case bpf.SpliffEvKindEV_LOAD:
		t.loaded(h.Tgid)
	}
	return nil
}

// emit gives the event its number and hands it on.
func (t *translator) emit(typ format.Type, h *bpf.SpliffEvHdr, c *tracked, payload []byte) error {
	e := &t.ev
	*e = format.Event{Type: typ, CPU: h.Cpu, TID: h.Tid, Time: h.Time, Seq: t.seq, Payload: payload}
	if c != nil {
		e.Conn, e.Probe = c.id, c.probe
	}
	t.seq++
	return t.sink.Event(e)
}

func (t *translator) data(d *bpf.SpliffEvData, payload []byte) error {
	c, err := t.known(&d.Hdr)
	if err != nil {
		return err
	}
	dir := d.Hdr.Dir & 1
	if d.Off == 0 && c.next == [2]uint64{} && !c.info.MidStream {
		if err := t.shaken(&d.Hdr, c); err != nil {
			return err
		}
	}
	if d.Off > c.next[dir] {
		if err := t.drop(&d.Hdr, c, dir, causeOf(d.Lost), d.Off); err != nil {
			return err
		}
	}
	c.next[dir] = d.Off + uint64(len(payload))
	t.events.Add(1)
	t.bytes.Add(uint64(len(payload)))
	e := &t.ev
	*e = format.Event{Type: format.TypeData, Dir: format.Dir(dir) + 1, Probe: c.probe, CPU: d.Hdr.Cpu, TID: d.Hdr.Tid,
		Conn: c.id, Seq: t.seq, Time: d.Hdr.Time, Offset: d.Off, Dur: d.Dur, Payload: payload}
	t.seq++
	return t.sink.Event(e)
}

// shaken tells of a handshake whose end no call told, as the first data of its
// connection shows that it is over.
func (t *translator) shaken(h *bpf.SpliffEvHdr, c *tracked) error {
	hello := t.hellos[h.Conn]
	if hello == nil {
		return nil
	}
	if most := hello.bound(h.Time); most > 0 {
		return t.handshake(h, c, format.Handshake{OK: true, Bound: true, Dur: most})
	}
	return nil
}

// drop says that the bytes of a direction from what we hold up to upTo are missing.
func (t *translator) drop(h *bpf.SpliffEvHdr, c *tracked, dir uint8, cause format.DropCause, upTo uint64) error {
	d := format.Drop{Cause: cause, Bytes: upTo - c.next[dir], Offset: c.next[dir]}
	t.dropped += d.Bytes
	c.next[dir] = upTo
	t.buf = d.AppendTo(t.buf[:0])
	e := &t.ev
	*e = format.Event{Type: format.TypeDrop, Dir: format.Dir(dir) + 1, CPU: h.Cpu, TID: h.Tid, Conn: c.id, Probe: c.probe, Seq: t.seq, Time: h.Time, Payload: t.buf}
	t.seq++
	return t.sink.Event(e)
}

// dropGlobal says that something is missing that belongs to no known connection.
func (t *translator) dropGlobal(now uint64, d format.Drop) error {
	t.dropped += d.Bytes
	t.buf = d.AppendTo(t.buf[:0])
	return t.emit(format.TypeDrop, &bpf.SpliffEvHdr{Time: now}, nil, t.buf)
}

// known returns the connection of a sample, announcing it if its announcement was
// lost: then only its process is known.
func (t *translator) known(h *bpf.SpliffEvHdr) (*tracked, error) {
	if c := t.conns[h.Conn]; c != nil {
		return c, nil
	}
	info := format.Conn{PID: h.Tgid, MidStream: true}
	if p := t.procs.by[h.Tgid]; p != nil {
		info.Start = monotonic(p.start, t.toMono)
	}
	c := t.track(h.Conn, info)
	return c, t.announce(h, c)
}

func (t *translator) track(seq uint64, info format.Conn) *tracked {
	t.lastID++
	c := &tracked{id: t.lastID, seq: seq, info: info}
	t.conns[seq] = c
	if t.of[info.PID] == nil {
		t.of[info.PID] = map[*tracked]bool{}
	}
	t.of[info.PID][c] = true
	t.total.Add(1)
	return c
}

func (t *translator) announce(h *bpf.SpliffEvHdr, c *tracked) error {
	t.buf = c.info.AppendTo(t.buf[:0])
	return t.emit(format.TypeConn, h, c, t.buf)
}

func (t *translator) conn(e *bpf.SpliffEvConn) error {
	key := e.Key
	c := t.conns[e.Hdr.Conn]
	if c == nil {
		// A session still at this address ended without our hearing of it.
		if old := t.at[key]; old != nil {
			end := format.ConnEnd{Reason: format.EndReuse, Written: old.next[0], Read: old.next[1]}
			if err := t.finish(&e.Hdr, old, end, [2]uint8{}); err != nil {
				return err
			}
		}
		c = t.track(e.Hdr.Conn, format.Conn{PID: e.Hdr.Tgid})
	}
	if t.at[key] != c {
		t.at[key], c.key = c, key
		of := object{key.Tgid, key.Ssl}
		c.info.Generation = t.gen[of]
		t.gen[of]++
	}
	c.probe = e.Probe
	info := &c.info
	info.SSL, info.Cookie, info.Conflicts, info.Start = key.Ssl, e.Cookie, e.Conflicts, monotonic(key.Start, t.toMono)
	info.MidStream = e.Mid != 0
	if e.Role != 0 { // else the hellos may have told it
		info.Role = format.Role(e.Role)
	}
	info.ALPN = string(e.Alpn[:min(int(e.AlpnLen), len(e.Alpn))])
	info.Local = address(e.Tuple.Family, e.Tuple.Laddr, e.Tuple.Lport)
	// The kernel keeps the remote port in network order.
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], e.Tuple.Rport)
	info.Remote = address(e.Tuple.Family, e.Tuple.Raddr, binary.BigEndian.Uint16(port[:]))
	if o := t.opened[e.Cookie]; o != nil && e.Cookie != 0 {
		delete(t.opened, e.Cookie)
		helloOf(t.hellos, e.Hdr.Conn).answer(o)
	}
	if hello := t.hellos[e.Hdr.Conn]; hello != nil {
		hello.told.fill(info)
	}
	return t.announce(&e.Hdr, c)
}

// maxHellos bounds the handshakes that are followed at once: some never end.
const maxHellos = 4096

// helloOf returns the handshake of a connection or socket, begun if it is not known.
func helloOf(of map[uint64]*hello, id uint64) *hello {
	h := of[id]
	if h == nil {
		if len(of) >= maxHellos {
			clear(of)
		}
		h = new(hello)
		of[id] = h
	}
	return h
}

// opening takes in a part of a client's hello that came to a socket. Whose it is shows
// when a session is found to write there, if ever.
func (t *translator) opening(e *bpf.SpliffEvHello, b []byte) {
	if e.Off == 0 {
		delete(t.opened, e.Hdr.Conn) // it is seen once more, or is another one
	}
	helloOf(t.opened, e.Hdr.Conn).take(e, b)
}

// take takes in what e brings of a hello, and reports whether something was learnt.
func (h *hello) take(e *bpf.SpliffEvHello, b []byte) bool {
	if e.Off == 0 {
		h.began[e.Hdr.Dir&1] = e.Hdr.Time
	}
	return h.add(e.Hdr.Dir, e.Off, b)
}

// hello takes in a part of a handshake. It comes before its connection is
// announced, unless that was known from the middle.
func (t *translator) hello(e *bpf.SpliffEvHello, b []byte) error {
	kind := bpf.SpliffEvKind(e.Hdr.Kind)
	if kind == bpf.SpliffEvKindEV_OPENING {
		t.opening(e, b)
		return nil
	}
	h := helloOf(t.hellos, e.Hdr.Conn)
	learnt := false
	if kind == bpf.SpliffEvKindEV_EXTENSIONS {
		learnt = h.extensions(b)
	} else {
		learnt = h.take(e, b)
	}
	c := t.conns[e.Hdr.Conn]
	if !learnt || c == nil {
		return nil
	}
	h.told.fill(&c.info)
	return t.announce(&e.Hdr, c)
}

// fill adds to what is known of a connection.
func (f *helloFacts) fill(c *format.Conn) {
	c.Version, c.Cipher, c.SNI = f.version, f.cipher, f.sni
	if c.ALPN == "" {
		c.ALPN = f.alpn
	}
	if c.Role == format.RoleUnknown && f.client != 0 {
		c.Role = format.RoleClient
		if f.client == int(bpf.SpliffEvDirDIR_READ)+1 {
			c.Role = format.RoleServer
		}
	}
}

// address makes a socket address of the kernel's bytes; the zero value without one.
func address(family uint16, b [16]uint8, port uint16) netip.AddrPort {
	switch family {
	case 2: // AF_INET
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port)
	case 10: // AF_INET6; an IPv4 peer of a dual-stack socket is shown as what it is
		return netip.AddrPortFrom(netip.AddrFrom16(b).Unmap(), port)
	}
	return netip.AddrPort{}
}

func (t *translator) handshake(h *bpf.SpliffEvHdr, c *tracked, p format.Handshake) error {
	t.buf = p.AppendTo(t.buf[:0])
	return t.emit(format.TypeHandshake, h, c, t.buf)
}
