package http1

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// meanings maps the corpus's names of errors to kinds, any of which will do.
var meanings = map[string][]decode.AnomalyKind{
	"h1.too_many_headers":       {decode.AnomalyLimit},
	"h1.too_many_informational": {decode.AnomalyLimit},
	"h1.head_too_large":         {decode.AnomalyLimit},
	"h1.bare_cr":                {AnomalyBareCR},
	"h1.bare_lf":                {AnomalyBareLF},
	"h1.bad_chunk_size":         {AnomalyBadChunk},
	"h1.truncated_body":         {decode.AnomalyTruncated},
	"h1.truncated_head":         {decode.AnomalyTruncated},
	"h1.bad_cl":                 {AnomalyBadLength},
	"h1.unmatched_response":     {decode.AnomalyNoRequest},
	"one_sided":                 {decode.AnomalyNoRequest},
	"h1.ws_before_first_header": {AnomalySpaceBeforeField},
	"h1.ctl_in_value":           {AnomalyControl},
	"h1.obs_fold":               {AnomalyObsFold},
	"h1.cl_te_conflict":         {AnomalyLengthAndCoding},
	"h1.bad_te":                 {AnomalyBadCoding},
	"h1.dup_host":               {AnomalyRepeatedHost},
	"h1.bad_version":            {AnomalyBadVersion},
	"ce.truncated":              {content.ErrTruncated},
	"ce.limit":                  {decode.AnomalyLimit, content.ErrWindow},
	"ce.too_many_codings":       {content.ErrTooMany},
	"gap":                       {decode.AnomalyGap},
	"h1.lost_framing":           {decode.AnomalyResync, decode.AnomalyGap},
	"join.unaligned":            {decode.AnomalyMidStream, decode.AnomalyResync, AnomalyBadStartLine},
	"h1.te_unsupported":         {},
}

// hostileLimits are small enough for every bomb to meet them.
var hostileLimits = decode.Limits{Head: 256 << 10, Fields: 4096, Content: 8 << 20}

// oracle is one case of the corpus.
type oracle struct {
	t        *testing.T
	key      map[string]string
	messages []decode.Message
	req      []decode.Message
	resp     []decode.Message
}

func TestHostile(t *testing.T) {
	cases := decodetest.ReadHostile(t, "http/1.1")
	for _, h := range cases {
		t.Run(h.Name, func(t *testing.T) {
			started := time.Now()
			o := &oracle{t: t, key: h.Keys, messages: playAll(t, hostileLimits, h.Steps, true)}
			t.Logf("five runs in %v", time.Since(started)) // for people: nothing is asserted on time
			for _, m := range o.messages {
				switch m.Kind {
				case decode.Request:
					o.req = append(o.req, m)
				case decode.Response:
					o.resp = append(o.resp, m)
				}
			}
			o.counts()
			o.bodies()
			o.errors()
			o.fields()
		})
	}
	if ran := len(cases); ran < 40 {
		t.Errorf("ran %d cases, want at least 40", ran)
	}
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// want compares a value with those a key allows.
func (o *oracle) want(key, got string) {
	o.t.Helper()
	want, ok := o.key[key]
	if ok && !slices.Contains(strings.Split(want, "|"), got) {
		o.t.Errorf("%s: got %q, want %q", key, got, want)
	}
}

func (o *oracle) counts() {
	var statuses, methods, targets, informational []string
	for _, m := range o.resp {
		if m.Flags&decode.Incomplete == 0 || o.key["verdict"] != "partial" {
			statuses = append(statuses, strconv.Itoa(m.Status))
		}
		for _, i := range m.Interim {
			informational = append(informational, strconv.Itoa(i.Status))
		}
	}
	for _, m := range o.req {
		methods = append(methods, m.Method)
		targets = append(targets, m.Target)
	}
	o.want("requests", strconv.Itoa(len(o.req)))
	o.want("responses", strconv.Itoa(len(o.resp)))
	o.want("statuses", strings.Join(statuses, ","))
	o.want("methods", strings.Join(methods, ","))
	o.want("targets", strings.Join(targets, ","))
	o.want("informational", strings.Join(informational, ","))
	for i, m := range o.resp {
		if o.key["must_not"] == fmt.Sprintf("resp_complete.%d", i+1) && m.Flags&(decode.Incomplete|decode.Gapped) == 0 {
			o.t.Errorf("response %d is claimed complete", i+1)
		}
		if o.key["must_not"] == fmt.Sprintf("certain_status.%d", m.Status) {
			o.t.Errorf("status %d is claimed", m.Status)
		}
		if o.key["pair"] == "index" && int(m.Exchange) != i+1 {
			o.t.Errorf("response %d belongs to exchange %d", i+1, m.Exchange)
		}
	}
	tunnel := map[decode.Dir]uint64{}
	for _, m := range decodetest.OfKind(o.messages, decode.Opaque) {
		tunnel[m.Dir] += m.Body.Size
	}
	o.want("tunnel_bytes_c2s", fmt.Sprint(tunnel[c2s]))
	o.want("tunnel_bytes_s2c", fmt.Sprint(tunnel[s2c]))
	if up := o.key["upgrade"]; up != "" {
		for _, m := range decodetest.OfKind(o.messages, decode.Opaque) {
			if m.Proto != up {
				o.t.Errorf("opaque bytes are %q, want %q", m.Proto, up)
			}
		}
	}
}

func (o *oracle) bodies() {
	sum := func(b []byte) string {
		h := sha256.Sum256(b)
		return hex.EncodeToString(h[:])
	}
	for i, m := range o.req {
		o.want(fmt.Sprintf("req_body_sha256.%d", i+1), sum(m.Body.Data))
	}
	for i, m := range o.resp {
		n := strconv.Itoa(i + 1)
		if _, te := o.key["resp_decoded_sha256."+n]; !te || len(m.Body.Codings) == 0 {
			o.want("resp_body_sha256."+n, sum(m.Body.Data))
		}
		o.want("resp_wire_sha256."+n, sum(m.Body.Data))
		o.want("resp_wire_len."+n, fmt.Sprint(m.Body.Size))
		o.want("resp_missing."+n, fmt.Sprint(m.Body.Lost))
		o.want("resp_decoded_len."+n, fmt.Sprint(len(m.Body.Content)))
		o.want("resp_decoded_sha256."+n, sum(m.Body.Content))
		if full := o.key["decoded_full_len."+n]; full != "" && len(m.Body.Content) != hostileLimits.Content {
			o.t.Errorf("content of response %s is %d bytes of %s, want the limit", n, len(m.Body.Content), full)
		}
	}
}

// errors wants every error that is named, and none where all is well.
func (o *oracle) errors() {
	have := map[string]bool{}
	for _, m := range o.messages {
		side := map[decode.Dir]string{c2s: "c2s", s2c: "s2c"}[m.Dir]
		for _, a := range m.Anomalies {
			have[string(a.Kind)+"@"+side] = true
		}
		if m.Body.ContentErr != "" {
			have[m.Body.ContentErr+"@"+side] = true
		}
		if m.Body.ContentCut {
			have[string(decode.AnomalyLimit)+"@"+side] = true
		}
	}
	if o.key["verdict"] == "ok" && len(have) > 0 {
		o.t.Errorf("anomalies where there are none: %v", have)
	}
	for _, want := range strings.Split(o.key["errors"], ",") {
		ok := want == ""
		for _, alt := range strings.Split(want, "|") {
			name, at, _ := strings.Cut(alt, "@")
			side, _, _ := strings.Cut(at, ":")
			list, known := meanings[name]
			if !known && name != "" {
				o.t.Errorf("error %q has no meaning here", name)
			}
			for _, k := range list {
				both := have[string(k)+"@c2s"] && have[string(k)+"@s2c"]
				either := have[string(k)+"@c2s"] || have[string(k)+"@s2c"]
				ok = ok || have[string(k)+"@"+side] || side == "both" && both || side == "" && either
			}
			ok = ok || name == ""
		}
		if !ok {
			o.t.Errorf("error %q not reported; have %v", want, have)
		}
	}
}

func (o *oracle) fields() {
	find := func(n int, name string) string {
		for _, f := range o.req[n-1].Header {
			if strings.EqualFold(f.Name, name) {
				return f.Value
			}
		}
		return "(none)"
	}
	for k := range o.key {
		p := strings.SplitN(k, ".", 3)
		switch p[0] {
		case "req_header":
			o.want(k, find(atoi(p[1]), p[2]))
		case "req_header_hex":
			o.want(k, hex.EncodeToString([]byte(find(atoi(p[1]), p[2]))))
		case "req_header_count":
			if !strings.Contains(fmt.Sprint(o.req[atoi(p[1])-1].Anomalies), o.key[k]+" fields") {
				o.t.Errorf("%s: %s fields are not counted in %v", k, o.key[k], o.req[0].Anomalies)
			}
		case "informational_count":
			if !strings.Contains(fmt.Sprint(o.resp[0].Anomalies), o.key[k]+" informational") {
				o.t.Errorf("%s: not counted in %v", k, o.resp[0].Anomalies)
			}
		}
	}
}
