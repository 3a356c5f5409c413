package conn

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// diffConversations is how many conversations of each protocol are generated.
const diffConversations = 6000

// talk1 generates a conversation of HTTP/1.1: everything a correct sender may
// write, and a few things that only old ones do.
type talk1 struct {
	r     *rand.Rand
	steps []decodetest.Step
	ask   []string // methods of the requests sent and not answered
	done  bool     // the last response lasts until the close
	waits bool     // the client waits for each answer
}

func newTalk1(seed uint64) *talk1 { return &talk1{r: rand.New(rand.NewPCG(seed, 11))} }

// chance is true once in n.
func (k *talk1) chance(n int) bool { return k.r.IntN(n) == 0 }

func (k *talk1) pick(from ...string) string { return from[k.r.IntN(len(from))] }

func (k *talk1) send(dir decode.Dir, text string) {
	k.steps = append(k.steps, decodetest.Step{Dir: dir, Data: text})
}

// play sends requests, some before the earlier ones are answered, and answers.
func (k *talk1) play() []decodetest.Step {
	left := 1 + k.r.IntN(6)
	for left > 0 || len(k.ask) > 0 && !k.done {
		if left > 0 && (len(k.ask) == 0 || !k.waits && k.chance(3)) {
			left--
			k.request()
			continue
		}
		k.response(left == 0 && len(k.ask) == 1)
	}
	return k.steps
}

func (k *talk1) request() {
	method := k.pick("GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-ODD")
	target := k.pick("/", "/a/b?c=d&e", "/%20/%2e", "http://a.test/x", "/~u;p=1", "/"+strings.Repeat("long", k.r.IntN(90)))
	if method == "OPTIONS" && k.chance(2) {
		target = "*"
	}
	head := strings.Repeat("\r\n", k.r.IntN(2)*k.r.IntN(2)) + method + " " + target + " HTTP/1.1\r\n"
	head += k.fields("Host:"+k.space()+"a.test"+k.space()+"\r\n", true)
	body := ""
	if method != "GET" && method != "HEAD" && method != "OPTIONS" {
		var frame string
		frame, body = k.body()
		head += frame
	}
	k.send(w, head+"\r\n"+body)
	k.ask = append(k.ask, method)
}

// response answers the oldest request; last allows a body until the close.
func (k *talk1) response(last bool) {
	method := k.ask[0]
	k.ask = k.ask[1:]
	text := ""
	for k.chance(5) {
		text += k.pick("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n"+k.fields("", false)+"\r\n", "HTTP/1.1 102 \r\n\r\n")
	}
	status := k.pick("200 OK", "200 ", "204 No Content", "304 Not Modified", "404 Not  Found", "500 x", "201 Created", "299 \xff")
	text += "HTTP/1.1 " + status + "\r\n" + k.fields("", true)
	frame, body := k.body()
	bare := method == "HEAD" || strings.HasPrefix(status, "304")
	switch {
	case strings.HasPrefix(status, "204"):
		frame, body = "", ""
	case bare:
		body = ""
		if strings.HasPrefix(frame, "Transfer") {
			frame = ""
		}
	case last && k.chance(3):
		k.done = true
		frame, body = "", k.data()
	case frame == "":
		frame = "Content-Length: 0\r\n"
	}
	k.send(r, text+frame+"\r\n"+body)
}

func (k *talk1) space() string { return k.pick("", " ", " ", "  ", "\t", " \t ") }

// fields writes a header section around first: names in any case, repeats,
// white space around values, values of any byte, and folded lines.
func (k *talk1) fields(first string, fold bool) string {
	out := first
	for range k.r.IntN(6) {
		name := k.pick("Accept", "x-a", "X-B", "COOKIE", "x-a", "Via", "Content-Type", "X_y.z!#$%&'*+^`|~")
		value := k.pick("", "v", "a, b;q=\"c\"", "\xc3\xa9\x80\xff", "two  spaces", strings.Repeat("z", k.r.IntN(400)), ":colon:")
		line := name + ":" + k.space() + value + k.space()
		if fold && value != "" && k.chance(12) {
			line += "\r\n" + k.pick(" ", "\t", "  ") + "folded" + k.space()
		}
		out += line + "\r\n"
	}
	return out
}

func (k *talk1) data() string {
	b := make([]byte, k.r.IntN(1+k.r.IntN(3000)))
	for i := range b {
		b[i] = byte(k.r.IntN(256))
	}
	return string(b)
}

// body returns the fields that frame a body, and it: none, by length, or chunked.
func (k *talk1) body() (frame, body string) {
	data := k.data()
	switch k.r.IntN(3) {
	case 0:
		return "", ""
	case 1:
		return k.pick("Content-Length:", "content-length: ") + fmt.Sprint(len(data)) + "\r\n", data
	}
	for data != "" {
		n := 1 + k.r.IntN(len(data))
		body += fmt.Sprintf(k.pick("%x", "%X", "0%x", "000%x"), n) + k.extension() + "\r\n" + data[:n] + "\r\n"
		data = data[n:]
	}
	body += k.pick("0", "00", "0000") + k.extension() + "\r\n"
	if k.chance(3) {
		frame = "Trailer: X-T\r\n"
		body += "X-T:" + k.space() + k.pick("t", "", "a b") + k.space() + "\r\n"
	}
	return frame + k.pick("Transfer-Encoding: chunked\r\n", "transfer-encoding:\tCHUNKED \r\n"), body + "\r\n"
}

func (k *talk1) extension() string {
	return k.pick("", "", "", ";a", ";a=b", ";a=\"b;c\"", ";x;y=z")
}

// heard is a message as either reader tells it.
type heard struct {
	Start   string
	Header  []string
	Body    string
	Trailer []string
}

// flat writes a header sorted by name, the order among equal names kept, less
// what net/http takes out of it.
func flat(h http.Header) []string {
	var out []string
	for name, values := range h {
		if name == "Host" || name == "Transfer-Encoding" || name == "Trailer" || name == "Content-Length" {
			continue
		}
		for _, v := range values {
			out = append(out, name+": "+v)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, _, _ := strings.Cut(out[i], ":")
		b, _, _ := strings.Cut(out[j], ":")
		return a < b
	})
	return out
}

func fieldsOf(list []decode.Field) http.Header {
	h := make(http.Header)
	for _, f := range list {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		h[name] = append(h[name], f.Value)
	}
	return h
}

// netHTTP reads both directions with net/http.
func netHTTP(steps []decodetest.Step) (out []heard, err error) {
	var bytesOf [2]bytes.Buffer
	for _, s := range steps {
		bytesOf[s.Dir].WriteString(s.Data)
	}
	var asked []*http.Request
	for br := bufio.NewReader(&bytesOf[w]); ; {
		for next, _ := br.Peek(2); string(next) == "\r\n"; next, _ = br.Peek(2) {
			br.Discard(2) // net/http's server does so elsewhere
		}
		q, err := http.ReadRequest(br)
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return nil, fmt.Errorf("read request body: %w", err)
		}
		asked = append(asked, q)
		out = append(out, heard{q.Method + " " + q.RequestURI + " " + q.Proto, flat(q.Header), string(body), flat(q.Trailer)})
	}
	for br := bufio.NewReader(&bytesOf[r]); ; {
		if _, err := br.Peek(1); err != nil {
			return out, nil
		}
		a, err := http.ReadResponse(br, asked[0])
		if err != nil {
			return nil, fmt.Errorf("read response: %w", err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil {
			return nil, fmt.Errorf("read response body: %w", err)
		}
		out = append(out, heard{a.Proto + " " + a.Status, flat(a.Header), string(body), flat(a.Trailer)})
		if a.StatusCode >= 200 {
			asked = asked[1:]
		}
	}
}

// asHeard puts our messages in the same form, requests first.
func asHeard(list []decode.Message) (out []heard) {
	for _, m := range decodetest.OfKind(list, decode.Request) {
		out = append(out, heard{m.Method + " " + m.Target + " " + m.Proto, flat(fieldsOf(m.Header)), string(m.Body.Data), flat(fieldsOf(m.Trailer))})
	}
	for _, m := range decodetest.OfKind(list, decode.Response) {
		for _, i := range m.Interim {
			out = append(out, heard{fmt.Sprintf("HTTP/1.1 %d", i.Status), flat(fieldsOf(i.Header)), "", nil})
		}
		out = append(out, heard{fmt.Sprintf("%s %d %s", m.Proto, m.Status, m.Reason), flat(fieldsOf(m.Header)), string(m.Body.Data), flat(fieldsOf(m.Trailer))})
	}
	return out
}

// script writes steps for people.
func script(steps []decodetest.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%d, %d missing: %d bytes %.200q\n", s.Dir, s.Gap, len(s.Data), s.Data)
	}
	return b.String()
}

// TestDifferentialHTTP1 generates conversations and reads them with net/http:
// the same messages, and none but the anomaly of what is known to be old.
func TestDifferentialHTTP1(t *testing.T) {
	messages := 0
	for seed := range uint64(diffConversations) {
		steps := newTalk1(seed).play()
		want, err := netHTTP(steps)
		if err != nil {
			t.Fatalf("seed %d: net/http: %v\n%s", seed, err, script(steps))
		}
		run := runner(decode.Limits{}, decode.Hint{})
		list := run(steps, decodetest.Whole)
		for i := range want { // the reason of an interim response is not kept, nor the space before none
			if f := strings.SplitN(want[i].Start, " ", 3); len(f) == 3 && strings.HasPrefix(f[1], "1") && len(f[1]) == 3 {
				want[i].Start = f[0] + " " + f[1]
			}
		}
		got := asHeard(list)
		messages += len(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-net/http +got):\n%s\n%s", seed, diff, script(steps))
		}
		for _, m := range list {
			for _, a := range m.Anomalies {
				if a.Kind != "h1-obs-fold" && a.Kind != "no-response" {
					t.Fatalf("seed %d: %v in a correct conversation\n%s", seed, a, script(steps))
				}
			}
		}
		if seed%4 != 0 {
			continue // cuts are other tests' too
		}
		if cut := run(steps, decodetest.NumberedCut(seed)); !reflect.DeepEqual(list, cut) {
			t.Fatalf("seed %d: cut differs (-whole +cut):\n%s", seed, cmp.Diff(list, cut))
		}
	}
	t.Logf("%d conversations, %d messages", diffConversations, messages)
}
