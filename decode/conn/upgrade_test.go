package conn

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/http2"
)

const (
	wsGet = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
	ws101 = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"

	connect = "CONNECT b.test:80 HTTP/1.1\r\nHost: b.test\r\n\r\n"
	opened  = "HTTP/1.1 200 Connection established\r\n\r\n"
)

func TestUpgrades(t *testing.T) {
	tests := []struct {
		name string
		in   []decodetest.Step
		want string
	}{
		{"websocket", []decodetest.Step{
			{Dir: w, Data: wsGet + "\x81\x82\x00\x00\x00\x00hi"},
			{Dir: r, Data: ws101 + "\r\n\x81\x02yo\x88\x02\x03\xe8"},
			{Dir: w, Data: "\x88\x80\x00\x00\x00\x00"},
		}, "1>GET/ws 1<101+ 1>text(hi) 1<text(yo) 1<close1000+ 1>close+"},
		{"websocket with compression", []decodetest.Step{
			{Dir: w, Data: wsGet},
			{Dir: r, Data: ws101 + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"},
		}, "1>GET/ws 1<101+ 1<text(Hello) 1<text(Hello)"},
		{"websocket, a gap", []decodetest.Step{
			{Dir: w, Data: wsGet}, {Dir: r, Data: ws101 + "\r\n\x82\x05ab"}, {Dir: r, Gap: 2}, {Dir: r, Data: "e\x89\x00"},
		}, "1>GET/ws 1<101+ 1<binary(abe) 1<ping()"},
		{"other upgrade", []decodetest.Step{
			{Dir: w, Data: strings.Replace(wsGet, "websocket", "foo", 1)}, {Dir: r, Data: strings.Replace(ws101, "WebSocket", "foo", 1) + "\r\n\x81\x02yo"},
		}, "1>GET/ws 1<101 ~foo4"},
		{"tunnel of HTTP", []decodetest.Step{
			{Dir: w, Data: h1Get}, {Dir: r, Data: h1OK},
			{Dir: w, Data: connect}, {Dir: r, Data: opened},
			{Dir: w, Data: h1Get + h1Get}, {Dir: r, Data: h1OK + h1OK},
		}, "1>GET/a 1<200 2>CONNECTb.test:80 2<200 3>GET/a 4>GET/a 3<200 4<200"},
		{"tunnel of HTTP/2", []decodetest.Step{
			{Dir: w, Data: connect}, {Dir: r, Data: opened},
			{Dir: w, Data: http2.Preface + h2Settings + get(1)}, {Dir: r, Data: h2Settings + ok(1)},
		}, "1>CONNECTb.test:80 1<200 2>GET/ 2<200"},
		{"tunnel of WebSocket", []decodetest.Step{
			{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: wsGet}, {Dir: r, Data: ws101 + "\r\n\x81\x02yo"},
		}, "1>CONNECTb.test:80 1<200 2>GET/ws 2<101+ 2<text(yo)"},
		{"tunnel of TLS", []decodetest.Step{
			{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: "\x16\x03\x01\x00\x05hello"}, {Dir: r, Data: "\x16\x03\x03"}, {Dir: r, Gap: 3},
		}, "1>CONNECTb.test:80 1<200 ~tunnel10 ~tunnel3 ~tunnel3"},
		{"tunnel in which only one side speaks", []decodetest.Step{
			{Dir: w, Data: connect}, {Dir: r, Data: opened + "220 mail\r\n"},
		}, "1>CONNECTb.test:80 1<200 ~tunnel10"},
		{"tunnels in tunnels", []decodetest.Step{
			{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: connect}, {Dir: r, Data: opened},
			{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: connect}, {Dir: r, Data: opened},
		}, strings.Join([]string{
			"1>CONNECTb.test:80 1<200 2>CONNECTb.test:80 2<200 3>CONNECTb.test:80 3<200 4>CONNECTb.test:80 4<200 5>CONNECTb.test:80 5<200",
			fmt.Sprintf("~tunnel%d ~tunnel%d", len(connect), len(opened)),
		}, " ")},
		{"h2c with settings", []decodetest.Step{
			{Dir: w, Data: strings.NewReplacer("websocket", "h2c", "Sec-WebSocket-Version: 13", "HTTP2-Settings: AAMAAABkAAQAAP__").Replace(wsGet) + http2.Preface + h2Settings},
			{Dir: r, Data: strings.Replace(ws101, "WebSocket", "h2c", 1) + "\r\n" + h2Settings + ok(1)}, {Dir: w, Data: get(3)}, {Dir: r, Data: ok(3)},
		}, "1>GET/ws 1<200 2>GET/ 2<200"},
		{"h2c and no answer", []decodetest.Step{
			{Dir: w, Data: strings.Replace(wsGet, "websocket", "h2c", 1)}, {Dir: r, Data: strings.Replace(ws101, "WebSocket", "h2c", 1) + "\r\n"},
		}, "1>GET/ws 1<0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ms, _ := runAll(t, tt.in, decode.Hint{})
			if got := brief(ms); got != tt.want {
				t.Errorf("messages %s\n    want %s", got, tt.want)
			}
			ms, c := runAll(t, swap(tt.in), decode.Hint{})
			if got := brief(ms); c.Role() != decode.RoleServer || strings.Count(got, " ") != strings.Count(tt.want, " ") {
				t.Errorf("recorded at the server: role %d, messages %s", c.Role(), got)
			}
		})
	}
}

// TestInterimOfUpgrade: the 101 is an interim response of the answer that HTTP/2 gives.
func TestInterimOfUpgrade(t *testing.T) {
	ms, _ := runAll(t, []decodetest.Step{
		{Dir: w, Data: strings.NewReplacer("websocket", "h2c", "Sec-WebSocket-Version: 13", "HTTP2-Settings: A!").Replace(wsGet)},
		{Dir: r, Data: strings.Replace(ws101, "WebSocket", "h2c", 1) + "\r\n" + h2Settings + ok(1)},
	}, decode.Hint{})
	if len(ms) != 2 {
		t.Fatalf("messages %s", brief(ms))
	}
	m := ms[1]
	if len(m.Interim) != 1 || m.Interim[0].Status != 101 || len(m.Interim[0].Header) != 2 || m.Stream != 1 || m.Exchange != 1 {
		t.Errorf("%+v", m)
	}
	if len(m.Anomalies) != 1 || m.Anomalies[0].Kind != http2.AnomalyBadFrame || m.Anomalies[0].Dir != w {
		t.Errorf("bad HTTP2-Settings: %+v", m.Anomalies)
	}
}

// messagesOf counts the messages of WebSocket by type, as a client recorded them.
func messagesOf(ms []decode.Message) string {
	var order []string
	n := map[string]int{}
	for _, m := range ms {
		if m.Kind != decode.Inner {
			continue
		}
		k := m.Type + map[decode.Dir]string{w: ">", r: "<"}[m.Dir]
		if n[k]++; n[k] == 1 {
			order = append(order, k)
		}
	}
	for i, k := range order {
		order[i] = fmt.Sprintf("%d%s", n[k], k)
	}
	return strings.Join(order, " ")
}

// TestWebSocketCaptures decodes the WebSocket connections of public captures.
func TestWebSocketCaptures(t *testing.T) {
	want := map[string]string{
		"websocket-compressed":       "10text<",
		"websocket-control-frag":     "1ping> 1text> 1pong<",
		"broker-websocket.pcap":      "4text> 4text< 1close>",
		"fragmented-http-reply.pcap": "1ping< 1pong> 1binary> 1binary< 1close> 1close<",
		"jupyter-websocket.pcap":     "1binary> 11binary< 1close> 1close<",
		"oversized-close-frame":      "1close<",
		"wrong-accept-header.pcap":   "1ping<",
		"wstunnel-http.pcap":         "1binary> 1binary< 1close> 1close<",
		"wstunnel-https.pcap":        "5binary> 31binary< 1close> 1close<",
		"http-request-header-multi":  "",
	}
	texts := map[string]string{
		"websocket-compressed":   "TOGGLE=5659131662f54334",
		"websocket-control-frag": "MALWARE_DOWNLOAD cmd.exe /c powershell -enc AAAA",
	}
	for _, file := range decodetest.Captures(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), ".pcapng")
		if _, ok := want[name]; !ok {
			name = filepath.Base(filepath.Dir(file))
		}
		if _, ok := want[name]; !ok {
			continue
		}
		var got, all string
		for _, steps := range decodetest.Conversations(decodetest.ReadCapture(t, file), 1<<20) {
			ms, _ := runAll(t, steps, decode.Hint{})
			got += messagesOf(ms)
			for _, m := range decodetest.OfKind(ms, decode.Inner) {
				all += string(m.Body.Data) + "\n"
				if m.Flags&(decode.Incomplete|decode.Gapped) != 0 || m.Body.ContentErr != "" {
					t.Errorf("%s: %+v", name, m)
				}
			}
		}
		if got != want[name] {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
		if !strings.Contains(all, texts[name]) {
			t.Errorf("%s: no message %q", name, texts[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("captures that were not found: %v", want)
	}
}

// TestHostileWebSocket: a message in two frames with a pong between, and text that
// looks like a request.
func TestHostileWebSocket(t *testing.T) {
	for _, h := range decodetest.ReadHostile(t) {
		if h.Keys["ws_message_s2c.1"] == "" {
			continue
		}
		ms, _ := runAll(t, h.Steps, decode.Hint{})
		var texts []string
		for _, m := range decodetest.OfKind(ms, decode.Inner) {
			if m.Dir == r && m.Type == "text" {
				texts = append(texts, string(m.Body.Data))
			}
		}
		if len(texts) == 0 || texts[0] != h.Keys["ws_message_s2c.1"] {
			t.Errorf("%s: texts of the server %q", h.Name, texts)
		}
		t.Logf("%s: %s", h.Name, messagesOf(ms))
		return
	}
	t.Error("no hostile case of WebSocket")
}

// TestTunnelsKeepBytes: what goes through a tunnel is told of to the last byte.
func TestTunnelsKeepBytes(t *testing.T) {
	for _, data := range []string{"x", "GET", "GET / HT", "\x00\x00\x06\x04\x00", "SSH-2.0-x\r\n", strings.Repeat("y", 100_000)} {
		ms, _ := runAll(t, []decodetest.Step{{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: data}}, decode.Hint{})
		n := 0
		for _, m := range ms[2:] {
			n += int(m.Body.Size)
		}
		if n != len(data) && !strings.HasPrefix(data, "GET / ") {
			t.Errorf("%.10q: %d bytes of %d: %s", data, n, len(data), brief(ms))
		}
	}
}

// TestTraceInTunnel: heads inside a tunnel have their place in the whole stream.
func TestTraceInTunnel(t *testing.T) {
	c := New(decode.Limits{})
	heads := map[decode.Dir][][2]uint64{}
	c.SetTrace(func(d decode.Dir, off, n uint64) { heads[d] = append(heads[d], [2]uint64{off, off + n}) })
	body := "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
	steps := []decodetest.Step{
		{Dir: w, Data: connect}, {Dir: r, Data: opened}, {Dir: w, Data: h1Get + h1Get},
		{Dir: r, Data: body + "ab"}, {Dir: r, Gap: 4}, {Dir: r, Data: body + "abcdef"},
	}
	decodetest.Feed(c, steps, decodetest.Whole)
	at := func(n ...int) (out [][2]uint64) {
		for i := 0; i < len(n); i += 2 {
			out = append(out, [2]uint64{uint64(n[i]), uint64(n[i+1])})
		}
		return out
	}
	k, get, o, b := len(connect), len(h1Get), len(opened), len(body)
	want := map[decode.Dir][][2]uint64{w: at(0, k, k, k+get, k+get, k+2*get), r: at(0, o, o, o+b, o+b+6, o+2*b+6)}
	for d := range want {
		var got [][2]uint64
		for _, h := range heads[d] {
			if h[0] < h[1] {
				got = append(got, h)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want[d]) {
			t.Errorf("direction %d: heads at %v, want %v", d, got, want[d])
		}
	}
}
