package http1

import (
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
