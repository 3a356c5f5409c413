package format

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// payload is one payload struct with its two directions, so that every rule is
// tested for all of them.
type payload struct {
	name  string
	value any
	bytes []byte
	parse func([]byte) (any, error)
	tlv   bool
	least int // bytes that a fixed payload of 1.0 has
}

func parser[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(p []byte) (any, error) { return f(p) }
}

func payloads() []payload {
	conn := Conn{PID: 1, SSL: 1 << 63, Generation: 7, Cookie: 1<<64 - 1, Role: RoleServer, MidStream: true,
		Local: netip.MustParseAddrPort("127.0.0.1:0"), Remote: netip.MustParseAddrPort("[fe80::1%eth0]:65535"), ALPN: "h2", Conflicts: 1<<32 - 1, Start: 1<<64 - 1,
		Version: 0x0304, Cipher: 1<<16 - 1, SNI: "a.example"}
	mapped := Conn{Remote: netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"), Local: netip.MustParseAddrPort("0.0.0.0:0")}
	proc := Proc{PID: 1, PPID: 2, UID: 1<<32 - 1, Start: 4, Comm: "a\x00\xff\x1b[31m", Exe: "/x", Args: []string{"", "a", strings.Repeat("é", 999), ""}, Cgroup: "/sys",
		Origin: OriginExec, CgroupID: 1<<64 - 1, ArgsCut: true, Context: true, Ancestors: []Ancestor{{1<<32 - 1, 1<<64 - 1, "a b\x00\xff"}, {0, 0, ""}}}
	session := testSession()
	probe := Probe{ID: 255, Library: "openssl", Path: "/p", BuildID: "ab", Sites: []string{"SSL_read+0x10: body", ""}}
	end := End{Reason: "interrupt", Events: 1, Bytes: 2, LostEvents: 3, LostBytes: 1<<64 - 1,
		Causes: []CauseCount{{DropEdited, Count{1, 2}}, {255, Count{1<<64 - 1, 0}}}, CPUs: []CPUCount{{0, Count{1, 2}, Count{3, 4}}, {1<<64 - 1, Count{}, Count{}}}, Local: Count{5, 6}, Conns: 7}
	connEnd := ConnEnd{Reason: EndReuse, Shutdown: true, Written: 1, Read: 1 << 60, Lost: [2]uint64{3, 4}}
	connEnd1 := connEnd
	connEnd1.Causes = [2]LostBytes{{1, 2, 0}, {0, 0, 1<<64 - 1}}
	drop := Drop{Cause: DropWriter, Events: 1, Bytes: 2, Offset: 3}
	clock := Clock{Wall: -1, Mono: 2}
	hand := Handshake{OK: true, Bound: true, Dur: 3}
	unwatched := Unwatched{Library: "rustls", Path: "/usr/bin/a\x1b\xff", BuildID: "ab", Reason: "seen, not supported"}
	procEnd := ProcEnd{PID: 1<<32 - 1}
	procEnd1 := ProcEnd{PID: 1, Start: 2, Time: 3, Status: 9, Exited: true}
	return []payload{
		{"conn", conn, conn.AppendTo(nil), parser(ParseConn), true, 0},
		{"conn mapped", mapped, mapped.AppendTo(nil), parser(ParseConn), true, 0},
		{"conn empty", Conn{}, (&Conn{}).AppendTo(nil), parser(ParseConn), true, 0},
		{"proc", proc, proc.AppendTo(nil), parser(ParseProc), true, 0},
		{"session", session, session.AppendTo(nil), parser(ParseSession), true, 0},
		{"session empty", Session{}, (&Session{}).AppendTo(nil), parser(ParseSession), true, 0},
		{"probe", probe, probe.AppendTo(nil), parser(ParseProbe), true, 0},
		{"unwatched", unwatched, unwatched.AppendTo(nil), parser(ParseUnwatched), true, 0},
		{"unwatched empty", Unwatched{}, (&Unwatched{}).AppendTo(nil), parser(ParseUnwatched), true, 0},
		{"end", end, end.AppendTo(nil), parser(ParseEnd), true, 0},
		{"conn end", connEnd, connEnd.AppendTo(nil), parser(ParseConnEnd), false, connEndLen},
		{"conn end 1.1", connEnd1, connEnd1.AppendTo(nil), parser(ParseConnEnd), false, connEndLen},
		{"proc end 1.1", procEnd1, procEnd1.AppendTo(nil), parser(ParseProcEnd), false, procEndLen},
		{"drop", drop, drop.AppendTo(nil), parser(ParseDrop), false, dropLen},
		{"clock", clock, clock.AppendTo(nil), parser(ParseClock), false, clockLen},
		{"handshake", hand, hand.AppendTo(nil), parser(ParseHandshake), false, handshakeLen},
		{"proc end", procEnd, procEnd.AppendTo(nil), parser(ParseProcEnd), false, procEndLen},
	}
}

func sameAddr(x, y netip.AddrPort) bool { return x == y }

func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(sameAddr), cmpopts.EquateEmpty())
}

func TestPayloadRoundTrip(t *testing.T) {
	for _, p := range payloads() {
		got, err := p.parse(p.bytes)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if d := diff(p.value, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", p.name, d)
		}
		if len(p.bytes)%8 != 0 {
			t.Errorf("%s: %d bytes, not a multiple of 8", p.name, len(p.bytes))
		}
	}
}

// A later version appends elements or bytes; a reader of today passes over them.
func TestPayloadGrowth(t *testing.T) {
	for _, p := range payloads() {
		grown := append([]byte(nil), p.bytes...)
		if p.tlv {
			grown = append(appendTLV(nil, 900, "new"), grown...)
			grown = appendTLV(grown, 901, "newer")
		} else {
			grown = append(grown, 1, 2, 3, 4, 5, 6, 7, 8)
		}
		got, err := p.parse(grown)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if d := diff(p.value, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", p.name, d)
		}
	}
	// Numbers may grow too.
	got, err := ParseEnd(appendTLV(nil, endBytes, "\x05\x00\x00\x00\x00\x00\x00\x00more"))
	if err != nil || got.Bytes != 5 {
		t.Errorf("grown number: %v, %v", got, err)
	}
}

func TestPayloadCritical(t *testing.T) {
	for _, p := range payloads() {
		if !p.tlv {
			continue
		}
		b := appendTLV(append([]byte(nil), p.bytes...), 900, "x")
		b[len(b)-14] |= tlvCritical
		if _, err := p.parse(b); !errors.Is(err, ErrVersion) {
			t.Errorf("%s: unknown critical element: %v, want ErrVersion", p.name, err)
		}
	}
}

// Every cut of a payload gives an error or fewer elements, never a panic.
func TestPayloadCut(t *testing.T) {
	for _, p := range payloads() {
		for n := range p.bytes {
			_, err := p.parse(p.bytes[:n:n])
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d: %v, want ErrMalformed", p.name, n, err)
			}
			if err == nil && !p.tlv && n < p.least {
				t.Errorf("%s cut at %d: no error", p.name, n)
			}
		}
	}
}

func TestPayloadMalformed(t *testing.T) {
	word := func(typ uint16, v uint64) []byte { return appendWord(nil, typ, v) }
	tests := []struct {
		name  string
		bytes []byte
		parse func([]byte) (any, error)
	}{
		{"number too short", appendTLV(nil, connPID, "1234567"), parser(ParseConn)},
		{"pid over 32 bits", word(connPID, 1<<32), parser(ParseConn)},
		{"role over 8 bits", word(connRole, 256), parser(ParseConn)},
		{"probe id over 8 bits", word(probeID, 256), parser(ParseProbe)},
		{"address of no family", appendTLV(nil, connLocal, "\x00\x50\x05\x00aaaa"), parser(ParseConn)},
		{"address too short", appendTLV(nil, connLocal, "\x00\x50\x06\x00aaaa"), parser(ParseConn)},
		{"address empty", appendTLV(nil, connLocal, ""), parser(ParseConn)},
		{"uuid too short", appendTLV(nil, sessionUUID, "abc"), parser(ParseSession)},
		{"length beyond the end", []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, parser(ParseProc)},
		{"list too long", appendList(appendList(nil, procArg, make([]string, MaxList)), procArg, []string{""}), parser(ParseProc)},
	}
	for _, tt := range tests {
		if _, err := tt.parse(tt.bytes); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", tt.name, err)
		}
	}
}

func TestAppendListCut(t *testing.T) {
	p := Proc{Args: make([]string, MaxList+5)}
	got, err := ParseProc(p.AppendTo(nil))
	if err != nil || len(got.Args) != MaxList {
		t.Errorf("%d args, %v, want %d", len(got.Args), err, MaxList)
	}
}

func TestFindWord(t *testing.T) {
	p := appendText(appendTLV(nil, connPID, "short"), connALPN, "h2")
	p = appendWord(appendWord(p, connPID, 41), connPID, 42) // the last one counts
	if got := findWord(p, connPID); got != 42 {
		t.Errorf("got %d, want 42", got)
	}
	for n := range p {
		findWord(p[:n:n], connPID)
	}
	if got := findWord([]byte{1, 0, 0, 0, 200, 0, 0, 0}, connPID); got != 0 {
		t.Errorf("malformed: got %d, want 0", got)
	}
}

// TestDropCauses: no two causes read alike, and one of a newer recorder is told as
// not known.
func TestDropCauses(t *testing.T) {
	seen := map[string]DropCause{}
	for c := DropUnknown; c <= DropEdited; c++ {
		if other, twice := seen[c.String()]; twice || c.String() == "" {
			t.Errorf("causes %d and %d read %q", other, c, c)
		}
		seen[c.String()] = c
	}
	if got := DropCause(200).String(); got != DropUnknown.String() {
		t.Errorf("a cause of a newer recorder reads %q", got)
	}
}
