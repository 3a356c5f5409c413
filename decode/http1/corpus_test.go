package http1

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// input is a case of a corpus of byte strings for HTTP/1 parsers.
type input struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Fn       string `json:"fn"`
	Bug      string `json:"bug"`
	Input    []byte `json:"input_b64"`
	Decoded  []byte `json:"decoded_b64"`
	Expected string `json:"expected_ret"`
	Trailer  string `json:"consume_trailer"`
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

// runner decodes as a client's recording.
func runner(l decode.Limits) decodetest.Run {
	return func(steps []decodetest.Step, cut decodetest.Cut) []decode.Message {
		return play(New(c2s, l), steps, cut, true)
	}
}

// faults returns the kinds of anomaly of messages, without what comes of
// playing one direction alone.
func faults(list []decode.Message) map[decode.AnomalyKind]bool {
	out := allKinds(list)
	delete(out, decode.AnomalyNoRequest)
	return out
}

// heads returns the messages of one kind, interim responses as messages of their own.
func heads(list []decode.Message, kind decode.Kind) []decode.Message {
	var out []decode.Message
	for _, m := range decodetest.OfKind(list, kind) {
		for _, i := range m.Interim {
			out = append(out, decode.Message{Kind: kind, Proto: m.Proto, Status: i.Status, Header: i.Header})
		}
		out = append(out, m)
	}
	return out
}

// TestCorpusPico: what picohttpparser calls an error, an anomaly says; what it
// calls complete is a message without one; a chunked body decodes to the same bytes.
func TestCorpusPico(t *testing.T) {
	l := decodetest.NewLedger(t, "picohttpparser")
	for _, in := range readInputs(t, "picohttpparser") {
		l.Case()
		step, kind := decodetest.Step{Dir: c2s, Data: string(in.Input)}, decode.Request
		chunked := false
		switch in.Fn {
		case "test_request":
		case "test_headers":
			step.Data = "GET / HTTP/1.1\r\n" + step.Data
		case "test_response":
			step.Dir, kind = s2c, decode.Response
		default:
			chunked, kind = true, decode.Response
			step = decodetest.Step{Dir: s2c, Data: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + step.Data}
			if in.Trailer == "0" {
				step.Data += "\r\n" // picohttpparser was told to stop after the last chunk
			}
		}
		list := decodetest.Ways(t, "pico "+in.ID, []decodetest.Step{step}, runner(decode.Limits{}))
		whole, body := false, ""
		for _, m := range decodetest.OfKind(list, kind) {
			whole, body = m.Flags&decode.Incomplete == 0, string(m.Body.Data)
		}
		bad := faults(list)
		switch in.Expected {
		case "error", "-1":
			l.Expect(in.ID, len(bad) > 0, "an error to picohttpparser, nothing is said: %q", in.Input)
		case "incomplete", "-2":
			l.Expect(in.ID, !whole, "not complete to picohttpparser, but here: %q", in.Input)
		default:
			l.Expect(in.ID, whole, "complete to picohttpparser, not here: %q", in.Input)
		}
		if n, err := strconv.Atoi(in.Expected); chunked && err == nil && n >= 0 {
			l.Expect(in.ID+" body", body == string(in.Decoded), "body %q, want %q", body, in.Decoded)
		}
	}
	l.Close(63)
}

// TestCorpusGarden: requests that servers read in different ways. Something
// must be said of each.
func TestCorpusGarden(t *testing.T) {
	l := decodetest.NewLedger(t, "http-garden")
	for _, in := range readInputs(t, "http-garden") {
		l.Case()
		list := decodetest.Ways(t, "garden "+in.ID, []decodetest.Step{req(string(in.Input))}, runner(decode.Limits{}))
		l.Expect(in.ID, len(allKinds(list)) > 0, "%s: nothing is said of %q", in.Bug, in.Input)
	}
	l.Close(53)
}

// TestCorpusSeeds feeds fuzz seeds of h2o to both directions, with and without
// limits that each of them meets.
func TestCorpusSeeds(t *testing.T) {
	small := decode.Limits{Head: 300, Fields: 5, Body: 100, Pipeline: 3, Content: 1000}
	n := 0
	for _, f := range decodetest.Files(t, decodetest.Corpus(t, "h2o-http1-corpus"), "") {
		b := string(decodetest.Bytes(t, f))
		if b == "" {
			continue
		}
		n++
		for i, l := range []decode.Limits{small, {}} {
			steps := []decodetest.Step{{Dir: decode.Dir(i), Data: b}, {Dir: decode.Dir(i ^ 1), Data: b}}
			decodetest.Ways(t, filepath.Base(f), steps, runner(l))
		}
	}
	if t.Logf("%d seeds", n); n < 1000 {
		t.Errorf("%d seeds, want at least 1000", n)
	}
}
