package record

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestOffsets: a stripped program with OpenSSL built in is named and not recorded; with
// what nm says of it before it is stripped, it is, to the byte. What cannot be right is
// refused in one sentence.
func TestOffsets(t *testing.T) {
	needCapture(t)
	// A function of libssl is kept for each name; the others are not there to be found.
	bin := built(t, "calls", "libssl-dev", "-Wl,--gc-sections", "-l:libssl.a", "-l:libcrypto.a", "-ldl")
	symbols, err := exec.Command("nm", bin).Output()
	if err != nil {
		t.Skipf("SKIP: no symbols (apt-get install binutils): %v", err)
	}
	stripped := filepath.Join(t.TempDir(), "calls-stripped")
	if out, err := exec.Command("strip", "-o", stripped, bin).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := openImage(stripped)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if found := contents(m, nil); len(found) != 1 || found[0].err == nil || !strings.Contains(found[0].err.Error(), "--offsets can give them") {
		t.Fatalf("without offsets: %+v", found)
	}
	o := Offsets{BuildID: m.buildID, Library: "openssl", Functions: map[string]uint64{}}
	roles := givenRoles(o.Library)
	for line := range strings.Lines(string(symbols)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != "T" {
			continue
		}
		if _, ok := roles[f[2]]; ok {
			if o.Functions[f[2]], err = strconv.ParseUint(f[0], 16, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(o.Functions) < 8 {
		t.Fatalf("nm names only %v", slices.Sorted(maps.Keys(o.Functions)))
	}
	cert, key := selfSigned(t)
	for name, file := range map[string]Offsets{"build id": o, "sum": {SHA256: m.sha256(), Library: o.Library, Functions: o.Functions}} {
		t.Run(name, func(t *testing.T) {
			l := newTally(t)
			want := runCalls(t, Options{Command: []string{stripped, "partial", cert, key}, Offsets: []Offsets{file}}, l)
			checkCalls(t, l, want)
			if len(l.shakes) != 2 || !slices.Contains(l.kinds, "openssl") {
				t.Errorf("%d handshakes, libraries %v", len(l.shakes), l.kinds)
			}
		})
	}
	for shift, want := range map[uint64]string{1: "is inside a function", 1 << 40: "is in no executable part"} {
		wrong := o
		wrong.Functions = maps.Clone(o.Functions)
		wrong.Functions["SSL_read"] += shift
		if _, err := wrong.sites(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("an address %#x too high: %v, want %s", shift, err, want)
		}
	}
}
