package eventjson

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/format"
)

func encoded[T any, P interface {
	*T
	AppendTo([]byte) []byte
}](v T) []byte {
	return P(&v).AppendTo(nil)
}

// TestLines: each type of event, as a line and back.
func TestLines(t *testing.T) {
	conn := format.Conn{PID: 1, SSL: 0x7f12, Generation: 7, Cookie: 1<<64 - 1, Role: format.RoleServer, MidStream: true,
		Local: netip.MustParseAddrPort("127.0.0.1:0"), Remote: netip.MustParseAddrPort("[fe80::1%eth0]:65535"), ALPN: "h2", Conflicts: 3, Version: 0x0304, Cipher: 0x1301, SNI: "a.example"}
	mapped := format.Conn{Remote: netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"), Role: 9}
	odd := format.Conn{Remote: netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone("\xff"), 2)}
	proc := format.Proc{PID: 1, PPID: 2, UID: 1<<32 - 1, Start: 4, Comm: "a\x00\x1b", Exe: "/x", Args: []string{"", "é\"\\"}, Cgroup: "/s"}
	session := format.Session{UUID: [16]byte{1, 2, 15: 16}, Wall: -1 << 62, Mono: 5, UTCOffset: -3600, Writer: "w", Host: "h",
		Kernel: "6", Arch: "a", Command: []string{"spliff", ""}, Filter: "pid 8"}
	tests := []struct {
		name string
		ev   format.Event
		want string
	}{
		{"data", format.Event{Type: format.TypeData, Dir: format.DirWrite, Probe: 1, CPU: 2, TID: 3, Conn: 4, Seq: 5, Time: 123, Offset: 6, Dur: 7,
			Payload: []byte("GET / HTTP/1.1\r\n\t\"<&>\"")},
			`{"seq":5,"time":123,"type":"data","conn":4,"dir":"write","tid":3,"cpu":2,"probe":1,"offset":6,"dur":7,"text":"GET / HTTP/1.1\r\n\t\"<&>\""}`},
		{"data binary", format.Event{Type: format.TypeData, Dir: format.DirRead, Conn: 1, Payload: []byte("\xff\x00")},
			`{"seq":0,"type":"data","conn":1,"dir":"read","base64":"/wA="}`},
		{"data empty", format.Event{Type: format.TypeData, Seq: 1}, `{"seq":1,"type":"data"}`},
		{"data replacement", format.Event{Type: format.TypeData, Payload: []byte("\ufffd")}, `{"seq":0,"type":"data","text":"` + "\ufffd" + `"}`},
		{"data zeros", format.Event{Type: format.TypeData, Payload: make([]byte, 18)}, `{"seq":0,"type":"data","base64":"AAAAAAAAAAAAAAAAAAAAAAAA"}`},
		{"data unseen", format.Event{Type: format.TypeData, Payload: []byte("\u2028\u202e\u009b\x1b[m\x7f\U000e0001\ufe0f\u2800\u00a0")},
			`{"seq":0,"type":"data","text":"\u2028\u202e\u009b\u001b[m\u007f\udb40\udc01\ufe0f\u2800\u00a0"}`},
		{"large numbers", format.Event{Type: format.TypeData, Dir: 3, Flags: 0xffff, Seq: 1 << 53, Time: 1<<53 + 1, Offset: 1<<64 - 1},
			`{"seq":9007199254740992,"time":"9007199254740993","type":"data","dir":3,"flags":65533,"offset":"18446744073709551615"}`},
		{"conn", format.Event{Type: format.TypeConn, Conn: 1, Payload: encoded(conn)},
			`{"seq":0,"type":"conn","conn":1,"payload":{"pid":1,"ssl":"0x7f12","generation":7,"cookie":"18446744073709551615","role":"server","mid_stream":true,` +
				`"local":"127.0.0.1:0","remote":"[fe80::1%eth0]:65535","alpn":"h2","conflicts":3,"version":772,"cipher":4865,"sni":"a.example"}}`},
		{"conn mapped", format.Event{Type: format.TypeConn, Payload: encoded(mapped)}, `{"seq":0,"type":"conn","payload":{"role":9,"remote":"[::ffff:192.0.2.1]:443"}}`},
		{"conn empty", format.Event{Type: format.TypeConn}, `{"seq":0,"type":"conn"}`},
		{"conn odd zone", format.Event{Type: format.TypeConn, Payload: encoded(odd)}, ``},
		{"conn unknown element", format.Event{Type: format.TypeConn, Payload: append(encoded(conn), 99, 0, 0, 0, 0, 0, 0, 0)}, ``},
		{"conn malformed", format.Event{Type: format.TypeConn, Payload: []byte("abc")}, `{"seq":0,"type":"conn","base64":"YWJj"}`},
		{"conn end", format.Event{Type: format.TypeConnEnd, Conn: 1, Payload: encoded(format.ConnEnd{Reason: format.EndExec, Shutdown: true, Written: 1, Read: 2, Lost: [2]uint64{3, 4}})},
			`{"seq":0,"type":"conn_end","conn":1,"payload":{"reason":"exec","shutdown":true,"written":1,"read":2,"lost_written":3,"lost_read":4}}`},
		{"conn end zero", format.Event{Type: format.TypeConnEnd, Payload: make([]byte, 40)}, `{"seq":0,"type":"conn_end","payload":{}}`},
		{"conn end longer", format.Event{Type: format.TypeConnEnd, Payload: make([]byte, 48)}, ``},
		{"conn end true is 2", format.Event{Type: format.TypeConnEnd, Payload: append([]byte{1, 2}, make([]byte, 38)...)}, ``},
		{"proc", format.Event{Type: format.TypeProc, Payload: encoded(proc)},
			`{"seq":0,"type":"proc","payload":{"pid":1,"ppid":2,"uid":4294967295,"start":4,"comm":"a\u0000\u001b","exe":"/x","arg":["","é\"\\"],"cgroup":"/s"}}`},
		{"proc not text", format.Event{Type: format.TypeProc, Payload: encoded(format.Proc{Comm: "\xff"})}, ``},
		{"proc arg not text", format.Event{Type: format.TypeProc, Payload: encoded(format.Proc{Args: []string{"\xff"}})}, ``},
		{"proc end", format.Event{Type: format.TypeProcEnd, Payload: encoded(format.ProcEnd{PID: 9})}, `{"seq":0,"type":"proc_end","payload":{"pid":9}}`},
		{"proc end 1.1", format.Event{Type: format.TypeProcEnd, Payload: encoded(format.ProcEnd{PID: 9, Start: 1, Time: 2, Status: 256, Exited: true})},
			`{"seq":0,"type":"proc_end","payload":{"pid":9,"start":1,"time":2,"status":256,"exited":true}}`},
		{"proc 1.1", format.Event{Type: format.TypeProc, Payload: encoded(format.Proc{PID: 3, Origin: format.OriginExec, CgroupID: 4, ArgsCut: true, Context: true,
			Ancestors: []format.Ancestor{{PID: 2, Start: 1 << 60, Comm: "a b"}, {PID: 1}}})},
			`{"seq":0,"type":"proc","payload":{"pid":3,"ancestor":["2 1152921504606846976 a b","1 0 "],"origin":"exec","cgroup_id":4,"args_cut":true,"context":true}}`},
		{"conn end 1.1", format.Event{Type: format.TypeConnEnd, Payload: encoded(format.ConnEnd{Causes: [2]format.LostBytes{{RingFull: 1, Fault: 2, Snaplen: 3}, {RingFull: 4, Fault: 5, Snaplen: 6}}})},
			`{"seq":0,"type":"conn_end","payload":{"ring_full_written":1,"fault_written":2,"snaplen_written":3,"ring_full_read":4,"fault_read":5,"snaplen_read":6}}`},
		{"end 1.1", format.Event{Type: format.TypeEnd, Payload: encoded(format.End{Causes: []format.CauseCount{{Cause: 1, Count: format.Count{Events: 2, Bytes: 1 << 60}}, {}},
			CPUs: []format.CPUCount{{CPU: 1, Sent: format.Count{Events: 2, Bytes: 3}, Lost: format.Count{Events: 4, Bytes: 5}}}, Conns: 1, Local: format.Count{Events: 2, Bytes: 3}})},
			`{"seq":0,"type":"end","payload":{"cause":[[1,2,"1152921504606846976"],[0,0,0]],"cpu":[[1,2,3,4,5]],"local_conns":1,"local_events":2,"local_bytes":3}}`},
		{"drop", format.Event{Type: format.TypeDrop, Conn: 1, Dir: format.DirRead, Payload: encoded(format.Drop{Cause: format.DropRingFull, Events: 1, Bytes: 2, Offset: 3})},
			`{"seq":0,"type":"drop","conn":1,"dir":"read","payload":{"cause":"ring_full","events":1,"bytes":2,"offset":3}}`},
		{"clock", format.Event{Type: format.TypeClock, Payload: encoded(format.Clock{Wall: -1, Mono: 2})}, `{"seq":0,"type":"clock","payload":{"wall":-1,"mono":2}}`},
		{"session", format.Event{Type: format.TypeSession, Flags: format.FlagRepeat, Payload: encoded(session)},
			`{"seq":0,"type":"session","flags":16,"payload":{"writer":"w","host":"h","kernel":"6","arch":"a","command":["spliff",""],"filter":"pid 8",` +
				`"uuid":"01020000-0000-0000-0000-000000000010","wall":"-4611686018427387904","mono":5,"utc_offset":-3600}}`},
		{"probe", format.Event{Type: format.TypeProbe, Payload: encoded(format.Probe{ID: 255, Library: "openssl", Path: "/p", BuildID: "ab", Sites: []string{"SSL_read+0"}})},
			`{"seq":0,"type":"probe","payload":{"id":255,"library":"openssl","path":"/p","build_id":"ab","site":["SSL_read+0"]}}`},
		{"end", format.Event{Type: format.TypeEnd, Payload: encoded(format.End{Reason: "limit", Events: 1, Bytes: 2, LostEvents: 3, LostBytes: 4})},
			`{"seq":0,"type":"end","payload":{"reason":"limit","events":1,"bytes":2,"lost_events":3,"lost_bytes":4}}`},
		{"handshake", format.Event{Type: format.TypeHandshake, Conn: 1, Payload: encoded(format.Handshake{OK: true, Dur: 9})},
			`{"seq":0,"type":"handshake","conn":1,"payload":{"ok":true,"dur":9}}`},
		{"handshake in a read", format.Event{Type: format.TypeHandshake, Conn: 1, Payload: encoded(format.Handshake{OK: true, Bound: true, Dur: 9})},
			`{"seq":0,"type":"handshake","conn":1,"payload":{"ok":true,"bound":true,"dur":9}}`},
		{"unwatched", format.Event{Type: format.TypeUnwatched, Payload: encoded(format.Unwatched{Library: "s2n", Path: "/p", BuildID: "ab", Reason: "why"})},
			`{"seq":0,"type":"unwatched","payload":{"library":"s2n","path":"/p","build_id":"ab","reason":"why"}}`},
		{"reserved", format.Event{Type: format.TypeMark, Payload: []byte("hi")}, `{"seq":0,"type":"mark","base64":"aGk="}`},
		{"unknown", format.Event{Type: 77, Payload: []byte("hi")}, `{"seq":0,"type":77,"base64":"aGk="}`},
		{"type 0", format.Event{}, `{"seq":0,"type":0}`},
		{"private", format.Event{Type: 255}, `{"seq":0,"type":255}`},
	}
	for _, tt := range tests {
		got := string(Append(nil, &tt.ev))
		if tt.want == "" && !strings.Contains(got, `"base64":"`) {
			t.Errorf("%s: %s is not raw", tt.name, got)
		}
		if tt.want != "" && got != tt.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		tt.ev.Flags &^= flagOptions
		roundTrip(t, tt.name, &tt.ev)
	}
}

// roundTrip checks that the line of ev is safe to look at and gives ev again.
func roundTrip(t *testing.T, name string, ev *format.Event) {
	t.Helper()
	line := Append(nil, ev)
	if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
		t.Fatalf("%s: not one line of JSON: %q", name, line)
	}
	for _, r := range string(line[:len(line)-1]) {
		if r < 0x20 || r == utf8.RuneError && !bytes.Contains(ev.Payload, []byte("\ufffd")) || r >= 0x7f && !visible(r) {
			t.Fatalf("%s: %U in %q", name, r, line)
		}
	}
	var got format.Event
	var d Decoder
	if err := d.Decode(bytes.Clone(line), &got); err != nil {
		t.Fatalf("%s: %v in %.300s", name, err, line)
	}
	if !sameEvent(*ev, got) {
		t.Fatalf("%s: want %+v\ngot %+v\nof %s", name, *ev, got, line)
	}
}

func sameEvent(a, b format.Event) bool {
	if !bytes.Equal(a.Payload, b.Payload) {
		return false
	}
	a.Payload, b.Payload = nil, nil
	return reflect.DeepEqual(a, b)
}

// randomEvent has arbitrary fields; its payload is noise, text, or an encoded
// struct, whole or struck.
func randomEvent(rng *rand.Rand) format.Event {
	text := func() string {
		out := make([]rune, rng.IntN(6))
		for i := range out {
			out[i] = rng.Int32N([...]int32{0x80, 0x3000, 0x110000}[rng.IntN(3)])
		}
		if rng.IntN(20) == 0 {
			return string(out) + "\xff"
		}
		return string(out)
	}
	big := func() uint64 { return rng.Uint64() >> rng.IntN(64) }
	var ip [16]byte
	for i := range ip {
		ip[i] = byte(rng.Uint32())
	}
	addr := netip.AddrPortFrom(netip.AddrFrom16(ip), uint16(rng.Uint32()))
	ev := format.Event{
		Type: format.Type(rng.IntN(256)), Dir: format.Dir(rng.IntN(4)), Probe: uint8(rng.Uint32()),
		Flags: format.Flags(rng.Uint32()) &^ flagOptions, CPU: uint16(rng.Uint32()), TID: rng.Uint32(), Conn: rng.Uint32N(5), Seq: big(), Time: big(),
	}
	if rng.IntN(8) > 0 {
		ev.Type = format.Type(1 + rng.IntN(15))
	}
	switch ev.Type {
	case format.TypeData:
		ev.Offset, ev.Dur = big(), rng.Uint32()
		ev.Payload = []byte(text() + text())
	case format.TypeConn:
		ev.Payload = encoded(format.Conn{PID: rng.Uint32(), SSL: big(), Generation: rng.Uint32N(2), Cookie: big(), Role: format.Role(rng.IntN(4)),
			MidStream: rng.IntN(2) == 0, Local: addr, ALPN: text(), Conflicts: rng.Uint32N(2)})
	case format.TypeConnEnd:
		ev.Payload = encoded(format.ConnEnd{Reason: format.EndReason(rng.IntN(9)), Shutdown: rng.IntN(2) == 0, Written: big(), Lost: [2]uint64{big(), 1}})
	case format.TypeProc:
		ev.Payload = encoded(format.Proc{PID: rng.Uint32(), Start: big(), Comm: text(), Args: []string{text(), text()}, Cgroup: text()})
	case format.TypeProcEnd:
		ev.Payload = encoded(format.ProcEnd{PID: rng.Uint32()})
	case format.TypeDrop:
		ev.Payload = encoded(format.Drop{Cause: format.DropCause(rng.IntN(9)), Events: big(), Bytes: big(), Offset: big()})
	case format.TypeClock:
		ev.Payload = encoded(format.Clock{Wall: int64(big()), Mono: big()})
	case format.TypeSession:
		ev.Payload = encoded(format.Session{UUID: ip, Wall: int64(big()), Mono: big(), UTCOffset: int32(rng.Uint32()), Writer: text(), Command: []string{text()}})
	case format.TypeProbe:
		ev.Payload = encoded(format.Probe{ID: uint8(rng.Uint32()), Path: text(), Sites: []string{text()}})
	case format.TypeUnwatched:
		ev.Payload = encoded(format.Unwatched{Library: text(), Path: text(), Reason: text()})
	case format.TypeEnd:
		ev.Payload = encoded(format.End{Reason: text(), Events: big()})
	case format.TypeHandshake:
		ev.Payload = encoded(format.Handshake{OK: rng.IntN(2) == 0, Bound: rng.IntN(2) == 0, Dur: big()})
	}
	switch rng.IntN(4) {
	case 0:
		if n := len(ev.Payload); n > 0 {
			ev.Payload[rng.IntN(n)] ^= 1 << rng.IntN(8)
		}
	case 1:
		ev.Payload = make([]byte, rng.IntN(300))
		for k := range ev.Payload {
			ev.Payload[k] = byte(rng.Uint32())
		}
	}
	return ev
}

func TestRandomEvents(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 7))
	fields := 0
	for range 20_000 {
		ev := randomEvent(rng)
		roundTrip(t, "random", &ev)
		if bytes.Contains(Append(nil, &ev), []byte(`"payload":`)) {
			fields++
		}
	}
	if fields < 5000 {
		t.Errorf("only %d payloads had named fields", fields)
	}
}

// TestOtherSpellings: what a hand may write and Append does not.
func TestOtherSpellings(t *testing.T) {
	data := format.Event{Type: format.TypeData, Seq: 1, Conn: 2, Dir: format.DirWrite, Payload: []byte("hi\U0001f600/")}
	conn := format.Event{Type: format.TypeConn, Conn: 1, Payload: encoded(format.Conn{PID: 5, SSL: 0x7f00, Role: format.RoleClient})}
	tests := []struct {
		line string
		want format.Event
	}{
		{` { "text" : "hi\ud83d\uDE00\/" , "dir":"write","conn":2, "type" : "data", "seq":1 } ` + "\r\n", data},
		{`{"seq":"1","type":1,"dir":1,"conn":2,"base64":"aGnwn5iALw=="}`, data},
		{`{"seq":"0x1","type":1,"dir":1,"conn":2,"text":"` + "hi\U0001f600/" + `"}`, data},
		{`{"payload":{"role":1,"pid":5,"ssl":32512} ,"seq":0,"conn":1,"type":"conn"}`, conn},
		{`{"payload": {"ssl":"32512","pid":5,"role":"client"},"seq":0,"conn":1,"type":2,"time":0,"flags":0,"offset":0}`, conn},
		{`{"seq":0,"type":"handshake","payload":{"dur":"0x2","ok":true}}`, format.Event{Type: format.TypeHandshake, Payload: encoded(format.Handshake{OK: true, Dur: 2})}},
		{`{"seq":0,"type":"session","payload":{"uuid":"00112233445566778899aabbccddeeff"}}`, format.Event{Type: format.TypeSession,
			Payload: encoded(format.Session{UUID: [16]byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}})}},
		{`{"seq":0,"type":"mark","text":"note"}`, format.Event{Type: format.TypeMark, Payload: []byte("note")}},
	}
	for _, tt := range tests {
		var d Decoder
		var got format.Event
		if err := d.Decode([]byte(tt.line), &got); err != nil || !sameEvent(tt.want, got) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.line, got, err, tt.want)
		}
	}
}

// TestBadLines: a line that is not exactly an event is refused, with the reason.
func TestBadLines(t *testing.T) {
	long := strings.Repeat("x", format.MaxDefinition)
	tests := []struct{ line, want string }{
		{``, `column 1: the end of the line where an object should be`},
		{`[]`, `column 1: a list where an object should be`},
		{`{"seq":1,"type":"data"`, `column 23: the end of the line where ',' or '}' should be`},
		{`{"seq":1,"type":"data",}`, `column 24: '}' where the name of a field should be`},
		{`{"seq":1,"type":"data"} x`, `column 25: data after the object`},
		{`{"seq":1,"type":"data"}{"seq":1}`, `column 24: data after the object`},
		{`{"seq":1,"type":"data","ofset":3}`, `unknown field "ofset"`},
		{`{"seq":1,"type":"data","` + long + `":3}`, `unknown field "` + long[:40] + `…"`},
		{`{"seq":1,"type":"data","conn":1,"conn":1}`, `field "conn" twice`},
		{`{"seq":1,"type":"conn","payload":{"pid":1,"pid":1}}`, `field "pid" twice`},
		{`{"seq":1}`, `no field "type"`},
		{`{"type":"data"}`, `no field "seq"`},
		{`{"seq":1,"type":"dta"}`, `type: no value is called "dta" (there are data, conn, conn_end, proc, proc_end, drop, clock, session, probe, keylog, attach, mark, tick, end, handshake, unwatched)`},
		{`{"seq":1,"type":""}`, `type: no value is called "" (there are data, conn, conn_end, proc, proc_end, drop, clock, session, probe, keylog, attach, mark, tick, end, handshake, unwatched)`},
		{`{"seq":1,"type":256}`, `type: 256 is over 255`},
		{`{"seq":1,"type":null}`, `column 17: null where a number should be`},
		{`{"seq":true,"type":1}`, `column 8: true or false where a number should be`},
		{`{"seq":-1,"type":1}`, `seq: -1 is below 0`},
		{`{"seq":1e3,"type":1}`, `seq: "1e3" is not a whole number`},
		{`{"seq":1.0,"type":1}`, `seq: "1.0" is not a whole number`},
		{`{"seq":01,"type":1}`, `column 9: a number where ',' or '}' should be`},
		{`{"seq":-,"type":1}`, `column 8: a number where a number should be`},
		{`{"seq":"","type":1}`, `seq: "" is not a whole number`},
		{`{"seq":"+1","type":1}`, `seq: "+1" is not a whole number`},
		{`{"seq":"0x","type":1}`, `seq: "" is not a whole number`},
		{`{"seq":18446744073709551616,"type":1}`, `seq: 18446744073709551616 is over 18446744073709551615`},
		{`{"seq":1,"type":1,"conn":4294967296}`, `conn: 4294967296 is over 4294967295`},
		{`{"seq":1,"type":1,"conn":"1"}`, `column 26: a string where a number should be`},
		{`{"seq":1,"type":1,"cpu":65536}`, `cpu: 65536 is over 65535`},
		{`{"seq":1,"type":1,"dir":"up"}`, `dir: no value is called "up" (there are write, read)`},
		{`{"seq":1,"type":1,"flags":2}`, `flags: 2 is not for an event: it says how one lies in a file`},
		{`{"seq":1,"type":2,"offset":2}`, `offset: only a data event has one`},
		{`{"seq":1,"type":2,"dur":2}`, `dur: only a data event has one`},
		{`{"seq":1,"type":1,"text":"a","base64":"YQ=="}`, `more than one of text, base64 and payload`},
		{`{"seq":1,"type":2,"payload":{},"base64":"YQ=="}`, `more than one of text, base64 and payload`},
		{`{"seq":1,"type":1,"payload":{}}`, `a payload of type 1 has no named fields: give it as text or base64`},
		{`{"seq":1,"type":1,"text":5}`, `column 26: a number where a string should be`},
		{`{"seq":1,"type":1,"text":"a`, `column 26: a string without its end`},
		{`{"seq":1,"type":1,"text":"a\`, `column 28: a string without its end`},
		{"{\"seq\":1,\"type\":1,\"text\":\"a\tb\"}", `column 28: a control character must be escaped`},
		{"{\"seq\":1,\"type\":1,\"text\":\"a\xffb\"}", `column 28: not UTF-8; give such bytes as base64`},
		{`{"seq":1,"type":1,"text":"\q"}`, `column 27: an escape JSON does not have`},
		{`{"seq":1,"type":1,"text":"\u12g4"}`, `column 27: an escape without its four digits`},
		{`{"seq":1,"type":1,"text":"\ud800"}`, `column 27: half a surrogate pair is no character; give such bytes as base64`},
		{`{"seq":1,"type":1,"text":"\ud800\u0041"}`, `column 27: half a surrogate pair is no character; give such bytes as base64`},
		{`{"seq":1,"type":1,"base64":"YQ="}`, `base64: not valid: illegal base64 data at input byte 3`},
		{`{"seq":1,"type":1,"base64":"YR=="}`, `base64: not valid: illegal base64 data at input byte 2`},
		{`{"seq":1,"type":1,"base64":"YQ\n=="}`, `base64: a line break inside`},
		{`{"seq":1,"type":2,"payload":[]}`, `column 29: a list where an object should be`},
		{`{"seq":1,"type":2,"payload":{"pid":1} x}`, `column 39: 'x' where the end of the payload should be`},
		{`{"seq":1,"type":2,"payload":{"role":256}}`, `role: 256 is over 255`},
		{`{"seq":1,"type":2,"payload":{"local":"1.2.3.4"}}`, `local: "1.2.3.4" is not an address with a port`},
		{`{"seq":1,"type":2,"payload":{"mid_stream":1}}`, `column 43: a number where true or false should be`},
		{`{"seq":1,"type":2,"payload":{"alpn":"` + long + `"}}`, `payload of 49160 bytes, at most 49152 for type "conn"`},
		{`{"seq":1,"type":4,"payload":{"arg":["a",1]}}`, `column 41: a number where a string should be`},
		{`{"seq":1,"type":4,"payload":{"arg":["a"}}`, `column 42: the end of the line where ',' or '}' should be`},
		{`{"seq":1,"type":4,"payload":{"arg":["a";"b"]}}`, `column 40: ';' where ',' or ']' should be`},
		{`{"seq":1,"type":7,"payload":{"wall":9223372036854775808}}`, `wall: 9223372036854775808 does not fit in 64 bits`},
		{`{"seq":1,"type":7,"payload":{"wall":"0x-5"}}`, `wall: a number with a sign is decimal`},
		{`{"seq":1,"type":7,"payload":{"mono":"0x-5"}}`, `mono: "-5" is not a whole number`},
		{`{"seq":1,"type":7,"payload":{"mono":"1_0"}}`, `mono: "1_0" is not a whole number`},
		{`{"seq":1,"type":8,"payload":{"utc_offset":2147483648}}`, `utc_offset: 2147483648 does not fit in 32 bits`},
		{`{"seq":1,"type":8,"payload":{"uuid":"0102"}}`, `uuid: "0102" is not a UUID`},
		{`{"seq":1,"type":8,"payload":{"uuid":"0g112233445566778899aabbccddeeff"}}`, `uuid: "0g112233445566778899aabbccddeeff" is not a UUID`},
	}
	for _, tt := range tests {
		var d Decoder
		var ev format.Event
		err := d.Decode([]byte(tt.line), &ev)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.200s:\n got %v\nwant %s", tt.line, err, tt.want)
		}
		if !reflect.DeepEqual(ev, format.Event{}) {
			t.Errorf("%.200s: the event was changed", tt.line)
		}
	}
}

func TestTooLarge(t *testing.T) {
	line := []byte(`{"seq":1,"type":1,"text":"` + strings.Repeat("x", format.MaxPayload+1) + `"}`)
	var d Decoder
	if err := d.Decode(line, new(format.Event)); err == nil || err.Error() != "payload of 16777217 bytes, at most 16777216" {
		t.Errorf("got %v", err)
	}
	line = []byte(`{"seq":1,"type":14,"payload":{"reason":"` + strings.Repeat("x", format.MaxPayload) + `"}}`)
	if err := d.Decode(line, new(format.Event)); err == nil || err.Error() != "payload of 16777224 bytes, at most 16777216" {
		t.Errorf("got %v", err)
	}
	list := format.Probe{Sites: make([]string, format.MaxList)}
	line = []byte(`{"seq":1,"type":9,"payload":{"site":[` + strings.Repeat(`"",`, format.MaxList) + `""]}}`)
	if err := d.Decode(line, new(format.Event)); err == nil || err.Error() != "site: more than 65536 items" {
		t.Errorf("got %v", err)
	}
	// A list in one that is not limited to MaxDefinition comes through as raw bytes.
	ev := format.Event{Type: format.TypeEnd, Payload: encoded(format.End{Reason: strings.Repeat("\x01", 1<<20)})}
	roundTrip(t, "end", &ev)
	ev = format.Event{Type: format.TypeProbe, Payload: encoded(list)[:48<<10]}
	roundTrip(t, "probe", &ev)
}

// TestLongestLine: no event of the format has a line over MaxLine.
func TestLongestLine(t *testing.T) {
	for _, b := range []string{"\x00", "\xff", "\""} {
		ev := format.Event{Type: format.TypeData, Seq: 1<<64 - 1, Time: 1<<64 - 1, Offset: 1<<64 - 1,
			Payload: bytes.Repeat([]byte(b), format.MaxPayload/len(b))}
		if n := len(Append(nil, &ev)); n > MaxLine {
			t.Errorf("%q: %d bytes", b, n)
		}
	}
}

func TestAllocations(t *testing.T) {
	data := format.Event{Type: format.TypeData, Conn: 1, Dir: 1, Payload: []byte("GET / HTTP/1.1\r\n\r\n")}
	raw := format.Event{Type: format.TypeData, Conn: 1, Dir: 1, Payload: []byte("\xff\xfe")}
	end := format.Event{Type: format.TypeConnEnd, Conn: 1, Payload: make([]byte, 40)}
	var d Decoder
	var buf, line []byte
	for _, tt := range []struct {
		ev    *format.Event
		write float64
		read  float64
	}{{&data, 0, 0}, {&raw, 0, 0}, {&end, 3, 3}} {
		if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], tt.ev) }); n > tt.write {
			t.Errorf("type %d: %v allocations to write", tt.ev.Type, n)
		}
		n := testing.AllocsPerRun(100, func() {
			line = append(line[:0], buf...)
			var ev format.Event
			if err := d.Decode(line, &ev); err != nil {
				t.Fatal(err)
			}
		})
		if n > tt.read {
			t.Errorf("type %d: %v allocations to read", tt.ev.Type, n)
		}
	}
}
