package record

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// wiretap keeps what goes over a connection, by direction as its owner sees it.
type wiretap struct {
	net.Conn
	sent [2][]byte
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.sent[0] = append(w.sent[0], b...)
	return w.Conn.Write(b)
}

func (w *wiretap) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.sent[1] = append(w.sent[1], b[:n]...)
	return n, err
}

// shaken returns what a client's handshake with Go's own TLS put on the wire.
func shaken(t testing.TB, server, client *tls.Config) [2][]byte {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS() // for its certificate
	defer s.Close()
	server.Certificates = s.TLS.Certificates
	client.InsecureSkipVerify = true
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if peer, err := l.Accept(); err == nil {
			io.Copy(io.Discard, peer)
			peer.Close()
		}
	}()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.SetDeadline(time.Now().Add(10 * time.Second))
	tap := &wiretap{Conn: a}
	if err := tls.Client(tap, client).Handshake(); err != nil {
		t.Fatal(err)
	}
	return tap.sent
}

// TestHello reads real handshakes, cut into pieces of every length.
func TestHello(t *testing.T) {
	tests := []struct {
		name           string
		server, client *tls.Config
		want           helloFacts
	}{
		{"1.3", &tls.Config{}, &tls.Config{ServerName: "a.example", NextProtos: []string{"h2"}},
			helloFacts{client: 1, sni: "a.example", version: 0x0304, cipher: tls.TLS_AES_128_GCM_SHA256}},
		{"1.3 with a retry", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}, &tls.Config{ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}},
			helloFacts{client: 1, sni: "a.example", version: 0x0304, cipher: tls.TLS_AES_128_GCM_SHA256}},
		{"1.2 with ALPN", &tls.Config{NextProtos: []string{"http/1.1"}, MaxVersion: tls.VersionTLS12}, &tls.Config{ServerName: "b.example", NextProtos: []string{"h2", "http/1.1"}},
			helloFacts{client: 1, sni: "b.example", version: 0x0303, cipher: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, alpn: "http/1.1"}},
		{"1.1, no name", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, &tls.Config{MinVersion: tls.VersionTLS10},
			helloFacts{client: 1, version: 0x0302, cipher: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
	}
	for _, tt := range tests {
		sent := shaken(t, tt.server, tt.client)
		for _, step := range []int{1, 5, 64, 1 << 20} {
			var h hello
			for dir, b := range sent {
				b = b[:min(len(b), maxHello)]
				for off := 0; off < len(b); off += step {
					h.add(uint8(dir), uint32(off), b[off:min(off+step, len(b))])
				}
			}
			got := h.told
			// Which AES it is depends on the machine.
			if got.cipher == tls.TLS_CHACHA20_POLY1305_SHA256 || got.cipher == tls.TLS_AES_256_GCM_SHA384 {
				got.cipher = tls.TLS_AES_128_GCM_SHA256
			}
			if got.cipher == tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA {
				got.cipher = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
			}
			if got != tt.want {
				t.Errorf("%s in steps of %d: %+v, want %+v", tt.name, step, got, tt.want)
			}
		}
		var h hello
		if h.add(0, 1, sent[0][1:]) || h.told != (helloFacts{}) {
			t.Errorf("%s: read %+v though the beginning is missing", tt.name, h.told)
		}
		// Either of them tells whose they are.
		var one hello
		if one.add(0, 0, sent[1]); one.told.client != 2 || one.told.version != tt.want.version {
			t.Errorf("%s, server's hello alone: %+v", tt.name, one.told)
		}
		// The server's end sees the same hellos the other way.
		h.add(1, 0, sent[0])
		h.add(0, 0, sent[1])
		if h.told.client != 2 || h.told.sni != tt.want.sni || h.told.version != tt.want.version {
			t.Errorf("%s at the server: %+v", tt.name, h.told)
		}
	}
}

// TestEarlyData: a client that offers it may send before the handshake is over.
func TestEarlyData(t *testing.T) {
	h := hello{began: [2]uint64{10, 20}, told: helloFacts{client: 1, version: 0x0304}}
	if got := h.bound(50); got != 40 {
		t.Errorf("bound %d, want 40", got)
	}
	body := string(make([]byte, 2+32)) + "\x00\x00\x02\x13\x01\x01\x00\x00\x04\x00\x2a\x00\x00"
	if readClientHello([]byte(body), false, &h.told); !h.told.early || h.bound(50) != 0 {
		t.Errorf("%+v, bound %d", h.told, h.bound(50))
	}
}

// TestEncryptedExtensions reads what a server answers encrypted, whole or not at all.
func TestEncryptedExtensions(t *testing.T) {
	h2 := "\x08\x00\x00\x0f\x00\x0d\x00\x00\x00\x00\x00\x10\x00\x05\x00\x03\x02h2" // server_name, empty, before ALPN
	for name, tt := range map[string]struct{ msg, alpn string }{
		"with ALPN":          {h2, "h2"},
		"without":            {"\x08\x00\x00\x02\x00\x00", ""},
		"another message":    {"\x0b" + h2[1:], ""},
		"cut":                {h2[:len(h2)-1], ""},
		"more than it says":  {h2 + "x", ""},
		"nothing":            {"", ""},
		"a name cut by half": {"\x08\x00\x00\x0b\x00\x09\x00\x10\x00\x05\x00\x03\x09h2", ""},
	} {
		var h hello
		if learnt := h.extensions([]byte(tt.msg)); h.told.alpn != tt.alpn || learnt != (tt.alpn != "") {
			t.Errorf("%s: learnt %v, %+v, want %q", name, learnt, h.told, tt.alpn)
		}
	}
}

// FuzzHello: the other side of a connection chooses these bytes.
func FuzzHello(f *testing.F) {
	sent := shaken(f, &tls.Config{}, &tls.Config{ServerName: "a.example", NextProtos: []string{"h2"}})
	f.Add(sent[0], sent[1], 100)
	f.Add([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 3}, []byte{22, 3, 3, 255, 255, 2}, 1)
	f.Add(dtlsRecord(fragment(1, 0, 0, 600, "client")), dtlsRecord(fragment(3, 0, 0, 3, "\xfe\xff\x00"), fragment(2, 1, 0, 40, "server")), 20)
	f.Fuzz(func(t *testing.T, client, server []byte, cut int) {
		var h, whole hello
		for dir, b := range [2][]byte{client, server} {
			at := min(max(cut, 0), len(b))
			h.add(uint8(dir), 0, b[:at])
			h.add(uint8(dir), uint32(at), b[at:])
			whole.add(uint8(dir), 0, b)
		}
		h.extensions(server)
		for _, b := range h.sent {
			if len(b) > maxHello {
				t.Fatalf("%d bytes kept", len(b))
			}
		}
		if len(client) <= maxHello && len(server) <= maxHello && h.told.sni != whole.told.sni {
			t.Errorf("cut at %d: %+v, whole: %+v", cut, h.told, whole.told)
		}
	})
}
