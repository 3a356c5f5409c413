package decodetest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// Hostile is one case of the corpus of attacks: a connection, seen from its
// client (requests are written), and what is expected of a reader.
type Hostile struct {
	Name  string
	Keys  map[string]string // of expect.txt; keys are the tests' to interpret
	Steps []Step            // in the order, and with the hole, that the keys ask for
}

// ReadHostile reads every case whose protocol is one of protos; without any,
// all of them. Without the corpus the test is skipped.
func ReadHostile(t testing.TB, protos ...string) []Hostile {
	t.Helper()
	var out []Hostile
	for _, file := range Files(t, Corpus(t, "hostile"), "expect.txt") {
		dir := filepath.Dir(file)
		h := Hostile{Name: filepath.Base(dir), Keys: parseKeys(string(Bytes(t, file)))}
		wanted := len(protos) == 0
		for _, p := range protos {
			wanted = wanted || p == h.Keys["proto"]
		}
		if !wanted {
			continue
		}
		streams := make(map[string]string)
		for _, side := range []string{"c2s", "s2c"} {
			b, err := os.ReadFile(filepath.Join(dir, side+".bin"))
			if err != nil {
				t.Fatal(err)
			}
			streams[side] = string(b)
		}
		steps, err := schedule(h.Keys, streams)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		h.Steps = steps
		out = append(out, h)
	}
	if len(out) == 0 {
		t.Fatalf("no hostile case of %q", protos)
	}
	return out
}

// parseKeys reads key=value lines; those that begin with # are remarks.
func parseKeys(text string) map[string]string {
	keys := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok && !strings.HasPrefix(k, "#") {
			keys[k] = v
		}
	}
	return keys
}

// schedule orders the bytes of both sides. The key schedule lists parts as
// side:offset:length; without it all of the client's bytes come first, or the
// server's if order is s2c_first. The key gap, side:offset:length, is a hole
// whose bytes are not in the streams; a length of ? is unknown.
func schedule(keys, streams map[string]string) ([]Step, error) {
	parts := "c2s:0:all,s2c:0:all"
	if keys["order"] == "s2c_first" {
		parts = "s2c:0:all,c2s:0:all"
	}
	if keys["schedule"] != "" {
		parts = keys["schedule"]
	}
	hole, holeAt, holeLen, err := parsePart(keys["gap"])
	if err != nil {
		return nil, err
	}
	var out []Step
	for part := range strings.SplitSeq(parts, ",") {
		side, from, n, err := parsePart(part)
		if err != nil {
			return nil, err
		}
		to := len(streams[side])
		if n != Unknown {
			to = from + n
		}
		dir := decode.Write
		if side == "s2c" {
			dir = decode.Read
		}
		if side == hole && from <= holeAt && holeAt <= to {
			out = append(out, Step{Dir: dir, Data: streams[side][from:holeAt]}, Step{Dir: dir, Gap: holeLen})
			from = holeAt
			hole = "" // it is in one part only
		}
		out = append(out, Step{Dir: dir, Data: streams[side][from:to]})
	}
	return out, nil
}

// parsePart reads side:offset:length, where a length of "all" or "?" gives
// Unknown. An empty text is no part.
func parsePart(text string) (side string, off, n int, err error) {
	if text == "" {
		return "", 0, 0, nil
	}
	p := strings.SplitN(text, ":", 3)
	for len(p) < 3 {
		p = append(p, "") // Atoi says what is missing
	}
	if off, err = strconv.Atoi(p[1]); err != nil {
		return "", 0, 0, err
	}
	if p[2] == "all" || p[2] == "?" {
		return p[0], off, Unknown, nil
	}
	n, err = strconv.Atoi(p[2])
	return p[0], off, n, err
}
