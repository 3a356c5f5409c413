package replay

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/format"
)

// stripped returns what is left of events without content.
func stripped(t testing.TB, evs []format.Event) []format.Event {
	t.Helper()
	h := NewHeads()
	defer h.Close()
	for i := range evs {
		if err := h.Push(&evs[i]); err != nil {
			t.Fatal(err)
		}
	}
	var out []format.Event
	for i := range evs {
		err := h.Strip(&evs[i], func(ev *format.Event) error {
			e := *ev
			e.Payload = bytes.Clone(ev.Payload)
			out = append(out, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// exchangesOf decodes events.
func exchangesOf(t testing.TB, evs []format.Event) ([]*Exchange, Summary) {
	t.Helper()
	var list []*Exchange
	// The trailers of gRPC-Web are inside the content that is taken out.
	e := New(Options{Limits: decode.Limits{Inner: -1}}, func(it *Item) error {
		if it.Kind == ItemExchange {
			list = append(list, it.Exchange)
		}
		return nil
	})
	for i := range evs {
		if err := e.Push(&evs[i]); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := e.Close()
	if err != nil {
		t.Fatal(err)
	}
	return list, sum
}

// headOf is all that is known of a message but its content and what is said of
// missing bytes.
func headOf(m *decode.Message) string {
	if m == nil {
		return "none"
	}
	return fmt.Sprintf("%d %d %v %d %d %s %s %s %s %s %d %s %v %v %v size %d begin %d head %v end %v",
		m.Kind, m.Dir, m.Flags&^decode.Gapped, m.Exchange, m.Stream, m.Proto, m.Method, m.Scheme, m.Authority, m.Target, m.Status, m.Reason,
		m.Header, m.Trailer, m.Interim, m.Body.Size, m.Begin, m.HeadEnd, m.End)
}

// TestStripKeepsExchanges: of all captured conversations each exchange is there
// without its bodies as it was with them, and nothing of a body is left.
func TestStripKeepsExchanges(t *testing.T) {
	names := decodetest.Captures(t)
	exchanges, bodies, differ, edited := 0, 0, 0, uint64(0)
	for _, name := range names {
		s := new(script).session(0)
		corpusScript(t, s, name, 1)
		s.finish()
		out := stripped(t, s.evs)
		want, _ := exchangesOf(t, s.evs)
		got, sum := exchangesOf(t, out)
		rest := plaintext(out)
		gaps := bytes.Contains(decodetest.Bytes(t, name), []byte(`"gap"`))
		for i, x := range want {
			exchanges++
			if i >= len(got) || headOf(got[i].Request) != headOf(x.Request) || headOf(got[i].Response) != headOf(x.Response) {
				// Where bytes were missing before, or framing is broken, the way on may
				// be found elsewhere; and a body that is chunked though nothing says so
				// properly is known by all of its bytes.
				if differ++; !gaps && !broken(x) {
					t.Errorf("%s: exchange %d of %d differs\n got %s\nwant %s\n\n got %s\nwant %s", name, i+1, len(want),
						headOf(got[min(i, len(got)-1)].Request), headOf(x.Request), headOf(got[min(i, len(got)-1)].Response), headOf(x.Response))
				}
				break
			}
			for _, m := range []*decode.Message{x.Request, x.Response} {
				if m == nil || len(m.Body.Data) < 24 {
					continue
				}
				bodies++
				for at := 0; at+24 <= len(m.Body.Data); at += 1 + len(m.Body.Data)/8 {
					piece := m.Body.Data[at : at+24]
					if bytes.Contains(rest, piece) && !strings.Contains(headOf(x.Request)+headOf(x.Response), string(piece)) {
						t.Errorf("%s: bytes of a body of exchange %d are left: %q", name, i+1, m.Body.Data[at:at+24])
						break
					}
				}
			}
		}
		if len(got) != len(want) && !gaps && !slices.ContainsFunc(want, broken) {
			t.Errorf("%s: %d exchanges, want %d", name, len(got), len(want))
		}
		edited += sum.Edited
	}
	t.Logf("%d files, %d exchanges, %d bodies, %d bytes left out; %d files with other exchanges", len(names), exchanges, bodies, edited, differ)
	if exchanges < 500 || bodies < 300 || differ > 75 {
		t.Error("that is not what it was")
	}
}

// broken reports whether something is wrong with the framing of an exchange.
func broken(x *Exchange) bool {
	for _, m := range []*decode.Message{x.Request, x.Response} {
		if m != nil && (len(m.Anomalies) > 0 || m.Flags&decode.Incomplete != 0) {
			return true
		}
	}
	return false
}

func plaintext(evs []format.Event) []byte {
	var b []byte
	for i := range evs {
		if evs[i].Type == format.TypeData {
			b = append(b, evs[i].Payload...)
		}
	}
	return b
}

// TestStripTwice: what has no content stays as it is.
func TestStripTwice(t *testing.T) {
	s := new(script).session(0)
	s.conn(1, format.Conn{PID: 1})
	var off [2]uint64
	add := func(d format.Dir, text string) {
		s.add(format.Event{Type: format.TypeData, Dir: d, Conn: 1, Offset: off[d-1], Payload: []byte(text)})
		off[d-1] += uint64(len(text))
	}
	add(1, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6;x=y\r\nsec")
	add(1, "ret\r\n3\r\nabc\r\n0\r\nTrailer: t\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
	add(2, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
	add(2, "HTTP/1.1 200 OK\r\n\r\nsecret until the end")
	s.end(1, format.ConnEnd{Reason: format.EndFree, Written: off[0], Read: off[1]})
	s.finish()
	once := stripped(t, s.evs)
	if text := string(plaintext(once)); strings.Contains(text, "sec") || strings.Contains(text, "ret") ||
		!strings.Contains(text, "6;x=y\r\n\r\n3\r\n\r\n0\r\nTrailer: t\r\n\r\nGET /b") {
		t.Errorf("left: %q", text)
	}
	want, _ := exchangesOf(t, s.evs)
	got, sum := exchangesOf(t, once)
	for i := range want {
		if headOf(got[i].Request) != headOf(want[i].Request) || headOf(got[i].Response) != headOf(want[i].Response) {
			t.Errorf("exchange %d: %s, %s", i+1, headOf(got[i].Request), headOf(got[i].Response))
		}
	}
	if sum.Edited != 6+3+6+20 || sum.Gaps != 0 || sum.Drops != 0 || got[0].Response.Body.Lost != 6 {
		t.Errorf("%+v", sum)
	}
	if twice := stripped(t, once); fmt.Sprint(twice) != fmt.Sprint(once) {
		t.Error("a second turn changes something")
	}
}

// TestStripAnyCut: what is left does not depend on how bytes were cut into events.
func TestStripAnyCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, name := range decodetest.Captures(t)[:20] {
		s := new(script).session(0)
		corpusScript(t, s, name, 1)
		s.finish()
		want := keptRanges(stripped(t, s.evs))
		var cut []format.Event
		for i := range s.evs {
			ev := s.evs[i]
			for ev.Type == format.TypeData && len(ev.Payload) > 1 {
				n := 1 + rng.IntN(len(ev.Payload)-1)
				part := ev
				part.Payload = ev.Payload[:n]
				cut = append(cut, part)
				ev.Payload, ev.Offset = ev.Payload[n:], ev.Offset+uint64(n)
				if rng.IntN(3) == 0 {
					break
				}
			}
			cut = append(cut, ev)
		}
		if got := keptRanges(stripped(t, cut)); got != want {
			t.Errorf("%s: other bytes are left", name)
		}
	}
}

// keptRanges lists which bytes of each stream are left.
func keptRanges(evs []format.Event) string {
	type key struct {
		conn uint32
		dir  format.Dir
	}
	text, end := map[key]string{}, map[key]uint64{}
	for i := range evs {
		ev := &evs[i]
		if ev.Type != format.TypeData {
			continue
		}
		k := key{ev.Conn, ev.Dir}
		if ev.Offset != end[k] || end[k] == 0 {
			text[k] += fmt.Sprintf("\n%d:", ev.Offset)
		}
		text[k] += string(ev.Payload)
		end[k] = ev.Offset + uint64(len(ev.Payload))
	}
	return fmt.Sprint(text)
}

// eventList gives events from memory.
type eventList struct{ evs []format.Event }

func (l *eventList) Next(ev *format.Event) error {
	if len(l.evs) == 0 {
		return io.EOF
	}
	*ev, l.evs = l.evs[0], l.evs[1:]
	return nil
}
func (l *eventList) Buffered() bool { return true }

// TestStripLimits: places that there is no room for are taken for content.
func TestStripLimits(t *testing.T) {
	s := new(script).session(0)
	s.conn(1, format.Conn{PID: 1})
	s.add(format.Event{Type: format.TypeData, Dir: 1, Conn: 1, Payload: []byte("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n\r\n")})
	s.finish()
	h := NewHeads()
	defer h.Close()
	h.room = flowCost
	if err := h.PushAll(t.Context(), &eventList{s.evs}); err != nil {
		t.Fatal(err)
	}
	var left []byte
	for i := range s.evs {
		if err := h.Strip(&s.evs[i], func(ev *format.Event) error {
			if ev.Type == format.TypeData {
				left = append(left, ev.Payload...)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(left, []byte("body")) {
		t.Errorf("left: %q", left)
	}
}

// TestStripHTTP2: frames of all kinds, padding and interleaved streams.
func TestStripHTTP2(t *testing.T) {
	frame := func(typ, flags byte, stream uint32, payload string) string {
		n := len(payload)
		return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
	}
	field := func(list ...string) string { // RFC 7541 §6.2.2
		b := ""
		for i := 0; i < len(list); i += 2 {
			b += "\x00" + string(rune(len(list[i]))) + list[i] + string(rune(len(list[i+1]))) + list[i+1]
		}
		return b
	}
	const end, endHeaders, padded = 1, 4, 8
	up := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") +
		frame(1, endHeaders, 1, field(":method", "POST", ":path", "/one", ":scheme", "https", ":authority", "a")) +
		frame(1, 0, 3, field(":method", "PUT", ":path", "/two", ":scheme", "https")) + frame(9, endHeaders, 3, field(":authority", "b")) +
		frame(0, padded, 1, "\x05canary one\x00\x00\x00\x00\x00") + frame(0, 0, 3, "canary two") +
		frame(0, end, 1, "canary") + frame(0, padded|end, 3, "\x00") + frame(0x77, 0, 0, "canary of no known type")
	down := frame(4, 0, 0, "") + frame(1, endHeaders, 1, field(":status", "200", "content-length", "12")) + frame(6, 0, 0, "12345678") +
		frame(1, endHeaders, 3, field(":status", "201")) + frame(0, end, 1, "canary three") + frame(0, 0, 3, "canary four") +
		frame(1, endHeaders|end, 3, field("grpc-status", "0")) + frame(7, 0, 0, "\x00\x00\x00\x03\x00\x00\x00\x00")
	for size := 1; size < 100; size += 6 {
		s := new(script).session(0)
		s.conn(1, format.Conn{PID: 1, ALPN: "h2"})
		for i, text := range []string{up, down} {
			for at := 0; at < len(text); at += size {
				s.add(format.Event{Type: format.TypeData, Dir: format.Dir(i) + 1, Conn: 1, Offset: uint64(at), Payload: []byte(text[at:min(at+size, len(text))])})
			}
		}
		s.end(1, format.ConnEnd{Reason: format.EndFree, Written: uint64(len(up)), Read: uint64(len(down))})
		s.finish()
		out := stripped(t, s.evs)
		if left := string(plaintext(out)); strings.Contains(left, "ca") || !strings.Contains(left, "/two") {
			t.Fatalf("pieces of %d: left %q", size, left)
		}
		want, _ := exchangesOf(t, s.evs)
		got, _ := exchangesOf(t, out)
		if len(want) != 2 || len(got) != 2 {
			t.Fatalf("pieces of %d: %d and %d exchanges", size, len(want), len(got))
		}
		for i := range want {
			for _, m := range [2][2]*decode.Message{{got[i].Request, want[i].Request}, {got[i].Response, want[i].Response}} {
				if headOf(m[0]) != headOf(m[1]) || m[0].Body.Lost != m[1].Body.Size {
					t.Errorf("pieces of %d: got %s\nwant %s", size, headOf(m[0]), headOf(m[1]))
				}
			}
		}
	}
}

// TestStripTunnel: after an upgrade, and on a connection of no known protocol, all
// is content.
func TestStripTunnel(t *testing.T) {
	s := new(script).session(0)
	data := func(conn uint32, d format.Dir, off uint64, text string) uint64 {
		s.add(format.Event{Type: format.TypeData, Dir: d, Conn: conn, Offset: off, Payload: []byte(text)})
		return off + uint64(len(text))
	}
	s.conn(1, format.Conn{PID: 1})
	s.conn(2, format.Conn{PID: 1})
	up := data(1, 1, 0, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
	up = data(1, 1, up, "canary before the answer")
	down := data(1, 2, 0, "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\ncanary")
	data(1, 1, up, "canary up")
	data(1, 2, down, "canary down")
	data(2, 1, 0, "\x00\x01canary of something else")
	data(2, 2, 0, "\x00\x02canary of something else")
	s.finish()
	out := stripped(t, s.evs)
	left := string(plaintext(out))
	if strings.Contains(left, "ca") || !strings.HasPrefix(left, "GET /ws") || !strings.HasSuffix(left, "Upgrade: websocket\r\n\r\n") {
		t.Errorf("left %q", left)
	}
	got, _ := exchangesOf(t, out)
	if len(got) != 1 || got[0].Response == nil || got[0].Response.Status != 101 {
		t.Errorf("%d exchanges", len(got))
	}
}
