package conn

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// swap turns a client's recording into the server's.
func swap(steps []decodetest.Step) []decodetest.Step {
	out := slices.Clone(steps)
	for i := range out {
		out[i].Dir = out[i].Dir.Other()
	}
	return out
}

// runner decodes a connection of which hint is known.
func runner(l decode.Limits, hint decode.Hint) decodetest.Run {
	return func(steps []decodetest.Step, cut decodetest.Cut) []decode.Message {
		c := New(l)
		c.Hint(hint)
		return joined(c.End(decodetest.Feed(c, steps, cut), decode.At{}, true))
	}
}

// exchange is a request and its response, either of which may be missing.
type exchange struct{ req, resp *decode.Message }

// exchanges pairs messages by their number, in its order.
func exchanges(list []decode.Message) []exchange {
	var out []exchange
	place := make(map[uint32]int)
	for i := range list {
		m := &list[i]
		if m.Kind != decode.Request && m.Kind != decode.Response {
			continue
		}
		at, ok := place[m.Exchange]
		if !ok {
			at = len(out)
			place[m.Exchange] = at
			out = append(out, exchange{})
		}
		if m.Kind == decode.Request {
			out[at].req = m
		} else {
			out[at].resp = m
		}
	}
	return out
}

// capture is a file of captured connections, decoded.
type capture struct {
	name      string // below its corpus
	exchanges []exchange
	messages  []decode.Message
	protos    map[string]int
}

// captures decodes every connection of a corpus of captures in every way, and
// calls use with what came of each file.
func captures(t *testing.T, corpus string, use func(*capture)) {
	t.Helper()
	dir := decodetest.Corpus(t, "_chunks", corpus)
	for _, file := range decodetest.Files(t, dir, ".jsonl.gz") {
		name, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		c := &capture{name: strings.TrimSuffix(name, ".jsonl.gz"), protos: make(map[string]int)}
		for _, steps := range decodetest.Conversations(decodetest.ReadCapture(t, file), captureMost) {
			list := decodetest.Ways(t, corpus+" "+name, steps, runner(captureLimits(), decode.Hint{}))
			sameForServer(t, corpus+" "+name, steps, runner(captureLimits(), decode.Hint{}), list)
			c.messages = append(c.messages, list...)
			c.exchanges = append(c.exchanges, exchanges(list)...)
			_, d := run(steps, decode.Hint{}, decodetest.Whole)
			c.protos[d.Proto()]++
		}
		use(c)
	}
}

// sameForServer wants the same of a connection recorded by its server, with the
// directions exchanged: which side is which is found in the bytes.
func sameForServer(t *testing.T, name string, steps []decodetest.Step, run decodetest.Run, want []decode.Message) {
	t.Helper()
	got := run(swap(steps), decodetest.Whole)
	for i := range got {
		got[i].Dir = got[i].Dir.Other()
		for k := range got[i].Anomalies {
			got[i].Anomalies[k].Dir = got[i].Anomalies[k].Dir.Other()
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s: recorded by the server it differs (-client +server):\n%.4000s", name, cmp.Diff(want, got))
	}
}

// captureMost is how much of one connection is decoded: of a few large
// downloads the beginning will do.
const captureMost = 1 << 20

func captureLimits() decode.Limits { return decode.Limits{Content: 4 << 20} }

// TestCorpusWireshark decodes what TLS connections of Wireshark's own captures
// held: HTTP is found and whole wherever the capture is.
func TestCorpusWireshark(t *testing.T) {
	files, found := 0, make(map[string]int)
	captures(t, "wireshark", func(c *capture) {
		files++
		for p, n := range c.protos {
			found[p] += n
		}
		found["exchanges"] += len(c.exchanges)
	})
	t.Logf("wireshark: %d cases, %v", files, found)
	if files < 17 || found["h2"] == 0 || found["exchanges"] < 20 {
		t.Errorf("%d files, found %v", files, found)
	}
}

// TestCorpusHostile decodes every hostile case in every way, as recorded by
// either side. What must come of each is for the protocols' own tests.
func TestCorpusHostile(t *testing.T) {
	limits := decode.Limits{Head: 256 << 10, Fields: 4096, Content: 8 << 20}
	n := 0
	for _, h := range decodetest.ReadHostile(t) {
		n++
		hint := decode.Hint{MidStream: h.Keys["join"] == "mid"}
		list := decodetest.Ways(t, h.Name, h.Steps, runner(limits, hint))
		sameForServer(t, h.Name, h.Steps, runner(limits, hint), list)
	}
	if t.Logf("hostile: %d cases", n); n < 77 {
		t.Errorf("%d cases, want at least 77", n)
	}
}

// TestHostileProtocols finds protocol and role of every hostile case, recorded
// on either side.
func TestHostileProtocols(t *testing.T) {
	protos := map[string]string{"http/1.1": "http/1", "http/2": "h2", "http/1.1+h2c": "h2", "opaque": "unknown"}
	for _, h := range decodetest.ReadHostile(t) {
		want := protos[h.Keys["proto"]]
		if want == "" {
			continue
		}
		t.Run(h.Name, func(t *testing.T) {
			hint := decode.Hint{MidStream: h.Keys["join"] == "mid"}
			_, c := run(h.Steps, hint, decodetest.Whole)
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleClient {
				t.Errorf("client: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
			_, c = run(swap(h.Steps), hint, decodetest.NumberedCut(5))
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleServer {
				t.Errorf("server: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
		})
	}
}

func FuzzConn(f *testing.F) {
	f.Add([]byte(h1Get), []byte(h1OK), byte(0))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+h2Settings+get(1)), []byte(h2Settings+ok(1)), byte(1))
	f.Add([]byte(get(11)+get(13)), []byte(ok(11)+ok(13)), byte(6))
	f.Add([]byte("\x01abc"), []byte("\x02"+h1OK), byte(9))
	f.Add([]byte(wsGet+"\x81\x82\x00\x00\x00\x00hi"), []byte(ws101+"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), byte(16))
	f.Add([]byte(connect+h1Get+wsGet), []byte(opened+h1OK+ws101+"\r\n\x81\x02yo"), byte(48))
	// What waits for the answer to a CONNECT, which never comes, begins with a gap.
	asks := "CONNECT b.test:80 HTTP/1.1\r\nHost:\"b.test\r\n\r\nGET /a HTTP/1.1\r\nHost: x\t\n\f\xf7GET /ws HTTP/1.1"
	f.Add([]byte(asks), []byte(asks+"TTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x02yo"), byte('v'))
	f.Fuzz(func(t *testing.T, a, b []byte, how byte) {
		hint := decode.Hint{Role: decode.Role(how % 3), MidStream: how&4 != 0}
		if how&8 != 0 {
			hint.ALPN = "h2"
		}
		half := len(a) / 2
		steps := []decodetest.Step{{Dir: w, Data: string(a[:half])}, {Dir: r, Data: string(b)}, {Dir: w, Data: string(a[half:])}}
		if how&16 != 0 {
			steps = append(steps[:2:2], decodetest.Step{Dir: w, Gap: int(how>>5) - 1}, steps[2])
		}
		runAll(t, steps, hint)
	})
}
