package main

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"github.com/NoFear0411/spliff/format"
)

// The shape of the traffic: many connections of some processes at once.
const (
	seed        = 20260302
	connections = 256 // open at any time
	processes   = 40
	lifetime    = 20 // exchanges of a connection, on average
	probeOpen   = 1  // the one probe everything came through
)

// Parameters of the log-normal distributions of sizes. The end of a message
// cuts its last event short, so sizeMu aims above the mean of about 1 KiB.
const (
	eventMu, eventSigma = 6.7, 0.9
	eventMax            = 16 << 10
	bodyMu, bodySigma   = 8.9, 1.0
	bodyMax             = 256 << 10
)

// kind is what the bodies of a connection are made of.
type kind uint8

const (
	kindJSON kind = iota
	kindPage
	kindNoise
)

// kindOf shares the places out: 60 % JSON, 22 % pages, 18 % noise. Places are
// drawn evenly for each event, so bytes are shared alike.
func kindOf(place int) kind {
	switch x := place * 37 % 50; {
	case x < 30:
		return kindJSON
	case x < 41:
		return kindPage
	}
	return kindNoise
}

// place is where a connection is, and after it the next one.
type place struct {
	kind  kind
	conn  uint32
	pid   uint32
	serve bool      // the process is the server
	reply bool      // the message being sent is the response
	rest  []byte    // of the message, not yet sent
	whole []byte    // its buffer
	off   [3]uint64 // stream offset by direction
}

// traffic makes the events of a session, one after the other and always the same
// ones.
type traffic struct {
	author *author
	rng    *rand.Rand
	places [connections]place
	queue  []format.Event // definitions that come before anything else
	last   uint32         // connection id given out last
	seq    uint64
	now    uint64
	body   []byte // scratch
}

func newTraffic() *traffic {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := &traffic{rng: rng, author: newAuthor(rng), now: 1_000_000_000}
	probe := format.Probe{ID: probeOpen, Library: "openssl", Path: "/usr/lib/x86_64-linux-gnu/libssl.so.3",
		Sites: []string{"SSL_read+0: symbol", "SSL_write+0: symbol"}}
	t.say(format.Event{Type: format.TypeProbe, Payload: probe.AppendTo(nil)})
	for i := range uint32(processes) {
		pid := pidOf(i)
		p := format.Proc{PID: pid, PPID: 1, Comm: "worker", Exe: "/usr/bin/worker", Args: []string{"worker", "--shard", strconv.Itoa(int(i))}}
		t.say(format.Event{Type: format.TypeProc, TID: pid, Payload: p.AppendTo(nil)})
	}
	for i := range t.places {
		t.places[i].kind = kindOf(i)
		t.connect(&t.places[i])
	}
	return t
}

func pidOf(i uint32) uint32 { return 1000 + i*17 }

func (t *traffic) say(ev format.Event) { t.queue = append(t.queue, ev) }

// connect puts a new connection in p.
func (t *traffic) connect(p *place) {
	t.last++
	n := t.rng.Uint32N(processes)
	*p = place{kind: p.kind, conn: t.last, pid: pidOf(n), serve: n%4 == 0, reply: true, whole: p.whole}
	t.say(format.Event{Type: format.TypeConn, Conn: p.conn, TID: p.pid, Probe: probeOpen, Payload: connOf(p).AppendTo(nil)})
}

// connOf describes the connection in p.
func connOf(p *place) *format.Conn {
	role := format.RoleClient
	if p.serve {
		role = format.RoleServer
	}
	return &format.Conn{PID: p.pid, SSL: 0x7f00_0000_0000 + uint64(p.conn)*0x1240, Role: role, ALPN: "http/1.1",
		Local:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 7}), uint16(32768+p.conn%28000)),
		Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(p.conn)}), 443)}
}

// next fills ev. ev.Payload is valid until the next call.
func (t *traffic) next(ev *format.Event) {
	p := &t.places[t.rng.IntN(connections)]
	if len(t.queue) == 0 && len(p.rest) == 0 {
		t.message(p)
	}
	t.seq++
	t.now += 200 + t.rng.Uint64N(20_000)
	if len(t.queue) > 0 {
		*ev = t.queue[0]
		t.queue = t.queue[1:]
		ev.Seq, ev.Time = t.seq, t.now
		return
	}
	n := min(t.size(eventMu, eventSigma, eventMax), len(p.rest))
	dir := format.DirWrite
	if p.reply != p.serve {
		dir = format.DirRead
	}
	*ev = format.Event{Type: format.TypeData, Dir: dir, Probe: probeOpen, CPU: uint16(t.rng.IntN(16)),
		TID: p.pid + p.conn%8, Conn: p.conn, Seq: t.seq, Time: t.now, Offset: p.off[dir], Dur: 500 + t.rng.Uint32N(8000),
		Payload: p.rest[:n]}
	p.off[dir] += uint64(n)
	p.rest = p.rest[n:]
}

// message begins the next message of p, on a new connection if need be.
func (t *traffic) message(p *place) {
	a := t.author
	if !p.reply {
		p.reply = true
		t.respond(p)
		return
	}
	if p.off != [3]uint64{} && t.rng.IntN(lifetime) == 0 {
		end := format.ConnEnd{Reason: format.EndFree, Written: p.off[format.DirWrite], Read: p.off[format.DirRead]}
		t.say(format.Event{Type: format.TypeConnEnd, Conn: p.conn, TID: p.pid, Payload: end.AppendTo(nil)})
		t.connect(p)
	}
	p.reply = false
	p.whole = a.request(p.whole[:0], p.pid)
	p.rest = p.whole
}

// respond writes the response that p sends next.
func (t *traffic) respond(p *place) {
	a, size := t.author, t.size(bodyMu, bodySigma, bodyMax)
	var media string
	switch p.kind {
	case kindJSON:
		media, t.body = "application/json", a.json(t.body[:0], size)
	case kindPage:
		media, t.body = "text/html; charset=utf-8", a.page(t.body[:0], size)
	default:
		media, t.body = "image/webp", a.noise(t.body[:0], size)
	}
	p.whole = append(a.response(p.whole[:0], media, len(t.body)), t.body...)
	p.rest = p.whole
}

// size draws from a log-normal distribution, cut at most.
func (t *traffic) size(mu, sigma float64, most int) int {
	return min(max(int(math.Exp(t.rng.NormFloat64()*sigma+mu)), 1), most)
}
