package conformance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Both readers make the same of files that nobody thought of: cut, flipped, with
// bytes gone, and with parts of themselves put in again. SPLIFF_EXHAUSTIVE=1 tries
// ten times as many.
func TestReadersAgree(t *testing.T) {
	havePython(t)
	each := 15
	if os.Getenv("SPLIFF_EXHAUSTIVE") != "" {
		each *= 10
	}
	folder := t.TempDir()
	files, struck := map[string][]byte{}, map[string]string{}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"conversation-plain", "conversation-fs", "members-fs", "newer-minor-f", "same-twice-fs"} {
		file, err := os.ReadFile(path(name, ".spl"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 * each {
			b, what := strike(rng, file, i%4)
			id := fmt.Sprintf("struck-%04d", len(files))
			files[id], struck[id] = b, name+": "+what
			if err := os.WriteFile(filepath.Join(folder, id+".spl"), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	lines := readPython(t, nil, folder, listed(t, folder, ".spl"), ".spl")
	for id, b := range files {
		got, err := drainFrom(b)
		if diff := compare(fromLines(t, lines[id]), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-python +go):\n%s", struck[id], err, diff)
		}
	}
}

// strike returns a damaged copy of file, and in words what was done to it.
func strike(rng *rand.Rand, file []byte, how int) ([]byte, string) {
	b := bytes.Clone(file)
	at := rng.IntN(len(b))
	switch how {
	case 0:
		return b[:at], fmt.Sprintf("cut at %d", at)
	case 1:
		bit := rng.IntN(8)
		b[at] ^= 1 << bit
		return b, fmt.Sprintf("bit %d of byte %d flipped", bit, at)
	case 2:
		end := min(len(b), at+1+rng.IntN(300))
		return slices.Delete(b, at, end), fmt.Sprintf("bytes %d to %d gone", at, end)
	}
	from := rng.IntN(len(b))
	to := min(len(b), from+rng.IntN(900))
	return slices.Insert(b, at, file[from:to]...), fmt.Sprintf("bytes %d to %d again at %d", from, to, at)
}
