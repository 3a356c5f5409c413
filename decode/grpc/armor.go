package grpc

import "encoding/base64"

// unarmor decodes base64 as it comes. Servers of grpc-web-text encode each piece
// they send by itself, so padding may stand anywhere at the end of a quad.
type unarmor struct {
	quad [4]byte
	n    int
	out  []byte
}

// add decodes what p completes; the result is valid until the next call. ok is
// false if p is no base64, and the result what came before.
func (u *unarmor) add(p []byte) (out []byte, ok bool) {
	u.out = u.out[:0]
	for _, c := range p {
		u.quad[u.n] = c
		if u.n++; u.n < len(u.quad) {
			continue
		}
		u.n = 0
		var three [3]byte
		n, err := base64.StdEncoding.Decode(three[:], u.quad[:])
		if err != nil {
			return u.out, false
		}
		u.out = append(u.out, three[:n]...)
	}
	return u.out, true
}

// Unarmor decodes the body of grpc-web-text, up to where it is no base64.
func Unarmor(b []byte) []byte {
	var u unarmor
	out, _ := u.add(b)
	return out
}
