package record

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeProc makes a procfs of files.
func fakeProc(t *testing.T, files map[string]string) procFS {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return procFS(dir)
}

func TestParseMapping(t *testing.T) {
	tests := []struct {
		line string
		want mapping
		ok   bool
	}{
		{"7f00-7f10 r-xp 00001000 08:01 99 /usr/lib/libssl.so.3", mapping{"7f00-7f10", "/usr/lib/libssl.so.3", "08:01 99 /usr/lib/libssl.so.3"}, true},
		{"7f00-7f10 r-xp 00001000 08:01 99                 /a b/libssl.so.3 (deleted)", mapping{"7f00-7f10", "/a b/libssl.so.3 (deleted)", "08:01 99 /a b/libssl.so.3 (deleted)"}, true},
		{"00b6f000-00b71000 r-xp 0076f000 fe:00 7 /usr/bin/node", mapping{"b6f000-b71000", "/usr/bin/node", "fe:00 7 /usr/bin/node"}, true},
		{"7f00-7f10 r--p 00001000 08:01 99 /usr/lib/libssl.so.3", mapping{}, false},
		{"7f00-7f10 r-xp 00000000 00:00 0 [vdso]", mapping{}, false},
		{"7f00-7f10 r-xp 00000000 00:00 0", mapping{}, false},
		{"", mapping{}, false},
		{"a b c d e f", mapping{}, false},
	}
	for _, tt := range tests {
		got, ok := parseMapping([]byte(tt.line))
		if got != tt.want || ok != tt.ok {
			t.Errorf("%q: %+v %v, want %+v %v", tt.line, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add([]byte("7f00-7f10 r-xp 00001000 08:01 99 /usr/lib/libssl.so.3"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if m, ok := parseMapping(line); ok && m.path[0] != '/' {
			t.Errorf("path %q", m.path)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a b) c) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 4096"))
	f.Fuzz(func(t *testing.T, b []byte) { parseStat(b) })
}

func TestLibraries(t *testing.T) {
	p := fakeProc(t, map[string]string{"7/maps": `5500-5510 r-xp 00000000 08:01 1 /usr/bin/curl
7f00-7f10 r--p 00000000 08:01 99 /usr/lib/libssl.so.3
7f10-7f20 r-xp 00001000 08:01 99 /usr/lib/libssl.so.3
7f30-7f40 r-xp 00001000 08:01 99 /usr/lib/libssl.so.3
7f50-7f60 r-xp 00001000 08:01 98 /old/libssl.so.3 (deleted)
7f70-7f80 r-xp 00001000 08:01 97 /usr/lib/libssl3.so
`})
	var got []string
	for _, m := range p.mappings(7) {
		if slices.Contains(named(m.base()), &openSSL) {
			got = append(got, m.path+" "+filepath.Base(m.open)+" "+m.file[:8])
		}
	}
	want := []string{"/usr/lib/libssl.so.3 7f10-7f20 08:01 99", "/old/libssl.so.3 (deleted) 7f50-7f60 08:01 98"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := p.mappings(8); got != nil {
		t.Errorf("a process that is gone has %v", got)
	}
}

func TestDescendants(t *testing.T) {
	const rest = " 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 4096" // the start is field 22
	p := fakeProc(t, map[string]string{
		"1/stat":  "1 (init) S 0 1" + rest,
		"10/stat": "10 (sh) S 1 10" + rest,
		"11/stat": "11 (a) b) S 10 11" + rest, // a name may hold a parenthesis
		"12/stat": "12 (curl) S 11 12" + rest,
		"20/stat": "20 (other) S 1 20" + rest,
		"30/stat": "broken",
	})
	got := p.descendants(10)
	slices.Sort(got)
	if d := cmp.Diff([]uint32{10, 11, 12}, got); d != "" {
		t.Error(d)
	}
	// Another start in the same hundredth of a second there cannot be, one at another time can.
	if !p.lives(12, 7_770_000_001) || p.lives(12, 7_780_000_000) || p.lives(30, 7_770_000_000) {
		t.Error("lives by another start")
	}
	if !p.exists(20) || p.exists(21) {
		t.Error("exists is wrong")
	}
}

func TestCgroup(t *testing.T) {
	p := fakeProc(t, map[string]string{"5/cgroup": "12:cpu:/legacy\n0::/system.slice/nginx.service\n", "6/cgroup": "1:cpu:/x\n"})
	if got := p.cgroup(5); got != "/system.slice/nginx.service" {
		t.Errorf("cgroup %q", got)
	}
	if got := p.cgroup(6) + p.cgroup(7); got != "" {
		t.Errorf("cgroup %q, want none", got)
	}
}

// TestInstalledPrograms: a name finds what is on the path; one that is a path or a
// pattern finds nothing.
func TestInstalledPrograms(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("SKIP: no sh on the path")
	}
	if got := installedPrograms("sh"); !slices.Contains(got, sh) {
		t.Errorf("sh: %q, want %s among them", got, sh)
	}
	for _, name := range []string{"", "*", "../bin/sh", "s[h]", `s\\h`, "no-such-program"} {
		if got := installedPrograms(name); got != nil {
			t.Errorf("%q finds %q", name, got)
		}
	}
}
