package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// TestImportCorpus imports every captured conversation of the shared corpus and
// shows it as JSON: the same exchanges as when its bytes go straight to the
// engine.
func TestImportCorpus(t *testing.T) {
	names := decodetest.Captures(t)
	dir := t.TempDir()
	lines, exchanges, withGap := 0, 0, 0
	for i, name := range names {
		text := decodetest.Bytes(t, name)
		in, spl := name, filepath.Join(dir, "c.spl")
		if i%2 == 0 {
			// Half of them unpacked: both ways in.
			in = filepath.Join(dir, "c.jsonl")
			if err := os.WriteFile(in, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if code, _, errs := runQuiet(t, "import", "-f", "events", in, "-o", spl, "--force"); code != 0 {
			t.Fatalf("%s: import: exit %d: %s", name, code, errs)
		}
		code, got, errs := runQuiet(t, "export", spl, "-f", "json")
		if code != 0 {
			t.Fatalf("%s: export: exit %d: %s", name, code, errs)
		}
		want, sum := direct(t, name)
		if got != want {
			t.Errorf("%s: other exchanges\n got %.600s\nwant %.600s", name, got, want)
		}
		lines += bytes.Count(text, []byte("\n"))
		exchanges += int(sum.Exchanges)
		if sum.Gaps > 0 {
			withGap++
		}
	}
	t.Logf("%d files, %d lines, %d exchanges, %d files with gaps", len(names), lines, exchanges, withGap)
	if exchanges < 500 || withGap == 0 {
		t.Errorf("only %d exchanges and %d files with gaps in %d files", exchanges, withGap, len(names))
	}
}

// runQuiet runs one command line in this process.
func runQuiet(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := osEnv()
	e.stdin, e.stdout, e.stderr = bytes.NewReader(nil), &out, &errs
	e.terminal = func(any) bool { return false }
	code = run(context.Background(), e, args)
	return code, out.String(), errs.String()
}

// direct gives the bytes of a capture to the engine with what the import knows,
// and returns the JSON lines of the exchanges.
func direct(t *testing.T, name string) (string, replay.Summary) {
	t.Helper()
	var out bytes.Buffer
	lines := export.Decoded(export.NewJSON(&out, export.JSONOptions{}), defaultBody)
	sink := export.Collected(lines, export.CollectLimits{})
	e := replay.New(replay.Options{Limits: decode.Limits{Body: defaultBody, Hash: true}}, sink.Item)
	var seq, now uint64
	push := func(ev format.Event) {
		ev.Seq, ev.Time = seq, now
		seq++
		if err := e.Push(&ev); err != nil {
			t.Fatal(err)
		}
	}
	type side struct {
		off uint64
		end string
	}
	type peer struct {
		conn  format.Conn
		begun bool
		sides [2]side
	}
	conns := map[uint32]*peer{}
	push(format.Event{Type: format.TypeSession})
	push(format.Event{Type: format.TypeProc, Payload: (&format.Proc{PID: 1, Comm: "client"}).AppendTo(nil)})
	for _, l := range timed(t, name) {
		id := l.Conn + 1
		if l.Client != "" {
			local, remote := address(t, l.Client), address(t, l.Server)
			conns[id] = &peer{conn: format.Conn{PID: 1, Role: format.RoleClient, Local: local, Remote: remote}}
			continue
		}
		if l.TS != 0 {
			now = l.TS
		}
		p, way := conns[id], l.Way()
		if !p.begun {
			p.begun = true
			push(format.Event{Type: format.TypeConn, Conn: id, Payload: p.conn.AppendTo(nil)})
		}
		s := &p.sides[way]
		switch {
		case l.Gap > 0:
			s.off += l.Gap
		case l.End != "":
			if s.end = l.End; p.sides[0].end != "" && p.sides[1].end != "" {
				push(connEnd(id, p.sides[0].off, p.sides[1].off, p.sides[0].end, p.sides[1].end))
			}
		default:
			push(format.Event{Type: format.TypeData, Dir: format.Dir(way) + 1, Conn: id, Offset: s.off, Payload: l.Data})
			s.off += uint64(len(l.Data))
		}
	}
	for id := range uint32(len(conns) + 1) {
		if p := conns[id]; p != nil && (p.sides[0].end == "" || p.sides[1].end == "") && (p.sides[0].end == "rst" || p.sides[1].end == "rst") {
			push(connEnd(id, p.sides[0].off, p.sides[1].off, p.sides[0].end, p.sides[1].end))
		}
	}
	push(format.Event{Type: format.TypeEnd})
	sum, err := e.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), sum
}

// connEnd: only a server that finished makes what was read whole.
func connEnd(id uint32, written, read uint64, c2s, s2c string) format.Event {
	end := format.ConnEnd{Written: written, Read: read}
	if s2c == "fin" {
		end.Reason, end.Shutdown = format.EndFree, c2s == "fin"
	}
	return format.Event{Type: format.TypeConnEnd, Conn: id, Payload: end.AppendTo(nil)}
}

// timedLine is a line of a capture with its time.
type timedLine struct {
	decodetest.Line
	TS uint64
}

func timed(t *testing.T, name string) []timedLine {
	t.Helper()
	var out []timedLine
	for dec := json.NewDecoder(bytes.NewReader(decodetest.Bytes(t, name))); dec.More(); {
		var l timedLine
		if err := dec.Decode(&l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, l)
	}
	return out
}

// address reads what the captures have, IPv6 without brackets.
func address(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	host, port := text[:strings.LastIndex(text, ":")], text[strings.LastIndex(text, ":")+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(host), uint16(n))
}
