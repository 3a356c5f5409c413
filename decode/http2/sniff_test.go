package http2

import (
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

func TestSniff(t *testing.T) {
	k := newTalk(t)
	k.cl.out.Reset()
	k.sv.out.Reset()
	k.post(1)
	k.cl.data(1, true, []byte("body"))
	k.sv.block(1, false, ":status", "404")
	k.sv.data(1, true, []byte("none"))
	client, server := k.cl.out.String(), k.sv.out.String()
	ping := "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"
	push := "\x00\x00\x05\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82"
	tests := []struct {
		name, in string
		found    bool
		side     Side
	}{
		{"nothing", "", false, SideUnknown},
		{"text", strings.Repeat("GET / HTTP/1.1\r\n", 20), false, SideUnknown},
		{"zeros", strings.Repeat("\x00", 500), false, SideUnknown},
		{"small numbers", strings.Repeat("\x00\x00\x00\x01", 500), false, SideUnknown},
		{"client", client, true, SideClient},
		{"client, joined inside a frame", client[13:] + client, true, SideClient},
		{"server", server, true, SideServer},
		{"server, after rubbish", "\xff\xfe\x01 rubbish" + server, true, SideServer},
		{"push", push + ping, true, SideServer},
		{"no header block", ping + ping, true, SideUnknown},
		{"one frame is not enough", ping, false, SideUnknown},
		{"size update in front", "\x00\x00\x04\x01\x05\x00\x00\x00\x01\x3f\xe1\x1f\x88" + ping, true, SideServer},
		{"padding and priority in front", "\x00\x00\x07\x01\x2d\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x83" + ping, true, SideClient},
		{"a header block that tells nothing", "\x00\x00\x01\x01\x05\x00\x00\x00\x01\xc0" + ping, true, SideUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if found, side := Sniff([]byte(tt.in)); found != tt.found || side != tt.side {
				t.Errorf("found %v side %d, want %v %d", found, side, tt.found, tt.side)
			}
		})
	}
}

// TestWellFormed: what the search takes for a frame is stricter than what the
// decoder accepts in step.
func TestWellFormed(t *testing.T) {
	tests := []struct {
		f    frame
		want bool
	}{
		{frame{typ: frameData, stream: 1, length: 5}, true},
		{frame{typ: frameData, stream: 1}, false}, // empty and not the end
		{frame{typ: frameData, stream: 1, flags: flagEndStream}, true},
		{frame{typ: frameData, length: 5}, false}, // stream 0
		{frame{typ: frameData, stream: 1, length: minFrameSize + 1}, false},
		{frame{typ: frameHeaders, stream: 1, length: 1, flags: 0x2d}, true},
		{frame{typ: frameHeaders, stream: 1, length: 1, flags: 0x40}, false},
		{frame{typ: framePing, length: 8}, true},
		{frame{typ: framePing, length: 8, rbit: true}, false},
		{frame{typ: frameSettings, length: 12}, true},
		{frame{typ: frameSettings, length: 12, flags: flagAck}, false},
		{frame{typ: frameWindow, length: 4, stream: 9}, true},
		{frame{typ: frameOrigin, length: 4}, true},
		{frame{typ: 0x33, length: 4, stream: 1}, false},
	}
	for _, tt := range tests {
		if got := tt.f.wellFormed(minFrameSize); got != tt.want {
			t.Errorf("%+v: %v", tt.f, got)
		}
	}
}

func TestErrorName(t *testing.T) {
	for code, want := range map[uint32]string{0: "NO_ERROR", 8: "CANCEL", 13: "HTTP_1_1_REQUIRED", 14: "error 0xe", 1<<32 - 1: "error 0xffffffff"} {
		if got := errorName(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
	if got := resetText(8, false, true); got != "CANCEL (8) by the server" {
		t.Error(got)
	}
}

// TestPartialFrames: what the recording cut off is said, not dropped in silence.
func TestPartialFrames(t *testing.T) {
	for _, tail := range []string{"\x00\x00", "\x00\x00\x08\x06\x00\x00\x00\x00\x00123"} {
		ms := runAll(t, []decodetest.Step{{Dir: c2s, Data: Preface + tail}}, options{})
		if got := anomalies(ms)[decode.AnomalyTruncated]; got != 1 {
			t.Errorf("%q: %+v", tail, ms)
		}
	}
}
