package record

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// sampleOf lays out a struct of event.h and a payload as the ring does.
func sampleOf[T any](v T, payload string) []byte {
	n := int(unsafe.Sizeof(v))
	words := make([]uint64, (n+len(payload)+7)/8)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)[:n+len(payload)]
	*(*T)(unsafe.Pointer(&b[0])) = v
	copy(b[n:], payload)
	return b
}

func hdr(kind bpf.SpliffEvKind, conn uint64) bpf.SpliffEvHdr {
	return bpf.SpliffEvHdr{Kind: uint8(kind), Tgid: 100, Tid: 101, Conn: conn, Time: 5000}
}

func dataSample(conn uint64, dir uint8, off uint64, payload string, lost uint8) []byte {
	h := hdr(bpf.SpliffEvKindEV_DATA, conn)
	h.Dir, h.Len = dir, uint32(len(payload))
	return sampleOf(bpf.SpliffEvData{Hdr: h, Off: off, Dur: 7, Lost: lost}, payload)
}

// testKey is the key of a session object of process 100, started at 900.
func testKey(ssl uint64) sslKey { return sslKey{Ssl: ssl, Start: 900, Tgid: 100} }

func connSample(conn, ssl uint64) []byte {
	e := bpf.SpliffEvConn{Hdr: hdr(bpf.SpliffEvKindEV_CONN, conn), Key: testKey(ssl), Cookie: 9, Role: 2, Probe: 3, AlpnLen: 2}
	copy(e.Alpn[:], "h2")
	e.Tuple = bpf.SpliffTuple{Laddr: [16]uint8{127, 0, 0, 1}, Raddr: [16]uint8{10, 0, 0, 9}, Lport: 443, Rport: 0x3412, Family: 2}
	return sampleOf(e, "")
}

func endSample(conn uint64, written, read uint64, failed uint8) []byte {
	return sampleOf(bpf.SpliffEvEnd{Hdr: hdr(bpf.SpliffEvKindEV_END, conn), Off: [2]uint64{written, read}, Reason: 1, Shutdown: 1, Handshake: failed,
		Cause: [2]uint8{1 << bpf.SpliffLossLOSS_SNAPLEN, 1 << bpf.SpliffLossLOSS_RING}}, "")
}

func bareSample(kind bpf.SpliffEvKind) []byte { return sampleOf(hdr(kind, 0), "") }

// noKernel answers as a kernel that knows the given sessions.
type noKernel map[sslKey]bpf.SpliffConn

func (k noKernel) conn(key sslKey) (bpf.SpliffConn, bool) {
	c, ok := k[key]
	return c, ok
}
func (k noKernel) ended() map[sslKey]bpf.SpliffConn {
	ended := map[sslKey]bpf.SpliffConn{}
	for key, c := range k {
		if c.Ended != 0 {
			ended[key] = c
		}
	}
	return ended
}
func (k noKernel) find(id uint64) (sslKey, bool) {
	for key, c := range k {
		if c.Id == id {
			return key, true
		}
	}
	return sslKey{}, false
}
func (k noKernel) forget(key sslKey) { delete(k, key) }

// lines is a sink that writes each event as one line.
type lines struct {
	t   *testing.T
	got []string
	seq uint64
}

func (l *lines) Flush() error { return nil }

func (l *lines) Event(e *format.Event) error {
	if e.Seq != l.seq {
		l.t.Errorf("event %d has number %d", l.seq, e.Seq)
	}
	l.seq++
	var s string
	switch e.Type {
	case format.TypeData:
		s = fmt.Sprintf("data %d %d@%d %s", e.Conn, e.Dir, e.Offset, e.Payload)
	case format.TypeConn:
		c, err := format.ParseConn(e.Payload)
		if err != nil {
			return err
		}
		s = fmt.Sprintf("conn %d ssl %x gen %d mid %v", e.Conn, c.SSL, c.Generation, c.MidStream)
	case format.TypeConnEnd:
		c, err := format.ParseConnEnd(e.Payload)
		if err != nil {
			return err
		}
		s = fmt.Sprintf("end %d reason %d %d/%d", e.Conn, c.Reason, c.Written, c.Read)
	case format.TypeDrop:
		d, err := format.ParseDrop(e.Payload)
		if err != nil {
			return err
		}
		s = fmt.Sprintf("drop %d %d cause %d %d+%d", e.Conn, e.Dir, d.Cause, d.Offset, d.Bytes)
	case format.TypeHandshake:
		h, err := format.ParseHandshake(e.Payload)
		if err != nil {
			return err
		}
		s = fmt.Sprintf("handshake %d %v %d", e.Conn, h.OK, h.Dur)
	case format.TypeProcEnd:
		s = "exit"
	case format.TypeProc:
		p, err := format.ParseProc(e.Payload)
		if err != nil {
			return err
		}
		s = fmt.Sprintf("proc %d %s %q start %d", p.PID, p.Comm, p.Args, p.Start)
	}
	l.got = append(l.got, s)
	return nil
}

func procSample() []byte {
	p := bpf.SpliffEvProc{ArgsLen: 7}
	p.Id.Hdr, p.Id.Start, p.Id.Selected = hdr(bpf.SpliffEvKindEV_PROC, 0), 900, 1
	copy(p.Id.Comm[:], "nginx")
	copy(p.Args[:], "a\x00b c\x00\x00")
	return sampleOf(p, "")
}

// execSample says that process 100 runs another program.
func execSample(name string) []byte {
	p := bpf.SpliffEvProc{Exec: 1}
	p.Id.Hdr, p.Id.Start, p.Id.Exec = hdr(bpf.SpliffEvKindEV_PROC, 0), 900, 1
	copy(p.Id.Comm[:], name)
	return sampleOf(p, "")
}

func exitSample(start uint64) []byte {
	return sampleOf(bpf.SpliffEvExit{Hdr: hdr(bpf.SpliffEvKindEV_EXIT, 0), Start: start, Status: 256}, "")
}

func newTestTranslator(t *testing.T, k kernelState, bootAhead int64) *translator {
	return newTranslator(k, newProcesses(procFS(t.TempDir()), ""), bootAhead)
}

func TestTranslate(t *testing.T) {
	ring, fault := uint8(1<<bpf.SpliffLossLOSS_RING), uint8(1<<bpf.SpliffLossLOSS_FAULT)
	tests := []struct {
		name    string
		kernel  noKernel
		samples [][]byte
		want    string
	}{
		{"a connection's life", nil,
			[][]byte{procSample(), connSample(11, 0xa0), sampleOf(bpf.SpliffEvHandshake{Hdr: hdr(bpf.SpliffEvKindEV_HANDSHAKE, 11), Dur: 5}, ""),
				dataSample(11, 1, 0, "GET", 0), dataSample(11, 0, 0, "200", 0), endSample(11, 3, 3, 0)},
			`proc 100 nginx ["a" "b c"] start 400
			conn 1 ssl a0 gen 0 mid false
			handshake 1 true 5
			data 1 2@0 GET
			data 1 1@0 200
			end 1 reason 1 3/3`},
		{"gap inside, by cause", nil,
			[][]byte{connSample(11, 0xa0), dataSample(11, 0, 0, "abc", 0), dataSample(11, 0, 10, "k", ring|fault), dataSample(11, 0, 12, "m", fault)},
			`conn 1 ssl a0 gen 0 mid false
			data 1 1@0 abc
			drop 1 1 cause 1 3+7
			data 1 1@10 k
			drop 1 1 cause 2 11+1
			data 1 1@12 m`},
		{"gap at the end", nil,
			[][]byte{connSample(11, 0xa0), dataSample(11, 0, 0, "abc", 0), endSample(11, 5, 2, 0)},
			`conn 1 ssl a0 gen 0 mid false
			data 1 1@0 abc
			drop 1 1 cause 3 3+2
			drop 1 2 cause 1 0+2
			end 1 reason 1 5/2`},
		{"announcement lost", nil,
			[][]byte{dataSample(11, 0, 0, "abc", 0), connSample(11, 0xa0)},
			`conn 1 ssl 0 gen 0 mid true
			data 1 1@0 abc
			conn 1 ssl a0 gen 0 mid false`},
		{"end lost, address reused", nil,
			[][]byte{connSample(11, 0xa0), dataSample(11, 0, 0, "abc", 0), connSample(12, 0xa0), dataSample(12, 0, 0, "x", 0)},
			`conn 1 ssl a0 gen 0 mid false
			data 1 1@0 abc
			end 1 reason 4 3/0
			conn 2 ssl a0 gen 1 mid false
			data 2 1@0 x`},
		{"six connections at one address", nil,
			[][]byte{connSample(1, 0xa0), endSample(1, 0, 0, 0), connSample(2, 0xa0), endSample(2, 0, 0, 0), connSample(3, 0xa0)},
			`conn 1 ssl a0 gen 0 mid false
			end 1 reason 1 0/0
			conn 2 ssl a0 gen 1 mid false
			end 2 reason 1 0/0
			conn 3 ssl a0 gen 2 mid false`},
		{"failed handshake", nil,
			[][]byte{connSample(11, 0xa0), endSample(11, 0, 0, 1)},
			`conn 1 ssl a0 gen 0 mid false
			handshake 1 false 0
			end 1 reason 1 0/0`},
		{"process exits with open connections", noKernel{testKey(0xa0): {Id: 11, Off: [2]uint64{9, 0}, Cause: [2]uint8{ring, 0}}, testKey(0xb0): {Id: 99}},
			[][]byte{procSample(), connSample(11, 0xa0), connSample(12, 0xb0), dataSample(11, 0, 0, "abc", 0), exitSample(800), exitSample(900), exitSample(900)},
			`proc 100 nginx ["a" "b c"] start 400
			conn 1 ssl a0 gen 0 mid false
			conn 2 ssl b0 gen 0 mid false
			data 1 1@0 abc
			drop 1 1 cause 1 3+6
			end 1 reason 2 9/0
			end 2 reason 2 0/0
			exit`},
		{"announcement lost, then the end", noKernel{testKey(0xa0): {Id: 11, Off: [2]uint64{9, 0}, Cause: [2]uint8{ring, 0}, Lost: [2][3]uint64{{6}}}},
			[][]byte{procSample(), dataSample(11, 0, 0, "abc", 0), exitSample(900)},
			`proc 100 nginx ["a" "b c"] start 400
			conn 1 ssl 0 gen 0 mid true
			data 1 1@0 abc
			drop 1 1 cause 1 3+6
			end 1 reason 2 9/0
			exit`},
		{"exec ends connections, not the process", nil,
			[][]byte{procSample(), connSample(11, 0xa0), execSample("curl")},
			`proc 100 nginx ["a" "b c"] start 400
			conn 1 ssl a0 gen 0 mid false
			end 1 reason 3 0/0
			proc 100 curl ["a" "b c"] start 400`},
		{"samples cut short are left out", nil,
			[][]byte{connSample(11, 0xa0)[:40], dataSample(11, 0, 0, "abc", 0)[:50], {1, 2, 3}, bareSample(77)},
			``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &lines{t: t}
			tr := newTestTranslator(t, tt.kernel, 500)
			tr.sink = l
			for _, s := range tt.samples {
				if err := tr.sample(s); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			for _, w := range strings.Split(tt.want, "\n") {
				if w = strings.TrimSpace(w); w != "" {
					want = append(want, w)
				}
			}
			if d := cmp.Diff(want, l.got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestConnAddresses(t *testing.T) {
	var got format.Conn
	tr := newTestTranslator(t, noKernel{}, 0)
	tr.sink = sinkFunc(func(e *format.Event) error {
		var err error
		got, err = format.ParseConn(e.Payload)
		return err
	})
	if err := tr.sample(connSample(1, 0xa0)); err != nil {
		t.Fatal(err)
	}
	want := format.Conn{PID: 100, SSL: 0xa0, Start: 900, Cookie: 9, Role: format.RoleServer, ALPN: "h2",
		Local: netip.MustParseAddrPort("127.0.0.1:443"), Remote: netip.MustParseAddrPort("10.0.0.9:4660")}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if a := address(10, [16]uint8{10: 0xff, 11: 0xff, 12: 192, 15: 1}, 80); a.String() != "192.0.0.1:80" {
		t.Errorf("IPv4 peer of an IPv6 socket: %v", a)
	}
	if a := address(1, [16]uint8{}, 0); a.IsValid() {
		t.Errorf("unix socket: %v", a)
	}
}

// TestSettle: bytes lost after the last sample of a connection that is still open
// at the end are named too.
func TestSettle(t *testing.T) {
	l := &lines{t: t}
	tr := newTestTranslator(t, noKernel{testKey(0xa0): {Id: 11, Off: [2]uint64{4, 0}, Cause: [2]uint8{1, 0}}}, 0)
	tr.sink = l
	for _, s := range [][]byte{connSample(11, 0xa0), dataSample(11, 0, 0, "abc", 0)} {
		if err := tr.sample(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.settle(1); err != nil {
		t.Fatal(err)
	}
	if want := "drop 1 1 cause 1 3+1"; l.got[len(l.got)-1] != want {
		t.Errorf("got %q, want %q", l.got, want)
	}
}

// TestBuried: connections whose end found no room in the ring are ended all the
// same, those that were never announced included, and every byte of them is named.
func TestBuried(t *testing.T) {
	ring := [2]uint8{1 << bpf.SpliffLossLOSS_RING, 1 << bpf.SpliffLossLOSS_RING}
	kernel := noKernel{
		testKey(0xa0): {Id: 11, Off: [2]uint64{4, 0}, Cause: ring, Ended: 1},
		testKey(0xb0): {Id: 12, Off: [2]uint64{0, 6}, Cause: ring, Ended: 4},
		testKey(0xc0): {Id: 13, Off: [2]uint64{9, 9}},
	}
	l := &lines{t: t}
	tr := newTestTranslator(t, kernel, 0)
	tr.sink = l
	for _, s := range [][]byte{connSample(11, 0xa0), dataSample(11, 0, 0, "abc", 0)} {
		if err := tr.sample(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.buried(1, kernel.ended(), func(uint64) bool { return false }); err != nil || len(kernel) != 3 {
		t.Fatalf("%v: buried what is not ripe: %v", err, kernel)
	}
	if err := tr.buried(1, kernel.ended(), func(uint64) bool { return true }); err != nil {
		t.Fatal(err)
	}
	want := []string{"conn 1 ssl a0 gen 0 mid false", "data 1 1@0 abc", "drop 1 1 cause 1 3+1", "end 1 reason 1 4/0",
		"conn 2 ssl 0 gen 0 mid true", "drop 2 2 cause 1 0+6", "end 2 reason 4 0/6"}
	if d := cmp.Diff(want, l.got); d != "" {
		t.Error(d)
	}
	if len(kernel) != 1 {
		t.Errorf("left in the kernel's table: %v, want the one that lives", kernel)
	}
	if tr.dropped != 7 {
		t.Errorf("%d bytes named as lost, want 7", tr.dropped)
	}
}

type sinkFunc func(*format.Event) error

func (f sinkFunc) Event(e *format.Event) error { return f(e) }
func (f sinkFunc) Flush() error                { return nil }

// FuzzTranslate: whatever is in the ring, the translator neither panics nor breaks
// the order of events.
func FuzzTranslate(f *testing.F) {
	f.Add(connSample(1, 1), dataSample(1, 0, 0, "abc", 0))
	f.Add(procSample(), endSample(1, 5, 5, 1))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		tr := newTranslator(noKernel{}, newProcesses("/nonexistent", ""), 0)
		seq := uint64(0)
		tr.sink = sinkFunc(func(e *format.Event) error {
			if e.Seq != seq {
				t.Fatalf("event %d has number %d", seq, e.Seq)
			}
			seq++
			return nil
		})
		for _, s := range [][]byte{a, b, a} {
			if len(s) == 0 {
				continue
			}
			aligned := sampleOf(struct{}{}, string(s))
			if err := tr.sample(aligned); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestConstants compares the Go tables with the enums of bpf/cookie.h.
func TestConstants(t *testing.T) {
	for got, want := range map[what]bpf.SpliffWhat{
		whatWrite: bpf.SpliffWhatW_WRITE, whatRead: bpf.SpliffWhatW_READ, whatHandshake: bpf.SpliffWhatW_HANDSHAKE, whatALPN: bpf.SpliffWhatW_ALPN,
		whatNew: bpf.SpliffWhatW_NEW, whatFree: bpf.SpliffWhatW_FREE, whatClear: bpf.SpliffWhatW_CLEAR, whatUpRef: bpf.SpliffWhatW_UP_REF,
		whatShutdown: bpf.SpliffWhatW_SHUTDOWN, whatServer: bpf.SpliffWhatW_SERVER, whatClient: bpf.SpliffWhatW_CLIENT,
		whatRole: bpf.SpliffWhatW_ROLE, whatInit: bpf.SpliffWhatW_INIT, whatSeen: bpf.SpliffWhatW_SEEN, whatReneg: bpf.SpliffWhatW_RENEG,
		whatExtensions: bpf.SpliffWhatW_EXTENSIONS, whatInnerCopy: bpf.SpliffWhatW_INNER_COPY, whatInnerWrite: bpf.SpliffWhatW_INNER_WRITE, whatLink: bpf.SpliffWhatW_LINK, whatInnerRead: bpf.SpliffWhatW_INNER_READ,
	} {
		if uint32(got) != uint32(want) {
			t.Errorf("function kind %d is %d in C", got, want)
		}
	}
	for got, want := range map[how]bpf.SpliffHow{
		howReturn: bpf.SpliffHowH_RETURN, howArg4: bpf.SpliffHowH_ARG4, howArg5: bpf.SpliffHowH_ARG5, howCount: bpf.SpliffHowH_COUNT,
		howBlind: bpf.SpliffHowH_BLIND, howNone: bpf.SpliffHowH_NONE, howConnect: bpf.SpliffHowH_CONNECT, howAccept: bpf.SpliffHowH_ACCEPT,
		howPtrU32: bpf.SpliffHowH_PTR_U32, howPtrU16: bpf.SpliffHowH_PTR_U16, howDatum: bpf.SpliffHowH_DATUM, howString: bpf.SpliffHowH_STRING,
		howCopied: bpf.SpliffHowH_COPIED, howSession: bpf.SpliffHowH_SESSION, howOutFlags: bpf.SpliffHowH_OUT_FLAGS, howEarly: bpf.SpliffHowH_EARLY,
	} {
		if uint32(got) != uint32(want) {
			t.Errorf("argument shape %d is %d in C", got, want)
		}
	}
	for got, want := range map[flags]bpf.SpliffCallFlags{flagZero: bpf.SpliffCallFlagsF_ZERO, flagKnown: bpf.SpliffCallFlagsF_KNOWN, flagSpilled: bpf.SpliffCallFlagsF_SPILLED, flagTyped: bpf.SpliffCallFlagsF_TYPED} {
		if uint32(got) != uint32(want) {
			t.Errorf("flag %d is %d in C", got, want)
		}
	}
	if uint8(format.DirWrite) != uint8(bpf.SpliffEvDirDIR_WRITE)+1 || uint8(format.DirRead) != uint8(bpf.SpliffEvDirDIR_READ)+1 {
		t.Error("directions differ")
	}
}

// TestHelloSamples: what the hellos say is in the announcement of their connection,
// or in another one when it was announced before.
func TestHelloSamples(t *testing.T) {
	sent := shaken(t, &tls.Config{}, &tls.Config{ServerName: "a.example"})
	sample := func(conn uint64, dir uint8) []byte {
		h := hdr(bpf.SpliffEvKindEV_HELLO, conn)
		b := sent[dir][:min(len(sent[dir]), maxHello)]
		h.Dir, h.Len = dir, uint32(len(b))
		return sampleOf(bpf.SpliffEvHello{Hdr: h}, string(b))
	}
	var got []format.Conn
	var asked []uint32
	tr := newTranslator(noKernel{}, newProcesses(procFS(t.TempDir()), ""), 0)
	tr.unlinked = func(pid uint32) { asked = append(asked, pid) }
	tr.sink = sinkFunc(func(e *format.Event) error {
		if e.Type != format.TypeConn {
			return nil
		}
		c, err := format.ParseConn(e.Payload)
		got = append(got, c)
		return err
	})
	for _, s := range [][]byte{sample(1, 0), sample(1, 1), connSample(1, 0x10), connSample(2, 0x20), sample(2, 0), sample(2, 1), bareSample(bpf.SpliffEvKindEV_UNLINKED), sample(3, 0)[:50]} {
		if err := tr.sample(s); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 4 || got[0].SNI != "a.example" || got[0].Version != 0x0304 || got[1].Version != 0 || got[3].SNI != "a.example" || got[3].Cipher == 0 || got[0].Role != format.RoleServer {
		t.Errorf("announced %+v", got)
	}
	if len(asked) != 1 || asked[0] != 100 {
		t.Errorf("asked for %v", asked)
	}
}

// TestHandshakeBound: a handshake whose end no call told is over by the first data, and
// only one that was seen from its start, once.
func TestHandshakeBound(t *testing.T) {
	sent := shaken(t, &tls.Config{}, &tls.Config{})
	hello := func(dir, as uint8, time uint64) []byte {
		h := hdr(bpf.SpliffEvKindEV_HELLO, 1)
		b := sent[as][:min(len(sent[as]), maxHello)]
		h.Dir, h.Len, h.Time = dir, uint32(len(b)), time
		return sampleOf(bpf.SpliffEvHello{Hdr: h}, string(b))
	}
	told := sampleOf(bpf.SpliffEvHandshake{Hdr: hdr(bpf.SpliffEvKindEV_HANDSHAKE, 1), Dur: 9}, "")
	mid := sampleOf(bpf.SpliffEvConn{Hdr: hdr(bpf.SpliffEvKindEV_CONN, 1), Key: testKey(0x10), Mid: 1}, "")
	conn, data, more := connSample(1, 0x10), dataSample(1, 0, 0, "abc", 0), dataSample(1, 0, 3, "d", 0)
	bound := func(dur uint64) []format.Handshake { return []format.Handshake{{OK: true, Bound: true, Dur: dur}} }
	for _, tt := range []struct {
		name    string
		samples [][]byte
		want    []format.Handshake
	}{
		{"client", [][]byte{hello(0, 0, 1000), hello(1, 1, 2000), conn, data, more, dataSample(1, 1, 0, "e", 0)}, bound(4000)},
		{"server", [][]byte{hello(1, 0, 3000), hello(0, 1, 4000), conn, dataSample(1, 1, 0, "e", 0), data}, bound(2000)},
		{"a call told", [][]byte{hello(0, 0, 1000), hello(1, 1, 2000), conn, told, data}, []format.Handshake{{OK: true, Dur: 9}}},
		{"half a handshake", [][]byte{hello(0, 0, 1000), conn, data}, nil},
		{"its client not seen", [][]byte{hello(1, 1, 2000), conn, data}, nil},
		{"from the middle", [][]byte{hello(0, 0, 1000), hello(1, 1, 2000), mid, data}, nil},
		{"its first data lost", [][]byte{hello(0, 0, 1000), hello(1, 1, 2000), conn, more}, nil},
	} {
		var got []format.Handshake
		tr := newTestTranslator(t, noKernel{}, 0)
		tr.sink = sinkFunc(func(e *format.Event) error {
			if e.Type != format.TypeHandshake {
				return nil
			}
			h, err := format.ParseHandshake(e.Payload)
			got = append(got, h)
			return err
		})
		for _, s := range tt.samples {
			if err := tr.sample(s); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
