package record

import (
	"errors"
	"strings"
	"testing"
)

// copyBody is the shape of OpenSSL's function that reads records, in C.
const copyBody = `
#include <string.h>
struct record { int kind; unsigned char *data; size_t off, left; };
extern int more(SSL*), alert(SSL*, struct record*), ready(SSL*), state(SSL*, int), fatal(SSL*, int);
extern struct record *current(SSL*);
extern unsigned char *fragment(SSL*, size_t **);
KEEP static int bytes(SSL *s, int type, int *got, unsigned char *buf, size_t len, int peek, size_t *out) {
  if (!ready(s)) return -1;
  if ((type && type != 23 && type != 22) || (peek && type != 23)) return fatal(s, 80);
  size_t *held, n, total;
  unsigned char *kept = fragment(s, &held);
  if (type == 22 && *held > 0) {
    unsigned char *to = buf;
    for (n = 0; len > 0 && *held > 0; n++) { *to++ = *kept++; len--; --*held; }
    if (got) *got = 22;
    *out = n;
    return 1;
  }
start:
  if (more(s) <= 0) return -1;
  struct record *r = current(s);
  if (r->kind == type || (r->kind == 20 && type == 22 && got)) {
    if (state(s, 1) && type == 23 && s->shutdown) return fatal(s, 10);
    if (got) *got = r->kind;
    if (!len) return 0;
    total = 0;
    do {
      n = len - total > r->left ? r->left : len - total;
      memcpy(buf, r->data + r->off, n);
      buf += n;
      if (!peek) {
        if (s->version & 2) memset(r->data + r->off, 0, n);
        r->left -= n;
        r->off += n;
      }
      total += n;
      if (!r->left || (peek && n == r->left)) r = current(s);
    } while (type == 23 && r && total < len);
    if (!total) goto start;
    *out = total;
    return 1;
  }
  if (r->kind == 21) { if (alert(s, r) < 0) return -1; goto start; }
  if (r->kind == 22) { state(s, r->off); goto start; }
  return fatal(s, r->kind);
}
`

// copyLibrary is readLibrary with that function in it, for one protocol more.
var copyLibrary = strings.NewReplacer("extern int bytes(SSL*, int, int*, unsigned char*, size_t, int, size_t*);", copyBody,
	"BODY", readBody, "METHODS", readMethods+"const METHOD *DTLS_method(void) { return &both; }\nconst METHOD *TLSv1_2_method(void) { return &both; }\n").Replace(readLibrary)

func copiesOf(m *image) ([]site, error) {
	_, slot, err := endsOf(m)
	if err != nil {
		return nil, err
	}
	return innerCopy(m, slot)
}

func TestInnerCopy(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O3"}, {"-O2", "-fstack-protector-strong"}, {"-O2", "-fno-omit-frame-pointer"}, {"-O2", "-fcf-protection=full"}, {"-O2", "-fcf-protection=full", "-fstack-clash-protection", "-Wl,-z,pack-relative-relocs"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			m := compiled(t, copyLibrary, flags...)
			sites, err := copiesOf(m)
			if err != nil {
				t.Fatal(err)
			}
			checkCopies(t, m, sites, 1)
		})
	}
}

// checkCopies holds what the sites must have whatever the compiler made of the rest.
func checkCopies(t *testing.T, m *image, sites []site, want int) {
	t.Helper()
	if len(sites) != want {
		t.Fatalf("%d sites, want %d: %v", len(sites), want, sites)
	}
	for _, s := range sites {
		if s.what != whatInnerCopy || s.cost != CostEmulated || !s.entry || s.ret {
			t.Fatalf("%s: %+v", s.name, s)
		}
		if p := s.at; p.session > 21 || p.kind > 43 || p.peek > 43 || p.session == p.kind/2 || p.session == p.peek/2 || p.kind == p.peek || p.out != noPair {
			t.Errorf("%s: %+v are no three places", s.name, p)
		}
		code := make([]byte, 1)
		if _, err := m.f.ReadAt(code, int64(s.off)); err != nil || code[0] != 0xe8 {
			t.Errorf("%s: begins with %#x, want a call", s.name, code)
		}
	}
}

// TestInnerCopyRefuses changes one thing at a time that would make a copy too few, or
// its reader unknown.
func TestInnerCopyRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"copies without memcpy", "memcpy(buf, r->data + r->off, n);", "for (size_t i = 0; i < n; i++) ((volatile unsigned char *)buf)[i] = r->data[i];"},
		{"writes beside memcpy", "buf += n;", "*buf = 1; buf += n;"},
		{"gives the buffer to somebody", "if (!len) return 0;", "extern void fill(SSL*, unsigned char*); fill(s, buf);"},
		{"keeps the buffer", "if (!len) return 0;", "s->method = (void *)buf;"},
		{"another type from there on", "total = 0;", "total = 0; type = state(s, type);"},
		{"another session from there on", "total = 0;", "total = 0; s = (SSL *)current(s);"},
		{"peeks or not as it likes", "total = 0;", "total = 0; peek = state(s, peek);"},
		{"a table that is not known", "{ return &both; }\nconst METHOD *TLSv1_2", "{ extern const METHOD *made(void); return made(); }\nconst METHOD *TLSv1_2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, copyLibrary, tt.old, tt.new, copiesOf)
		})
	}
}

// TestInnerCopyOfThisMachine: one copy for TLS and one for DTLS.
func TestInnerCopyOfThisMachine(t *testing.T) {
	m, sites := ofThisMachine(t, copiesOf)
	checkCopies(t, m, sites, 2)
}

// FuzzFlow follows arbitrary code: it must end, without a panic, and never know more
// of a place than each of the ways there.
func FuzzFlow(f *testing.F) {
	f.Add([]byte{0x41, 0x56, 0x48, 0x89, 0xcb, 0x31, 0xc0, 0x74, 0x02, 0x01, 0xc3, 0x5b, 0xc3})
	f.Add([]byte{0x83, 0xfe, 0x17, 0x75, 0xfb, 0x89, 0x74, 0x24, 0xf8, 0xeb, 0xf6})
	f.Add([]byte{0x48, 0x83, 0xec, 0x18, 0x89, 0x44, 0x24, 0x0c, 0x75, 0xf6})
	f.Fuzz(func(t *testing.T, code []byte) {
		w := &flow{fetch: func(va uint64) []byte {
			if va >= uint64(len(code)) {
				return nil
			}
			return code[va:]
		}, dies: func(va uint64) bool { return va == 7 }}
		start := newRegisterFile()
		start.regs[1] = symbol{symBuffer, untouched}
		if err := w.follow(0, start); err != nil {
			if !errors.Is(err, errFlow) {
				t.Error(err)
			}
			return
		}
		for va := range w.before {
			if jump, ok := w.tested(va, -1); ok && (jump < va || jump > va+maxCleanup) {
				t.Fatalf("behind %#x a jump at %#x", va, jump)
			}
		}
		// Once more from what was found: nothing changes.
		for va := range w.before {
			if err := w.step(va); err != nil || len(w.todo) > 0 {
				t.Fatalf("at %#x: %v, %d states change again", va, err, len(w.todo))
			}
		}
	})
}
