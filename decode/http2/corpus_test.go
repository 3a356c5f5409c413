package http2

import (
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestFrameCases feeds single frames after a preface: those the corpus calls
// errors must be described, the others must not.
func TestFrameCases(t *testing.T) {
	type frameCase struct {
		Error []int
		Wire  string
	}
	for _, file := range decodetest.Files(t, decodetest.Corpus(t, "h2frames"), ".json") {
		fc := decodetest.JSON[frameCase](t, file)
		wire, err := hex.DecodeString(fc.Wire)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			dir, pieces := c2s, []decodetest.Step{{Dir: c2s, Data: Preface}}
			if wire[3] == framePush {
				dir = s2c
			}
			ms := runAll(t, append(pieces, decodetest.Step{Dir: dir, Data: string(wire)}), options{})
			if found := anomalies(ms); len(fc.Error) > 0 && len(found) == 0 {
				t.Errorf("not described; the corpus says errors %v", fc.Error)
			}
			for _, m := range ms {
				for _, a := range m.Anomalies {
					// The frames stand alone, so their streams are idle.
					bad := a.Kind == AnomalyBadFrame || a.Kind == AnomalyBadPadding
					if fc.Error == nil && bad && !strings.Contains(a.Detail, "not opened") {
						t.Errorf("a good frame is called bad: %+v", a)
					}
				}
			}
		})
	}
}

// TestH2Spec decodes what the conformance tester and a server said to each
// other: where the server gave an error code, something must be described.
func TestH2Spec(t *testing.T) {
	type talkCase struct {
		Chunks  []decodetest.Line
		Verdict []struct{ Frame, Error, Debug string } `json:"nghttpd_verdict"`
	}
	files := decodetest.Files(t, decodetest.Corpus(t, "h2spec-nghttpd"), ".json")
	silent, refused := []string{}, 0
	for _, file := range files {
		hc := decodetest.JSON[talkCase](t, file)
		var pieces []decodetest.Step
		for _, ch := range hc.Chunks {
			pieces = append(pieces, decodetest.Step{Dir: ch.Way(), Data: string(ch.Data)})
		}
		ms := runAll(t, pieces, options{})
		verdict := ""
		for _, v := range hc.Verdict {
			if v.Error != "" && v.Error != "NO_ERROR" {
				verdict = v.Frame + " " + v.Error + " " + v.Debug
			}
		}
		if verdict != "" {
			refused++
			described := false
			for _, m := range ms {
				for _, a := range m.Anomalies {
					described = described || a.Dir == c2s && a.Kind != AnomalyReset && a.Kind != decode.AnomalyTruncated
				}
			}
			if !described {
				silent = append(silent, filepath.Base(file)+" "+verdict)
			}
		}
	}
	// Flow control and stream states that need it are not tracked.
	t.Logf("%d connections, %d refused by the server, not described by us: %q", len(files), refused, silent)
	if len(silent) > refused/4 {
		t.Errorf("%d of %d violations were not described", len(silent), refused)
	}
}

// TestSeeds: fuzz seeds of other projects, as either direction.
func TestSeeds(t *testing.T) {
	n := 0
	for _, name := range []string{"nghttp2-corpus", "h2o-http2-corpus"} {
		for _, file := range decodetest.Files(t, decodetest.Corpus(t, name), "") {
			b := string(decodetest.Bytes(t, file))
			n++
			runCuts(t, []decodetest.Step{{Dir: c2s, Data: b}, {Dir: s2c, Data: b}}, options{}, 1)
			runCuts(t, []decodetest.Step{{Dir: c2s, Data: Preface}, {Dir: s2c, Data: b}, {Dir: c2s, Data: b}}, options{}, 3)
			runCuts(t, []decodetest.Step{{Dir: s2c, Data: b}, {Dir: c2s, Data: b}}, options{mid: true}, 4)
		}
	}
	t.Logf("%d seeds", n)
}

func FuzzConn(f *testing.F) {
	k := newTalk(f)
	k.get(1, "x-a", "b")
	k.post(3)
	k.cl.data(3, true, []byte("body"))
	k.sv.block(1, false, ":status", "103")
	k.sv.block(1, true, ":status", "200", "content-length", "0")
	k.sv.frame(framePush, flagEndHeaders, 3, append([]byte{0, 0, 0, 2}, k.sv.encode(":method", "GET")...)...)
	k.sv.frame(frameReset, 0, 3, 0, 0, 0, 8)
	k.flush()
	f.Add([]byte(k.pieces[0].Data), []byte(k.pieces[1].Data), uint16(0))
	f.Add([]byte(k.pieces[0].Data), []byte(k.pieces[1].Data), uint16(0x8123))
	f.Add([]byte(k.pieces[0].Data[len(Preface):]), []byte(k.pieces[1].Data), uint16(1))
	g := newTalk(f)
	g.post(1, "content-type", "application/grpc")
	g.cl.data(1, false, []byte("\x00\x00\x00\x00\x03abc\x00\x00"))
	g.cl.data(1, true, []byte("\x00\x00\x00"))
	g.sv.block(1, false, ":status", "200", "content-type", "text/event-stream")
	g.sv.data(1, true, []byte("data: a\n\ndata"))
	g.flush()
	f.Add([]byte(g.pieces[0].Data), []byte(g.pieces[1].Data), uint16(0))
	f.Add([]byte(g.pieces[0].Data), []byte(g.pieces[1].Data), uint16(0x0642))
	f.Fuzz(func(t *testing.T, a, b []byte, how uint16) {
		at := int(how>>3) % (len(a) + 1)
		pieces := []decodetest.Step{{Dir: c2s, Data: string(a[:at])}, {Dir: s2c, Data: string(b)}, {Dir: c2s, Data: string(a[at:])}}
		if how&2 != 0 {
			pieces = append(pieces[:2:2], decodetest.Step{Dir: c2s, Gap: int(how>>9) - 1}, pieces[2])
		}
		lim := decode.Limits{Streams: 4, Body: 64, Head: 512, Fields: 16, Content: 1000}
		if how&4 != 0 {
			lim = decode.Limits{}
		}
		for _, m := range runCuts(t, pieces, options{mid: how&1 != 0, limits: lim}, 1, 2) {
			if m.Kind == 0 || m.Body.Size < m.Body.Lost || m.Kind != decode.Opaque && uint64(len(m.Body.Data)) > m.Body.Size {
				t.Fatalf("impossible message %+v", m)
			}
		}
	})
}
