package hpack

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// TestStories decodes what eleven encoders made of the same header lists.
func TestStories(t *testing.T) {
	type story struct {
		Cases []struct {
			Wire      string
			TableSize *uint32 `json:"header_table_size"`
			Headers   []map[string]string
		}
	}
	files := decodetest.Files(t, decodetest.Corpus(t, "hpack"), ".json.gz")
	blocks := 0
	for _, file := range files {
		s := decodetest.JSON[story](t, file)
		d := New(Options{})
		for i, c := range s.Cases {
			if c.TableSize != nil {
				d.SetLimit(*c.TableSize, false)
			}
			var want []decode.Field
			for _, h := range c.Headers {
				for n, v := range h {
					want = append(want, field(n, v))
				}
			}
			got, res := d.Decode(nil, unhex(t, c.Wire))
			for k := range got {
				got[k].NeverIndexed = false // the stories do not tell
			}
			if !slices.Equal(want, got) || res.Fault != "" {
				t.Fatalf("%s case %d: fault %q\n%s", file, i, res.Fault, cmp.Diff(want, got))
			}
			blocks++
		}
	}
	t.Logf("%d blocks of %d stories", blocks, len(files))
}
