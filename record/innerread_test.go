package record

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// readLibrary is the shape of OpenSSL's reading in C, with what varies left open:
// BODY is the function behind the table, METHODS the tables.
const readLibrary = `
#include <stddef.h>
#define KEEP __attribute__((noinline,used))
typedef struct ssl SSL;
typedef struct { int version; int (*fill[6])(void); int (*read)(SSL*, void*, size_t, size_t*); int (*peek)(SSL*, void*, size_t, size_t*);
  int (*more[4])(void); int (*read_bytes)(SSL*, int, int*, unsigned char*, size_t, int, size_t*); } METHOD;
struct ssl { int version; const METHOD *method; int shutdown, renegotiate, in_read; };
extern int *errno_at(void);
extern int bytes(SSL*, int, int*, unsigned char*, size_t, int, size_t*);
extern void check(SSL*, int), handshake(SSL*, int);
extern int start_async(SSL*, void*, size_t, size_t*), asynchronous(void);
BODY
METHODS
KEEP static int read_internal(SSL *s, void *b, size_t n, size_t *out) {
  if (s->shutdown) { s->in_read = 0; return 0; }
  if (asynchronous()) return start_async(s, b, n, out);
  return s->method->read(s, b, n, out);
}
int SSL_read(SSL *s, void *b, int n) { size_t o; if (n < 0) return -1; int r = read_internal(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_read_ex(SSL *s, void *b, size_t n, size_t *o) { int r = read_internal(s, b, n, o); return r < 0 ? 0 : r; }
`

const readBody = `
KEEP static int shared(SSL *s, void *buf, size_t len, int peek, size_t *out) {
  *errno_at() = 0;
  if (s->renegotiate) check(s, 0);
  s->in_read = 1;
  int ret = s->method->read_bytes(s, 23, NULL, buf, len, peek, out);
  if (ret == -1 && s->in_read == 2) {
    handshake(s, 1);
    ret = s->method->read_bytes(s, 23, NULL, buf, len, peek, out);
    handshake(s, 0);
  } else
    s->in_read = 0;
  return ret;
}
static int ssl3_read(SSL *s, void *b, size_t n, size_t *o) { return shared(s, b, n, 0, o); }
static int ssl3_peek(SSL *s, void *b, size_t n, size_t *o) { return shared(s, b, n, 1, o); }
`

const readMethods = `
static const METHOD both = { .version = 1, .read = ssl3_read, .peek = ssl3_peek, .read_bytes = bytes };
static const METHOD client = { .version = 2, .read = ssl3_read, .peek = ssl3_peek, .read_bytes = bytes };
static const METHOD server = { .version = 3, .read = ssl3_read, .peek = ssl3_peek, .read_bytes = bytes };
const METHOD *TLS_method(void) { return &both; }
const METHOD *TLS_client_method(void) { return &client; }
const METHOD *TLS_server_method(void) { return &server; }
`

func innerOf(m *image) ([]site, error) {
	sites, _, err := endsOf(m)
	return sites, err
}

// endsOf is innerRead of the function that SSL_read calls.
func endsOf(m *image) (sites []site, slot int64, err error) {
	inner, ok := firstCall(m, m.symbols["SSL_read"].Value)
	if !ok {
		return nil, 0, errors.New("SSL_read calls nothing first")
	}
	return innerRead(m, inner)
}

// checkInner holds what a site must have whatever the compiler made of the rest.
func checkInner(t *testing.T, m *image, sites []site) {
	t.Helper()
	if len(sites) != 2 {
		t.Fatalf("%d sites, want one for each of the two reads: %v", len(sites), sites)
	}
	for _, s := range sites {
		r := s.regs
		if r.session > 5 || r.buffer > 5 || r.out > 5 || r.peek > 5 {
			t.Errorf("%s: %+v names registers that calls do not keep", s.name, r)
		}
		if r.session == r.buffer || r.buffer == r.out || r.session == r.out || r.peek == r.out {
			t.Errorf("%s: %+v has two values in one register", s.name, r)
		}
		if s.cost == CostStepped || !s.entry || s.ret || s.what != whatInnerRead {
			t.Errorf("%s: %+v", s.name, s)
		}
	}
}

func TestInnerRead(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O3"}, {"-O2", "-fstack-protector-strong"}, {"-O2", "-fno-omit-frame-pointer"}, {"-O2", "-fcf-protection=full"}, {"-O2", "-fcf-protection=full", "-fno-omit-frame-pointer", "-fstack-clash-protection"}, {"-O2", "-Wl,-z,pack-relative-relocs"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			m := compiled(t, strings.NewReplacer("BODY", readBody, "METHODS", readMethods).Replace(readLibrary), flags...)
			sites, err := innerOf(m)
			if err != nil {
				t.Fatal(err)
			}
			checkInner(t, m, sites)
		})
	}
}

// TestInnerReadRefuses changes one thing at a time that would make the site wrong.
func TestInnerReadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"another kind of record", "23, NULL, buf, len", "22, NULL, buf, len"},
		{"another buffer", "23, NULL, buf, len", "23, NULL, (unsigned char *)buf + 16, len"},
		{"another length", "23, NULL, buf, len", "23, NULL, buf, len - 1"},
		{"the second read only", "ret = s->method->read_bytes(s, 23, NULL, buf, len, peek, out);\n    handshake(s, 0)", "ret = s->method->read_bytes(s, 23, NULL, 0, len, peek, out);\n    handshake(s, 0)"},
		{"clients read elsewhere", "METHOD client = { .version = 2, .read = ssl3_read", "METHOD client = { .version = 2, .read = ssl3_peek"},
		{"a method without a table", "{ return &server; }", "{ extern const METHOD *made(void); return made(); }"},
		{"QUIC", "const METHOD *TLS_method", "const METHOD *OSSL_QUIC_client_method(void) { return &both; }\nconst METHOD *TLS_method"},
		{"a read that gives its result away", "return ret;", "return ret > 0 ? 1 : s->method->read_bytes(s, 23, NULL, buf, len, peek, out);"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source := strings.NewReplacer("BODY", readBody, "METHODS", readMethods).Replace(readLibrary)
			refused(t, source, tt.old, tt.new, innerOf)
		})
	}
}

// refused checks that what resolves source refuses it once old is new there.
func refused(t *testing.T, source, old, new string, resolve func(*image) ([]site, error)) {
	t.Helper()
	changed := strings.Replace(source, old, new, 1)
	if changed == source {
		t.Fatal("the change does not apply")
	}
	if sites, err := resolve(compiled(t, changed)); !errors.Is(err, errFlow) {
		t.Errorf("%v, %v, want it refused", sites, err)
	}
}

// ofThisMachine resolves the library that the end-to-end tests record.
func ofThisMachine(t *testing.T, resolve func(*image) ([]site, error)) (*image, []site) {
	t.Helper()
	const lib = "/usr/lib/x86_64-linux-gnu/libssl.so.3"
	if _, err := os.Stat(lib); err != nil {
		t.Skipf("SKIP: %s is not installed", lib)
	}
	m, err := openImage(lib)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	sites, err := resolve(m)
	if err != nil {
		// Another distribution's build may be one that is refused; Debian 12's is not.
		t.Skipf("SKIP: %v", err)
	}
	return m, sites
}

func TestInnerReadOfThisMachine(t *testing.T) {
	m, sites := ofThisMachine(t, innerOf)
	checkInner(t, m, sites)
}

// FuzzWalk follows arbitrary code: it must end, and without a panic.
func FuzzWalk(f *testing.F) {
	f.Add([]byte{0x41, 0x56, 0x4d, 0x89, 0xc6, 0xff, 0x50, 0x68, 0x83, 0xf8, 0xff, 0x74, 0x02, 0xc3})
	f.Add([]byte{0xe9, 0xfb, 0xff, 0xff, 0xff})
	f.Add([]byte{0x48, 0x83, 0xec, 0x18, 0x89, 0x44, 0x24, 0x0c, 0x75, 0xf6})
	f.Fuzz(func(t *testing.T, code []byte) {
		w := &readWalk{fetch: func(va uint64) []byte {
			if va >= uint64(len(code)) {
				return nil
			}
			return code[va:]
		}, offset: func(va uint64) (uint64, bool) { return va, true }}
		if err := w.run(0); err == nil {
			for _, s := range w.at {
				if s.regs.session > 5 || s.regs.buffer > 5 || s.regs.out > 5 {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}
