package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format/disk"
)

// members are the files from to to of a rotated session, as the store names them.
func members(name string, from, to int) (names []string) {
	for no := from; no <= to; no++ {
		names = append(names, disk.Member(name, no))
	}
	return names
}

// TestShellWords: what is proposed is short where it can be, and a shell in that
// folder always makes the very names of it, in their order.
func TestShellWords(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no patterns there")
	}
	tests := []struct {
		name  string
		names []string
		also  []string // other files that are there
		want  string
	}{
		{"three", members("a.spl", 0, 2), nil, "a-*.spl"},
		{"two are typed as quickly", members("a.spl", 0, 1), nil, "a-000000.spl a-000001.spl"},
		{"the older are deleted", members("a.spl", 98, 101), nil, "a-*.spl"},
		{"encrypted", members("a.spl.age", 0, 2), []string{"a-000000.spl", "a-000003.spl.age.part"}, "a-*.spl.age"},
		{"no extension", members("a", 0, 2), nil, "a-*"},
		{"no extension, one not complete", members("a", 0, 2), []string{"a-000003.part"}, "a-000000 a-000001 a-000002"},
		{"the last is not complete", append(members("a.spl", 0, 1), "a-000002.spl.part"), nil, "a-000000.spl a-000001.spl a-000002.spl.part"},
		{"in a folder", members("d/a.spl", 0, 2), nil, "d/a-*.spl"},
		{"a space", members("my a.spl", 0, 2), nil, "'my a-'*.spl"},
		{"metacharacters", members("d $(x)/it's [*]?.spl", 0, 2), nil, `'d $(x)/it'\''s [*]?-'*.spl`},
		{"like a flag", members("-a.spl", 0, 2), nil, "./-a-*.spl"},
		{"like a home", members("~.spl", 0, 2), nil, "'~-'*.spl"},
		{"hidden", members(".a.spl", 0, 2), nil, ".a-*.spl"},
		{"digits before the number", members("2024-01.spl", 7, 12), []string{"2024-02-000007.spl"}, "2024-01-*.spl"},
		{"other letters", members("é.spl", 0, 2), nil, "é-*.spl"},
		{"one more of the name", members("a.spl", 0, 2), []string{"a-000003.spl"}, "a-000000.spl a-000001.spl a-000002.spl"},
		{"another session", members("a.spl", 0, 2), []string{"a-b-000000.spl", "a-b.spl"}, "a-0*.spl"},
		{"others of other numbers", members("a.spl", 10, 12), []string{"a-000009.spl", "a-000100.spl"}, "a-00001*.spl"},
		{"names of other names", members("a.spl", 0, 2), []string{"b-000000.spl", "a.spl", "a-000000.splx", "xa-000000.spl"}, "a-*.spl"},
		{"longer than the number", members("a.spl", 0, 2), []string{"a-000000 x.spl", "a-000000 y.spl", "a-000000 z.spl"},
			"a-000000.spl a-000001.spl a-000002.spl"},
		{"a folder", members("a.spl", 0, 2), []string{"a-000009.spl/x"}, "a-000000.spl a-000001.spl a-000002.spl"},
		{"numbers of two widths", members("a.spl", 999_998, 1_000_001), nil, "a-999998.spl a-999999.spl a-1000000.spl a-1000001.spl"},
		{"not in their order", []string{"a-2.spl", "a-1.spl", "a-3.spl"}, nil, "a-2.spl a-1.spl a-3.spl"},
		{"one twice", []string{"a-1.spl", "a-1.spl", "a-2.spl"}, nil, "a-1.spl a-1.spl a-2.spl"},
		{"nothing but numbers", []string{"1.spl", "2.spl", "3.spl"}, nil, "*.spl"},
		{"folders with numbers", []string{"d1/a.spl", "d2/a.spl", "d3/a.spl"}, nil, "d1/a.spl d2/a.spl d3/a.spl"},
		{"nothing alike", []string{"a b", "c", "d"}, nil, "'a b' c d"},
		{"a tail to quote", []string{"a-1 x.spl", "a-2 x.spl", "a-3 x.spl"}, nil, "a-*' x.spl'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, name := range slices.Concat(tt.names, tt.also) {
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := shellWords(tt.names)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			expandsTo(t, got, tt.names)
		})
	}
}

// expandsTo checks what the shells of this machine make of words, in the orders of
// the languages it knows.
func expandsTo(t *testing.T, words string, want []string) {
	t.Helper()
	for _, shell := range []string{"sh", "bash", "zsh"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		for _, lang := range []string{"C", "C.UTF-8", "en_US.UTF-8"} {
			cmd := exec.Command(path, "-c", `printf '%s\0' `+words)
			cmd.Env = append(os.Environ(), "LC_ALL="+lang)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", shell, err)
			}
			got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], "./")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s (%s) makes %q of %s, want %q", shell, lang, got, words, want)
			}
		}
	}
}

// TestShellWordsGone: of files that are not there any more, or in a folder that may not
// be read, all names are told.
func TestShellWordsGone(t *testing.T) {
	t.Chdir(t.TempDir())
	names := members("a.spl", 0, 40)
	for _, folder := range []string{"", "gone/"} {
		var in []string
		for _, name := range names {
			in = append(in, folder+name)
		}
		if got, want := shellWords(in), strings.Join(in, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// As many as there should be, but not all of them.
	for i, name := range names {
		if i == 20 {
			name = "a-000077.spl"
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := shellWords(names), strings.Join(names, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestShellWordsMany: a session of very many files is still one word.
func TestShellWordsMany(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no patterns there")
	}
	dir := t.TempDir()
	names := members(filepath.Join(dir, "a.spl"), 0, 2000)
	for _, name := range names {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := shellWords(names), fmt.Sprintf("%s/a-*.spl", dir); got != want {
		t.Errorf("got %.200s, want %s", got, want)
	}
}
