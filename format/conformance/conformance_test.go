package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/format"
)

const dir = "../../testdata/conformance"

// update is a flag and so, as everywhere in Go, a package variable.
var update = flag.Bool("update", false, "make the conformance files anew")

// all calls f for each file of the set.
func all(f func(name string, c testCase, v variant)) {
	for _, c := range cases() {
		for _, v := range c.variants {
			f(c.name+"-"+v.String(), c, v)
		}
	}
}

// expected is what must be read from the file that a case makes.
func expected(c testCase, v variant, o outcome) expectation {
	x := expectation{Why: c.why, Error: o.err, Footer: o.footer, Damage: o.damage, Lies: o.lies}
	if x.Footer == "" && v.footer {
		x.Footer = agrees
	} else if x.Footer == "" {
		x.Footer = none
	}
	for _, e := range o.events {
		x.Events = append(x.Events, e.json())
	}
	return x
}

// The files are what the cases make. With -update they are made anew.
func TestFilesAreTheCases(t *testing.T) {
	known := map[string]bool{}
	all(func(name string, c testCase, v variant) {
		o := c.make(v)
		x := expected(c, v, o).marshal()
		known[name] = true
		if *update {
			write := func() error { return os.WriteFile(path(name, ".spl"), o.file, 0o644) }
			if v.sealed {
				write = func() error { return writeSealed(path(name, sealedExt), o.file) }
			}
			if err := errors.Join(write(), os.WriteFile(path(name, ".json"), x, 0o644)); err != nil {
				t.Fatal(err)
			}
			return
		}
		// Not the bytes of the sessions: another version of the compressor may make others.
		if got, err := os.ReadFile(path(name, ".json")); err != nil || !bytes.Equal(got, x) {
			t.Errorf("%s is not what its case expects (%v): go test ./format/conformance -update\n%s", name, err, cmp.Diff(string(x), string(got)))
		}
	})
	for _, name := range listed(t, dir, ".json") {
		if !known[name] {
			t.Errorf("no case makes %s", name)
		}
	}
}

func path(name, ext string) string { return filepath.Join(dir, name+ext) }

// listed returns the names of the files in a folder that end so, without the end.
func listed(t *testing.T, folder, ext string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"+ext))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ext)
	}
	if len(names) == 0 {
		t.Fatalf("no %s in %s", ext, folder)
	}
	return names
}

// load reads the expectation that stands beside a file.
func load(t *testing.T, file string) expectation {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x expectation
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&x); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return x
}

// compare reports where what was read differs from what was expected.
func compare(want, got expectation) string {
	form := func(x expectation, bare bool) []any {
		var lines []any
		for _, e := range x.Events {
			lines = append(lines, plainJSON(e))
		}
		for _, d := range x.Damage {
			if bare {
				d.Offset, d.Size = nil, nil
			}
			lines = append(lines, plainJSON(map[string]any{"damage": d}))
		}
		if x.Error != "" {
			lines = append(lines, "error: "+x.Error)
		}
		return lines
	}
	bare := slices.ContainsFunc(want.Damage, func(d damage) bool { return d.Offset == nil })
	return cmp.Diff(form(want, bare), form(got, bare))
}

// eachFile calls f for every file of the set and of the frozen ones.
func eachFile(t *testing.T, f func(name string, file []byte, x expectation)) {
	t.Helper()
	for _, folder := range []string{dir, frozenDir} {
		for _, name := range listed(t, folder, ".spl") {
			file, err := os.ReadFile(filepath.Join(folder, name+".spl"))
			if err != nil {
				t.Fatal(err)
			}
			f(name, file, load(t, filepath.Join(folder, name+".json")))
		}
	}
}

func TestGoReader(t *testing.T) {
	differs := goDiffers()
	eachFile(t, func(name string, file []byte, x expectation) {
		got, err := readGo(file, format.ReaderOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		diff := compare(x, got)
		switch why := differs[name]; {
		case diff != "" && why == "":
			t.Errorf("%s (-want +got):\n%s", name, diff)
		case diff == "" && why != "":
			t.Errorf("%s is read as it should be: take it out of goDiffers", name)
		}
	})
}

// Reading by the footer, or by the headers of all chunks, gives the same events.
func TestGoOpen(t *testing.T) {
	differs := goDiffers()
	eachFile(t, func(name string, file []byte, x expectation) {
		if differs[name] != "" {
			return
		}
		got, indexed, err := openGo(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x.Footer != may && indexed != (x.Footer == agrees) {
			t.Errorf("%s: footer %s, but opened by it: %t", name, x.Footer, indexed)
		}
		// A footer that does not fit what is left of its section may be called a lie.
		got.Damage = slices.DeleteFunc(got.Damage, func(d damage) bool { return d.Kind == "lie" && x.Footer != agrees })
		if x.Footer == may {
			// Not all that is struck is met.
			got.Damage, x.Damage = nil, nil
		}
		diff := compare(x, got)
		switch why := differs["open "+name]; {
		case diff != "" && why == "":
			t.Errorf("%s (-want +got):\n%s", name, diff)
		case diff == "" && why != "":
			t.Errorf("%s is opened as it should be: take it out of goDiffers", name)
		}
	})
}

// A reader that doubts finds the lies, and nothing else where nothing is wrong.
func TestGoCheck(t *testing.T) {
	differs := goDiffers()
	eachFile(t, func(name string, file []byte, x expectation) {
		if len(x.Damage) > 0 {
			return
		}
		x.Damage = x.Lies
		got, err := readGo(file, format.ReaderOptions{Check: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		diff := compare(x, got)
		switch why := differs["check "+name]; {
		case diff != "" && why == "":
			t.Errorf("%s (-want +got):\n%s", name, diff)
		case diff == "" && why != "":
			t.Errorf("%s is checked as it should be: take it out of goDiffers", name)
		}
	})
}

// readPython runs the reader in python over files. Its lines are split by file.
func readPython(t *testing.T, args []string, folder string, names []string, ext string) map[string][]json.RawMessage {
	t.Helper()
	args = append([]string{"-B", "reader.py"}, args...)
	abs, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		args = append(args, filepath.Join(abs, name+ext))
	}
	cmd := exec.Command("python3", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("reader.py: %v\n%s", err, stderr.String())
	}
	lines := map[string][]json.RawMessage{}
	name := names[0]
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var line json.RawMessage
		if err := dec.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		var head struct{ File string }
		if json.Unmarshal(line, &head) == nil && head.File != "" {
			name = strings.TrimSuffix(filepath.Base(head.File), ext)
			continue
		}
		lines[name] = append(lines[name], line)
	}
}

// havePython skips a test, and says so, where the second reader cannot run.
func havePython(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"python3", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: the second reader needs %s, which is not installed", tool)
		}
	}
}

// The second reader, written from FORMAT.md alone, agrees.
func TestPythonReader(t *testing.T) {
	havePython(t)
	for _, folder := range []string{dir, frozenDir} {
		names := listed(t, folder, ".spl")
		lines := readPython(t, nil, folder, names, ".spl")
		for _, name := range names {
			if diff := compare(load(t, filepath.Join(folder, name+".json")), fromLines(t, lines[name])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// fromLines gathers what reader.py printed for one file.
func fromLines(t *testing.T, lines []json.RawMessage) expectation {
	t.Helper()
	var x expectation
	for _, line := range lines {
		var l struct {
			Damage *damage
			Error  string
		}
		var e any
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		if err := errors.Join(json.Unmarshal(line, &l), dec.Decode(&e)); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Damage != nil:
			x.Damage = append(x.Damage, *l.Damage)
		case l.Error != "":
			x.Error = l.Error
		default:
			x.Events = append(x.Events, e)
		}
	}
	return x
}

// What the end of a file says is what a scan of it finds.
func TestPythonFooter(t *testing.T) {
	havePython(t)
	names := listed(t, dir, ".spl")
	index := readPython(t, []string{"--index"}, dir, names, ".spl")
	chunks := readPython(t, []string{"--chunks"}, dir, names, ".spl")
	for _, name := range names {
		x := load(t, path(name, ".json"))
		if x.Error != "" {
			continue
		}
		tail := compactLines(index[name])
		scan := compactLines(chunks[name])
		opens := !strings.Contains(tail, `"no footer"`)
		if x.Footer != may && opens != (x.Footer == agrees) {
			t.Errorf("%s: footer %s, but --index prints\n%s", name, x.Footer, tail)
		}
		if x.Footer == agrees && tail != scan {
			t.Errorf("%s: the scan and the footer differ (-scan +footer):\n%s", name, cmp.Diff(scan, tail))
		}
	}
}

func compactLines(lines []json.RawMessage) string {
	var b strings.Builder
	for _, l := range lines {
		b.Write(l)
		b.WriteByte('\n')
	}
	return b.String()
}
