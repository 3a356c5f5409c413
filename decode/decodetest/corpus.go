package decodetest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus returns a folder of the shared test data, which stands beside the
// repository and is no part of it: its licences are not this project's. Where
// it is absent the test is skipped with a line that names the folder, so that a
// run without it is not taken for one that passed.
func Corpus(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, ok := moduleRoot(dir)
	if !ok {
		t.Fatalf("no go.mod above %s", dir)
	}
	dir = filepath.Join(append([]string{root, "..", "shared", "corpus"}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("shared test data is not here: %v", err)
	}
	return dir
}

// moduleRoot returns the nearest folder with a go.mod, from dir upwards. A test
// runs in the folder of its package, however deep that is.
func moduleRoot(dir string) (root string, ok bool) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// Files returns the files below dir whose names end in suffix, in lexical
// order. That there are none is fatal: a test over no case proves nothing.
func Files(t testing.TB, dir, suffix string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("no file *%s below %s", suffix, dir)
	}
	return out
}

// Bytes returns the content of a file, that of a .gz unpacked.
func Bytes(t testing.TB, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return b
}

// JSON reads a file that holds one JSON value, packed or not.
func JSON[T any](t testing.TB, file string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(Bytes(t, file), &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}
