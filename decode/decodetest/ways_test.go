package decodetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// hearer is a test that only listens to what is reported.
type hearer struct {
	testing.TB
	heard []string
}

func (h *hearer) Helper() {}

func (h *hearer) Errorf(format string, args ...any) {
	h.heard = append(h.heard, fmt.Sprintf(format, args...))
}

// TestWays: each of the rules is broken once, and told.
func TestWays(t *testing.T) {
	steps := []Step{{Dir: decode.Write, Data: strings.Repeat("ab", 50)}, {Dir: decode.Read, Data: "cd"}}
	count := func(steps []Step, cut Cut) (n, chunks int, gap bool) {
		for _, s := range steps {
			gap = gap || s.Gap != 0
			for left := len(s.Data); left > 0; chunks++ {
				k := cut(left)
				n, left = n+k, left-k
			}
		}
		return n, chunks, gap
	}
	message := func(n int, gap bool) []decode.Message {
		m := decode.Message{Kind: decode.Opaque, Body: decode.Body{Size: uint64(n)}}
		if gap {
			m.Flags = decode.Gapped
		}
		return []decode.Message{m}
	}
	for name, tt := range map[string]struct {
		run  Run
		want string
	}{
		"right": {func(steps []Step, cut Cut) []decode.Message {
			n, _, gap := count(steps, cut)
			return message(n, gap)
		}, ""},
		"depends on the cut": {func(steps []Step, cut Cut) []decode.Message {
			n, chunks, gap := count(steps, cut)
			return message(n+chunks, gap)
		}, "differs (-whole +cut)"},
		"passes over a loss": {func(steps []Step, cut Cut) []decode.Message {
			n, _, _ := count(steps, cut)
			return message(n, false)
		}, "bytes are missing and nothing says so"},
		"takes memory": {func(steps []Step, cut Cut) []decode.Message {
			n, _, gap := count(steps, cut)
			return append(message(n, gap), decode.Message{Body: decode.Body{Data: make([]byte, 2*maxMemory)}})
		}, "bytes of memory for"},
	} {
		h := &hearer{TB: t}
		list := Ways(h, name, steps, tt.run)
		if len(list) == 0 || list[0].Body.Size < 102 {
			t.Errorf("%s: returned %+v, want the whole case", name, list)
		}
		if tt.want == "" && len(h.heard) > 0 || !strings.Contains(strings.Join(h.heard, "\n"), tt.want) {
			t.Errorf("%s: heard %.300q, want %q", name, h.heard, tt.want)
		}
	}
}

// TestHole: the same case loses the same bytes each time, and keeps all others.
func TestHole(t *testing.T) {
	steps := []Step{{Dir: decode.Write, Data: "abcdef"}, {Dir: decode.Read}}
	record := func(name string) (out []string) {
		Ways(&hearer{TB: t}, name, steps, func(steps []Step, cut Cut) []decode.Message {
			text := ""
			for _, s := range steps {
				text += s.Data
				if s.Gap != 0 {
					text += fmt.Sprintf("(%d)", s.Gap)
				}
			}
			out = append(out, text)
			return []decode.Message{{Flags: decode.Gapped}}
		})
		return out
	}
	first := record("a")
	if diff := cmp.Diff(first, record("a")); diff != "" {
		t.Errorf("the same name (-first +second):\n%s", diff)
	}
	known := first[len(first)-3]
	open, after, _ := strings.Cut(known, "(")
	var n int
	fmt.Sscanf(after, "%d)", &n)
	if rest := len(strings.ReplaceAll(known, fmt.Sprintf("(%d)", n), "")); n < 1 || rest+n != 6 || len(open) > 5 {
		t.Errorf("%q: %d bytes are left of 6", known, rest)
	}
}
