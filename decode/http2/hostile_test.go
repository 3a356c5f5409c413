package http2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
	"github.com/NoFear0411/spliff/decode/grpc"
)

// hostileKinds maps the corpus' names of meanings to kinds.
var hostileKinds = map[string][]decode.AnomalyKind{
	"gap":                       {decode.AnomalyGap},
	"join.no_preface":           {decode.AnomalyMidStream},
	"h2.bad_frame":              {AnomalyBadFrame},
	"h2.bad_padding":            {AnomalyBadPadding},
	"h2.continuation_flood":     {AnomalyContFlood},
	"h2.header_block_too_large": {decode.AnomalyLimit, AnomalyContFlood},
	"h2.expected_continuation":  {AnomalyContinuation},
	"h2.hpack":                  {AnomalyHPACK},
	"h2.hpack_unknown_entry":    {AnomalyHPACKUnknown},
	"h2.bad_field_name":         {AnomalyFieldName},
	"h2.bad_field_value":        {AnomalyFieldValue},
	"h2.conn_specific":          {AnomalyConnField},
	"h2.bad_pseudo":             {AnomalyPseudo},
	"h2.cl_mismatch":            {AnomalyLength},
	"h2.rapid_reset":            {AnomalyRapidReset},
	"h2.control_flood":          {AnomalyControlFlood},
	"h2.bad_stream_id":          {AnomalyStreamID},
	"grpc.truncated_message":    {grpc.AnomalyTruncated},
}

// Keys of expect.txt that are about other packages, the files, or the run.
var hostileOther = []string{
	"proto", "oracle", "max_rss_mb", "max_seconds", "c2s_len", "s2c_len", "c2s_sha256", "s2c_sha256",
	"display", "redaction_default", "redaction_strict", "gap", "join", "pair", "unknown_frames", "order",
}

func TestHostile(t *testing.T) {
	for _, h := range decodetest.ReadHostile(t, "http/2") {
		t.Run(h.Name, func(t *testing.T) { checkHostile(t, h) })
	}
}

func checkHostile(t *testing.T, h decodetest.Hostile) {
	ms := runAll(t, h.Steps, options{mid: h.Keys["join"] == "mid"})
	reqs, resps := decodetest.OfKind(ms, decode.Request), decodetest.OfKind(ms, decode.Response)
	byStream := func(a, b decode.Message) int { return int(a.Stream) - int(b.Stream) }
	if h.Keys["pair"] == "stream" || h.Keys["gap"] != "" {
		slices.SortFunc(reqs, byStream)
		slices.SortFunc(resps, byStream)
	}
	resps = slices.DeleteFunc(resps, func(m decode.Message) bool { return m.Status == 0 })
	for k, v := range h.Keys {
		if slices.Contains(hostileOther, k) {
			continue
		}
		checkKey(t, k, v, ms, reqs, resps)
	}
	if t.Failed() {
		for _, m := range ms[:min(len(ms), 40)] {
			t.Logf("%d %+v", m.Kind, m)
		}
	}
}

func list[T any](ms []T, f func(*T) string) string {
	var out []string
	for i := range ms {
		out = append(out, f(&ms[i]))
	}
	return strings.Join(out, ",")
}

func header(fields []decode.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return "(absent)"
}

func checkKey(t *testing.T, key, want string, ms, reqs, resps []decode.Message) {
	t.Helper()
	part := strings.SplitN(key, ".", 3)
	nth := func(of []decode.Message) (m decode.Message) {
		i := len(of)
		if part[1] != "last" {
			i, _ = strconv.Atoi(part[1])
		}
		if i < 1 || i > len(of) {
			t.Errorf("%s: there are %d messages", key, len(of))
			return m
		}
		return of[i-1]
	}
	sum := func(m decode.Message) string {
		h := sha256.Sum256(m.Body.Data)
		return hex.EncodeToString(h[:])
	}
	var got string
	switch part[0] {
	case "verdict":
		checkVerdict(t, want, ms)
		return
	case "errors":
		checkErrors(t, want, ms, reqs, resps)
		return
	case "must_not":
		checkMustNot(t, want, ms, resps)
		return
	case "requests":
		got = strconv.Itoa(len(reqs))
	case "responses":
		got = strconv.Itoa(len(resps))
	case "statuses":
		got = list(resps, func(m *decode.Message) string { return strconv.Itoa(m.Status) })
	case "methods":
		got = list(reqs, func(m *decode.Message) string { return m.Method })
	case "targets":
		got = list(reqs, func(m *decode.Message) string { return m.Target })
	case "target":
		got = nth(reqs).Target
	case "informational":
		got = list(resps[0].Interim, func(i *decode.Interim) string { return strconv.Itoa(i.Status) })
	case "req_body_sha256":
		got = sum(nth(reqs))
	case "resp_body_sha256":
		got = sum(nth(resps))
	case "resp_wire_len":
		got = strconv.FormatUint(nth(resps).Body.Size, 10)
	case "resp_missing":
		got = strconv.FormatUint(nth(resps).Body.Lost, 10)
	case "req_header":
		got = header(nth(reqs).Header, part[2])
	case "resp_header":
		got = header(nth(resps).Header, part[2])
	case "resp_trailer":
		got = header(nth(resps).Trailer, part[2])
	case "req_header_unknown":
		n := 0
		for _, f := range nth(reqs).Header {
			if f.Unknown {
				n++
			}
		}
		got = strconv.Itoa(n)
	case "never_indexed":
		got = list(slices.DeleteFunc(slices.Clone(reqs[0].Header), func(f decode.Field) bool { return !f.NeverIndexed }),
			func(f *decode.Field) string { return f.Name })
	case "reset_streams":
		streams := make(map[uint32]bool)
		for _, m := range ms {
			if m.Flags&decode.Reset != 0 {
				streams[m.Stream] = true
			}
		}
		got = strconv.Itoa(len(streams))
	case "peak_streams", "unanswered_requests":
		answered := make(map[uint32]bool)
		for _, m := range resps {
			answered[m.Exchange] = true
		}
		got = strconv.Itoa(len(reqs) - len(answered))
		if key == "peak_streams" {
			got = strconv.Itoa(len(answered))
		}
	case "goaway_s2c":
		got = strconv.Itoa(anomalies(ms)[AnomalyGoAway])
	case "goaway_code", "goaway_last":
		for _, m := range ms {
			for _, a := range m.Anomalies {
				if a.Kind == AnomalyGoAway && strings.Contains(a.Detail, want) {
					got = want
				}
			}
		}
	case "tunnel_bytes_c2s":
		n := uint64(0)
		for _, m := range ms {
			switch {
			case m.Dir != c2s:
			case m.Kind == decode.Opaque:
				n += m.Body.Size
			case m.Kind == decode.Inner:
				n += m.Wire
			}
		}
		got = strconv.FormatUint(n, 10)
	case "upgrade":
		got = "(none)"
		for _, m := range append(decodetest.OfKind(ms, decode.Opaque), decodetest.OfKind(ms, decode.Inner)...) {
			if m.Proto == want {
				got = want
			}
		}
	default:
		t.Errorf("key %s=%s is not understood", key, want)
		return
	}
	if !slices.Contains(strings.Split(want, "|"), got) {
		t.Errorf("%s = %s, want %s", key, got, want)
	}
}

func checkVerdict(t *testing.T, want string, ms []decode.Message) {
	t.Helper()
	found := anomalies(ms)
	incomplete := false
	for _, m := range ms {
		incomplete = incomplete || m.Flags&(decode.Incomplete|decode.Gapped) != 0
	}
	switch want {
	case "ok":
		if len(found) > 0 || incomplete {
			t.Errorf("anomalies %v, incomplete %v, want none", found, incomplete)
		}
	case "anomaly":
		if len(found) == 0 {
			t.Error("no anomaly")
		}
	}
}

func checkErrors(t *testing.T, want string, ms, reqs, resps []decode.Message) {
	t.Helper()
	for _, e := range strings.FieldsFunc(want, func(r rune) bool { return r == ',' }) {
		what, where, _ := strings.Cut(e, "@")
		side, msg, _ := strings.Cut(where, ":")
		in := ms
		if n, err := strconv.Atoi(msg); err == nil {
			of := [][]decode.Message{reqs, resps}[slices.Index([]string{"c2s", "s2c"}, side)]
			if n > len(of) {
				// Not one of the messages claimed: the connection must tell.
				in = decodetest.OfKind(ms, decode.Notice)
			} else {
				in = append(decodetest.OfKind(ms, decode.Notice), of[n-1])
			}
		}
		for dir, name := range []string{c2s: "c2s", s2c: "s2c"} {
			if side != name && side != "both" && side != "" {
				continue
			}
			found := false
			for _, m := range in {
				for _, a := range m.Anomalies {
					for _, w := range strings.Split(what, "|") {
						found = found || a.Dir == decode.Dir(dir) && slices.Contains(hostileKinds[w], a.Kind)
					}
				}
			}
			if !found {
				t.Errorf("%s on side %s was not reported; there is %v", e, name, anomalies(in))
			}
		}
	}
}

func checkMustNot(t *testing.T, want string, ms, resps []decode.Message) {
	t.Helper()
	for _, w := range strings.Split(want, ",") {
		switch {
		case strings.HasPrefix(w, "resp_complete."):
			n, _ := strconv.Atoi(w[len("resp_complete."):])
			if n <= len(resps) && resps[n-1].Flags&(decode.Incomplete|decode.Gapped) == 0 {
				t.Errorf("response %d is claimed to be complete", n)
			}
		case w == "wrong_header_value":
			// The encoder of these cases uses values that belong to one name.
			for _, m := range ms {
				for _, f := range append(slices.Clone(m.Header), m.Trailer...) {
					if bad := fmt.Sprintf("%s: %s", f.Name, f.Value); !f.Unknown && wrongValue(f) {
						t.Errorf("stream %d shows %s", m.Stream, bad)
					}
				}
			}
		default:
			t.Errorf("must_not %s is not understood", w)
		}
	}
}

// wrongValue knows the fields of the cases that ask for it: x-n holds a number,
// x-two holds v2.
func wrongValue(f decode.Field) bool {
	switch f.Name {
	case "x-n":
		_, err := strconv.Atoi(f.Value)
		return err != nil
	case "x-two":
		return f.Value != "v2"
	}
	return false
}
