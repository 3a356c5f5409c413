package export

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/format"
)

// twoSections is a file with all there is to say of one.
func twoSections() *SessionInfo {
	h := format.Session{UUID: [16]byte{1, 2, 3, 15: 16}, Wall: 1768216319_000000000, Mono: 1_000_000_000, UTCOffset: 4 * 3600,
		Writer: "spliff 0.1.0", Host: "web\x1b[2J", Kernel: "6.18.0", Arch: "amd64", Command: []string{"spliff", "record"}, Filter: "pid 812"}
	sum := format.Summary{
		Counts: map[format.Type]uint64{format.TypeData: 1234567, format.TypeDrop: 3, format.TypeClock: 2, 200: 1},
		Drops: []format.DropSum{{Cause: format.DropRingFull, Drops: 2, Events: 10, Bytes: 4096}, {Cause: format.DropControl, Drops: 1, Events: 1},
			{Cause: 99, Drops: 1, Bytes: 5}},
		Lost: format.DropSum{Drops: 4, Events: 11, Bytes: 4101}, Written: 5 << 20, Read: 7 << 30, Procs: 3, Conns: 1,
		Known:     []format.Proc{{PID: 812, PPID: 1, UID: 33, Comm: "curl", Exe: "/bin/curl", Args: []string{"curl", "a\nb"}, Cgroup: "/user"}},
		Probes:    []format.Probe{{ID: 1, Library: "openssl", Path: "/lib/libssl.so.3", BuildID: "ab12", Sites: []string{"SSL_read+0: sym", "SSL_write+0: sym"}}},
		Unwatched: []format.Unwatched{{Library: "rustls", Path: "/bin/a\nb", BuildID: "cd34", Reason: "seen, not supported"}, {Path: "/lib/libssl.so.1.1", Reason: "not a usable ELF file"}},
		First:     format.Clock{Wall: 1000, Mono: 500}, Last: format.Clock{Wall: 10_000_900, Mono: 10_000_500},
		Events: 1234573, RawBytes: 200 << 20, MinTime: 1_000_000_000, MaxTime: 61_000_000_000, Chunks: 200,
	}
	open := sum
	open.End = &format.End{Reason: "rotated", Next: 4}
	return &SessionInfo{Name: "a\x07.spl", Size: 3 << 20, All: true,
		Sections: []format.Section{
			{Size: 2 << 20, Header: h, Member: true, FileNo: 3, Summary: &open, ChunkBytes: 50 << 20, Footer: format.Footer{Index: true, Summary: true, Trailer: true}},
			{Offset: 2 << 20, Size: 1 << 20, Header: h, Member: true, Headless: true, Summary: &sum},
		},
		Damage: []format.Damage{{Offset: 77, Size: 10, Kind: format.DamageCorrupt, Detail: "the checksum of chunk 2 does not match"}},
	}
}

// wantInfo has times from 1970: sections made by hand have no clock.
const wantInfo = `a\x07.spl
    size         3.0MiB (3,145,728 bytes)
    format       1.0, 2 sections, 400 chunks, index of 1, summary of 1, trailer of 1
    damage       1 place
                 corrupt, 10 bytes from byte 77: the checksum of chunk 2 does not match
  section 1 at byte 0
    session      01020300-0000-0000-0000-000000000010, file 3 of several
    writer       spliff 0.1.0
    command      spliff record
    filter       pid 812
    host         web\x1b[2J  kernel 6.18.0  amd64
    begin        1970-01-01 04:00:01.000000 +04:00
    end          1970-01-01 04:01:01.000000 +04:00  60.0s
    closed       rotated, goes on in file 4
    clock        2 readings: the host's wall clock fell back 100ns in 10.0ms
    events       1,234,573: 1,234,567 data, 3 drop, 2 clock, 1 of type 200
    packed       200MiB in 50.0MiB, 25.0 %
    plaintext    5.0MiB written, 7.0GiB read, 1 connection
    processes    3: curl (812) and 2 more
    library      openssl  /lib/libssl.so.3  2 probes  build-id ab12
    unwatched    rustls  /bin/a\x0ab: seen, not supported
                 /lib/libssl.so.1.1: not a usable ELF file
    lost         11 events, 4,101 bytes in 4 places
                 kernel buffer full: 10 events, 4,096 bytes in 2 places
                 events without bytes: 1 event in 1 place
                 cause not known: 5 bytes in 1 place
  section 2 at byte 2,097,152
    session      the same, file ? of several
                 its file header is lost
    begin        1970-01-01 04:00:01.000000 +04:00
    end          1970-01-01 04:01:01.000000 +04:00  60.0s
    closed       not in order: it still runs, was killed, or the file is cut
    clock        2 readings: the host's wall clock fell back 100ns in 10.0ms
    events       1,234,573: 1,234,567 data, 3 drop, 2 clock, 1 of type 200
    packed       200MiB
    plaintext    5.0MiB written, 7.0GiB read, 1 connection
    processes    3: curl (812) and 2 more
    library      openssl  /lib/libssl.so.3  2 probes  build-id ab12
    unwatched    rustls  /bin/a\x0ab: seen, not supported
                 /lib/libssl.so.1.1: not a usable ELF file
    lost         11 events, 4,101 bytes in 4 places
                 kernel buffer full: 10 events, 4,096 bytes in 2 places
                 events without bytes: 1 event in 1 place
                 cause not known: 5 bytes in 1 place
`

func TestInfo(t *testing.T) {
	var b strings.Builder
	if err := Info(&b, twoSections(), InfoOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantInfo, b.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestInfoVerbose(t *testing.T) {
	var b strings.Builder
	if err := Info(&b, twoSections(), InfoOptions{Verbose: true, ASCII: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"                 812  curl  ppid 1  uid 33  /bin/curl  cgroup /user  $ curl a\\x0ab\n",
		"                 and 2 more\n",
		"                 SSL_write+0: sym\n",
		"    unwatched    rustls  /bin/a\\x0ab: seen, not supported\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestInfoJSON: the line is JSON, tells the numbers as they are, and holds nothing
// that a terminal obeys.
func TestInfoJSON(t *testing.T) {
	var b strings.Builder
	if err := InfoJSON(&b, twoSections()); err != nil {
		t.Fatal(err)
	}
	var v jsonInfo
	if err := json.Unmarshal([]byte(b.String()), &v); err != nil {
		t.Fatal(err)
	}
	s := v.Sections[0]
	switch {
	case v.V != 1 || v.Size != 3<<20 || len(v.Damage) != 1 || v.Damage[0].Kind != format.DamageCorrupt,
		s.UUID != "01020300-0000-0000-0000-000000000010" || s.FileNo == nil || *s.FileNo != 3,
		s.Summary.Counts["data"] != 1234567 || s.Summary.Counts["200"] != 1,
		len(s.Summary.Unwatched) != 2 || s.Summary.Unwatched[0] != jsonUnwatched{"rustls", "/bin/a\nb", "cd34", "seen, not supported"},
		s.Summary.Causes[0].Cause != "ring_full" || s.Summary.Causes[2].Cause != "99",
		s.Summary.Closed.Next != 4, v.Sections[1].Summary.Closed != nil, v.Sections[1].FileNo != nil:
		t.Errorf("%s", b.String())
	}
	if strings.ContainsAny(b.String(), "\x1b\x07") || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("%q", b.String())
	}
}

func TestVerdict(t *testing.T) {
	say := func(f *SessionInfo) string {
		var b strings.Builder
		if err := Verdict(&b, f, InfoOptions{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	f := twoSections()
	if got, want := say(f), "damaged: 1 place; spliff recover saves what is intact, 2,469,146 events\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	f.Damage = nil
	if got := say(f); !strings.HasPrefix(got, "not closed in order: ") {
		t.Errorf("%q", got)
	}
	f.Sections = f.Sections[:1]
	if got, want := say(f), "ok: 1,234,573 events in 200 chunks, all checksums, headers and footers are right\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1001001: "1,001,001", 12345678901: "12,345,678,901", 1<<64 - 1: "18,446,744,073,709,551,615"} {
		var s screen
		if s.grouped(n); string(s.buf) != want {
			t.Errorf("%d: %s, want %s", n, s.buf, want)
		}
	}
}
