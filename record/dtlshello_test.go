package record

import (
	"encoding/binary"
	"strings"
	"testing"
)

// dtlsRecord is a record of handshake fragments (RFC 6347 §4.1).
func dtlsRecord(fragments ...[]byte) []byte {
	var body []byte
	for _, f := range fragments {
		body = append(body, f...)
	}
	b := []byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// fragment is a part of a handshake message of length bytes (§4.2.2).
func fragment(typ byte, seq uint16, off, length int, part string) []byte {
	b := []byte{typ, byte(length >> 16), byte(length >> 8), byte(length)}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = append(b, byte(off>>16), byte(off>>8), byte(off), 0, byte(len(part)>>8), byte(len(part)))
	return append(b, part...)
}

// TestDTLSHello: hellos in one piece and in several, with and without the server's
// asking for a cookie first, out of order, and sent again.
func TestDTLSHello(t *testing.T) {
	random := strings.Repeat("r", 32)
	hi := func(cookie string) string {
		name := "\x00\x00\x00\x0e\x00\x0c\x00\x00\x09a.example"
		return "\xfe\xfd" + random + "\x00" + string(rune(len(cookie))) + cookie + "\x00\x02\xc0\x2f\x01\x00\x00\x12" + name
	}
	answer := "\xfe\xfd" + random + "\x00\xc0\x2f\x00"
	ask := fragment(3, 0, 0, 7, "\xfe\xff\x04abcd")
	whole := func(typ byte, seq uint16, msg string) []byte { return fragment(typ, seq, 0, len(msg), msg) }
	parts := func(typ byte, seq uint16, msg string, at int) (a, b []byte) {
		return fragment(typ, seq, 0, len(msg), msg[:at]), fragment(typ, seq, at, len(msg), msg[at:])
	}
	c1, c2 := parts(1, 0, hi(""), 40)
	s1, s2 := parts(2, 1, answer, 9)
	join := func(records ...[]byte) (b []byte) {
		for _, r := range records {
			b = append(b, r...)
		}
		return b
	}
	want := helloFacts{client: 1, sni: "a.example", version: 0xfefd, cipher: 0xc02f}
	for _, tt := range []struct {
		name           string
		client, server []byte
		want           helloFacts
	}{
		{"whole", dtlsRecord(whole(1, 0, hi(""))), dtlsRecord(whole(2, 0, answer)), want},
		{"with a cookie", join(dtlsRecord(whole(1, 0, hi(""))), dtlsRecord(whole(1, 1, hi("abcd")))), join(dtlsRecord(ask), dtlsRecord(whole(2, 1, answer))), want},
		{"the second alone", dtlsRecord(whole(1, 1, hi("abcd"))), dtlsRecord(whole(2, 1, answer)), want},
		{"fragments in one record", dtlsRecord(c1, c2), dtlsRecord(ask, s1, s2), want},
		{"fragments in records of their own", join(dtlsRecord(c1), dtlsRecord(c2)), join(dtlsRecord(ask), dtlsRecord(s1), dtlsRecord(s2)), want},
		{"sent again", join(dtlsRecord(c1), dtlsRecord(c1), dtlsRecord(c2)), join(dtlsRecord(s1), dtlsRecord(s1, s2)), want},
		{"of another message between", join(dtlsRecord(c1), dtlsRecord(fragment(11, 5, 40, 90, "x")), dtlsRecord(c2)), dtlsRecord(whole(2, 0, answer)), want},
		{"the end is missing", dtlsRecord(c1), dtlsRecord(s1), helloFacts{}},
		{"the beginning is missing", dtlsRecord(c2), dtlsRecord(s2), helloFacts{}},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			var h hello
			for dir, b := range [2][]byte{tt.client, tt.server} {
				for off := 0; off < len(b); off += step {
					h.add(uint8(dir), uint32(off), b[off:min(off+step, len(b))])
				}
			}
			if h.told != tt.want {
				t.Errorf("%s in steps of %d: %+v, want %+v", tt.name, step, h.told, tt.want)
			}
		}
	}
}
