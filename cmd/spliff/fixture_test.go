package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// fixture builds a session: one curl process, one connection a call of conn.
type fixture struct {
	t   testing.TB
	buf bytes.Buffer
	w   io.Writer
	out *format.Writer
	seq uint64
	now uint64
	n   uint32 // connections
	off [2]uint64
}

// fixtureInfo is 2026-01-12 15:11:59 in the zone of the upstream examples, UTC+4.
func fixtureInfo() format.Session {
	return format.Session{
		Wall: 1768216319_000000000, Mono: 1_000_000_000, UTCOffset: 4 * 3600,
		Writer: "fixture", Host: "web-03", Kernel: "6.18.0", Arch: "amd64",
	}
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, now: 1_000_000_000}
	w, err := format.NewWriter(&f.buf, fixtureInfo(), format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.out = w
	proc := format.Proc{PID: 4242, PPID: 1, Comm: "curl", Exe: "/usr/bin/curl", Args: []string{"curl", "https://shop.example/"}}
	f.event(format.Event{Type: format.TypeProc, Payload: proc.AppendTo(nil)})
	f.event(format.Event{Type: format.TypeProbe, Payload: (&format.Probe{
		ID: 1, Library: "openssl", Path: "/usr/lib/libssl.so.3", Sites: []string{"SSL_read: test"},
	}).AppendTo(nil)})
	return f
}

func (f *fixture) event(ev format.Event) {
	f.t.Helper()
	f.seq++
	f.now += 1_000_000
	ev.Seq, ev.Time = f.seq, f.now
	if err := f.out.Append(&ev); err != nil {
		f.t.Fatal(err)
	}
}

// conn begins a connection of the process as a client.
func (f *fixture) conn(alpn string) {
	f.n++
	f.off = [2]uint64{}
	c := format.Conn{
		PID: 4242, SSL: 0x5555_0000 + uint64(f.n), Role: format.RoleClient, ALPN: alpn, Cookie: uint64(f.n),
		Local:  netip.MustParseAddrPort(fmt.Sprintf("10.0.0.5:%d", 40110+f.n)),
		Remote: netip.MustParseAddrPort("93.184.216.34:443"),
	}
	f.event(format.Event{Type: format.TypeConn, Conn: f.n, Probe: 1, TID: 4242, Payload: c.AppendTo(nil)})
	f.event(format.Event{Type: format.TypeHandshake, Conn: f.n, TID: 4242, Payload: (&format.Handshake{OK: true, Dur: 15_000_000}).AppendTo(nil)})
}

func (f *fixture) data(d format.Dir, s string) {
	f.event(format.Event{
		Type: format.TypeData, Dir: d, Conn: f.n, Probe: 1, TID: 4242,
		Offset: f.off[d-1], Dur: 63_100, Payload: []byte(s),
	})
	f.off[d-1] += uint64(len(s))
}

// lose leaves a hole of n bytes in a direction and says so, as the recorder does.
func (f *fixture) lose(d format.Dir, n uint64) {
	f.event(format.Event{Type: format.TypeDrop, Dir: d, Conn: f.n, Payload: (&format.Drop{
		Cause: format.DropRingFull, Events: 1, Bytes: n, Offset: f.off[d-1],
	}).AppendTo(nil)})
	f.off[d-1] += n
}

func (f *fixture) exchange(request, response string) {
	f.data(format.DirWrite, request)
	f.data(format.DirRead, response)
}

func (f *fixture) endConn() {
	f.event(format.Event{Type: format.TypeConnEnd, Conn: f.n, Payload: (&format.ConnEnd{
		Reason: format.EndFree, Written: f.off[0], Read: f.off[1],
	}).AppendTo(nil)})
}

// bytes closes the session, in order or not, and returns the file.
func (f *fixture) bytes(ended bool) []byte {
	f.t.Helper()
	if ended {
		f.event(format.Event{Type: format.TypeEnd, Payload: (&format.End{Reason: "interrupt", Events: f.seq}).AppendTo(nil)})
	}
	if err := f.out.Close(); err != nil {
		f.t.Fatal(err)
	}
	return f.buf.Bytes()
}

// shop is a session of three exchanges on one connection, the last in HTTP/1.1
// too, with one body in each direction.
func (f *fixture) shop() {
	f.conn("http/1.1")
	f.exchange("GET /v1/list HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nsixteen pears")
	f.exchange("POST /v1/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"sku\":\"A-1\"}",
		"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"order\":\"42\"}")
	f.exchange("GET /missing HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	f.endConn()
}

// session returns the file of one named kind.
func session(t testing.TB, kind string) []byte {
	t.Helper()
	f := newFixture(t)
	switch kind {
	case "shop":
		f.shop()
	case "empty":
	case "unended":
		f.shop()
		return f.bytes(false)
	case "gap":
		f.conn("http/1.1")
		f.data(format.DirWrite, "GET /big HTTP/1.1\r\nHost: shop.example\r\n\r\n")
		f.data(format.DirRead, "HTTP/1.1 200 OK\r\nContent-Length: 1010\r\n\r\nfront")
		f.lose(format.DirRead, 1000)
		f.data(format.DirRead, "back!")
		f.endConn()
	case "hostile":
		f.conn("http/1.1")
		f.exchange("GET /\x1b]0;owned\x07 HTTP/1.1\r\nHost: shop.example\r\nX-Esc: \x1b[2J\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n\x1b[31mred\u009b")
		f.endConn()
	case "binary":
		f.conn("http/1.1")
		f.exchange("GET /p.png HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12\r\n\r\n\x89PNG\r\n\x1a\n\x00\x01\x02\xff")
		f.endConn()
	case "future":
		return fromFuture(f.bytes(true))
	case "cut":
		f.shop()
		b := f.bytes(true)
		return b[:len(b)-7]
	case "headonly":
		b := f.bytes(true)
		return b[:8+binary.LittleEndian.Uint32(b[4:])+9]
	case "struck":
		return struck(t)
	case "twice":
		f.shop()
		b := f.bytes(true)
		return append(b[:len(b):len(b)], b...)
	case "nofooter":
		f.shop()
		b := f.bytes(true)
		return b[:bytes.Index(b, []byte("SPLI"))-8]
	case "argcanary":
		proc := format.Proc{PID: 4242, Comm: "curl", Exe: "/usr/bin/curl", Args: []string{"curl", "-d", "secret=canary"}}
		f.event(format.Event{Type: format.TypeProc, Payload: proc.AppendTo(nil)})
		f.shop()
	case "canary":
		f.conn("http/1.1")
		f.exchange("POST /v1/login?who=me HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n9;ext\r\ncanary in\r\n8\r\n request\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\ncanary in response")
		f.exchange("GET /v1/next HTTP/1.1\r\nHost: shop.example\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n")
		f.endConn()
	case "member0", "member1", "member2":
		return member(t, int(kind[len(kind)-1]-'0'))
	default:
		t.Fatalf("no kind of session called %q", kind)
	}
	return f.bytes(true)
}

// struck is a session of many chunks with one byte in the middle changed.
func struck(t testing.TB) []byte {
	f := newFixture(t)
	for range 3 {
		f.shop()
		if err := f.out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	b := f.bytes(true)
	b[len(b)/2] ^= 0x40
	return b
}

// member returns file n of a session in three.
func member(t testing.TB, n int) []byte {
	m := &memberFiles{}
	first, _ := m.Next()
	info := fixtureInfo()
	info.UUID = [16]byte{7, 15: 9}
	f := newFixture(t)
	w, err := format.NewWriter(first, info, format.WriterOptions{Files: m, ChunkBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	f.out, f.seq = w, 0
	proc := format.Proc{PID: 4242, Comm: "curl"}
	f.event(format.Event{Type: format.TypeProc, Payload: proc.AppendTo(nil)})
	for range 3 {
		f.shop()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	f.bytes(true)
	if len(m.files) != 3 {
		t.Fatalf("%d files", len(m.files))
	}
	return m.files[n].Bytes()
}

// memberFiles goes on in the next file after each chunk, up to three.
type memberFiles struct{ files []*bytes.Buffer }

func (m *memberFiles) Full(int64) bool { return len(m.files) < 3 }
func (m *memberFiles) Next() (io.Writer, error) {
	m.files = append(m.files, &bytes.Buffer{})
	return m.files[len(m.files)-1], nil
}

// fromFuture raises the major version of the file header and makes its
// checksum right again, so that the version is all there is to object to.
func fromFuture(b []byte) []byte {
	b = bytes.Clone(b)
	size := 8 + binary.LittleEndian.Uint32(b[4:]) // FORMAT.md: the frame's envelope
	b[16] = 200
	sum := crc32.Checksum(b[:size-4], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(b[size-4:], sum)
	return b
}

// bigBody is longer than any buffer on the way.
func bigBody() string { return strings.Repeat("0123456789abcdef", 20_000) }
