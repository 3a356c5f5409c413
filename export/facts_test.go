package export

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func TestHeader(t *testing.T) {
	m := &decode.Message{Header: []decode.Field{{Name: "X"}, {Name: "Content-TYPE", Value: "first"}, {Name: "content-type", Value: "second"}}}
	if got := header(m, "content-type"); got != "first" {
		t.Errorf("%q, want the first, whatever its case", got)
	}
	if got := header(m, "absent"); got != "" {
		t.Errorf("%q for an absent field", got)
	}
}

func TestMarks(t *testing.T) {
	ok := &decode.Message{}
	tests := []struct {
		name string
		x    replay.Exchange
		want []mark
	}{
		{"nothing amiss", replay.Exchange{Request: ok, Response: ok}, nil},
		{"either side counts", replay.Exchange{Request: &decode.Message{Flags: decode.Gapped}, Response: &decode.Message{Flags: decode.Incomplete}}, []mark{"gap", "incomplete"}},
		{"no response", replay.Exchange{Request: ok}, []mark{"no-response"}},
		{"pending", replay.Exchange{Request: ok, Pending: true}, []mark{"pending"}},
		{"no request", replay.Exchange{Response: ok}, []mark{"no-request"}},
		{"anomaly", replay.Exchange{Request: &decode.Message{Anomalies: []decode.Anomaly{{}}}, Response: ok}, []mark{"anomaly"}},
		{"until close is normal", replay.Exchange{Request: ok, Response: &decode.Message{Flags: decode.UntilClose}}, nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, marksOf(&tt.x)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestContentOf(t *testing.T) {
	wire, plain := []byte("zz"), []byte("hello")
	tests := []struct {
		name string
		b    decode.Body
		want string
		dec  bool
	}{
		{"decoded", decode.Body{Data: wire, Codings: []string{"gzip"}, Content: plain}, "hello", true},
		{"not decoded", decode.Body{Data: wire, Codings: []string{"gzip"}}, "zz", false},
		{"decoded to nothing", decode.Body{Data: wire, Codings: []string{"gzip"}, Content: []byte{}}, "", true},
		{"no coding", decode.Body{Data: plain, Content: plain}, "hello", false},
		{"content off", decode.Body{Data: plain}, "hello", false},
		{"empty", decode.Body{}, "", false},
	}
	for _, tt := range tests {
		if got := string(contentOf(&tt.b)); got != tt.want || decoded(&tt.b) != tt.dec {
			t.Errorf("%s: %q, decoded %t; want %q, %t", tt.name, got, decoded(&tt.b), tt.want, tt.dec)
		}
	}
}

func TestNet(t *testing.T) {
	ap := netip.MustParseAddrPort
	c := func(role decode.Role, local, remote netip.AddrPort) *replay.Conn {
		return &replay.Conn{Conn: format.Conn{Local: local, Remote: remote}, Role: role}
	}
	a, b := ap("10.0.0.1:1"), ap("[::ffff:10.0.0.2]:443")
	tests := []struct {
		name string
		c    *replay.Conn
		want jsonNet
	}{
		{"client", c(decode.RoleClient, a, b), jsonNet{Role: "client", Src: "10.0.0.1:1", Dst: "10.0.0.2:443"}},
		{"server", c(decode.RoleServer, b, a), jsonNet{Role: "server", Src: "10.0.0.1:1", Dst: "10.0.0.2:443"}},
		{"unknown role", c(decode.RoleUnknown, a, b), jsonNet{Src: "10.0.0.1:1", Dst: "10.0.0.2:443"}},
		{"zone means nothing elsewhere", c(decode.RoleClient, ap("[fe80::1%eth0]:9"), a), jsonNet{Role: "client", Src: "[fe80::1]:9", Dst: "10.0.0.1:1"}},
		{"not linked", c(decode.RoleClient, netip.AddrPort{}, netip.AddrPort{}), jsonNet{Role: "client"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, jsonNetOf(tt.c)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name   string
		m      decode.Message
		bodies bool
		want   []string
	}{
		{"nothing", decode.Message{}, true, nil},
		{"gap of unknown length", decode.Message{Flags: decode.Gapped}, false, []string{"bytes missing"}},
		{"reset is not also incomplete", decode.Message{Flags: decode.Reset | decode.Incomplete}, false, []string{"the stream was reset"}},
		{"beginning", decode.Message{Flags: decode.MidStream}, false, []string{"its beginning was not seen"}},
		{"cut matters only where bodies are shown", decode.Message{Body: decode.Body{Cut: true, Size: 9, Data: []byte("x")}}, false, nil},
		{"cut", decode.Message{Body: decode.Body{Cut: true, Size: 9, Data: []byte("x")}}, true, []string{"body cut: 1 of 9 bytes kept"}},
		{"not kept", decode.Message{Body: decode.Body{Cut: true, Size: 9}}, true, []string{"body not kept: 9 bytes"}},
		{"coding", decode.Message{Body: decode.Body{ContentErr: "content-corrupt", ContentCut: true, Content: []byte("xy")}}, true,
			[]string{"decoded body cut at 2 bytes", "content coding: content-corrupt"}},
		{"anomalies", decode.Message{Anomalies: []decode.Anomaly{{Kind: "gap", Detail: "3"}, {Kind: "resync"}, {Kind: decode.AnomalyNoRequest, Detail: "x"}}}, true,
			[]string{"gap at byte 0: 3", "resync", "no-request"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, warnings(&tt.m, tt.bodies)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestInterimResponses(t *testing.T) {
	c, q, r := readmeH2(t)
	r.Interim = []decode.Interim{{Status: 103, Header: []decode.Field{{Name: "link", Value: "</a>"}}}}
	r.Trailer = []decode.Field{{Name: "grpc-status", Value: "0"}}
	want := readmeH2TextPlain("  (interim 103)\n  link: </a>\n", "  (trailer)\n  grpc-status: 0\n")
	if d := cmp.Diff(want, textOf(t, TextOptions{}, append([]*replay.Item{session()}, turn(c, 1, q, r)...)...)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// readmeH2TextPlain is the example without -b and -l, with lines before and
// after the response's header.
func readmeH2TextPlain(before, after string) string {
	return "15:11:59.346 → GET https://ifconfig.io/ ALPN:h2 curl (403410) [stream 1]\n" +
		"  user-agent: curl/8.15.0\n  accept: */*\n\n" +
		"15:11:59.639 ← 200 https://ifconfig.io/ ALPN:h2 text/plain; charset=utf-8 (15 bytes) curl (403410) [stream 1]\n" + before +
		"  date: Mon, 12 Jan 2026 11:11:59 GMT\n  content-type: text/plain; charset=utf-8\n  content-length: 15\n" + after
}

func TestMarkOrder(t *testing.T) {
	all := decode.Gapped | decode.Incomplete | decode.MidStream | decode.Reset | decode.Upgraded | decode.Pushed
	odd := []decode.Anomaly{{Kind: decode.AnomalyGap}}
	tests := []struct {
		name string
		x    replay.Exchange
		want []mark
	}{
		{
			"all of it, worst first", replay.Exchange{Request: &decode.Message{Flags: all, Anomalies: odd}, Pending: true},
			[]mark{"gap", "incomplete", "midstream", "reset", "pending", "upgraded", "pushed", "anomaly"},
		},
		{
			"a mark of both sides is given once",
			replay.Exchange{Request: &decode.Message{Flags: decode.Gapped, Anomalies: odd}, Response: &decode.Message{Flags: decode.Gapped, Anomalies: odd}},
			[]mark{"gap", "anomaly"},
		},
		{"pending means nothing once there is a response", replay.Exchange{Request: &decode.Message{}, Response: &decode.Message{}, Pending: true}, nil},
		{"nothing at all", replay.Exchange{}, []mark{"no-request", "no-response"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, marksOf(&tt.x)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// TestTimingOfOddOrders: a server may be done before its client is, clocks of a
// damaged session may run backwards, and what is not known must not look as if
// it were: no duration may come out negative but -1.
func TestTimingOfOddOrders(t *testing.T) {
	msg := func(begin, end int64) *decode.Message {
		return &decode.Message{Begin: begin, End: decode.At{Time: end}}
	}
	tests := []struct {
		name string
		x    replay.Exchange
		want timing
	}{
		{"response ends before its request", replay.Exchange{Request: msg(100, 300), Response: msg(150, 190)},
			timing{begin: 100, total: 200, send: 200, wait: 0, recv: 40, ttfb: 50}},
		{"response begins before its request", replay.Exchange{Request: msg(100, 110), Response: msg(50, 190)},
			timing{begin: 100, total: 90, send: 10, wait: 0, recv: 140, ttfb: -1}},
		{"response begins as its request ends", replay.Exchange{Request: msg(100, 110), Response: msg(110, 110)},
			timing{begin: 100, total: 10, send: 10, wait: 0, recv: 0, ttfb: 10}},
		{"request runs backwards", replay.Exchange{Request: msg(100, 90), Response: msg(150, 190)},
			timing{begin: 100, total: 90, send: -1, wait: 60, recv: 40, ttfb: 50}},
		{"response runs backwards", replay.Exchange{Request: msg(100, 110), Response: msg(150, 140)},
			timing{begin: 100, total: 40, send: 10, wait: 40, recv: -1, ttfb: 50}},
		{"all of it ends before it began", replay.Exchange{Request: msg(100, 50), Response: msg(60, 70)},
			timing{begin: 100, total: -1, send: -1, wait: 10, recv: 10, ttfb: -1}},
		{"response of unknown beginning", replay.Exchange{Request: msg(100, 110), Response: msg(0, 190)},
			timing{begin: 100, total: 90, send: 10, wait: -1, recv: -1, ttfb: -1}},
		{"request of unknown beginning", replay.Exchange{Request: msg(0, 110), Response: msg(150, 190)},
			timing{begin: 0, total: -1, send: -1, wait: 40, recv: 40, ttfb: -1}},
		{"neither", replay.Exchange{}, timing{total: -1, send: -1, wait: -1, recv: -1, ttfb: -1}},
	}
	for _, tt := range tests {
		if got := timingOf(&tt.x); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestGRPC(t *testing.T) {
	message := func(ctype string, header, trailer string) *decode.Message {
		m := &decode.Message{Header: []decode.Field{{Name: "Content-Type", Value: ctype}}}
		if header != "" {
			m.Header = append(m.Header, decode.Field{Name: "grpc-status", Value: header})
		}
		if trailer != "" {
			m.Trailer = []decode.Field{{Name: "Grpc-Status", Value: trailer}}
		}
		return m
	}
	tests := []struct {
		name string
		m    *decode.Message
		grpc bool
		want string
	}{
		{"trailer", message("application/grpc", "", "5"), true, "5"},
		{"trailers only", message("application/grpc+proto", "14", ""), true, "14"},
		{"trailer before header", message("application/grpc-web+json", "0", "7"), true, "7"},
		{"not told", message("application/grpc", "", ""), true, ""},
		{"another type", message("application/json", "1", "2"), false, ""},
		{"none", nil, false, ""},
	}
	for _, tt := range tests {
		if got := grpcStatus(tt.m); got != tt.want || isGRPC(tt.m) != tt.grpc {
			t.Errorf("%s: status %q, gRPC %t; want %q, %t", tt.name, got, isGRPC(tt.m), tt.want, tt.grpc)
		}
	}
}
