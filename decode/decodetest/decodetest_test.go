package decodetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/decode"
)

// diary notes what a decoder is given, and keeps the chunks themselves.
type diary struct {
	said []string
	kept [][]byte
}

func (d *diary) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	d.said = append(d.said, fmt.Sprintf("%d %s", ch.Dir, ch.Data))
	d.kept = append(d.kept, ch.Data)
	return append(dst, decode.Message{Kind: decode.Opaque, Dir: ch.Dir})
}

func (d *diary) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	d.said = append(d.said, fmt.Sprintf("%d gap %d %t", g.Dir, g.Len, g.Known))
	return append(dst, decode.Message{Kind: decode.Notice, Dir: g.Dir})
}

func TestFeed(t *testing.T) {
	steps := []Step{
		{Dir: decode.Write, Data: "abc"}, {Dir: decode.Read, Gap: 7}, {Dir: decode.Write},
		{Dir: decode.Read, Gap: Unknown}, {Dir: decode.Read, Data: "de"},
	}
	for name, tt := range map[string]struct {
		cut  Cut
		want []string
	}{
		"whole":  {Whole, []string{"0 abc", "1 gap 7 true", "1 gap 0 false", "1 de"}},
		"single": {Single, []string{"0 a", "0 b", "0 c", "1 gap 7 true", "1 gap 0 false", "1 d", "1 e"}},
	} {
		var d diary
		list := Feed(&d, steps, tt.cut)
		if diff := cmp.Diff(tt.want, d.said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := len(OfKind(list, decode.Notice)); n != 2 || len(list) != len(tt.want) {
			t.Errorf("%s: %d messages, %d notices, want %d and 2", name, len(list), n, len(tt.want))
		}
		for _, b := range d.kept {
			if len(bytes.Trim(b, "\xee")) > 0 {
				t.Errorf("%s: a chunk still reads %q after its call", name, b)
			}
		}
	}
}

func TestCuts(t *testing.T) {
	sizes := func(c Cut) (out []int) {
		for left := 5000; left > 0; {
			n := c(left)
			if n < 1 || n > left {
				t.Fatalf("a chunk of %d bytes where %d are left", n, left)
			}
			out = append(out, n)
			left -= n
		}
		return out
	}
	if got := sizes(NumberedCut(0)); len(got) != 1 {
		t.Errorf("cut 0 makes %d pieces, want 1", len(got))
	}
	if got := sizes(NumberedCut(1)); len(got) != 5000 {
		t.Errorf("cut 1 makes %d pieces, want 5000", len(got))
	}
	if !cmp.Equal(sizes(NumberedCut(7)), sizes(NumberedCut(7))) {
		t.Error("the same seed cuts in two ways")
	}
	if cmp.Equal(sizes(NumberedCut(7)), sizes(NumberedCut(8))) {
		t.Error("two seeds cut in the same way")
	}
}

func TestSchedule(t *testing.T) {
	const w, r = decode.Write, decode.Read
	streams := map[string]string{"c2s": "hello", "s2c": "0123456789"}
	tests := []struct {
		name, keys string
		want       []Step
	}{
		{"client first", "# order=s2c_first\n", []Step{{Dir: w, Data: "hello"}, {Dir: r, Data: "0123456789"}}},
		{"server first", "order=s2c_first", []Step{{Dir: r, Data: "0123456789"}, {Dir: w, Data: "hello"}}},
		{"parts", "schedule=s2c:0:4,c2s:0:all,s2c:4:all\r\n", []Step{{Dir: r, Data: "0123"}, {Dir: w, Data: "hello"}, {Dir: r, Data: "456789"}}},
		{"hole", "gap=s2c:3:40", []Step{{Dir: w, Data: "hello"}, {Dir: r, Data: "012"}, {Dir: r, Gap: 40}, {Dir: r, Data: "3456789"}}},
		{"hole of any length", "gap=c2s:5:?", []Step{{Dir: w, Data: "hello"}, {Dir: w, Gap: Unknown}, {Dir: w}, {Dir: r, Data: "0123456789"}}},
		{
			"hole in the second part", "gap=s2c:6:2\nschedule=s2c:0:4,s2c:4:all",
			[]Step{{Dir: r, Data: "0123"}, {Dir: r, Data: "45"}, {Dir: r, Gap: 2}, {Dir: r, Data: "6789"}},
		},
	}
	for _, tt := range tests {
		got, err := schedule(parseKeys(tt.keys), streams)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, keys := range []string{"gap=s2c", "gap=s2c:x:1", "schedule=c2s:0:many"} {
		if got, err := schedule(parseKeys(keys), streams); err == nil {
			t.Errorf("%s gives %v, want an error", keys, got)
		}
	}
}

func TestConversations(t *testing.T) {
	lines, err := parseLines([]byte(`{"conn":4,"client":"192.0.2.1:1","server":"192.0.2.2:443"}
{"conn":4,"dir":"c2s","data":"YWI="}
{"conn":2,"dir":"c2s","data":"eHg="}
{"conn":4,"dir":"s2c","gap":9}
{"conn":4,"dir":"s2c","data":"Y2Q="}
{"conn":4,"dir":"s2c","data":"ZWY="}
{"conn":4,"dir":"s2c","end":"fin"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]Step{
		{{Dir: decode.Write, Data: "ab"}, {Dir: decode.Read, Gap: 9}, {Dir: decode.Read, Data: "cd"}},
		{{Dir: decode.Write, Data: "xx"}},
	}
	if diff := cmp.Diff(want, Conversations(lines, 5)); diff != "" {
		t.Errorf("conversations (-want +got):\n%s", diff)
	}
	if l := lines[0]; l.Client != "192.0.2.1:1" || lines[6].End != "fin" {
		t.Errorf("first line %+v, last %+v", l, lines[6])
	}
	if _, err := parseLines([]byte(`{"conn":-1}`)); err == nil {
		t.Error("a negative connection is no error")
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"n": 7}`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(dir, "b", "c")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module x", "a.json": `{"n": 6}`, "b/x.json.gz": packed.String(), "b/other": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if root, ok := moduleRoot(deep); !ok || root != dir {
		t.Errorf("module root %q %t, want %q", root, ok, dir)
	}
	type value struct{ N int }
	for suffix, want := range map[string]value{".json": {6}, ".json.gz": {7}} {
		files := Files(t, dir, suffix)
		if len(files) != 1 {
			t.Fatalf("*%s: %q, want one file", suffix, files)
		}
		if got := JSON[value](t, files[0]); got != want {
			t.Errorf("%s holds %+v, want %+v", files[0], got, want)
		}
	}
}

// TestReadHostile reads the shared cases: each is of the protocol asked for,
// and none of its bytes is lost.
func TestReadHostile(t *testing.T) {
	for _, h := range ReadHostile(t, "http/2") {
		if h.Keys["proto"] != "http/2" || strings.Contains(h.Name, "/") {
			t.Errorf("case %q is of %q", h.Name, h.Keys["proto"])
		}
		size := map[decode.Dir]int{}
		for _, s := range h.Steps {
			size[s.Dir] += len(s.Data)
		}
		if got := fmt.Sprint(size[decode.Write], size[decode.Read]); got != h.Keys["c2s_len"]+" "+h.Keys["s2c_len"] {
			t.Errorf("%s: %s bytes, want %s and %s", h.Name, got, h.Keys["c2s_len"], h.Keys["s2c_len"])
		}
	}
}
