package main

import (
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// recorder writes a session as spliff on the server's machine would have: the
// process is the server. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	w     *format.Writer
	alpn  string
	start time.Time
	seq   uint64
	now   uint64
	conns []*recorded
	err   error
}

// recorded is a connection.
type recorded struct {
	r   *recorder
	id  uint32
	off [3]uint64
}

// serverPID and probeOpen are ids in the session; they mean nothing.
const (
	serverPID = 812
	probeOpen = 1
)

func newRecorder(out io.Writer, p protocol) (*recorder, error) {
	w, err := format.NewWriter(out, format.Session{UUID: [16]byte{1}, Wall: 1_772_440_000_000_000_000, Mono: 1,
		Writer: "spliff bench", Host: "bench", Kernel: "6.12.0", Arch: "x86_64", Command: []string{"spliff", "record"}}, format.WriterOptions{})
	if err != nil {
		return nil, err
	}
	r := &recorder{w: w, alpn: p.alpn(), start: time.Now(), now: 1}
	proc := format.Proc{PID: serverPID, PPID: 1, Comm: "nginx", Exe: "/usr/sbin/nginx", Args: []string{"nginx: worker process"}}
	r.add(&format.Event{Type: format.TypeProc, TID: serverPID, Payload: proc.AppendTo(nil)})
	probe := format.Probe{ID: probeOpen, Library: "openssl", Path: "/usr/lib/x86_64-linux-gnu/libssl.so.3", Sites: []string{"SSL_read+0: symbol"}}
	r.add(&format.Event{Type: format.TypeProbe, Payload: probe.AppendTo(nil)})
	return r, r.err
}

// add appends an event; the caller holds mu, or is alone.
func (r *recorder) add(ev *format.Event) {
	r.seq++
	r.now = max(r.now+1, uint64(time.Since(r.start)))
	ev.Seq, ev.Time = r.seq, r.now
	if r.err == nil {
		r.err = r.w.Append(ev)
	}
}

// connect begins a connection.
func (r *recorder) connect() *recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &recorded{r: r, id: uint32(len(r.conns)) + 1}
	r.conns = append(r.conns, c)
	def := format.Conn{PID: serverPID, SSL: 0x7f00_0000_0000 + uint64(c.id)*0x1240, Role: format.RoleServer, ALPN: r.alpn,
		Local: netip.MustParseAddrPort("127.0.0.1:443"), Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(32768+c.id%28000))}
	r.add(&format.Event{Type: format.TypeConn, Conn: c.id, TID: serverPID, Probe: probeOpen, Payload: def.AppendTo(nil)})
	return c
}

// data records bytes that the server read from the client, or wrote to it.
func (c *recorded) data(dir format.Dir, p []byte) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.add(&format.Event{Type: format.TypeData, Dir: dir, Probe: probeOpen, TID: serverPID, Conn: c.id, Offset: c.off[dir], Dur: 2000, Payload: p})
	c.off[dir] += uint64(len(p))
}

// close ends all connections and the session.
func (r *recorder) close() error {
	for _, c := range r.conns {
		end := format.ConnEnd{Reason: format.EndFree, Written: c.off[format.DirWrite], Read: c.off[format.DirRead]}
		r.add(&format.Event{Type: format.TypeConnEnd, Conn: c.id, TID: serverPID, Payload: end.AppendTo(nil)})
	}
	r.add(&format.Event{Type: format.TypeEnd, Payload: (&format.End{}).AppendTo(nil)})
	if r.err != nil {
		return r.err
	}
	return r.w.Close()
}
