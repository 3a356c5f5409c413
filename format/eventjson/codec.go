package eventjson

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/NoFear0411/spliff/format"
)

// codec goes through the fields of an object. The same description of a struct
// writes and reads it, so the two cannot drift apart: see fields.go. Reading, it
// is gone through once for each key.
//
// Writing leaves out what has its zero value.
type codec struct {
	dst   []byte // writing: what the members are appended to
	empty bool   // writing: the object has no member yet
	lossy bool   // writing: a value cannot be given in JSON exactly

	in   *scanner // reading; nil when writing
	key  []byte   // reading: of the member at hand
	bit  uint32   // reading: of the next field of the description
	seen uint32   // reading: fields that were there
	hit  bool     // reading: the key was one of the description
}

// begin writes the name of a member.
func (c *codec) begin(name string) {
	if !c.empty {
		c.dst = append(c.dst, ',')
	}
	c.empty = false
	c.dst = append(c.dst, '"')
	c.dst = append(c.dst, name...)
	c.dst = append(c.dst, '"', ':')
}

// wants reports, reading, that the member at hand is name.
func (c *codec) wants(name string) bool {
	bit := c.bit
	c.bit <<= 1
	if string(c.key) != name {
		return false
	}
	c.hit = true
	if c.seen&bit != 0 {
		c.in.fail("field %q twice", name)
	}
	c.seen |= bit
	return c.in.err == nil
}

// object reads an object whose fields describe goes through.
func (c *codec) object(describe func(c *codec)) {
	c.seen = 0
	c.in.object(func(key []byte) {
		c.key, c.bit, c.hit = key, 1, false
		describe(c)
		if !c.hit {
			c.in.fail("unknown field %q", clip(key))
		}
	})
}

// clip shortens what is quoted in an error.
func clip(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}

func (c *codec) flag(name string, v *bool) {
	if c.in != nil {
		if c.wants(name) {
			*v = c.in.flag()
		}
		return
	}
	if *v {
		c.begin(name)
		c.dst = append(c.dst, "true"...)
	}
}

// text is a string. Bytes that are not UTF-8 cannot be given.
func (c *codec) text(name string, v *string) {
	if c.in != nil {
		if c.wants(name) {
			*v = string(c.in.text())
		}
		return
	}
	if *v != "" {
		c.begin(name)
		c.quote(*v)
	}
}

func (c *codec) quote(s string) {
	if !utf8.ValidString(s) {
		c.lossy = true
		return
	}
	c.dst = appendQuoted(c.dst, s)
}

// list is a list of strings.
func (c *codec) list(name string, v *[]string) {
	if c.in != nil {
		if c.wants(name) {
			c.in.list(func() {
				if len(*v) == format.MaxList {
					c.in.fail("%s: more than %d items", name, format.MaxList)
				}
				*v = append(*v, string(c.in.text()))
			})
		}
		return
	}
	if len(*v) == 0 {
		return
	}
	c.begin(name)
	for i, s := range *v {
		c.dst = append(c.dst, ",["[b2i(i == 0)])
		c.quote(s)
	}
	c.dst = append(c.dst, ']')
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// address is an IP address with a port, as "192.0.2.1:443" or "[2001:db8::1]:443".
func (c *codec) address(name string, v *netip.AddrPort) {
	if c.in != nil {
		if c.wants(name) {
			text := c.in.text()
			a, err := netip.ParseAddrPort(string(text))
			if err != nil {
				c.in.fail("%s: %q is not an address with a port", name, clip(text))
			}
			*v = a
		}
		return
	}
	if !v.IsValid() {
		return
	}
	c.begin(name)
	if v.Addr().Zone() == "" {
		c.dst = append(v.AppendTo(append(c.dst, '"')), '"')
		return
	}
	// A zone is a name and may hold anything, what ends it in this form too.
	text := v.String()
	if back, err := netip.ParseAddrPort(text); err != nil || back != *v {
		c.lossy = true
	}
	c.quote(text)
}

// uuid is 16 bytes in the form of RFC 9562 §4; reading, the hyphens may be missing.
func (c *codec) uuid(name string, v *[16]byte) {
	if c.in != nil {
		if c.wants(name) {
			text := c.in.text()
			if !parseUUID(v, text) {
				c.in.fail("%s: %q is not a UUID", name, clip(text))
			}
		}
		return
	}
	if *v == [16]byte{} {
		return
	}
	c.begin(name)
	c.dst = append(c.dst, '"')
	for i, b := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			c.dst = append(c.dst, '-')
		}
		c.dst = append(c.dst, hexDigits[b>>4], hexDigits[b&15])
	}
	c.dst = append(c.dst, '"')
}

func parseUUID(v *[16]byte, text []byte) bool {
	hyphens := len(text) == 36
	if hyphens && (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') || !hyphens && len(text) != 32 {
		return false
	}
	at := 0
	for i := range v {
		if hyphens && (i == 4 || i == 6 || i == 8 || i == 10) {
			at++
		}
		n, err := strconv.ParseUint(string(text[at:at+2]), 16, 8)
		if err != nil {
			return false
		}
		v[i] = byte(n)
		at += 2
	}
	return true
}

// readBase64 appends what a string of base64 stands for (RFC 4648 §4), which must
// be padded.
func readBase64(in *scanner, dst []byte) []byte {
	text := in.text()
	if in.err != nil {
		return dst
	}
	// The decoder passes over line breaks; here they are a fault like any other.
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		in.fail("base64: a line break inside")
		return dst
	}
	dst, err := base64.StdEncoding.Strict().AppendDecode(dst, text)
	if err != nil {
		in.fail("base64: not valid: %s", err)
	}
	return dst
}
