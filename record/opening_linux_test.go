package record

import (
	"crypto/tls"
	"testing"

	"github.com/NoFear0411/spliff/bpf"
	"github.com/NoFear0411/spliff/format"
)

// TestOpenings: a client's hello that came to a socket before it was known whose it is
// says which server was asked for, once a session is found there, and no other.
func TestOpenings(t *testing.T) {
	sent := shaken(t, &tls.Config{}, &tls.Config{ServerName: "a.example"})
	sample := func(kind bpf.SpliffEvKind, id uint64, dir uint8, b []byte, off int) []byte {
		h := hdr(kind, id)
		h.Dir, h.Len = dir, uint32(len(b))
		return sampleOf(bpf.SpliffEvHello{Hdr: h, Off: uint32(off)}, string(b))
	}
	opening := func(cookie uint64, b []byte, off int) []byte {
		return sample(bpf.SpliffEvKindEV_OPENING, cookie, 1, b, off)
	}
	conn := func(cookie uint64) []byte {
		return sampleOf(bpf.SpliffEvConn{Hdr: hdr(bpf.SpliffEvKindEV_CONN, 1), Key: testKey(0x10), Cookie: cookie}, "")
	}
	asked, answer := sent[0], sample(bpf.SpliffEvKindEV_HELLO, 1, 0, sent[1][:min(len(sent[1]), maxHello)], 0)
	other := sample(bpf.SpliffEvKindEV_HELLO, 1, 1, []byte("\x14\x03\x03\x00\x01\x01"), 0)
	done := sampleOf(bpf.SpliffEvHandshake{Hdr: hdr(bpf.SpliffEvKindEV_HANDSHAKE, 1), Dur: 9}, "")
	for _, tt := range []struct {
		name    string
		samples [][]byte
		sni     string
		role    format.Role
	}{
		{"before the connection is known", [][]byte{opening(7, asked, 0), answer, conn(7), done}, "a.example", format.RoleServer},
		{"in pieces", [][]byte{opening(7, asked[:100], 0), opening(7, asked[100:], 100), answer, conn(7)}, "a.example", format.RoleServer},
		{"looked at first", [][]byte{opening(7, asked[:100], 0), opening(7, asked, 0), answer, conn(7)}, "a.example", format.RoleServer},
		{"its socket known later", [][]byte{opening(7, asked, 0), answer, other, conn(0), done, conn(7)}, "a.example", format.RoleServer},
		{"told again", [][]byte{opening(7, asked, 0), answer, conn(7), done, conn(7)}, "a.example", format.RoleServer},
		{"cut", [][]byte{opening(7, asked[:100], 0), answer, conn(7)}, "", format.RoleServer},
		{"another socket's", [][]byte{opening(8, asked, 0), answer, conn(7)}, "", format.RoleServer},
		{"no socket", [][]byte{opening(0, asked, 0), answer, conn(0)}, "", format.RoleServer},
		{"of a client", [][]byte{opening(7, asked, 0), sample(bpf.SpliffEvKindEV_HELLO, 1, 0, asked, 0), conn(7)}, "a.example", format.RoleClient},
	} {
		var got format.Conn
		tr := newTestTranslator(t, noKernel{}, 0)
		tr.sink = sinkFunc(func(e *format.Event) (err error) {
			if e.Type == format.TypeConn {
				got, err = format.ParseConn(e.Payload)
			}
			return err
		})
		for _, s := range tt.samples {
			if err := tr.sample(s); err != nil {
				t.Fatal(err)
			}
		}
		if got.SNI != tt.sni || got.Role != tt.role {
			t.Errorf("%s: %q, role %v; want %q, %v", tt.name, got.SNI, got.Role, tt.sni, tt.role)
		}
	}
}
