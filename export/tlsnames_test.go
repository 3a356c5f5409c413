package export

import (
	"crypto/tls"
	"testing"
)

// TestTLSNames compares with the names that Go's TLS has for what it knows.
func TestTLSNames(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		got := cipherSuite(s.ID)
		if _, known := cipherSuites[s.ID]; known && got != s.Name {
			t.Errorf("%#x: %q, want %q", s.ID, got, s.Name)
		}
	}
	for _, s := range tls.CipherSuites() {
		if _, known := cipherSuites[s.ID]; !known {
			t.Errorf("%s has no name here", s.Name)
		}
	}
	for v, want := range map[uint16]string{0: "", 0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3", 0xfeff: "DTLS 1.0", 0xfefe: "0xFEFE", 0xfefd: "DTLS 1.2"} {
		if got := tlsVersion(v); got != want {
			t.Errorf("version %#x: %q, want %q", v, got, want)
		}
	}
	if got := cipherSuite(0xcafe); got != "0xCAFE" {
		t.Errorf("unknown suite: %q", got)
	}
}
