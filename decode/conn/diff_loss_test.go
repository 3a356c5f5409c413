package conn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// lossConversations is how many generated conversations are joined late, and
// lose bytes.
const lossConversations = 600

// claims writes the messages that are claimed to be whole and right: nothing is
// flagged and nothing said of them. Numbers of exchanges are left out; a
// decoder that missed some counts on without them.
func claims(list []decode.Message) map[string]bool {
	out := make(map[string]bool)
	for _, m := range list {
		if m.Kind != decode.Request && m.Kind != decode.Response || m.Flags&(decode.Incomplete|decode.Gapped|decode.MidStream|decode.Reset) != 0 {
			continue
		}
		told := false
		for _, a := range m.Anomalies {
			told = told || a.Kind != "h1-obs-fold" && a.Kind != decode.AnomalyResync && a.Kind != decode.AnomalyGap
		}
		// An interim response may have been among what was lost before a message.
		m.Anomalies, m.Exchange, m.Interim = nil, 0, nil
		if !told {
			out[fmt.Sprintf("%+v", m)] = true
		}
	}
	return out
}

// lose takes up to 400 bytes out of a random step, or everything before it.
func lose(r *rand.Rand, steps []decodetest.Step, join bool) []decodetest.Step {
	at := r.IntN(len(steps))
	s := steps[at]
	from := r.IntN(len(s.Data) + 1)
	if join {
		out := []decodetest.Step{{Dir: s.Dir, Data: s.Data[from:]}}
		return append(out, steps[at+1:]...)
	}
	n := r.IntN(1 + min(400, len(s.Data)-from))
	gap := n
	if r.IntN(2) == 0 || n == 0 {
		gap = decodetest.Unknown
	}
	out := append([]decodetest.Step{}, steps[:at]...)
	out = append(out, decodetest.Step{Dir: s.Dir, Data: s.Data[:from]}, decodetest.Step{Dir: s.Dir, Gap: gap}, decodetest.Step{Dir: s.Dir, Data: s.Data[from+n:]})
	return append(out, steps[at+1:]...)
}

// TestDifferentialLoss: of a conversation that was joined late, or lost bytes,
// nothing is claimed to be whole that is not in the whole of it.
func TestDifferentialLoss(t *testing.T) {
	for _, proto := range []string{"http/1.1", "h2"} {
		kept, all := 0, 0
		for seed := range uint64(lossConversations) {
			r := rand.New(rand.NewPCG(seed, 33))
			for _, join := range []bool{false, true} {
				k := newTalk1(seed)
				// Requests that pipeline across the moment of joining cannot be told
				// from ones that do not.
				k.waits = join
				steps := k.play()
				if proto == "h2" {
					steps = newTalk2(seed, 4096).play()
				}
				want := claims(runner(decode.Limits{}, decode.Hint{})(steps, decodetest.Whole))
				all += len(want)
				hint := decode.Hint{ALPN: proto, Role: decode.RoleClient, MidStream: join}
				less := lose(r, steps, join)
				list := runner(decode.Limits{}, hint)(less, decodetest.Whole)
				for claim := range claims(list) {
					if kept++; !want[claim] {
						t.Fatalf("%s seed %d, joined late %t: claimed whole, and is not:\n%.1000s\n%.3000s", proto, seed, join, claim, script(less))
					}
				}
			}
		}
		t.Logf("%s: of %d messages %d came through %d losses unmarked", proto, all, kept, 2*lossConversations)
	}
}
