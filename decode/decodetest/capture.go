package decodetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// Line is a line of a captured conversation: a new connection (Client and
// Server are set), bytes, a gap, or the end of a direction.
type Line struct {
	Conn           uint32
	Client, Server string // address:port
	Dir            string // c2s or s2c
	Data           []byte
	Gap            uint64 // bytes missing; 0: none
	End            string // fin or rst
}

// Way is the direction of a line as the client would record it.
func (l *Line) Way() decode.Dir {
	if l.Dir == "s2c" {
		return decode.Read
	}
	return decode.Write
}

// Captures returns the files of plaintext conversations that were taken from
// public packet captures. Without them the test is skipped.
func Captures(t testing.TB) []string {
	t.Helper()
	return Files(t, Corpus(t, "_chunks"), ".jsonl.gz")
}

// ReadCapture returns the lines of a file in the order they were captured in,
// connections interleaved.
func ReadCapture(t testing.TB, file string) []Line {
	t.Helper()
	lines, err := parseLines(Bytes(t, file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return lines
}

// parseLines reads one JSON object after another.
func parseLines(text []byte) ([]Line, error) {
	var out []Line
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var l Line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
}

// Conversations separates the connections of a capture, in the order in which
// they first appear. Of each at most the first most bytes are kept.
func Conversations(lines []Line, most int) [][]Step {
	var out [][]Step
	place, size := make(map[uint32]int), make(map[uint32]int)
	for i := range lines {
		l := &lines[i]
		size[l.Conn] += len(l.Data)
		if len(l.Data) == 0 && l.Gap == 0 || size[l.Conn] > most {
			continue
		}
		at, ok := place[l.Conn]
		if !ok {
			at = len(out)
			place[l.Conn], out = at, append(out, nil)
		}
		out[at] = append(out[at], Step{Dir: l.Way(), Data: string(l.Data), Gap: int(l.Gap)})
	}
	return out
}
