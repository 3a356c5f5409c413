package export

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func parseLine(t testing.TB, line string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, line)
	}
	return v
}

// unwild gives captured bytes back from either of their two forms.
func unwild(t testing.TB, v any) string {
	t.Helper()
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		b, err := base64.StdEncoding.DecodeString(v["base64"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	t.Fatalf("captured text is %T", v)
	return ""
}

func TestJSON(t *testing.T) {
	c, q, r := readmeH2(t)
	q.Target = "/a?b=<c>"
	r.Header = r.Header[1:2]
	want := `{"v":1,"id":3,"time":"2026-01-12T11:11:59.346000000Z","dur":0.29429,"ttfb":0.293,` +
		`"timing":{"send":0.0000631,"wait":0.2929369,"receive":0.00129},"proto":"h2","stream":1,"conn":2,"exchange":1,` +
		`"req":{"method":"GET","url":"https://ifconfig.io/a?b=\u003cc\u003e","target":"/a?b=\u003cc\u003e","scheme":"https","host":"ifconfig.io","path":"/a","query":"b=\u003cc\u003e",` +
		`"proto":"HTTP/2","header":[["user-agent","curl/8.15.0"],["accept","*/*"]],"size":0},` +
		`"resp":{"status":200,"proto":"HTTP/2","header":[["content-type","text/plain; charset=utf-8"]],"size":15,"body":{"size":13,"text":"203.0.113.42\n"}},` +
		`"proc":{"pid":403410,"ppid":1,"uid":33,"comm":"curl"},"tls":{"lib":"openssl","alpn":"h2"},` +
		`"net":{"role":"client","src":"10.0.0.5:40112","dst":"93.184.216.34:443"}}` + "\n"
	if d := cmp.Diff(want, jsonOf(t, turn(c, 3, q, r)...)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// fullExchange has every field set that the schema knows.
func fullExchange(t testing.TB) *replay.Exchange {
	t.Helper()
	c, q, r := readmeH2(t.(*testing.T))
	q.Target = "/a?b"
	c.Cookie, c.Proc.Exe, c.Proc.Args, c.Proc.Cgroup = 81, "/usr/bin/curl", []string{"curl", "\xff"}, "/x"
	c.Proc.Ancestors = []format.Ancestor{{PID: 7, Comm: "ba\xffsh"}, {PID: 1}}
	c.Version, c.Cipher, c.SNI, c.MidStream = 0x0304, 0x1301, "a.example", true
	c.Role, c.Local, c.Remote = decode.RoleServer, c.Remote, c.Local
	q.Trailer = []decode.Field{{Name: "x", Value: "\xfe", Unknown: true}}
	q.Body = decode.Body{Data: []byte("\xff"), Size: 3, Lost: 2, Gaps: []decode.Span{{Off: 1, Len: 2}}}
	q.Anomalies = []decode.Anomaly{{Kind: decode.AnomalyGap, Dir: decode.Read, Detail: "2 bytes"}}
	q.Flags = decode.Gapped | decode.Pushed | decode.Reset | decode.MidStream | decode.Incomplete | decode.Upgraded
	r.Reason = "OK"
	r.Interim = []decode.Interim{{Status: 103, Header: []decode.Field{{Name: "link", Value: "x"}}}}
	r.Body = decode.Body{Data: []byte("zz"), Size: 2, Codings: []string{"gzip"}, Content: []byte("hello"), ContentCut: true, ContentErr: "content-corrupt"}
	r.Trailer, r.Body.Lost, r.Body.Gaps, r.Anomalies = q.Trailer, 1, q.Body.Gaps, q.Anomalies
	in := &decode.Message{
		Kind: decode.Inner, Proto: "websocket", Type: "close", Number: 2, Wire: 9, Status: 1000, Reason: "normal closure", Flags: q.Flags,
		Body: q.Body, Anomalies: q.Anomalies,
	}
	inner := &replay.Inner{Proto: "websocket", Client: replay.Tally{Count: 2, Size: 3, Wire: 9}, List: []*decode.Message{in, {Kind: decode.Inner, Dir: decode.Read, Number: 1}}, Cut: true}
	return &replay.Exchange{ID: 1, Conn: c, Request: q, Response: r, Inner: inner}
}

// hashedExchange has the fields set that fullExchange cannot have: those of whole
// bodies.
func hashedExchange() *replay.Exchange {
	sum := make([]byte, 32)
	return &replay.Exchange{ID: 5, Conn: &replay.Conn{Proc: &replay.Proc{}}, Request: &decode.Message{
		Kind: decode.Request, Exchange: 1, Inners: 2, Header: []decode.Field{{Name: "content-type", Value: "text/plain; charset=latin1"}},
		Body: decode.Body{Data: []byte("\xf6"), Content: []byte("\xf6"), Size: 1, SHA256: sum},
	}, Response: &decode.Message{
		Kind: decode.Response, Exchange: 1, Status: 200, Inners: 3, Body: decode.Body{Data: []byte("z"), Size: 1, SHA256: sum, Codings: []string{"br"}, Content: []byte("hello")},
		Trailer: []decode.Field{{Name: "grpc-status", Value: "5"}, {Name: "grpc-message", Value: "no%20such"}},
	}}
}

func TestHashes(t *testing.T) {
	got := jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: hashedExchange()})
	zero := strings.Repeat("0", 64)
	for _, want := range []string{
		`"size":1,"sha256":"` + zero + `","messages":2,"body":{"size":1,"charset":"windows-1252","text":"ö","base64":"9g=="}`,
		`"grpc":{"status":"5","name":"NOT_FOUND","message":"no such"}`,
		`"messages":3,"body":{"size":5,"coding":["br"],"decoded":true,"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","text":"hello"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestLargeBodies: what is written in pieces is the same line.
func TestLargeBodies(t *testing.T) {
	text := strings.Repeat("ö<\n\x01\u0085中 \"text\":0E+77771,", 1<<16)
	for _, tt := range []struct{ name, q, r string }{
		{"text", text, "short"}, {"binary", "\xff" + text, ""}, {"both", text, "\xfe\xff" + text + "x"}, {"the same mark", `"text":0E+77771`, text},
	} {
		x := hashedExchange()
		x.Request.Target = `"text":0E+77771`
		for m, body := range map[*decode.Message]string{x.Request: tt.q, x.Response: tt.r} {
			m.Body = decode.Body{Data: []byte(body), Content: []byte(body), Size: uint64(len(body))}
		}
		v := parseLine(t, jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: x}))
		for side, body := range map[string]string{"req": tt.q, "resp": tt.r} {
			b, ok := v[side].(map[string]any)["body"].(map[string]any)
			if !ok {
				if body != "" {
					t.Errorf("%s: %s has no body", tt.name, side)
				}
				continue
			}
			got, _ := b["text"].(string)
			if enc, ok := b["base64"].(string); ok {
				raw, err := base64.StdEncoding.DecodeString(enc)
				if err != nil {
					t.Errorf("%s: %s: %v", tt.name, side, err)
				}
				got = string(raw)
			}
			if got != body {
				t.Errorf("%s: %s: %d bytes, want %d", tt.name, side, len(got), len(body))
			}
		}
	}
}

func TestSchemaKnowsEveryKey(t *testing.T) {
	schema := loadSchema(t)
	x := fullExchange(t)
	seen := map[string]bool{}
	for _, x := range []*replay.Exchange{x, hashedExchange(), {ID: 2, Conn: x.Conn, Request: x.Request}, {ID: 3, Conn: x.Conn, Response: x.Response},
		{ID: 4, Conn: &replay.Conn{Proc: &replay.Proc{}}, Request: &decode.Message{Exchange: 1}, Pending: true}} {
		line := jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: x})
		if d := cmp.Diff(wantLine(t, x, JSONOptions{}), line); d != "" {
			t.Errorf("encoding/json writes another line (-want +got):\n%s", d)
		}
		v := parseLine(t, line)
		for _, e := range schema.check(schema.root, v, "$", seen) {
			t.Errorf("exchange %d: %s\n%s", x.ID, e, line)
		}
	}
	// Every key of the schema is one we write: a schema that promises more lies.
	for _, key := range schema.keys(schema.root, "$") {
		if !seen[key] {
			t.Errorf("schema has %s, which was never written", key)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := loadSchema(t)
	line := jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: fullExchange(t)})
	for _, spoil := range [][2]string{{`"v":1`, `"v":2`}, {`"id":1`, `"id":"1"`}, {`"conn":2`, `"con":2`}, {`"role":"server"`, `"role":"x"`},
		{`["link","x"]`, `["link"]`}, {`"dur":0`, `"dur":-0`}} {
		bad := strings.Replace(line, spoil[0], spoil[1], 1)
		if bad == line {
			t.Fatalf("no %s in %s", spoil[0], line)
		}
		if spoil[0] != `"dur":0` && len(schema.check(schema.root, parseLine(t, bad), "$", map[string]bool{})) == 0 {
			t.Errorf("schema takes %s", spoil[1])
		}
	}
}

func TestJSONFlags(t *testing.T) {
	x := fullExchange(t)
	got := parseLine(t, jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: x}))
	want := []any{"gap", "incomplete", "midstream", "reset", "upgraded", "pushed", "anomaly"}
	if d := cmp.Diff(want, got["flags"]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got["lost"] != json.Number("3") {
		t.Errorf("lost = %v, want 3: both bodies", got["lost"])
	}
}

func TestSeconds(t *testing.T) {
	for ns, want := range map[int64]string{0: "0", 1: "0.000000001", 1_204_000_000: "1.204", 60e9: "60", 1<<63 - 1: "9223372036.854775807"} {
		if got := string(appendSeconds(nil, ns)); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("name", "v\xff", []byte("\x00\xff"), int64(5))
	f.Add("\u2028<script>", "\xed\xa0\x80", []byte("text\n"), int64(-1))
	f.Fuzz(func(t *testing.T, name, value string, body []byte, when int64) {
		x := fullExchange(t)
		x.Request.Header = []decode.Field{{Name: name, Value: value}}
		x.Request.Method, x.Request.Target, x.Conn.Proc.Comm, x.Conn.ALPN, x.Response.Proto = value, name, value, name, value
		x.Request.Body = decode.Body{Data: body, Size: uint64(len(body))}
		x.Request.Begin = when
		x.Request.Anomalies = []decode.Anomaly{{Kind: "x", Detail: value}}
		line := jsonOf(t, &replay.Item{Kind: replay.ItemExchange, Exchange: x})
		if strings.Count(line, "\n") != 1 {
			t.Errorf("not one line: %q", line)
		}
		if d := cmp.Diff(wantLine(t, x, JSONOptions{}), line); d != "" {
			t.Errorf("encoding/json writes another line (-want +got):\n%s", d)
		}
		v := parseLine(t, line)
		req := v["req"].(map[string]any)
		pair := req["header"].([]any)[0].([]any)
		if unwild(t, pair[0]) != name || unwild(t, pair[1]) != value || unwild(t, req["method"]) != value {
			t.Errorf("header %q: %q came back as %v", name, value, pair)
		}
		if len(body) > 0 {
			b := req["body"].(map[string]any)
			var back []byte
			if text, ok := b["text"].(string); ok {
				back = []byte(text)
			} else {
				back, _ = base64.StdEncoding.DecodeString(b["base64"].(string))
			}
			if !bytes.Equal(back, body) {
				t.Errorf("body %q came back as %q", body, back)
			}
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	c, q, r := readmeH2(&testing.T{})
	items := turn(c, 1, q, r)
	s := NewJSON(discard{}, JSONOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Item(items[2]); err != nil {
			b.Fatal(err)
		}
	}
}

// schemaFile checks values against the parts of JSON Schema that our file uses,
// and refuses a schema with any other part, so that no rule goes unchecked.
type schemaFile struct{ root, defs map[string]any }

func loadSchema(t *testing.T) *schemaFile {
	t.Helper()
	b, err := os.ReadFile("exchange.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	root := parseLine(t, string(b))
	return &schemaFile{root: root, defs: root["$defs"].(map[string]any)}
}

// resolve follows a reference; what is shared is known by its own name, not by
// the places that use it.
func (s *schemaFile) resolve(rule map[string]any, at string) (map[string]any, string) {
	if ref, ok := rule["$ref"].(string); ok {
		return s.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), ref
	}
	return rule, at
}

func (s *schemaFile) check(rule map[string]any, v any, at string, seen map[string]bool) (errs []string) {
	seen[at] = true
	rule, at = s.resolve(rule, at)
	seen[at] = true
	bad := func(format string, args ...any) { errs = append(errs, at+": "+fmt.Sprintf(format, args...)) }
	for key, want := range rule {
		switch key {
		case "$schema", "$id", "$defs", "title", "description", "format", "items", "properties", "additionalProperties":
		case "type":
			if !hasType(want.(string), v) {
				bad("%v is no %s", v, want)
			}
		case "const":
			if v != want {
				bad("%v is not %v", v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				bad("%v is not one of %v", v, want)
			}
		case "minimum":
			if n, ok := v.(json.Number); ok && strings.HasPrefix(n.String(), "-") {
				bad("%v is below %v", v, want)
			}
		case "minItems", "maxItems":
			n, _ := want.(json.Number).Int64()
			if a, ok := v.([]any); ok && (key == "minItems" && len(a) < int(n) || key == "maxItems" && len(a) > int(n)) {
				bad("%d items, %s %d", len(a), key, n)
			}
		case "required":
			for _, k := range want.([]any) {
				if o, ok := v.(map[string]any); ok && o[k.(string)] == nil {
					bad("no %v", k)
				}
			}
		case "oneOf":
			fit := 0
			for _, alt := range want.([]any) {
				if len(s.check(alt.(map[string]any), v, at, seen)) == 0 {
					fit++
				}
			}
			if fit != 1 {
				bad("fits %d alternatives", fit)
			}
		default:
			bad("the test does not know the schema word %s", key)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		props, _ := rule["properties"].(map[string]any)
		for k, sub := range v {
			if p, ok := props[k].(map[string]any); ok {
				errs = append(errs, s.check(p, sub, at+"."+k, seen)...)
			} else if rule["additionalProperties"] == false {
				bad("key %q is not in the schema", k)
			}
		}
	case []any:
		if items, ok := rule["items"].(map[string]any); ok {
			for _, sub := range v {
				errs = append(errs, s.check(items, sub, at+"[]", seen)...)
			}
		}
	}
	return errs
}

func hasType(want string, v any) bool {
	switch v := v.(type) {
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case map[string]any:
		return want == "object"
	case []any:
		return want == "array"
	case json.Number:
		return want == "number" || want == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}

// keys lists every path the schema allows, those inside captured text aside.
func (s *schemaFile) keys(rule map[string]any, at string) (out []string) {
	rule, at = s.resolve(rule, at)
	if props, ok := rule["properties"].(map[string]any); ok {
		for k, p := range props {
			out = append(out, at+"."+k)
			out = append(out, s.keys(p.(map[string]any), at+"."+k)...)
		}
	}
	if items, ok := rule["items"].(map[string]any); ok {
		out = append(out, s.keys(items, at+"[]")...)
	}
	return out
}
