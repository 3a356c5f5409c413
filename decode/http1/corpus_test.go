package http1

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
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
	var out []input
	for _, file := range decodetest.Files(t, decodetest.Corpus(t, name), ".json") {
		out = append(out, decodetest.JSON[input](t, file))
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
			got := playAll(t, decode.Limits{Content: 1 << 20}, []decodetest.Step{{Dir: dir, Data: string(in.Input)}}, true)
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
			found := len(decodetest.OfKind(got, kind))
			for _, m := range decodetest.OfKind(got, kind) {
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
			a := decodetest.Step{Dir: c2s, Data: string(in.Input)}
			switch in.Fn {
			case "test_request", "test_headers":
			case "test_response":
				a.Dir = s2c
			default:
				a = decodetest.Step{Dir: s2c, Data: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + a.Data}
			}
			if in.Fn == "test_headers" {
				a.Data = "GET / HTTP/1.1\r\n" + a.Data
			}
			got := playAll(t, decode.Limits{}, []decodetest.Step{a}, true)
			have := allKinds(got)
			delete(have, decode.AnomalyNoRequest)
			if in.Expected == "error" && len(have) == 0 && lenient[in.ID] == "" {
				t.Errorf("%q is an error, got %q", in.Input, briefs(got))
			}
			if in.Expected == "complete" && len(decodetest.OfKind(got, decode.Request))+len(decodetest.OfKind(got, decode.Response)) == 0 {
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
		got := playAll(t, decode.Limits{}, []decodetest.Step{req(string(in.Input))}, true)
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
	for _, f := range decodetest.Files(t, decodetest.Corpus(t, "h11"), ".json") {
		var list []struct {
			Role  string `json:"our_role"`
			Steps []struct {
				Receive []byte          `json:"receive_b64"`
				Event   json.RawMessage `json:"event"`
			} `json:"steps"`
		}
		if json.Unmarshal(decodetest.Bytes(t, f), &list) != nil {
			continue // not a transcript of this shape
		}
		for _, script := range list {
			var acts []decodetest.Step
			events := 0
			a, kind := s2c, decode.Response
			if script.Role == "SERVER" {
				a, kind = c2s, decode.Request
			}
			for _, st := range script.Steps {
				if len(st.Receive) > 0 {
					acts = append(acts, decodetest.Step{Dir: a, Data: string(st.Receive)})
				}
				if e := string(st.Event); strings.Contains(e, `"Request"`) || strings.Contains(e, `"Response"`) {
					events++
				}
			}
			got := playAll(t, decode.Limits{}, acts, true)
			if n := len(decodetest.OfKind(got, kind)); n < events {
				t.Errorf("%s: %d messages, h11 saw %d: %q", filepath.Base(f), n, events, briefs(got))
			}
		}
	}
}

// TestSeeds feeds fuzz seeds of h2o: no panic, and no difference by cut.
func TestSeeds(t *testing.T) {
	l := decode.Limits{Head: 300, Fields: 5, Body: 100, Pipeline: 3, Content: 1000}
	for _, f := range decodetest.Files(t, decodetest.Corpus(t, "h2o-http1-corpus"), "") {
		b := decodetest.Bytes(t, f)
		for _, l := range []decode.Limits{l, {}} {
			for d := range decode.Dir(2) {
				acts := []decodetest.Step{{Dir: d, Data: string(b)}, {Dir: d ^ 1, Data: string(b)}}
				want := play(New(c2s, l), acts, decodetest.Whole, true)
				got := play(New(c2s, l), acts, decodetest.Single, true)
				if diff := cmp.Diff(want, got, sameBytes); diff != "" {
					t.Fatalf("%s: byte by byte differs (-whole +cut):\n%s", filepath.Base(f), diff)
				}
			}
		}
	}
}

// TestCaptures feeds the streams of public packet captures: no panic, no
// difference by cut, and HTTP/1 found in many.
func TestCaptures(t *testing.T) {
	exchanges := 0
	l := decode.Limits{Content: 1 << 20}
	for _, file := range decodetest.Captures(t) {
		for _, acts := range decodetest.Conversations(decodetest.ReadCapture(t, file), 4<<20) {
			want := play(New(c2s, l), acts, decodetest.Whole, true)
			got := play(New(c2s, l), acts, decodetest.Random(5, 900), true)
			if diff := cmp.Diff(want, got, sameBytes); diff != "" {
				t.Errorf("%s: cuts differ (-whole +cut):\n%s", file, diff)
			}
			exchanges += len(decodetest.OfKind(want, decode.Response))
		}
	}
	if t.Logf("%d responses", exchanges); exchanges < 500 {
		t.Errorf("%d responses found, want at least 500", exchanges)
	}
}
