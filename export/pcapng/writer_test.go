package pcapng

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// Writer is a sink like the others.
var _ export.Sink = (*Writer)(nil)

func nginx(id uint32, local, remote string) *replay.Conn {
	c := &replay.Conn{ID: id, Role: decode.RoleServer, Lib: "openssl",
		Proc: &replay.Proc{Proc: format.Proc{PID: 812, Comm: "nginx", Args: []string{"nginx", "-g", "daemon\noff"}}}}
	c.PID = 812
	if local != "" {
		c.Local, c.Remote = netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	}
	return c
}

func asClient(c *replay.Conn) *replay.Conn {
	c.Role = decode.RoleClient
	return c
}

// data makes the item of bytes that travelled from client or server; the
// direction follows from the role of the recorded process.
func data(c *replay.Conn, fromClient bool, off uint64, b string) *replay.Item {
	dir := decode.Write
	if fromClient == (c.Role == decode.RoleServer) {
		dir = decode.Read
	}
	return &replay.Item{Kind: replay.ItemData, Conn: c, Dir: dir, Data: &replay.Data{FromClient: fromClient, Off: off, Bytes: []byte(b), Time: 1_700_000_000_123_456_789}}
}

func end(c *replay.Conn, e format.ConnEnd) *replay.Item {
	return &replay.Item{Kind: replay.ItemConnEnd, Conn: c, End: &e, Time: 1_700_000_001_000_000_000}
}

func write(t testing.TB, items ...*replay.Item) []byte {
	t.Helper()
	var out bytes.Buffer
	w := New(&out, Options{})
	for _, it := range items {
		if err := w.Item(it); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// packet is a packet as an independent reader sees it.
type packet struct {
	from, to string
	seq, ack uint32
	flags    string
	payload  string
	time     int64
}

// read parses a file with gopacket and verifies every checksum by having
// gopacket compute it anew.
func read(t testing.TB, file []byte) []packet {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.LinkType(); got != layers.LinkTypeRaw {
		t.Fatalf("link type %v, want raw", got)
	}
	var out []packet
	for {
		b, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parse(t, b, info.Timestamp.UnixNano()))
	}
}

func parse(t testing.TB, b []byte, at int64) packet {
	t.Helper()
	first := gopacket.Decoder(layers.LayerTypeIPv4)
	if b[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	p := gopacket.NewPacket(b, first, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("packet %x: %v", b, e.Error())
	}
	tcp := p.TransportLayer().(*layers.TCP)
	sum := tcp.Checksum
	if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	o := gopacket.SerializeOptions{ComputeChecksums: true, FixLengths: true}
	if err := gopacket.SerializeLayers(buf, o, p.NetworkLayer().(gopacket.SerializableLayer), tcp, gopacket.Payload(tcp.Payload)); err != nil {
		t.Fatal(err)
	}
	if tcp.Checksum != sum {
		t.Errorf("TCP checksum %04x, gopacket says %04x", sum, tcp.Checksum)
	}
	if !bytes.Equal(buf.Bytes(), b) {
		t.Errorf("packet is\n%x, gopacket builds\n%x", b[:40], buf.Bytes()[:40])
	}
	flags := ""
	for _, f := range []struct {
		on   bool
		name string
	}{{tcp.SYN, "S"}, {tcp.FIN, "F"}, {tcp.RST, "R"}, {tcp.PSH, "P"}, {tcp.ACK, "."}} {
		if f.on {
			flags += f.name
		}
	}
	src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
	return packet{from: fmt.Sprintf("%v %d", src, tcp.SrcPort), to: fmt.Sprintf("%v %d", dst, tcp.DstPort),
		seq: tcp.Seq, ack: tcp.Ack, flags: flags, payload: string(tcp.Payload), time: at}
}

func (p packet) String() string {
	return fmt.Sprintf("%s > %s %s %d/%d %q", p.from, p.to, p.flags, p.seq, p.ack, p.payload)
}

func lines(ps []packet) string {
	var b strings.Builder
	for _, p := range ps {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

func TestConnection(t *testing.T) {
	for _, tt := range []struct{ name, local, remote, client, server string }{
		{"IPv4", "10.0.0.2:443", "10.0.0.1:40112", "10.0.0.1 40112", "10.0.0.2 80"},
		{"IPv6", "[2001:db8::2]:443", "[2001:db8::1]:40112", "2001:db8::1 40112", "2001:db8::2 80"},
		{"mapped", "[::ffff:10.0.0.2]:443", "10.0.0.1:40112", "10.0.0.1 40112", "10.0.0.2 80"},
	} {
		c := nginx(1, tt.local, tt.remote)
		got := lines(read(t, write(t, data(c, true, 0, "GET /"), data(c, false, 0, "HTTP"), data(c, true, 5, "x"), end(c, format.ConnEnd{Reason: format.EndFree, Written: 4, Read: 6}))))
		want := strings.NewReplacer("C", tt.client, "S>", tt.server+" >", "> S", "> "+tt.server).Replace(`C > S S 0/0 ""
S> C S. 0/1 ""
C > S . 1/1 ""
C > S P. 1/1 "GET /"
S> C P. 1/6 "HTTP"
C > S P. 6/5 "x"
S> C F. 5/7 ""
C > S F. 7/6 ""
S> C . 6/8 ""
`)
		// The replacer turns the SYN's flag after "> S" too; both sides went through it alike.
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestTimes(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	for _, p := range read(t, write(t, data(c, true, 0, "x"))) {
		if p.time != 1_700_000_000_123_456_789 {
			t.Errorf("%v at %d, want nanoseconds kept", p, p.time)
		}
	}
}

func TestSegmentsAreBounded(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	r := rand.New(rand.NewPCG(1, 1))
	body := make([]byte, 3*maxSegment+777)
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	var back []byte
	for _, p := range read(t, write(t, data(c, false, 0, string(body)))) {
		if len(p.payload) > maxSegment {
			t.Errorf("segment of %d bytes", len(p.payload))
		}
		if p.from == "10.0.0.2 80" && p.payload != "" && p.seq != uint32(len(back))+1 {
			t.Errorf("segment at %d, want %d", p.seq, len(back)+1)
		}
		back = append(back, p.payload...)
	}
	if !bytes.Equal(back, body) {
		t.Errorf("%d bytes came back, want the %d written", len(back), len(body))
	}
}

func TestGapsAreHoles(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	file := write(t, data(c, true, 0, "ab"), data(c, true, 102, "cd"), data(c, true, 1<<40, "ef"), end(c, format.ConnEnd{Read: 1<<40 + 12, Written: 7}))
	var seqs []uint32
	for _, p := range read(t, file) {
		if strings.HasPrefix(p.from, "10.0.0.1") && (p.payload != "" || strings.Contains(p.flags, "F")) {
			seqs = append(seqs, p.seq)
		}
	}
	if d := cmp.Diff([]uint32{1, 103, 105 + maxHole, 107 + maxHole + 10}, seqs); d != "" {
		t.Errorf("client's sequence numbers (-want +got):\n%s", d)
	}
	for _, want := range []string{"100 bytes missing before this packet", fmt.Sprintf("%d bytes missing", uint64(1<<40)-104),
		"10 bytes missing", "7 bytes missing", "The recording ended here, not the connection"} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("no comment %q", want)
		}
	}
}

func TestSequenceWraps(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	var items []*replay.Item
	for i := range uint64(6) {
		items = append(items, data(c, true, i*maxHole, "x"))
	}
	var last uint32
	for _, p := range read(t, write(t, items...)) {
		if p.payload == "x" {
			if step := p.seq - last; last != 0 && step != maxHole {
				t.Errorf("step from %d to %d is %d, want %d", last, p.seq, step, maxHole)
			}
			last = p.seq
		}
	}
	wrapped := uint64(5*maxHole) + 1
	if last != uint32(wrapped) {
		t.Errorf("last sequence number %d, want %d: past 2^32 and on", last, uint32(wrapped))
	}
}

func TestComment(t *testing.T) {
	c := nginx(7, "10.0.0.2:443", "10.0.0.1:40112")
	c.ALPN = "h2\x1b[2J"
	file := write(t, data(c, true, 0, preface))
	want := "PID: 812\nCmd: nginx\nArgs: nginx -g daemon\\x0aoff\nConnection: 7\nServer port: really 443\nTLS library: openssl\nALPN: h2\\x1b[2J"
	if !bytes.Contains(file, []byte(want)) {
		t.Errorf("no comment\n%s", want)
	}
	if n := bytes.Count(file, []byte("PID: 812")); n != 1 {
		t.Errorf("%d comments, want one: on the first packet", n)
	}
	c.Proc.Args = []string{strings.Repeat("é", 1<<16)}
	read(t, write(t, data(c, true, 0, "x"))) // a long argument list still fits its option
}

func TestSectionsAndDrops(t *testing.T) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	session := &replay.Item{Kind: replay.ItemSession, Session: &format.Session{Host: "web-03", Kernel: "6.8.0", Arch: "x86_64", Writer: "spliff 0.1\x1b"}}
	file := write(t, session, data(c, true, 0, "x"), session, data(c, true, 0, "y"),
		&replay.Item{Kind: replay.ItemDrop, Drop: &format.Drop{Events: 41}}, &replay.Item{Kind: replay.ItemDrop, Drop: &format.Drop{}})
	if n := bytes.Count(file, []byte("web-03")); n != 1 {
		t.Errorf("host named %d times, want once", n)
	}
	if !bytes.Contains(file, []byte(`spliff 0.1\x1b`)) {
		t.Error("writer is not escaped in the header")
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			break
		}
	}
	i, err := r.Interface(0)
	if err != nil {
		t.Fatal(err)
	}
	if s := i.Statistics; s.PacketsReceived != 8 || s.PacketsDropped != 42 || i.Name != "spliff plaintext" {
		t.Errorf("interface %q received %d, dropped %d; want 8 packets and 42 lost events", i.Name, s.PacketsReceived, s.PacketsDropped)
	}
}

func TestEmptyFile(t *testing.T) {
	if got := read(t, write(t)); len(got) != 0 {
		t.Errorf("packets in an empty session: %v", got)
	}
	c := nginx(1, "", "")
	if got := read(t, write(t, end(c, format.ConnEnd{}))); len(got) != 0 {
		t.Errorf("packets of a connection without bytes: %v", got)
	}
}

func TestWriteError(t *testing.T) {
	w := New(broken{}, Options{})
	if err := w.Item(data(nginx(1, "", ""), true, 0, "x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("item: %v, want the writer's error", err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("close: %v, want the writer's error", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzWriter(f *testing.F) {
	f.Add([]byte("\x01\x00abc\x82\x10defg\x43\x00"), "h2", "nginx")
	f.Fuzz(func(t *testing.T, script []byte, alpn, comm string) {
		var items []*replay.Item
		for len(script) > 2 {
			c := nginx(uint32(script[0]%5), "10.0.0.2:443", "10.0.0.1:40112")
			c.ALPN, c.Proc.Comm = alpn, comm
			n := min(int(script[1]%32), len(script)-2)
			if script[0]&0x40 != 0 {
				items = append(items, end(c, format.ConnEnd{Written: uint64(script[1]) << (script[0] % 60), Reason: format.EndReason(script[1] % 5)}))
			} else {
				items = append(items, data(c, script[0]&0x80 != 0, uint64(script[1])<<(script[0]%60), string(script[2:2+n])))
			}
			script = script[2+n:]
		}
		read(t, write(t, items...))
	})
}

func BenchmarkWriter(b *testing.B) {
	c := nginx(1, "10.0.0.2:443", "10.0.0.1:40112")
	it := data(c, true, 0, strings.Repeat("x", 4096))
	w := New(io.Discard, Options{})
	b.SetBytes(4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Item(it); err != nil {
			b.Fatal(err)
		}
		it.Data.Off += 4096
	}
}

func ExampleNew() {
	var out bytes.Buffer
	w := New(&out, Options{})
	c := &replay.Conn{ID: 1, Proc: &replay.Proc{Proc: format.Proc{Comm: "curl"}}}
	err := w.Item(&replay.Item{Kind: replay.ItemData, Conn: c, Data: &replay.Data{FromClient: true, Bytes: []byte("GET / HTTP/1.1\r\n\r\n")}})
	fmt.Println(err, w.Close(), bytes.Contains(out.Bytes(), []byte("Cmd: curl")))
	// Output: <nil> <nil> true
}
