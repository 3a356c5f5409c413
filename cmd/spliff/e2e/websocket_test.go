package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// websocketServer sends back what it gets: text in upper case, bytes inverted.
const websocketServer = `
import asyncio, ssl, sys, websockets
open("/proc/self/comm", "w").write("ws-server")
async def serve(ws):
    async for m in ws:
        await ws.send(m.upper() if isinstance(m, str) else bytes(b ^ 255 for b in m))
async def main():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3])
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), ssl=c, max_size=None, compression=sys.argv[4] or None):
        await asyncio.Future()
asyncio.run(main())
`

// websocketClient sends each kind of message, one of them in fragments and a ping
// between, and waits for each answer.
const websocketClient = `
import asyncio, ssl, sys, websockets
open("/proc/self/comm", "w").write("ws-client")
async def main():
    c = ssl._create_unverified_context()
    async with websockets.connect("wss://localhost:%s/echo?a=b" % sys.argv[1], ssl=c, max_size=None, compression=sys.argv[2] or None) as ws:
        for i, n in enumerate([0, 1, 125, 126, 65535, 65536]):
            await ws.send(("%d äöü " % i + "text " * n)[:n]); await ws.recv()
            await ws.send(bytes((i + j * j) % 251 for j in range(n))); await ws.recv()
        await (await ws.ping(b"are you there"))
        await ws.send(["first ", "second ", "third"]); await ws.recv()
        for i in range(50):
            await ws.send('{"type": "tick", "number": %d}' % i); await ws.recv()
        await ws.close(1000, "that was it")
asyncio.run(main())
`

// inner is what the tests look at of a message inside an exchange.
type inner struct {
	N      int    `json:"n"`
	From   string `json:"from"`
	Type   string `json:"type"`
	Size   int    `json:"size"`
	Wire   int    `json:"wire"`
	Status int    `json:"status"`
	Body   *body  `json:"body"`
	Flags  []string
	Bad    []any `json:"anomalies"`
}

// websocketExchange is a line of "spliff show --json" with its messages.
type websocketExchange struct {
	Req      *half `json:"req"`
	Resp     *half `json:"resp"`
	Messages struct {
		Proto  string  `json:"proto"`
		List   []inner `json:"list"`
		Client struct{ Count, Size, Wire int }
		Server struct{ Count, Size, Wire int }
		Cut    bool
	} `json:"messages"`
	Proc struct{ Comm string } `json:"proc"`
}

// pythonWebsockets returns a Python that has the module websockets.
func pythonWebsockets(t *testing.T) string {
	t.Helper()
	py := python(t)
	if err := exec.Command(py, "-c", "import websockets").Run(); err != nil {
		t.Skip("SKIP: python3-websockets is not installed (run .ci/setup)")
	}
	return py
}

// websocketWants is what the two scripts say to each other, in order: sender,
// type and payload.
func websocketWants() []string {
	var out []string
	say := func(from, kind, payload string) { out = append(out, from+" "+kind+" "+payload) }
	both := func(kind, ask, answer string) { say("client", kind, ask); say("server", kind, answer) }
	for i, n := range []int{0, 1, 125, 126, 65535, 65536} {
		text := []rune(fmt.Sprintf("%d äöü ", i) + strings.Repeat("text ", n))[:n]
		both("text", string(text), strings.ToUpper(string(text)))
		ask, answer := make([]byte, n), make([]byte, n)
		for j := range ask {
			ask[j] = byte((i + j*j) % 251)
			answer[j] = ask[j] ^ 255
		}
		both("binary", string(ask), string(answer))
	}
	say("client", "ping", "are you there")
	say("server", "pong", "are you there")
	both("text", "first second third", "FIRST SECOND THIRD")
	for i := range 50 {
		tick := fmt.Sprintf(`{"type": "tick", "number": %d}`, i)
		both("text", tick, strings.ToUpper(tick))
	}
	both("close", "that was it", "that was it")
	return out
}

// recordWebSocket records both sides of the conversation and returns the session.
func recordWebSocket(t *testing.T, compression string) (file string) {
	t.Helper()
	needRoot(t)
	need(t, "openssl")
	py := pythonWebsockets(t)
	dir := t.TempDir()
	certificate(t, dir)
	port := freePort(t)
	start(t, py, "-c", websocketServer, fmt.Sprint(port), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), compression)
	waitPort(t, port)
	file = filepath.Join(dir, "session.spl")
	rec := record(t, "-o", file, "--comm", "ws-")
	must(t, py, "-c", websocketClient, fmt.Sprint(port), compression)
	t.Log(rec.stop())
	return file
}

// TestWebSocket: what a client and a server said is in the session of both, with
// compression and without.
func TestWebSocket(t *testing.T) {
	for _, compression := range []string{"", "deflate"} {
		t.Run("compression "+compression, func(t *testing.T) {
			file := recordWebSocket(t, compression)
			seen := map[string]bool{}
			dec := json.NewDecoder(strings.NewReader(must(t, spliff, "show", "--json", file)))
			for dec.More() {
				var x websocketExchange
				if err := dec.Decode(&x); err != nil {
					t.Fatal(err)
				}
				if x.Resp == nil || x.Resp.Status != 101 {
					continue // waitPort's connection
				}
				seen[x.Proc.Comm] = true
				checkWebSocket(t, &x, compression != "")
			}
			if !seen["ws-client"] || !seen["ws-server"] {
				t.Errorf("sides seen: %v", seen)
			}
			text := must(t, spliff, "replay", "-b", file)
			for _, want := range []string{"→ websocket ping (13 bytes) wss://localhost", "← websocket close 1000 normal closure (11 bytes)", "FIRST SECOND THIRD\n", "⇅ 65/65 messages"} {
				if strings.Count(text, want) != 2 {
					t.Errorf("replay: %d times %q, want it of both sides", strings.Count(text, want), want)
				}
			}
		})
	}
}

// checkWebSocket compares the messages of one side with what the scripts said.
func checkWebSocket(t *testing.T, x *websocketExchange, compressed bool) {
	t.Helper()
	m, wants := x.Messages, websocketWants()
	if m.Proto != "websocket" || m.Cut || len(m.List) != len(wants) || m.Client.Count+m.Server.Count != len(wants) {
		t.Fatalf("%s: %d of %d messages, %d and %d counted, cut %v", x.Proc.Comm, len(m.List), len(wants), m.Client.Count, m.Server.Count, m.Cut)
	}
	if small := m.Client.Wire < m.Client.Size/2; small != compressed {
		t.Errorf("%s: the client's %d bytes took %d on the wire", x.Proc.Comm, m.Client.Size, m.Client.Wire)
	}
	for i, in := range m.List {
		got := in.From + " " + in.Type + " " + string((&half{Body: in.Body}).bytes(t))
		if got != wants[i] {
			t.Errorf("%s: message %d: got %.80q, want %.80q", x.Proc.Comm, i, got, wants[i])
		}
		if len(in.Bad) > 0 || len(in.Flags) > 0 {
			t.Errorf("%s: message %d: %v %v", x.Proc.Comm, i, in.Bad, in.Flags)
		}
		if in.Type == "close" && in.Status != 1000 {
			t.Errorf("%s: close %d", x.Proc.Comm, in.Status)
		}
	}
}

// TestWebSocketWorkers: the messages are the same for any number of workers.
func TestWebSocketWorkers(t *testing.T) {
	file := recordWebSocket(t, "deflate")
	for _, args := range [][]string{{"show", "--json"}, {"replay", "-b", "-l"}, {"show"}} {
		var want []byte
		for _, n := range []string{"0", "1", "3"} {
			got := []byte(must(t, spliff, append(args, "-t", n, file)...))
			if want == nil {
				want = got
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%v: other output with -t %s", args, n)
			}
		}
	}
}
