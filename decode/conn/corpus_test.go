package conn

import (
	"slices"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// swap turns a client's recording into the server's.
func swap(steps []decodetest.Step) []decodetest.Step {
	out := slices.Clone(steps)
	for i := range out {
		out[i].Dir = out[i].Dir.Other()
	}
	return out
}

// TestHostileProtocols finds protocol and role of every hostile case, recorded
// on either side.
func TestHostileProtocols(t *testing.T) {
	protos := map[string]string{"http/1.1": "http/1", "http/2": "h2", "http/1.1+h2c": "h2", "opaque": "unknown"}
	for _, h := range decodetest.ReadHostile(t) {
		want := protos[h.Keys["proto"]]
		if want == "" {
			continue
		}
		t.Run(h.Name, func(t *testing.T) {
			hint := decode.Hint{MidStream: h.Keys["join"] == "mid"}
			_, c := run(h.Steps, hint, decodetest.Whole)
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleClient {
				t.Errorf("client: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
			_, c = run(swap(h.Steps), hint, decodetest.NumberedCut(5))
			if c.Proto() != want || want != "unknown" && c.Role() != decode.RoleServer {
				t.Errorf("server: proto %q role %d, want %q", c.Proto(), c.Role(), want)
			}
		})
	}
}

// TestChunks decodes the connections of public captures: no panic, the same
// output for every cut, and most of them understood.
func TestChunks(t *testing.T) {
	protos, messages, connections := make(map[string]int), 0, 0
	for _, file := range decodetest.Captures(t) {
		// Of a few large downloads the beginning will do: time is better spent on many.
		for id, steps := range decodetest.Conversations(decodetest.ReadCapture(t, file), 500_000) {
			want, c := run(steps, decode.Hint{}, decodetest.Whole)
			got, _ := run(steps, decode.Hint{}, decodetest.NumberedCut(9))
			if a, b := brief(joined(want)), brief(joined(got)); a != b {
				t.Errorf("%s conversation %d: cut differs\n%.2000s\n%.2000s", file, id, a, b)
			}
			protos[c.Proto()]++
			connections++
			messages += len(want)
		}
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
	f.Add([]byte(wsGet+"\x81\x82\x00\x00\x00\x00hi"), []byte(ws101+"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), byte(16))
	f.Add([]byte(connect+h1Get+wsGet), []byte(opened+h1OK+ws101+"\r\n\x81\x02yo"), byte(48))
	f.Fuzz(func(t *testing.T, a, b []byte, how byte) {
		hint := decode.Hint{Role: decode.Role(how % 3), MidStream: how&4 != 0}
		if how&8 != 0 {
			hint.ALPN = "h2"
		}
		half := len(a) / 2
		steps := []decodetest.Step{{Dir: w, Data: string(a[:half])}, {Dir: r, Data: string(b)}, {Dir: w, Data: string(a[half:])}}
		if how&16 != 0 {
			steps = append(steps[:2:2], decodetest.Step{Dir: w, Gap: int(how>>5) - 1}, steps[2])
		}
		runAll(t, steps, hint)
	})
}
