package http1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// logged is a message as llhttp's log of events tells it.
type logged struct {
	start    [3]string // method, target, version; or version, status, reason
	header   []string  // name: value
	trailer  []string
	body     string
	hasHead  bool
	complete bool
}

// llhttpLog is what a log tells in the end.
type llhttpLog struct {
	messages []logged
	refused  string
	skips    bool              // its caller told it that there is no body
	part     map[string]string // text collected of what is not complete yet
}

// readLog replays the events. A text may come in pieces, until its "complete".
func readLog(lines []string) *llhttpLog {
	l := &llhttpLog{part: make(map[string]string)}
	for _, line := range lines {
		_, line, _ = strings.Cut(line, " ") // off=N
		if at := strings.Index(line, "span["); at >= 0 {
			name, value, _ := strings.Cut(line[at+len("span["):], "]=")
			switch value {
			case "cr":
				value = "\r"
			case "lf":
				value = "\n"
			default:
				value = strings.ReplaceAll(value[1:len(value)-1], `\t`, "\t")
			}
			if name == "body" {
				l.last().body += value
			} else {
				l.part[name] += value
			}
			continue
		}
		l.event(line)
	}
	return l
}

func (l *llhttpLog) last() *logged { return &l.messages[len(l.messages)-1] }

// take returns what was collected of a text, and forgets it.
func (l *llhttpLog) take(name string) string {
	s := l.part[name]
	delete(l.part, name)
	return s
}

func (l *llhttpLog) event(line string) {
	switch name, rest, _ := strings.Cut(line, " "); {
	case line == "message begin":
		l.messages = append(l.messages, logged{})
	case line == "method complete":
		l.last().start[0] = l.take("method")
	case line == "url complete":
		l.last().start[1] = l.take("url")
	case line == "version complete":
		at := 0
		if l.last().start[0] != "" {
			at = 2
		}
		l.last().start[at] = l.take("protocol") + "/" + l.take("version")
	case line == "status complete":
		l.last().start[2] = l.take("status")
	case line == "header_value complete":
		f := l.take("header_field") + ": " + strings.Trim(l.take("header_value"), " \t")
		if m := l.last(); m.hasHead {
			m.trailer = append(m.trailer, f)
		} else {
			m.header = append(m.header, f)
		}
	case name == "headers":
		m := l.last()
		m.hasHead = true
		if status, ok := strings.CutPrefix(rest, "complete status="); ok {
			m.start[1], _, _ = strings.Cut(status, " ")
		}
		if m.start[2] == "" && strings.Contains(rest, " v=0/9 ") {
			m.start[2] = versionNone
		}
	case line == "skip body":
		l.skips = true
	case line == "message complete":
		l.last().complete = true
	case name == "error" && !strings.Contains(rest, "ause"): // a pause is no error
		l.refused = rest
	}
}

// asLogged puts one of our messages in the same form.
func asLogged(m *decode.Message) logged {
	l := logged{start: [3]string{m.Method, m.Target, m.Proto}, hasHead: true}
	if m.Kind == decode.Response {
		l.start = [3]string{m.Proto, string([]byte{'0' + byte(m.Status/100), '0' + byte(m.Status/10%10), '0' + byte(m.Status%10)}), m.Reason}
	}
	for _, f := range m.Header {
		l.header = append(l.header, f.Name+": "+f.Value)
	}
	for _, f := range m.Trailer {
		l.trailer = append(l.trailer, f.Name+": "+f.Value)
	}
	l.body, l.complete = string(m.Body.Data), m.Flags&decode.Incomplete == 0
	return l
}

// TestCorpusLLHTTP compares with llhttp's event logs: where it refuses there
// must be an anomaly; the heads and bodies it found must be found, and no more.
func TestCorpusLLHTTP(t *testing.T) {
	l := decodetest.NewLedger(t, "llhttp")
	for _, in := range readInputs(t, "llhttp") {
		if in.Kind == "url" { // a parser of URLs, which are given as sent here
			continue
		}
		l.Case()
		dir, kind := c2s, decode.Request
		if strings.HasPrefix(in.Meta.Type, "response") {
			dir, kind = s2c, decode.Response
		}
		list := decodetest.Ways(t, in.ID, []decodetest.Step{{Dir: dir, Data: string(in.Input)}}, runner(decode.Limits{}))
		log, have := readLog(in.Log), heads(list, kind)
		if log.refused != "" {
			l.Expect(in.ID+" error", len(faults(list)) > 0, "llhttp: %s; nothing is said of %q", log.refused, in.Input)
		}
		if log.skips {
			continue
		}
		n := 0
		for _, want := range log.messages {
			if !want.hasHead {
				continue
			}
			n++
			if len(have) < n {
				l.Expect(in.ID+" head", false, "%d messages, want more; %q", len(have), in.Input)
				break
			}
			got := asLogged(&have[n-1])
			l.Expect(in.ID+" head", got.start == want.start && cmp.Equal(got.header, want.header),
				"%q %q, want %q %q", got.start, got.header, want.start, want.header)
			if want.complete {
				l.Expect(in.ID+" body", got.complete && got.body == want.body && cmp.Equal(got.trailer, want.trailer),
					"%t %q %q, want %q %q", got.complete, got.body, got.trailer, want.body, want.trailer)
			}
		}
		if log.refused == "" {
			for len(have) > n && have[len(have)-1].Flags&decode.Incomplete != 0 {
				have = have[:len(have)-1] // a head without its end
			}
			l.Expect(in.ID+" count", len(have) == n, "%d messages, want %d; %q", len(have), n, in.Input)
		}
	}
	l.Close(174)
}
