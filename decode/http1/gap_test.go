package http1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestPairsAfterLoss: where a client pipelines, every pair after a loss says
// that it is uncertain, until it is known that nothing was lost.
func TestPairsAfterLoss(t *testing.T) {
	const (
		get  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		get1 = "1> GET / HTTP/1.1"
	)
	hole := func(n int) decodetest.Step { return decodetest.Step{Dir: s2c, Gap: n} }
	lost := decodetest.Step{Dir: c2s, Gap: 40}
	for _, tt := range []struct {
		name  string
		steps []decodetest.Step
		want  []string
	}{
		{
			"pairs are uncertain until the queue is empty",
			[]decodetest.Step{req(get + get + get), hole(40), resp(ok + ok), req(get), resp(ok), req(get), resp(ok), req(get), resp(ok)},
			[]string{
				get1, "2> GET / HTTP/1.1", "3> GET / HTTP/1.1",
				`1< 200 [2 "ok"] [gap h1-uncertain-pair]`, `2< 200 [2 "ok"] [h1-uncertain-pair]`,
				"4> GET / HTTP/1.1", `3< 200 [2 "ok"] [h1-uncertain-pair]`,
				"5> GET / HTTP/1.1", `4< 200 [2 "ok"] [h1-uncertain-pair]`,
				"6> GET / HTTP/1.1", `5< 200 [2 "ok"] [h1-uncertain-pair]`,
			},
		},
		{
			"nothing was lost after all",
			[]decodetest.Step{req(get + get), hole(40), resp(ok + ok), req(get), resp(ok)},
			[]string{
				get1, "2> GET / HTTP/1.1", `1< 200 [2 "ok"] [gap h1-uncertain-pair]`, `2< 200 [2 "ok"] [h1-uncertain-pair]`,
				"3> GET / HTTP/1.1", `3< 200 [2 "ok"]`,
			},
		},
		{
			"a lost request of a client that does not wait",
			[]decodetest.Step{req(get + get), lost, req(get), resp(ok + ok + ok), req(get), resp(ok)},
			[]string{
				get1, "2> GET / HTTP/1.1", "3> GET / HTTP/1.1 [gap]",
				`1< 200 [2 "ok"] [h1-uncertain-pair]`, `2< 200 [2 "ok"] [h1-uncertain-pair]`, `3< 200 [2 "ok"] [h1-uncertain-pair]`,
				"4> GET / HTTP/1.1", `4< 200 [2 "ok"] [h1-uncertain-pair]`,
			},
		},
		{
			"a lost request of a client that waits",
			[]decodetest.Step{req(get), resp(ok), lost, resp(ok), req(get), resp(ok)},
			[]string{get1, `1< 200 [2 "ok"]`, `2< 200 [2 "ok"] [no-request]`, "3> GET / HTTP/1.1 [gap]", `3< 200 [2 "ok"]`},
		},
	} {
		if diff := cmp.Diff(tt.want, briefs(playAll(t, decode.Limits{}, tt.steps, true))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestGapsInHold: a gap in what waits for the answer to a CONNECT is where it was,
// however much came before and after it until the answer did.
func TestGapsInHold(t *testing.T) {
	const connect = "CONNECT b:80 HTTP/1.1\r\nHost: b\r\n\r\n"
	const get = "GET / HTTP/1.1\r\nHost: b\r\n\r\n"
	end := uint64(len(connect))
	hole := func(n int) decodetest.Step { return decodetest.Step{Dir: c2s, Gap: n} }
	for name, tt := range map[string]struct {
		held []decodetest.Step
		want []uint64
		http int // how many of them are told of if it is HTTP: one a message
	}{
		"first":        {[]decodetest.Step{hole(2), req(get), req(get)}, []uint64{end}, 1},
		"between":      {[]decodetest.Step{req(get[:20]), hole(2), req(get)}, []uint64{end + 20}, 1},
		"two":          {[]decodetest.Step{hole(2), req(get[:20]), hole(3), req(get)}, []uint64{end, end + 22}, 1},
		"two in a row": {[]decodetest.Step{req(get), hole(2), hole(3), req(get)}, []uint64{end + 27, end + 29}, 1},
		"nothing else": {[]decodetest.Step{hole(2)}, []uint64{end}, 1},
		"of no known size": {
			[]decodetest.Step{hole(decodetest.Unknown), req(get), hole(decodetest.Unknown), req(get)}, []uint64{end, end + 27}, 2,
		},
	} {
		for _, answer := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", ""} {
			steps := append([]decodetest.Step{req(connect)}, tt.held...)
			if answer != "" {
				steps = append(steps, resp(answer))
			}
			want := tt.want
			if !strings.Contains(answer, "200") {
				want = want[:tt.http]
			}
			var got []uint64
			for _, m := range playAll(t, decode.Limits{}, steps, true) {
				for _, a := range m.Anomalies {
					if a.Kind == decode.AnomalyGap {
						got = append(got, a.Offset)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, answered %.12q (-want +got):\n%s", name, answer, diff)
			}
		}
	}
}
