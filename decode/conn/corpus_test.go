package conn

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// swap turns a client's recording into the server's.
func swap(ins []in) []in {
	out := append([]in(nil), ins...)
	for i := range out {
		out[i].dir = out[i].dir.Other()
	}
	return out
}

// TestHostileProtocols finds protocol and role of every hostile case, recorded
// on either side.
func TestHostileProtocols(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(corpusDir(t, "hostile"), "*", "expect.txt"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("list cases: %v, %d", err, len(dirs))
	}
	for _, file := range dirs {
		expect, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		keys := make(map[string]string)
		for line := range strings.Lines(string(expect)) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				keys[k] = v
			}
		}
		want := map[string]string{"http/1.1": "http/1", "http/2": "h2", "http/1.1+h2c": "h2", "opaque": "unknown"}[keys["proto"]]
		if want == "" {
			continue
		}
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			var ins []in
			for dir, name := range []string{w: "c2s.bin", r: "s2c.bin"} {
				b, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
				if err != nil {
					t.Fatal(err)
				}
				ins = append(ins, in{dir: decode.Dir(dir), data: string(b)})
			}
			if keys["order"] == "s2c_first" {
				ins[0], ins[1] = ins[1], ins[0]
			}
			hint := decode.Hint{MidStream: keys["join"] == "mid"}
			_, c := run(ins, hint, 0)
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleClient {
				t.Errorf("client: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
			_, c = run(swap(ins), hint, 5)
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleServer {
				t.Errorf("server: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
		})
	}
}

// chunkFile reads one file of connections as plaintext chunks.
func chunkFile(t *testing.T, file string) map[int][]in {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	conns := make(map[int][]in)
	dec := json.NewDecoder(bufio.NewReader(z))
	for {
		var line struct {
			Conn int
			Dir  string
			Data []byte
			Gap  *int
		}
		if err := dec.Decode(&line); err == io.EOF {
			return conns
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		p := in{dir: w, data: string(line.Data)}
		if line.Dir == "s2c" {
			p.dir = r
		}
		if line.Gap != nil {
			if p.gap = *line.Gap; p.gap <= 0 {
				p.gap = -1
			}
		}
		if p.data != "" || p.gap != 0 {
			conns[line.Conn] = append(conns[line.Conn], p)
		}
	}
}

// TestChunks decodes the connections of public captures: no panic, the same
// output for every cut, and most of them understood.
func TestChunks(t *testing.T) {
	root := corpusDir(t, "_chunks")
	protos, messages, connections := make(map[string]int), 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".jsonl.gz") {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > 200_000 {
			return nil // a few large downloads; time is better spent on many
		}
		for id, ins := range chunkFile(t, path) {
			want, c := run(ins, decode.Hint{}, 0)
			got, _ := run(ins, decode.Hint{}, 9)
			if a, b := brief(joined(want)), brief(joined(got)); a != b {
				t.Errorf("%s conn %d: cut differs\n%.2000s\n%.2000s", path, id, a, b)
			}
			protos[c.Proto()]++
			connections++
			messages += len(want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections, %d messages, protocols %v", connections, messages, protos)
	if protos["http/1"] == 0 || protos["h2"] == 0 {
		t.Errorf("protocols found: %v", protos)
	}
}

func FuzzConn(f *testing.F) {
	f.Add([]byte(h1Get), []byte(h1OK), byte(0))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+h2Settings+get(1)), []byte(h2Settings+ok(1)), byte(1))
	f.Add([]byte(get(11)+get(13)), []byte(ok(11)+ok(13)), byte(6))
	f.Add([]byte("\x01abc"), []byte("\x02"+h1OK), byte(9))
	f.Fuzz(func(t *testing.T, a, b []byte, how byte) {
		hint := decode.Hint{Role: decode.Role(how % 3), MidStream: how&4 != 0}
		if how&8 != 0 {
			hint.ALPN = "h2"
		}
		half := len(a) / 2
		ins := []in{{dir: w, data: string(a[:half])}, {dir: r, data: string(b)}, {dir: w, data: string(a[half:])}}
		if how&16 != 0 {
			ins = append(ins[:2:2], in{dir: w, gap: int(how>>5) - 1}, ins[2])
		}
		runAll(t, ins, hint)
	})
}
