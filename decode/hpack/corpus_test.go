package hpack

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// story is what one encoder made of a sequence of header lists.
type story struct {
	Cases []struct {
		Wire      string
		TableSize *uint32 `json:"header_table_size"`
		Headers   []map[string]string
	}
}

// lists returns the header lists.
func (s *story) lists() [][]decode.Field {
	out := make([][]decode.Field, len(s.Cases))
	for i, c := range s.Cases {
		for _, h := range c.Headers {
			for n, v := range h {
				out[i] = append(out[i], field(n, v))
			}
		}
	}
	return out
}

// decodeFrom decodes the cases from one on, as a decoder that joins there.
func (s *story) decodeFrom(t *testing.T, first int) ([][]decode.Field, []Result) {
	t.Helper()
	d := New(Options{})
	if first > 0 {
		d.Forget()
	}
	var lists [][]decode.Field
	var results []Result
	for _, c := range s.Cases[first:] {
		if c.TableSize != nil {
			d.SetLimit(*c.TableSize, false)
		}
		got, res := d.Decode(nil, unhex(t, c.Wire))
		for k := range got {
			got[k].NeverIndexed = false // the stories do not tell
		}
		lists, results = append(lists, got), append(results, res)
	}
	return lists, results
}

// TestCorpusStories decodes what eleven encoders made of the same header lists,
// from the first block, and joined at later ones.
func TestCorpusStories(t *testing.T) {
	l := decodetest.NewLedger(t, "hpack")
	joins := 0
	for _, file := range decodetest.Files(t, decodetest.Corpus(t, "hpack"), ".json.gz") {
		s := decodetest.JSON[story](t, file)
		name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
		want := s.lists()
		known := firstSeen(want)
		got, results := s.decodeFrom(t, 0)
		for i := range s.Cases {
			l.Case()
			l.Expect(name, results[i].Fault == "" && slices.Equal(got[i], want[i]),
				"case %d: fault %q %s", i, results[i].Fault, cmp.Diff(want[i], got[i]))
		}
		for _, first := range []int{1, len(s.Cases) / 2} {
			if first <= 0 || first >= len(s.Cases) {
				continue
			}
			joins++
			late, res := s.decodeFrom(t, first)
			for i, list := range late {
				if why := known.checkJoined(first, want[first+i], list); why != "" || res[i].Fault != "" {
					t.Errorf("%s joined at %d, block %d: fault %q, %s", name, first, first+i, res[i].Fault, why)
				}
			}
		}
	}
	t.Logf("joined late %d times", joins)
	l.Close(9000)
}

// seen holds the block in which a name, and a field, came first.
type seen struct {
	name  map[string]int
	field map[decode.Field]int
}

func firstSeen(lists [][]decode.Field) seen {
	s := seen{make(map[string]int), make(map[decode.Field]int)}
	for i, list := range lists {
		for _, f := range list {
			if _, ok := s.name[f.Name]; !ok {
				s.name[f.Name] = i
			}
			if _, ok := s.field[f]; !ok {
				s.field[f] = i
			}
		}
	}
	return s
}

// checkJoined says what is wrong with a list decoded after a join at block
// first: nothing may be wrong that is not marked unknown, and nothing may be
// unknown that can only have come into the table since.
func (s seen) checkJoined(first int, want, got []decode.Field) string {
	if len(got) != len(want) {
		return "another number of fields"
	}
	for i, f := range got {
		w := want[i]
		switch {
		case f.Name != w.Name && f.Name != Unknown || f.Value != w.Value && f.Value != Unknown:
			return "a wrong field: " + f.Name + ": " + f.Value + ", want " + w.Name + ": " + w.Value
		case f.Name == Unknown && s.name[w.Name] >= first:
			return "an unknown name that was never there before: " + w.Name
		case f.Value == Unknown && s.field[w] >= first:
			return "an unknown value that was never there before: " + w.Name + ": " + w.Value
		}
	}
	return ""
}
