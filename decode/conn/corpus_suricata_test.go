package conn

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// suricataCheck is one check of a test.yaml: how many events match.
type suricataCheck struct {
	count int
	match map[string]string
}

// readChecks reads the part of YAML that the checks use: "count: N", and below
// it "match:" with a key and a value a line.
func readChecks(text string) []suricataCheck {
	var out []suricataCheck
	matching := false
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimRight(line, "\r\n"), " #")
		key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "- "), ":")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case !ok || strings.HasPrefix(key, "#"):
		case key == "filter" || key == "shell" || key == "stats":
			matching = false
			if key == "filter" {
				out = append(out, suricataCheck{match: make(map[string]string)})
			}
		case len(out) == 0:
		case key == "count":
			out[len(out)-1].count, _ = strconv.Atoi(value)
			matching = false
		case key == "match":
			matching = true
		case matching:
			out[len(out)-1].match[key] = value
		}
	}
	return out
}

// suricataEvents puts what was decoded in the words of eve.json, as far as
// they tell of HTTP: an event of type http for each exchange, and one of type
// fileinfo for each body.
func suricataEvents(c *capture) []map[string]string {
	var out []map[string]string
	for _, x := range c.exchanges {
		e := map[string]string{"event_type": "http"}
		if m := x.req; m != nil {
			e["http.http_method"], e["http.url"], e["http.protocol"] = m.Method, m.Target, m.Proto
			e["http.hostname"] = m.Authority
			headerEvents(e, m, "http.request_headers")
		}
		if m := x.resp; m != nil {
			e["http.status"] = strconv.Itoa(m.Status)
			e["http.length"] = fmt.Sprint(m.Body.Size - m.Body.Lost)
			headerEvents(e, m, "http.response_headers")
		}
		for _, m := range []*decode.Message{x.req, x.resp} {
			if m != nil && m.Stream != 0 {
				e["http.version"], e["http.http2.stream_id"] = "2", fmt.Sprint(m.Stream)
			}
		}
		out = append(out, e)
		for _, m := range []*decode.Message{x.req, x.resp} {
			if m != nil && m.Body.Size > 0 {
				out = append(out, fileEvent(e, m))
			}
		}
	}
	return out
}

// headerEvents numbers the fields; of HTTP/2 the pseudo-header fields come first.
func headerEvents(e map[string]string, m *decode.Message, key string) {
	fields := m.Header
	if m.Stream != 0 {
		head := []decode.Field{{Name: ":status", Value: strconv.Itoa(m.Status)}}
		if m.Kind == decode.Request {
			head = []decode.Field{{Name: ":authority", Value: m.Authority}, {Name: ":method", Value: m.Method}, {Name: ":path", Value: m.Target}, {Name: ":scheme", Value: m.Scheme}}
		}
		fields = append(head, fields...)
	}
	for _, f := range fields {
		// The numbers depend on the order on the wire, of which pseudo-header
		// fields have none here: a set of fields is compared.
		e[key+" "+strings.ToLower(f.Name)] = f.Value
		if strings.EqualFold(f.Name, "user-agent") {
			e["http.http_user_agent"] = f.Value
		}
	}
}

// fileEvent tells of a body as Suricata does of a file.
func fileEvent(of map[string]string, m *decode.Message) map[string]string {
	e := map[string]string{}
	for k, v := range of {
		e[k] = v
	}
	e["event_type"] = "fileinfo"
	e["fileinfo.size"] = fmt.Sprint(bodyLen(m))
	e["fileinfo.state"], e["fileinfo.gaps"] = "CLOSED", "false"
	if m.Flags&decode.Incomplete != 0 || m.Body.Lost > 0 {
		e["fileinfo.state"] = "TRUNCATED"
	}
	if m.Flags&decode.Gapped != 0 {
		e["fileinfo.gaps"], e["fileinfo.size"] = "true", fmt.Sprint(m.Body.Size) // lost bytes count there
	}
	path, _, _ := strings.Cut(of["http.url"], "?")
	e["fileinfo.filename"] = path
	for _, f := range m.Header {
		if _, name, ok := strings.Cut(f.Value, "filename="); ok && strings.EqualFold(f.Name, "content-disposition") {
			e["fileinfo.filename"] = strings.Trim(name, `"`)
		}
	}
	return e
}

// matches compares an event with a check. Keys of fields by number are compared
// as a set, see headerEvents.
func (c *suricataCheck) matches(e map[string]string) bool {
	for k, want := range c.match {
		if list, part, ok := strings.Cut(k, "["); ok {
			if strings.HasSuffix(part, "].value") {
				continue
			}
			value := c.match[strings.TrimSuffix(k, "name")+"value"]
			if e[list+" "+strings.ToLower(want)] != value {
				return false
			}
			continue
		}
		if e[k] != want {
			return false
		}
	}
	return true
}

// comparable reports whether a check is about what a decoder of HTTP says:
// events of exchanges and bodies, told in keys that have their like here.
func (c *suricataCheck) comparable(known map[string]bool) bool {
	if t := c.match["event_type"]; t != "http" && t != "fileinfo" {
		return false
	}
	for k := range c.match {
		base, _, _ := strings.Cut(k, "[")
		if !known[base] || strings.Contains(k, "table_size_update") {
			return false
		}
	}
	return c.match["http.http2.stream_id"] != "0"
}

// evaderRules are the contents that the rules of the evader tests look for in
// a decoded body.
func evaderRules() map[string]string {
	return map[string]string{"1": "EICAR-STANDARD-ANTIVIRUS-TEST-FILE", "2": "X5O!P%@AP[4"}
}

// bodiesWith counts the responses whose body, decoded or as sent, holds text.
func bodiesWith(c *capture, text string) int {
	n := 0
	for _, x := range c.exchanges {
		if m := x.resp; m != nil && (bytes.Contains(m.Body.Content, []byte(text)) || bytes.Contains(m.Body.Data, []byte(text))) {
			n++
		}
	}
	return n
}

// tells reports whether anything is said to be wrong.
func tells(list []decode.Message) bool {
	return slices.ContainsFunc(list, func(m decode.Message) bool { return len(m.Anomalies) > 0 || m.Body.ContentErr != "" })
}

// TestCorpusSuricata compares with the checks of suricata-verify that are about
// HTTP. Those of rules and of other protocols are counted and left out.
func TestCorpusSuricata(t *testing.T) {
	l := decodetest.NewLedger(t, "suricata-verify")
	root := decodetest.Corpus(t, "suricata-verify")
	known := make(map[string]bool)
	for _, k := range strings.Fields(`event_type http.http_method http.url http.protocol http.hostname http.status http.length http.version
		http.http_user_agent http.http2.stream_id http.request_headers http.response_headers
		fileinfo.size fileinfo.state fileinfo.gaps fileinfo.filename`) {
		known[k] = true
	}
	left := 0
	captures(t, "suricata-verify", func(c *capture) {
		l.Case()
		dir := filepath.Dir(c.name)
		text, err := os.ReadFile(filepath.Join(root, dir, "test.yaml"))
		if err != nil {
			return // a capture that several tests share
		}
		if strings.Contains(string(text), "simulate-ips") {
			left++ // what it drops is not in the capture's nature
			return
		}
		events := suricataEvents(c)
		for i, check := range readChecks(string(text)) {
			name := fmt.Sprintf("%s check %d", filepath.Base(dir), i+1)
			rule := evaderRules()[check.match["alert.signature_id"]]
			switch {
			case strings.HasPrefix(filepath.Base(dir), "http-evader-") && rule != "":
				n := bodiesWith(c, rule)
				l.Expect(name+" told", n == check.count || tells(c.messages), "not decoded, and nothing is said")
				l.Expect(name, n == check.count, "%q in %d bodies, want %d", rule, n, check.count)
			case check.comparable(known):
				n := 0
				for _, e := range events {
					if check.matches(e) {
						n++
					}
				}
				l.Expect(name, n == check.count, "%d events, want %d, of %v", n, check.count, check.match)
			default:
				left++
			}
		}
	})
	t.Logf("%d checks of rules, settings and other protocols left out", left)
	l.Close(480)
}
