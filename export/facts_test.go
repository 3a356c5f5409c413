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
			[]string{"gap: 3", "resync", "no-request"}},
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
