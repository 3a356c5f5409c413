package arena

import (
	"fmt"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// linesOf makes n lines, every third one with a tag.
func linesOf(n, size int) []*Line {
	var list []*Line
	for i := range n {
		f := decode.Field{Name: fmt.Sprintf("n%d", i), Value: strings.Repeat("v", size)}
		list = append(list, &Line{Coded: f.Name + ":" + f.Value + "\r\n", Field: f, Tag: uint8(i % 3 / 2)})
	}
	return list
}

// TestStretch: lines become a run when they came ripe times in a row, and another run
// replaces it only then.
func TestStretch(t *testing.T) {
	list := linesOf(5, 1)
	for i := range ripe {
		if list[0].Run() != nil {
			t.Fatalf("a run after %d times", i)
		}
		Stretch(list[:3])
	}
	r := list[0].Run()
	if r == nil || r.Coded != list[0].Coded+list[1].Coded+list[2].Coded || len(r.Lines) != 3 || len(r.Fields) != 3 || r.Fields[1] != list[1].Field {
		t.Fatalf("run: %+v", r)
	}
	if len(r.Tagged) != 1 || r.Tagged[0] != 2 {
		t.Errorf("tagged: %v, want [2]", r.Tagged)
	}
	// Now and then a longer one: chance.
	for range 3 * ripe {
		Stretch(list)
		Stretch(list[:3])
	}
	if list[0].Run() != r {
		t.Error("replaced by what came now and then")
	}
	for range ripe {
		Stretch(list)
	}
	if got := list[0].Run(); len(got.Lines) != 5 {
		t.Errorf("%d lines, want 5", len(got.Lines))
	}
	Stretch(list[4:]) // one line is none
	if list[4].Run() != nil || list[4].maybe.seen != 0 {
		t.Error("one line became a run")
	}
}

// TestRunIsBounded: what a run keeps does not grow with the section.
func TestRunIsBounded(t *testing.T) {
	for _, list := range [][]*Line{linesOf(10*runLines, 1), linesOf(runLines, lineMost-20)} {
		for range ripe {
			Stretch(list)
		}
		if r := list[0].Run(); r == nil || len(r.Lines) > runLines || len(r.Coded) > runBytes {
			t.Errorf("a run of %d lines, %d bytes", len(r.Lines), len(r.Coded))
		}
	}
}

// TestFollowRun: what follows a run is foretold like what follows its last line.
func TestFollowRun(t *testing.T) {
	list := linesOf(4, 1)
	var root Line
	c := Begin(&root)
	for _, l := range list {
		c.Follow(l)
	}
	for range ripe {
		Stretch(list[:3])
	}
	c = Begin(&root)
	if l := c.Foretold(); l != list[0] {
		t.Fatal("the first line is not foretold")
	}
	c.FollowRun(list[0].Run())
	if l := c.Foretold(); l != list[3] {
		t.Error("the line behind the run is not foretold")
	}
}
