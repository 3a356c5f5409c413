package http2

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// TestFrameCases feeds single frames after a preface: those the corpus calls
// errors must be described, the others must not.
func TestFrameCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusDir(t, "h2frames"), "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list frames: %v, %d", err, len(files))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var fc struct {
			Error []int
			Wire  string
		}
		if err := json.Unmarshal(raw, &fc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		wire, err := hex.DecodeString(fc.Wire)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			dir, pieces := c2s, []piece{{dir: c2s, data: []byte(Preface)}}
			if wire[3] == framePush {
				dir = s2c
			}
			ms := runAll(t, append(pieces, piece{dir: dir, data: wire}), options{})
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
	files, err := filepath.Glob(filepath.Join(corpusDir(t, "h2spec-nghttpd"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list connections: %v, %d", err, len(files))
	}
	silent, refused := []string{}, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var hc struct {
			Chunks []struct {
				Dir  string
				Data []byte
			}
			Verdict []struct{ Frame, Error, Debug string } `json:"nghttpd_verdict"`
		}
		if err := json.Unmarshal(raw, &hc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var pieces []piece
		for _, ch := range hc.Chunks {
			p := piece{dir: c2s, data: ch.Data}
			if ch.Dir == "s2c" {
				p.dir = s2c
			}
			pieces = append(pieces, p)
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
		err := filepath.WalkDir(corpusDir(t, name), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n++
			runCuts(t, []piece{{dir: c2s, data: b}, {dir: s2c, data: b}}, options{}, 1)
			runCuts(t, []piece{{dir: c2s, data: []byte(Preface)}, {dir: s2c, data: b}, {dir: c2s, data: b}}, options{}, 3)
			runCuts(t, []piece{{dir: s2c, data: b}, {dir: c2s, data: b}}, options{mid: true}, 4)
			return nil
		})
		if err != nil {
			t.Fatal(err)
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
	f.Add(k.pieces[0].data, k.pieces[1].data, uint16(0))
	f.Add(k.pieces[0].data, k.pieces[1].data, uint16(0x8123))
	f.Add(k.pieces[0].data[len(Preface):], k.pieces[1].data, uint16(1))
	f.Fuzz(func(t *testing.T, a, b []byte, how uint16) {
		at := int(how>>3) % (len(a) + 1)
		pieces := []piece{{dir: c2s, data: a[:at]}, {dir: s2c, data: b}, {dir: c2s, data: a[at:]}}
		if how&2 != 0 {
			pieces = append(pieces[:2:2], piece{dir: c2s, gap: int(how>>9) - 1}, pieces[2])
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
