package pcapng

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// events is a source of events in memory.
type events struct {
	evs  []format.Event
	next int
}

func (e *events) Buffered() bool { return true }

func (e *events) Next(ev *format.Event) error {
	if e.next == len(e.evs) {
		return io.EOF
	}
	*ev = e.evs[e.next]
	e.next++
	return nil
}

func (e *events) add(ev format.Event) {
	ev.Seq = uint64(len(e.evs) + 1)
	ev.Time = 1e9 + ev.Seq*1e6
	e.evs = append(e.evs, ev)
}

// talk adds a connection on which client and server say things in turn. The
// recorded process is the client, or the server.
func (e *events) talk(id uint32, isServer bool, alpn string, cut int, says ...string) {
	client, server := netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", 40000+id/2)), netip.MustParseAddrPort("127.0.0.1:443")
	c := format.Conn{PID: 100 + id, ALPN: alpn, Role: format.RoleClient, Local: client, Remote: server}
	first := format.DirWrite
	if isServer {
		c.Role, c.Local, c.Remote, first = format.RoleServer, server, client, format.DirRead
	}
	e.add(format.Event{Type: format.TypeConn, Conn: id, Payload: c.AppendTo(nil)})
	var off [3]uint64
	for i, text := range says {
		dir := first
		if i%2 == 1 {
			dir = 3 - first
		}
		for len(text) > 0 {
			n := min(cut, len(text))
			e.add(format.Event{Type: format.TypeData, Dir: dir, Conn: id, Offset: off[dir], Payload: []byte(text[:n])})
			off[dir] += uint64(n)
			text = text[n:]
		}
	}
	end := format.ConnEnd{Reason: format.EndFree, Written: off[format.DirWrite], Read: off[format.DirRead]}
	e.add(format.Event{Type: format.TypeConnEnd, Conn: id, Payload: end.AppendTo(nil)})
}

// h2 writes the frames of requests or responses.
func h2(client bool, streams ...uint32) string {
	var b, block bytes.Buffer
	frame := func(typ, flags byte, stream uint32, payload []byte) {
		n := len(payload)
		b.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, 0, 0, byte(stream >> 8), byte(stream)})
		b.Write(payload)
	}
	if client {
		b.WriteString(preface)
	}
	b.WriteString(settings)
	enc := hpack.NewEncoder(&block)
	for _, id := range streams {
		block.Reset()
		fields, flags := [][2]string{{":status", "200"}, {"content-type", "text/plain"}}, byte(4)
		if client {
			fields, flags = [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "h2.test"}, {":path", fmt.Sprintf("/h2/%d", id)}}, 5
		}
		for _, kv := range fields {
			enc.WriteField(hpack.HeaderField{Name: kv[0], Value: kv[1]})
		}
		frame(1, flags, id, block.Bytes())
		if !client {
			frame(0, 1, id, []byte("hello"))
		}
	}
	return b.String()
}

func h1(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h1.test\r\n\r\n" }

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// TestTshark: with no setting at all, tshark lists every exchange the engine
// found, of both protocols, recorded on either side or on both.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	var src events
	for i := range uint32(6) {
		isServer, cut := i%2 == 1, []int{1 << 20, 7}[i%2]
		src.talk(10+i, isServer, "http/1.1", cut, h1(fmt.Sprint("/a", i)), ok, h1(fmt.Sprint("/b", i)), ok)
		src.talk(20+i, isServer, "h2", cut, h2(true, 1, 3, 5), h2(false, 1, 3, 5))
	}
	src.talk(30, false, "http/1.1", 1<<20, h1("/close"), "HTTP/1.0 200 OK\r\n\r\nuntil close")
	src.talk(31, false, "http/1.1", 50000, h1("/big"), "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 1000000))

	name := filepath.Join(t.TempDir(), "out.pcapng")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := New(file, Options{})
	want := map[string]int{}
	_, err = replay.Run(context.Background(), &src, replay.Options{Data: true}, func(it *replay.Item) error {
		if x := it.Exchange; x != nil {
			want[x.Request.Target]++
			want[fmt.Sprint(x.Response.Status)]++
		}
		return w.Item(it)
	})
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(tshark, "-r", name, "-Y", "http||http2", "-T", "fields", "-e", "http.request.uri", "-e", "http.response.code",
		"-e", "http2.headers.path", "-e", "http2.headers.status")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	got := map[string]int{}
	for _, v := range strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune("\t\n,", r) }) {
		got[v]++
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("exchanges (-spliff +tshark):\n%s", d)
	}
	if want["200"] != 6*2+6*3+2 {
		t.Errorf("the engine itself found %d responses", want["200"])
	}

	expert := exec.Command(tshark, "-r", name, "-Y", "_ws.expert.severity >= 0x600000 or _ws.malformed", "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message")
	expert.Env = cmd.Env
	if out, err := expert.Output(); err != nil || len(out) > 0 {
		t.Errorf("tshark warns: %v\n%s", err, out)
	}
}
