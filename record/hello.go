package record

import "encoding/binary"

// maxHello bounds what is kept of one direction of a handshake, as HELLO_MAX of
// bpf/wire.h does on its side.
const maxHello = 2048

// hello gathers how a TLS handshake begins, as it went over the wire, and reads
// from it what both sides said openly. Its bytes come from the network: any will do.
type hello struct {
	sent  [2][]byte // by direction
	began [2]uint64 // when the first of them moved, 0 if that was not seen
	told  helloFacts
}

// helloFacts is what the hellos of client and server say; zero values are not known.
type helloFacts struct {
	client  int    // direction in which the client's messages go + 1: 1 says that we write them
	sni     string // the server name that the client asked for
	early   bool   // the client sends application data before the handshake is over
	version uint16 // as the server chose it, 0x0304 for TLS 1.3, 0xfefd for DTLS 1.2
	cipher  uint16 // as the server chose it
	alpn    string // as the server chose it; since TLS 1.3 it is encrypted on the wire
}

// add takes in bytes of a direction, which stand at off. It reports whether it
// learnt something.
func (h *hello) add(dir uint8, off uint32, b []byte) bool {
	dir &= 1
	if int(off) != len(h.sent[dir]) { // bytes between were lost: nothing after them can be read
		return false
	}
	h.sent[dir] = append(h.sent[dir], b[:min(len(b), maxHello-len(h.sent[dir]))]...)
	before := h.told
	first, dtls := firstMessage, isDTLS(h.sent[dir])
	if dtls {
		first = firstDTLSMessage
	}
	typ, body, whole := first(h.sent[dir])
	if !whole && len(h.sent[dir]) < maxHello {
		return false
	}
	switch typ {
	case 1:
		h.told.client = int(dir) + 1
		readClientHello(body, dtls, &h.told)
	case 2:
		h.told.client = 2 - int(dir)
		readServerHello(body, &h.told)
	}
	return h.told != before
}

// answer takes in the client's hello o, of the same handshake, that was received before
// it was known whose it is. One that is not whole says nothing.
func (h *hello) answer(o *hello) {
	const read = 1 // DIR_READ
	if o.told.client != read+1 || h.told.client == 1 {
		return
	}
	h.sent[read], h.began[read] = o.sent[read], o.began[read]
	h.told.client, h.told.sni, h.told.early = o.told.client, o.told.sni, o.told.early
}

// bound returns how long the handshake took at most, if application data moved first
// at time now; 0 if that is not known. Both hellos must be there, and no early data
// be offered: else data may come before the end.
func (h *hello) bound(now uint64) uint64 {
	if h.told.client == 0 || h.told.version == 0 || h.told.early {
		return 0
	}
	began := h.began[h.told.client-1]
	if began == 0 || now < began {
		return 0
	}
	return now - began
}

// extensions takes in an EncryptedExtensions message (RFC 8446 §4.3.1), as the client's
// library decrypted it. It reports whether it learnt something.
func (h *hello) extensions(b []byte) bool {
	if len(b) < 4 || b[0] != 8 || len(b)-4 != messageLen(b) {
		return false
	}
	before := h.told
	c := cursor{b[4:]}
	c.extensions(func(typ int, x *cursor) {
		if typ == extALPN {
			h.told.alpn = x.protocol()
		}
	})
	return h.told != before
}

// firstMessage returns the first handshake message of TLS records (RFC 8446 §5.1,
// §4), which may be spread over several. whole is false while there is less of it
// than it says.
func firstMessage(b []byte) (typ byte, body []byte, whole bool) {
	var msg []byte
	for len(b) >= 5 && b[0] == 22 && b[1] == 3 {
		n := int(binary.BigEndian.Uint16(b[3:]))
		rest := b[5:]
		msg = append(msg, rest[:min(n, len(rest))]...)
		if len(msg) >= 4 && len(msg)-4 >= messageLen(msg) || n > len(rest) {
			break
		}
		b = rest[n:]
	}
	if len(msg) < 4 {
		return 0, nil, false
	}
	n := messageLen(msg)
	if whole = len(msg)-4 >= n; whole {
		return msg[0], msg[4 : 4+n], true
	}
	return msg[0], msg[4:], false
}

func messageLen(msg []byte) int { return int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3]) }

// cursor reads fields one by one. Past the end it reads nothing for ever.
type cursor struct{ rest []byte }

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.rest = nil
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8() int {
	if b := c.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (c *cursor) u16() int {
	if b := c.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

// extensions calls each with every extension that is there in full (RFC 8446 §4.2).
func (c *cursor) extensions(each func(typ int, body *cursor)) {
	c.u16() // their length: what is there is all there is
	for len(c.rest) >= 4 {
		typ, n := c.u16(), c.u16()
		body := c.take(n)
		if body == nil && n > 0 {
			return
		}
		each(typ, &cursor{body})
	}
}

// extALPN is application_layer_protocol_negotiation, extEarlyData early_data (RFC 8446 §4.2).
const (
	extALPN      = 16
	extEarlyData = 42
)

// protocol reads the one name in it that a server sends (RFC 7301 §3.1).
func (c *cursor) protocol() string {
	c.u16()
	return string(c.take(c.u8()))
}

// readClientHello reads RFC 8446 §4.1.2; its layout has been the same since TLS 1.0. DTLS
// adds a cookie (RFC 6347 §4.2.1).
func readClientHello(b []byte, dtls bool, f *helloFacts) {
	c := cursor{b}
	c.take(2 + 32)
	c.take(c.u8())
	if dtls {
		c.take(c.u8())
	}
	c.take(c.u16())
	c.take(c.u8())
	c.extensions(func(typ int, x *cursor) {
		f.early = f.early || typ == extEarlyData
		if typ != 0 || f.sni != "" { // server_name, RFC 6066 §3
			return
		}
		x.u16()
		if x.u8() == 0 { // host_name
			f.sni = string(x.take(x.u16()))
		}
	})
}

// readServerHello reads RFC 8446 §4.1.3. A retry request has its form, and what it
// says of version and cipher is final.
func readServerHello(b []byte, f *helloFacts) {
	if len(b) < 2+32+1+2 {
		return
	}
	c := cursor{b}
	version := c.u16()
	c.take(32)
	c.take(c.u8())
	cipher := c.u16()
	c.u8()
	c.extensions(func(typ int, x *cursor) {
		switch typ {
		case 43: // supported_versions
			version = x.u16()
		case extALPN:
			f.alpn = x.protocol()
		}
	})
	if version != 0 && cipher != 0 {
		f.version, f.cipher = uint16(version), uint16(cipher)
	}
}
