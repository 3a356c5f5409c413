package http1

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// input is a case of a corpus of byte strings for HTTP/1 parsers.
type input struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Title    string `json:"title"`
	Fn       string `json:"fn"`
	Input    []byte `json:"input_b64"`
	Expected string `json:"expected_ret"`
	Meta     struct {
		Type string `json:"type"`
	} `json:"meta"`
	Log []string `json:"expected_log"`
}

func readInputs(t testing.TB, name string) []input {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(t, name), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("find cases of %s: %v, %d found", name, err, len(files))
	}
	var out []input
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var in input
		if err := json.Unmarshal(b, &in); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, in)
	}
	return out
}

// lenient names the cases whose fault this package does not report, each for a reason.
var lenient = map[string]string{
	"request-invalid-004": "a method of another protocol is a method",
	"request-uri-007":     "UTF-8 in a target is wrong, but common and harmless",
	"request-sample-010":  "HTTP/0.9 is not told from junk",
}

// TestLLHTTP: where llhttp refuses, there must be an anomaly; where it does
// not, the heads it found must have been found.
func TestLLHTTP(t *testing.T) {
	for _, in := range readInputs(t, "llhttp") {
		if in.Kind == "url" || in.Meta.Type == "url" || strings.HasPrefix(in.ID, "url") {
			continue
		}
		t.Run(in.ID, func(t *testing.T) {
			dir, kind := c2s, decode.Request
			if strings.HasPrefix(in.Meta.Type, "response") {
				dir, kind = s2c, decode.Response
			}
			got := playAll(t, decode.Limits{Content: 1 << 20}, []act{{dir: dir, data: string(in.Input)}}, true)
			refused, heads := "", 0
			for _, line := range in.Log {
				if strings.Contains(line, "error code=") && !strings.Contains(line, "ause") { // a pause is no error
					refused = line
				}
				if strings.Contains(line, "headers complete") {
					heads++
				}
			}
			have := allKinds(got)
			delete(have, decode.AnomalyNoRequest)
			if refused != "" && len(have) == 0 && lenient[in.ID] == "" {
				t.Errorf("%s\nllhttp: %s\n%q\ngot %q", in.Title, refused, in.Input, briefs(got))
			}
			found := len(of(got, kind))
			for _, m := range of(got, kind) {
				found += len(m.Interim)
			}
			skips := strings.Contains(strings.Join(in.Log, "\n"), "skip body") // told so by its caller
			if refused == "" && found < heads && !skips && lenient[in.ID] == "" {
				t.Errorf("%s: %d heads, want %d\n%q\n%q\n%q", in.Title, found, heads, in.Input, briefs(got), in.Log)
			}
		})
	}
}

// TestPico: what picohttpparser calls an error, an anomaly says; what it calls
// complete, is.
func TestPico(t *testing.T) {
	for _, in := range readInputs(t, "picohttpparser") {
		t.Run(in.ID, func(t *testing.T) {
			a := act{dir: c2s, data: string(in.Input)}
			switch in.Fn {
			case "test_request", "test_headers":
			case "test_response":
				a.dir = s2c
			default:
				a = act{dir: s2c, data: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + a.data}
			}
			if in.Fn == "test_headers" {
				a.data = "GET / HTTP/1.1\r\n" + a.data
			}
			got := playAll(t, decode.Limits{}, []act{a}, true)
			have := allKinds(got)
			delete(have, decode.AnomalyNoRequest)
			if in.Expected == "error" && len(have) == 0 && lenient[in.ID] == "" {
				t.Errorf("%q is an error, got %q", in.Input, briefs(got))
			}
			if in.Expected == "complete" && len(of(got, decode.Request))+len(of(got, decode.Response)) == 0 {
				t.Errorf("%q is complete, got %q", in.Input, briefs(got))
			}
		})
	}
}

// TestGarden: every smuggling payload is read the same however it is cut, and
// something is said of it.
func TestGarden(t *testing.T) {
	silent := 0
	list := readInputs(t, "http-garden")
	for _, in := range list {
		got := playAll(t, decode.Limits{}, []act{req(string(in.Input))}, true)
		if len(allKinds(got)) == 0 {
			silent++
			t.Logf("%s says nothing: %q", in.ID, in.Input)
		}
	}
	if silent > len(list)/4 {
		t.Errorf("%d of %d payloads pass without a word", silent, len(list))
	}
}

// TestH11 feeds what h11's own tests received.
func TestH11(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t, "h11"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("find cases: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var list []struct {
			Role  string `json:"our_role"`
			Steps []struct {
				Receive []byte          `json:"receive_b64"`
				Event   json.RawMessage `json:"event"`
			} `json:"steps"`
		}
		if json.Unmarshal(b, &list) != nil {
			continue // not a transcript of this shape
		}
		for _, script := range list {
			var acts []act
			events := 0
			a, kind := s2c, decode.Response
			if script.Role == "SERVER" {
				a, kind = c2s, decode.Request
			}
			for _, st := range script.Steps {
				if len(st.Receive) > 0 {
					acts = append(acts, act{dir: a, data: string(st.Receive)})
				}
				if e := string(st.Event); strings.Contains(e, `"Request"`) || strings.Contains(e, `"Response"`) {
					events++
				}
			}
			got := playAll(t, decode.Limits{}, acts, true)
			if n := len(of(got, kind)); n < events {
				t.Errorf("%s: %d messages, h11 saw %d: %q", filepath.Base(f), n, events, briefs(got))
			}
		}
	}
}

// TestSeeds feeds fuzz seeds of h2o: no panic, and no difference by cut.
func TestSeeds(t *testing.T) {
	files, err := os.ReadDir(corpus(t, "h2o-http1-corpus"))
	if err != nil {
		t.Fatal(err)
	}
	dir := corpus(t, "h2o-http1-corpus")
	l := decode.Limits{Head: 300, Fields: 5, Body: 100, Pipeline: 3, Content: 1000}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []decode.Limits{l, {}} {
			for d := range decode.Dir(2) {
				acts := []act{{dir: d, data: string(b)}, {dir: d ^ 1, data: string(b)}}
				want := play(New(c2s, l), acts, whole, true)
				got := play(New(c2s, l), acts, one, true)
				if diff := cmp.Diff(want, got, sameBytes); diff != "" {
					t.Fatalf("%s: byte by byte differs (-whole +cut):\n%s", f.Name(), diff)
				}
			}
		}
	}
}

// chunkLine is a line of the plaintext streams taken from public captures.
type chunkLine struct {
	Conn *int   `json:"conn"`
	Dir  string `json:"dir"`
	Data string `json:"data"`
	Gap  int64  `json:"gap"`
}

// TestCaptures feeds the streams of public packet captures: no panic, no
// difference by cut, and HTTP/1 found in many.
func TestCaptures(t *testing.T) {
	root := corpus(t, "_chunks")
	exchanges := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonl.gz") {
			return err
		}
		for _, acts := range readCapture(t, path) {
			want := play(New(c2s, decode.Limits{Content: 1 << 20}), acts, whole, true)
			got := play(New(c2s, decode.Limits{Content: 1 << 20}), acts, random(5, 900), true)
			if diff := cmp.Diff(want, got, sameBytes); diff != "" {
				t.Errorf("%s: cuts differ (-whole +cut):\n%s", path, diff)
			}
			exchanges += len(of(want, decode.Response))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d responses", exchanges); exchanges < 500 {
		t.Errorf("%d responses found, want at least 500", exchanges)
	}
}

func readCapture(t *testing.T, path string) map[int][]act {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	conns := map[int][]act{}
	sizes := map[int]int{}
	sc := bufio.NewScanner(z)
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		var l chunkLine
		if json.Unmarshal(sc.Bytes(), &l) != nil || l.Conn == nil || l.Dir == "" {
			continue
		}
		a := act{dir: c2s, gap: l.Gap}
		if l.Dir == "s2c" {
			a.dir = s2c
		}
		b, err := base64.StdEncoding.DecodeString(l.Data)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if a.data = string(b); a.gap == 0 && a.data == "" {
			continue
		}
		if sizes[*l.Conn] += len(b); sizes[*l.Conn] < 4<<20 { // enough of each
			conns[*l.Conn] = append(conns[*l.Conn], a)
		}
	}
	return conns
}
