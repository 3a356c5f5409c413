package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTable runs all of the benchmark on a small corpus, once of each source that
// can be had: every row has its line, and every row found every exchange.
func TestTable(t *testing.T) {
	spliff := filepath.Join(t.TempDir(), "spliff")
	build := exec.Command("go", "build", "-o", spliff, "./cmd/spliff")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build spliff: %v: %s", err, out)
	}
	for _, generate := range []bool{true, false} {
		o := options{exchanges: 300, rounds: 1, dir: t.TempDir(), spliff: spliff, generate: generate}
		if source, _, _ := chooseSource(o); !generate && source == "generated traffic" {
			t.Log("SKIP: nginx or h2load is not installed")
			continue
		}
		var suites []*suite
		for _, p := range []protocol{h1, h2} {
			c, err := openCorpus(o, p)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			s, err := newSuite(c, o)
			if err != nil {
				t.Fatal(err)
			}
			suites = append(suites, s)
		}
		if err := measure(suites, 1, regexp.MustCompile("")); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := printTable(&out, suites, 1); err != nil {
			t.Fatal(err)
		}
		for _, s := range suites {
			for _, r := range s.rows {
				if !strings.Contains(out.String(), "\n| "+r.name+" |") {
					t.Errorf("the table has no row %q", r.name)
				}
			}
		}
	}
}

// TestGeneratedShape: the table is about traffic of this shape.
func TestGeneratedShape(t *testing.T) {
	o := options{exchanges: 2000, dir: t.TempDir(), generate: true}
	for p, want := range map[protocol]int64{h1: 2000, h2: 1400} {
		c, err := openCorpus(o, p)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if got := c.bytes / int64(c.exchanges); got < want*8/10 || got > want*12/10 {
			t.Errorf("%s: %d bytes an exchange, want about %d", p, got, want)
		}
	}
}
