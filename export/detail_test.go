package export

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func TestDetail(t *testing.T) {
	c, q, r := readmeH2(t)
	c.Cookie, c.Proc.Exe, c.Proc.Args = 0x51f2, "/usr/bin/curl", []string{"curl", "-s", "https://ifconfig.io"}
	r.Body = decode.Body{Data: make([]byte, 91), Size: 91, Codings: []string{"gzip"}, Content: []byte("{\"a\":1}")}
	r.Header[1].Value = "application/json"
	r.Interim = []decode.Interim{{Status: 103, Header: []decode.Field{{Name: "link", Value: "</a>"}}}}
	r.Trailer = []decode.Field{{Name: "x-sum", Value: "1"}}
	r.Anomalies = []decode.Anomaly{{Kind: "gap", Detail: "x"}}
	want := `#3  GET https://ifconfig.io/  →  200  294ms
    time      2026-01-12 15:11:59.346000 +04:00
    process   curl (403410)  ppid 1  uid 33  /usr/bin/curl
    command   curl -s https://ifconfig.io
    tls       openssl   ALPN h2
    network   10.0.0.5:40112 → 93.184.216.34:443  conn 2, exchange 1, stream 1  recorded at the client  cookie 0x51f2
    timing    send 63µs │ wait 292ms │ receive 1.3ms
    ⚠ response: gap at byte 0: x

→ GET / HTTP/2
  :authority: ifconfig.io
  user-agent: curl/8.15.0
  accept: */*
← 103 (interim)
  link: </a>
← 200 HTTP/2
  date: Mon, 12 Jan 2026 11:11:59 GMT
  content-type: application/json
  content-length: 15
─── Body  application/json, 7 B (gzip, 91 B on the wire) ───
{"a":1}
────────────
  (trailer)
  x-sum: 1
`
	x := &replay.Exchange{ID: 3, Conn: c, Request: q, Response: r}
	if d := cmp.Diff(want, detailOf(t, x, TextOptions{Bodies: true})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	c.MidStream = true
	if got := detailOf(t, x, TextOptions{}); !strings.Contains(got, "  cookie 0x51f2  open before the recording\n") {
		t.Errorf("an older connection is not told as one:\n%s", got)
	}
	if got := detailOf(t, x, TextOptions{}); strings.Contains(got, "Body") {
		t.Errorf("body printed without Bodies:\n%s", got)
	}
	if got := detailOf(t, x, TextOptions{Hex: true}); !strings.Contains(got, "00000000  7b 22 61") {
		t.Errorf("no hexdump with Hex:\n%s", got)
	}
	if got := detailOf(t, x, TextOptions{ASCII: true, Bodies: true}); strings.IndexFunc(got, func(r rune) bool { return r > 0x7e }) >= 0 {
		t.Errorf("not ASCII:\n%s", got)
	}
}

func TestDetailOfHalves(t *testing.T) {
	c, q, r := readmeH1(t)
	tests := []struct {
		name string
		x    replay.Exchange
		want []string
	}{
		{"no response", replay.Exchange{ID: 1, Conn: c, Request: q}, []string{"→  no response\n", "wait unknown"}},
		{"pending", replay.Exchange{ID: 1, Conn: c, Request: q, Pending: true}, []string{"→  no response yet when the recording ended\n"}},
		{"no request", replay.Exchange{ID: 1, Conn: c, Response: r}, []string{"#1  - ?  →  200 OK", "send unknown", "← 200 OK HTTP/1.1\n"}},
		{"nothing known", replay.Exchange{ID: 1, Conn: &replay.Conn{Proc: &replay.Proc{Proc: format.Proc{}}}, Request: q}, []string{"addresses unknown", " (0)  ppid 0"}},
	}
	for _, tt := range tests {
		got := detailOf(t, &tt.x, TextOptions{Bodies: true})
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, got)
			}
		}
	}
	var b strings.Builder
	if err := Detail(&b, &tests[0].x, nil, TextOptions{}); err != nil || !strings.Contains(b.String(), "11:12:05.592000 +00:00") {
		t.Errorf("without a session: %v, want UTC in\n%s", err, b.String())
	}
}

func TestHexOf(t *testing.T) {
	for v, want := range map[uint64]string{0: "0", 0xf: "f", 0x10: "10", 0x51f2: "51f2", 1 << 60: "1000000000000000", 1<<64 - 1: "ffffffffffffffff"} {
		if got := hexOf(v); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}

// TestDetailLines checks lines of the head that depend on what is known.
func TestDetailLines(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(x *replay.Exchange)
		want  string
		never string
	}{
		{"server first", func(x *replay.Exchange) { x.Conn.Role = decode.RoleServer },
			"network   93.184.216.34:443 → 10.0.0.5:40112  conn 2, exchange 1, stream 1  recorded at the server\n", "client"},
		{"role not known", func(x *replay.Exchange) { x.Conn.Role = decode.RoleUnknown }, "stream 1\n", "recorded at"},
		{"no library", func(x *replay.Exchange) { x.Conn.Lib = "" }, "tls       library unknown   ALPN h2\n", "openssl"},
		{"hellos seen", func(x *replay.Exchange) { x.Conn.Version, x.Conn.Cipher, x.Conn.SNI = 0x0303, 0xc02f, "a\x1b.example" },
			"tls       openssl   TLS 1.2   TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256   ALPN h2   SNI a\\x1b.example\n", "\x1b"},
		{"no TLS", func(x *replay.Exchange) { x.Conn.Lib, x.Conn.ALPN = "", "" }, "network", "    tls"},
		{"one address", func(x *replay.Exchange) { x.Conn.Remote = netip.AddrPort{} }, "network   10.0.0.5:40112 → ?  conn 2", "unknown"},
		{"hostile arguments", func(x *replay.Exchange) { x.Conn.Proc.Args = []string{"a\nb", "\x1b[2J"} }, `command   a\x0ab \x1b[2J` + "\n", "\x1b"},
		{"cgroup", func(x *replay.Exchange) { x.Conn.Proc.Cgroup = "/user.slice" }, "uid 33  cgroup /user.slice\n", ""},
		{"no host", func(x *replay.Exchange) { x.Request.Authority = "" }, "#1  GET https://93.184.216.34:443/  →", ":authority"},
		{"HTTP/1 has no pseudo field", func(x *replay.Exchange) { x.Request.Proto = "HTTP/1.1" }, "→ GET / HTTP/1.1\n", ":authority"},
		{"times not known", func(x *replay.Exchange) { x.Request.Begin = 0 }, "send unknown │ wait 292ms", "294ms"},
		{"reset before a status", func(x *replay.Exchange) { x.Response.Status, x.Response.Flags = 0, decode.Reset }, "  →  reset  294ms\n", "→  0"},
		{"status of no kind", func(x *replay.Exchange) { x.Response.Status = -5 }, "← - HTTP/2\n", "-5"},
		{"body not decoded", func(x *replay.Exchange) {
			x.Response.Body = decode.Body{Data: []byte("zz"), Size: 2, Codings: []string{"br"}, ContentErr: "content-corrupt"}
		}, "⚠ response: content coding: content-corrupt\n", "on the wire"},
	}
	for _, tt := range tests {
		c, q, r := readmeH2(t)
		x := &replay.Exchange{ID: 1, Conn: c, Request: q, Response: r}
		tt.spoil(x)
		got := detailOf(t, x, TextOptions{Bodies: true})
		if !strings.Contains(got, tt.want) || tt.never != "" && strings.Contains(got, tt.never) {
			t.Errorf("%s: want %q and not %q in\n%s", tt.name, tt.want, tt.never, got)
		}
	}
}
