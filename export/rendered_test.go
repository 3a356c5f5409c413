package export

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/NoFear0411/spliff/replay"
)

// writes counts calls. It is no buffer to a sink.
type writes struct {
	b bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.b.Write(p)
}

// TestRendered: a line that a worker put together is the line that the sink would have
// made, written at once where nothing else joins its parts.
func TestRendered(t *testing.T) {
	c, req, resp := readmeH2(t)
	items := turn(c, 12345, req, resp)
	x := items[len(items)-1]
	var want bytes.Buffer
	if err := NewJSON(&want, JSONOptions{}).Item(x); err != nil {
		t.Fatal(err)
	}
	rendered := *x
	rendered.Rendered = RenderJSON(JSONOptions{}, 1<<20)()(nil, x)
	if len(rendered.Rendered) == 0 {
		t.Fatal("nothing was rendered")
	}
	var direct, behind writes
	// Too small for a line, so that lines are cut where the buffer ends.
	buffer := bufio.NewWriterSize(&behind, 16)
	for range 3 {
		for _, s := range []Sink{NewJSON(&direct, JSONOptions{}), NewJSON(buffer, JSONOptions{})} {
			for _, it := range []*replay.Item{x, &rendered} {
				if err := s.Item(it); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := buffer.Flush(); err != nil {
		t.Fatal(err)
	}
	all := bytes.Repeat(want.Bytes(), 6)
	if !bytes.Equal(direct.b.Bytes(), all) || !bytes.Equal(behind.b.Bytes(), all) {
		t.Errorf("lines differ:\n%s\n%s\nwant\n%s", direct.b.Bytes(), behind.b.Bytes(), all)
	}
	if direct.n != 6 {
		t.Errorf("%d writes of 6 lines", direct.n)
	}
}
