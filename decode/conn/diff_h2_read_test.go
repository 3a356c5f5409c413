package conn

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// side2 is what one direction of a stream carried.
type side2 struct {
	Heads []string // header sections, each a line a field, in their order
	Body  string
	Ended bool
}

// seen2 is a connection as a reader tells it.
type seen2 struct {
	sides map[string]*side2 // by "c2s 1"
	reset map[uint32]bool
}

func (s *seen2) side(dir decode.Dir, id uint32) *side2 {
	key := fmt.Sprintf("%s %d", []string{"c2s", "s2c"}[dir], id)
	if s.sides[key] == nil {
		s.sides[key] = new(side2)
	}
	return s.sides[key]
}

// lines writes a section with its cookies joined, as RFC 9113 §8.2.3 allows.
func lines(list []xhpack.HeaderField) string {
	var out []string
	cookie := -1
	for _, f := range list {
		if f.Name == "cookie" && cookie >= 0 {
			out[cookie] += "; " + f.Value
			continue
		}
		if f.Name == "cookie" {
			cookie = len(out)
		}
		out = append(out, f.Name+": "+f.Value)
	}
	return strings.Join(out, "\n")
}

// readX reads a connection with x/net: its framer and its HPACK decoder.
func readX(steps []decodetest.Step) (*seen2, error) {
	out := &seen2{sides: make(map[string]*side2), reset: make(map[uint32]bool)}
	for dir := range decode.Dir(2) {
		var in bytes.Buffer
		for _, s := range steps {
			if s.Dir == dir {
				in.WriteString(s.Data)
			}
		}
		if dir == w {
			in.Next(len(http2.ClientPreface))
		}
		if err := out.readDir(dir, &in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *seen2) readDir(dir decode.Dir, in *bytes.Buffer) error {
	fr := http2.NewFramer(nil, in)
	fr.AllowIllegalReads = true // it takes CONTINUATION after PUSH_PROMISE for illegal
	hp := xhpack.NewDecoder(4096, nil)
	hp.SetAllowedMaxDynamicTableSize(1 << 20)
	var block []byte
	on, promised, end := uint32(0), uint32(0), false
	for in.Len() > 0 {
		f, err := fr.ReadFrame()
		if err != nil {
			return fmt.Errorf("read frame: %w: %v", err, fr.ErrorDetail())
		}
		done := false
		switch f := f.(type) {
		case *http2.HeadersFrame:
			block, on, promised, end, done = bytes.Clone(f.HeaderBlockFragment()), f.StreamID, 0, f.StreamEnded(), f.HeadersEnded()
		case *http2.PushPromiseFrame:
			block, on, promised, end, done = bytes.Clone(f.HeaderBlockFragment()), f.StreamID, f.PromiseID, false, f.HeadersEnded()
		case *http2.ContinuationFrame:
			block, done = append(block, f.HeaderBlockFragment()...), f.HeadersEnded()
		case *http2.DataFrame:
			side := s.side(dir, f.StreamID)
			side.Body += string(f.Data())
			side.Ended = side.Ended || f.StreamEnded()
		case *http2.RSTStreamFrame:
			s.reset[f.StreamID] = true
		}
		if !done {
			continue
		}
		list, err := hp.DecodeFull(block)
		if err != nil {
			return fmt.Errorf("decode block: %w", err)
		}
		side := s.side(dir, on)
		if promised != 0 {
			side = s.side(w, promised) // what the client would have asked
			side.Ended = true
		}
		side.Heads = append(side.Heads, lines(list))
		side.Ended = side.Ended || end
	}
	return nil
}

// asSeen puts our messages in the same form.
func asSeen(list []decode.Message) *seen2 {
	out := &seen2{sides: make(map[string]*side2), reset: make(map[uint32]bool)}
	for i := range list {
		m := &list[i]
		dir := w
		switch m.Kind {
		case decode.Request:
		case decode.Response:
			dir = r
		default:
			continue
		}
		if m.Flags&decode.Reset != 0 {
			out.reset[m.Stream] = true
		}
		side := out.side(dir, m.Stream)
		for _, in := range m.Interim {
			side.Heads = append(side.Heads, section2(fmt.Sprintf(":status: %d", in.Status), in.Header))
		}
		switch {
		case m.Kind == decode.Request:
			side.Heads = append(side.Heads, section2(":method: "+m.Method+"\n:scheme: "+m.Scheme+"\n:authority: "+m.Authority+"\n:path: "+m.Target, m.Header))
		case m.Status != 0:
			side.Heads = append(side.Heads, section2(fmt.Sprintf(":status: %d", m.Status), m.Header))
		}
		if m.Trailer != nil {
			side.Heads = append(side.Heads, section2("", m.Trailer))
		}
		side.Body, side.Ended = string(m.Body.Data), m.Flags&decode.Incomplete == 0
	}
	return out
}

func section2(first string, list []decode.Field) string {
	var out []string
	if first != "" {
		out = append(out, first)
	}
	for _, f := range list {
		out = append(out, f.Name+": "+f.Value)
	}
	return strings.Join(out, "\n")
}

// settled drops what a reset leaves to the order of the two directions: whether
// a stream had ended, and sides of which nothing was seen.
func (s *seen2) settled() map[string]side2 {
	out := make(map[string]side2)
	for key, side := range s.sides {
		var id uint32
		fmt.Sscanf(key[4:], "%d", &id)
		v := *side
		if s.reset[id] {
			v.Ended = false
		}
		if len(v.Heads) > 0 || v.Body != "" {
			out[key] = v
		}
	}
	return out
}

// TestDifferentialHTTP2 generates connections and reads them with x/net's framer
// and HPACK decoder: the same sections and bodies on every stream, and nothing
// called wrong.
func TestDifferentialHTTP2(t *testing.T) {
	sides := 0
	for seed := range uint64(diffConversations) {
		steps := newTalk2(seed, 1<<(7+seed%10)).play()
		x, err := readX(steps)
		if err != nil {
			t.Fatalf("seed %d: x/net: %v", seed, err)
		}
		run := runner(decode.Limits{}, decode.Hint{})
		list := run(steps, decodetest.Whole)
		ours := asSeen(list)
		ours.reset = x.reset // a stream that had ended before says nothing of its reset
		want, got := x.settled(), ours.settled()
		sides += len(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-x/net +got):\n%.3000s\n%.6000s", seed, diff, script(steps))
		}
		for _, m := range list {
			for _, a := range m.Anomalies {
				if a.Kind != "h2-reset" {
					t.Fatalf("seed %d: %v in a correct conversation\n%.6000s", seed, a, script(steps))
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
	t.Logf("%d connections, %d messages", diffConversations, sides)
}
