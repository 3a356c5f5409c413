package http2

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// runner decodes as a client's recording.
func runner(o options) decodetest.Run {
	return func(steps []decodetest.Step, cut decodetest.Cut) []decode.Message { return run(steps, cut, o) }
}

// frameCase is one frame, and what is in it or which errors it is.
type frameCase struct {
	Error []int
	Wire  string
	Frame *struct {
		Length, Type, Flags int
		Stream              uint32 `json:"stream_identifier"`
	}
}

// TestCorpusFrames feeds single frames after a preface: those the corpus calls
// errors must be described, the others must not be called bad frames, and their
// headers must read the same.
func TestCorpusFrames(t *testing.T) {
	l := decodetest.NewLedger(t, "h2frames")
	for _, file := range decodetest.Files(t, decodetest.Corpus(t, "h2frames"), ".json") {
		l.Case()
		name := filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".json")
		fc := decodetest.JSON[frameCase](t, file)
		wire, err := hex.DecodeString(fc.Wire)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		dir, pieces := c2s, []decodetest.Step{{Dir: c2s, Data: Preface}}
		if wire[3] == framePush {
			dir = s2c
		}
		ms := decodetest.Ways(t, name, append(pieces, decodetest.Step{Dir: dir, Data: string(wire)}), runner(options{}))
		if fc.Error != nil {
			l.Expect(name+" error", len(anomalies(ms)) > 0, "errors %v, nothing is said", fc.Error)
			continue
		}
		bad := badFrames(ms)
		l.Expect(name+" good", len(bad) == 0, "a good frame is called bad: %v", bad)
		if f := parseFrame(wire); fc.Frame != nil {
			got := fmt.Sprint(f.length, f.typ, f.flags, f.stream)
			want := fmt.Sprint(fc.Frame.Length, fc.Frame.Type, fc.Frame.Flags, fc.Frame.Stream)
			l.Expect(name+" header", got == want, "header %s, want %s", got, want)
		}
	}
	l.Close(24)
}

// badFrames returns the anomalies that call a frame bad for more than that it
// stands alone: streams of single frames are idle.
func badFrames(ms []decode.Message) []decode.Anomaly {
	var out []decode.Anomaly
	for _, m := range ms {
		for _, a := range m.Anomalies {
			bad := a.Kind == AnomalyBadFrame || a.Kind == AnomalyBadPadding || a.Kind == AnomalyFrameSize
			if bad && !strings.Contains(a.Detail, "not opened") {
				out = append(out, a)
			}
		}
	}
	return out
}

// talkCase is a connection of the conformance tester, and what the server made
// of it.
type talkCase struct {
	Chunks  []decodetest.Line
	Verdict []struct{ Frame, Error, Debug string } `json:"nghttpd_verdict"`
}

// verdict returns the error with which the server ended a stream or the
// connection, if it did.
func (c *talkCase) verdict() string {
	for _, v := range c.Verdict {
		if v.Error != "" && v.Error != "NO_ERROR" {
			return v.Frame + " " + v.Error + " " + v.Debug
		}
	}
	return ""
}

// TestCorpusH2Spec decodes what the conformance tester and a server said to each
// other: where the server enforced, what the client did must be described, and
// the server's own frame with its code by name; where it did not, nothing may
// be called a fault of the client's.
func TestCorpusH2Spec(t *testing.T) {
	l := decodetest.NewLedger(t, "h2spec-nghttpd")
	for _, file := range decodetest.Files(t, decodetest.Corpus(t, "h2spec-nghttpd"), ".json") {
		l.Case()
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		hc := decodetest.JSON[talkCase](t, file)
		var pieces []decodetest.Step
		for _, ch := range hc.Chunks {
			pieces = append(pieces, decodetest.Step{Dir: ch.Way(), Data: string(ch.Data)})
		}
		var faults []decode.Anomaly
		code := ""
		for _, m := range decodetest.Ways(t, name, pieces, runner(options{})) {
			for _, a := range m.Anomalies {
				switch {
				case a.Kind == AnomalyReset || a.Kind == AnomalyGoAway:
					code += a.Detail + "; "
				case a.Dir == c2s && a.Kind != decode.AnomalyTruncated:
					faults = append(faults, a)
				}
			}
		}
		verdict := hc.verdict()
		if verdict == "" {
			l.Expect(name+" accepted", len(faults) == 0, "the server accepts, here %v", faults)
			continue
		}
		l.Expect(name+" refused", len(faults) > 0, "%s, nothing is said", verdict)
		want := strings.Fields(verdict)[1]
		l.Expect(name+" code", strings.Contains(code, want), "the code %s is not named: %s", want, code)
	}
	l.Close(104)
}

// TestCorpusSeeds: fuzz seeds of other projects, as either direction, joined at
// the beginning and late, with limits that they meet and without.
func TestCorpusSeeds(t *testing.T) {
	small := decode.Limits{Streams: 4, Body: 64, Head: 512, Fields: 16, Content: 1000}
	n := 0
	for _, name := range []string{"nghttp2-corpus", "h2o-http2-corpus"} {
		for _, file := range decodetest.Files(t, decodetest.Corpus(t, name), "") {
			b := string(decodetest.Bytes(t, file))
			if b == "" || filepath.Base(file) == "LICENSE" {
				continue
			}
			n++
			base := filepath.Base(file)
			decodetest.Ways(t, base, []decodetest.Step{{Dir: c2s, Data: b}, {Dir: s2c, Data: b}}, runner(options{limits: small}))
			decodetest.Ways(t, base+" server", []decodetest.Step{{Dir: c2s, Data: Preface}, {Dir: s2c, Data: b}, {Dir: c2s, Data: b}}, runner(options{}))
			decodetest.Ways(t, base+" late", []decodetest.Step{{Dir: s2c, Data: b}, {Dir: c2s, Data: b}}, runner(options{mid: true}))
		}
	}
	if t.Logf("%d seeds", n); n < 500 {
		t.Errorf("%d seeds, want at least 500", n)
	}
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
