package conn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// nghttp2Conversations is how many connections libnghttp2 reads too.
const nghttp2Conversations = 2000

// buildNGHTTP2 compiles the reader, or skips the test where it cannot be.
func buildNGHTTP2(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "nghttp2")
	out, err := exec.Command("cc", "-o", bin, filepath.Join("testdata", "nghttp2.c"), "-lnghttp2").CombinedOutput()
	if err != nil {
		t.Skipf("libnghttp2 (libnghttp2-dev) or a C compiler is not here: %v\n%.300s", err, out)
	}
	return bin
}

// readNGHTTP2 collects one connection of the reader's output.
func readNGHTTP2(t *testing.T, in *bufio.Scanner) *seen2 {
	t.Helper()
	out := &seen2{sides: make(map[string]*side2), reset: make(map[uint32]bool)}
	fields := make(map[string][]xhpack.HeaderField) // of the section being read, by side
	for in.Scan() && in.Text() != "next" {
		f := strings.Split(in.Text(), " ")
		key := f[0] + " " + f[1]
		id, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil {
			t.Fatalf("line %q: %v", in.Text(), err)
		}
		if f[2] == "reset" {
			out.reset[uint32(id)] = true
			continue
		}
		if f[2] == "invalid" {
			t.Fatalf("libnghttp2 refuses: %s", in.Text())
		}
		side := out.sides[key]
		if side == nil {
			side = new(side2)
			out.sides[key] = side
		}
		switch f[2] {
		case "field":
			fields[key] = append(fields[key], field2(unhex(t, f[3]), unhex(t, f[4])))
		case "head":
			side.Heads = append(side.Heads, lines(fields[key]))
			delete(fields, key)
		case "data":
			side.Body += unhex(t, f[3])
		case "end":
			side.Ended = true
		}
	}
	return out
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDifferentialNGHTTP2 reads generated connections with libnghttp2.
func TestDifferentialNGHTTP2(t *testing.T) {
	bin := buildNGHTTP2(t)
	var input bytes.Buffer
	var all [][]decodetest.Step
	for seed := range uint64(nghttp2Conversations) {
		k := newTalk2(1<<32+seed, 4096)
		k.twice = true
		steps := k.play()
		all = append(all, steps)
		binary.Write(&input, binary.BigEndian, uint32(len(k.methods)))
		for dir := range decode.Dir(2) {
			var b []byte
			for _, s := range steps {
				if s.Dir == dir {
					b = append(b, s.Data...)
				}
			}
			binary.Write(&input, binary.BigEndian, uint32(len(b)))
			input.Write(b)
		}
	}
	cmd := exec.Command(bin)
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the reader: %v", err)
	}
	in := bufio.NewScanner(bytes.NewReader(out))
	in.Buffer(nil, 1<<20)
	for seed, steps := range all {
		want := readNGHTTP2(t, in)
		ours := asSeen(runner(decode.Limits{}, decode.Hint{})(steps, decodetest.Whole))
		for id := range want.reset {
			ours.reset[id] = true
		}
		want.reset = ours.reset
		if diff := cmp.Diff(want.settled(), ours.settled()); diff != "" {
			t.Fatalf("seed %d (-nghttp2 +got):\n%.3000s\n%.6000s", seed, diff, script(steps))
		}
	}
	t.Logf("%d connections", len(all))
}
