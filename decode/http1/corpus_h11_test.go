package http1

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// h11Event is what h11 makes of bytes: a message's head, data, its end.
type h11Event struct {
	Type    string      `json:"type"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Status  int         `json:"status_code"`
	Reason  string      `json:"reason"`
	Version string      `json:"http_version"`
	Headers [][2]string `json:"headers"`
	Data    string      `json:"data"`
}

// h11Script is one test of h11: what a connection received and sent, or the
// input of one reader.
type h11Script struct {
	Test  string `json:"test"`
	Role  string `json:"our_role"`
	Steps []struct {
		Receive []byte          `json:"receive_b64"`
		Event   json.RawMessage `json:"event"`
		Send    *h11Event       `json:"send"`
		Error   string          `json:"error"`
	} `json:"steps"`
	Reader   string    `json:"reader"`
	Input    []byte    `json:"input_b64"`
	Expected *h11Event `json:"expected"`
}

// received returns the steps to play and the messages that h11 got out of them.
func (s *h11Script) received(dir decode.Dir) (steps []decodetest.Step, want []logged, refused string) {
	if s.Reader != "" {
		steps = []decodetest.Step{{Dir: dir, Data: string(s.Input)}}
		if s.Expected == nil {
			return steps, nil, "the reader refuses"
		}
		return steps, addEvent(nil, s.Expected), ""
	}
	for _, st := range s.Steps {
		if len(st.Receive) > 0 {
			steps = append(steps, decodetest.Step{Dir: dir, Data: string(st.Receive)})
		}
		if st.Error != "" {
			refused = st.Error
		}
		var e h11Event
		if json.Unmarshal(st.Event, &e) == nil && e.Type != "" {
			want = addEvent(want, &e)
		}
	}
	return steps, want, refused
}

// addEvent adds an event to the messages it belongs to. h11 gives field names
// in lower case and targets as sent.
func addEvent(list []logged, e *h11Event) []logged {
	switch e.Type {
	case "Request", "Response", "InformationalResponse":
		m := logged{start: [3]string{e.Method, e.Target, "HTTP/" + e.Version}, hasHead: true}
		if e.Status != 0 {
			m.start = [3]string{"HTTP/" + e.Version, strconv.Itoa(e.Status), e.Reason}
			m.complete = e.Status < 200
		}
		for _, h := range e.Headers {
			m.header = append(m.header, h[0]+": "+h[1])
		}
		return append(list, m)
	}
	if len(list) == 0 {
		return list
	}
	m := &list[len(list)-1]
	switch e.Type {
	case "Data":
		m.body += e.Data
	case "EndOfMessage":
		m.complete = true
		for _, h := range e.Headers {
			m.trailer = append(m.trailer, h[0]+": "+h[1])
		}
	}
	return list
}

// asked puts the requests that the other side must have sent in front of the
// steps of a client: a response is read by what it answers.
func (s *h11Script) asked(steps []decodetest.Step) []decodetest.Step {
	head := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, st := range s.Steps {
		if e := st.Send; e != nil && e.Type == "Request" {
			head = e.Method + " " + e.Target + " HTTP/1.1\r\n"
			for _, h := range e.Headers {
				if !strings.EqualFold(h[0], "content-length") && !strings.EqualFold(h[0], "transfer-encoding") {
					head += h[0] + ": " + h[1] + "\r\n"
				}
			}
			head += "\r\n"
		}
	}
	return append([]decodetest.Step{{Dir: c2s, Data: head}}, steps...)
}

// TestCorpusH11 compares with what h11's own tests received: the same messages,
// and an anomaly where h11 refused.
func TestCorpusH11(t *testing.T) {
	l := decodetest.NewLedger(t, "h11")
	for _, f := range decodetest.Files(t, decodetest.Corpus(t, "h11"), ".json") {
		base := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(f), ".json"), "test_")
		for i, s := range decodetest.JSON[[]h11Script](t, f) {
			name := base + " " + strconv.Itoa(i+1)
			l.Case()
			dir, kind := s2c, decode.Response
			if s.Role == "SERVER" || strings.Contains(s.Reader, "client") {
				dir, kind = c2s, decode.Request
			}
			steps, want, refused := s.received(dir)
			if kind == decode.Response {
				steps = s.asked(steps)
			}
			list := decodetest.Ways(t, name, steps, runner(decode.Limits{}))
			if refused != "" {
				l.Expect(name+" error", len(faults(list)) > 0, "h11: %s; nothing is said", refused)
			}
			compareH11(l, name, want, heads(list, kind))
		}
	}
	l.Close(90)
}

func compareH11(l *decodetest.Ledger, name string, want []logged, have []decode.Message) {
	for i := range want {
		if i >= len(have) {
			l.Expect(name+" head", false, "%d messages, want %d", len(have), len(want))
			return
		}
		got, w := asLogged(&have[i]), &want[i]
		l.Expect(name+" head", got.start == w.start && cmp.Equal(got.header, w.header),
			"%q %q, want %q %q", got.start, got.header, w.start, w.header)
		if w.complete {
			l.Expect(name+" body", got.complete && got.body == w.body && cmp.Equal(got.trailer, w.trailer),
				"%t %q %q, want %q %q", got.complete, got.body, got.trailer, w.body, w.trailer)
		}
	}
}
