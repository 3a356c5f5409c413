package hpack

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// corpusDir returns a folder of the shared test data, which is not part of this
// repository, or skips.
func corpusDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "corpus", name)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("test data %s is absent", dir)
	}
	return dir
}

// TestStories decodes what eleven encoders made of the same header lists.
func TestStories(t *testing.T) {
	type story struct {
		Cases []struct {
			Wire      string
			TableSize *uint32 `json:"header_table_size"`
			Headers   []map[string]string
		}
	}
	files, err := filepath.Glob(filepath.Join(corpusDir(t, "hpack"), "*", "*.json.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list stories: %v, %d files", err, len(files))
	}
	blocks := 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var s story
		if err := json.NewDecoder(z).Decode(&s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		f.Close()
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
